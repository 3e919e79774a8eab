// SPDX-License-Identifier: GPL-3.0-or-later
// The cases of the generated layer tests: every layer with every one of its examples.
#pragma once
#include <QString>
#include <functional>
#include <vector>

#include "engine/backend/backend.h"
#include "engine/base/error.h"
#include "engine/base/json.h"
#include "engine/base/rng.h"

namespace strata::test {

/// Site of an example of `def`, which is no container; throws when the example is not legal for the layer.
inline Site siteOf(const LayerDef& def, const Example& example, int maxBatch) {
  Site site;
  site.name = def.type;
  site.fields = fieldsFromJson(def.fields, Json::parse(example.fields), def.type, {});
  site.in = example.in;
  site.ins = example.others;
  site.ins.insert(site.ins.begin(), example.in);
  const ShapeResult result =
      def.joins() ? def.inferJoin(site.fields, site.ins) : def.inferShape(site.fields, example.in);
  if (!result.out.known()) throw Error(Error::Kind::Input, def.type, result.issue ? result.issue->text : "no shape");
  site.out = result.out;
  site.maxBatch = maxBatch;
  site.stream = 3;
  return site;
}

/// The example as a layer of that name, a container with what it holds.
inline LayerSpec layerOf(const LayerDef& def, const Example& example, const std::string& name) {
  Json layer = Json::parse(example.fields);
  layer["type"] = def.type;
  layer["name"] = name;
  return networkFromJson({{"layers", Json::array({layer})}}, "example").layers.front();
}

inline std::int64_t weightCount(const LayerDef& def, const Site& site) {
  std::int64_t count = 0;
  for (const ParamInfo& param : def.params(site.fields, site.in)) count += param.size();
  return count;
}

template <class Real>
std::vector<Real> randomValues(std::int64_t count, std::uint64_t index) {
  Rng rng(1, Stream::Test, index);
  std::vector<Real> values(static_cast<std::size_t>(count));
  for (Real& value : values) value = rng.normal();
  return values;
}

/// All tensors of one call of an op, filled at random; outputs start as NaN, so that what is not written shows.
template <class Real>
struct OpTensors {
  std::vector<std::vector<Real>> xs, dxs;  ///< one for each input
  std::vector<Real> y, dy, weights, gradients;
  OpTensors(const LayerDef& def, const Site& site, int batch)
      : y(static_cast<std::size_t>(batch * site.out.size()), Real(NAN)),
        dy(randomValues<Real>(batch * site.out.size(), 2)), weights(randomValues<Real>(weightCount(def, site), 3)),
        gradients(weights.size(), Real(NAN)), m_batch(batch) {
    for (const Shape& in : site.ins) {
      xs.push_back(randomValues<Real>(batch * in.size(), xs.empty() ? 1 : 10 + xs.size()));
      dxs.emplace_back(xs.back().size(), Real(NAN));
    }
    // A running variable may be a variance.
    auto at = weights.begin();
    for (const ParamInfo& param : def.params(site.fields, site.in))
      for (std::int64_t i = 0; i < param.size(); ++i, ++at)
        if (param.role == ParamInfo::Role::Running) *at = std::abs(*at);
    for (const auto& x : xs) m_xs.push_back(x.data());
    for (auto& dx : dxs) m_dxs.push_back(dx.data());
  }
  BasicOpIo<Real> io() {
    BasicOpIo<Real> io;
    io.batch = m_batch;
    io.x = m_xs.front();
    io.xs = m_xs;
    io.y = y.data();
    io.dy = dy.data();
    io.dx = m_dxs.front();
    io.dxs = m_dxs;
    io.weights = weights;
    io.gradients = gradients;
    io.training = true;
    io.seed = 7;
    io.step = 5;
    return io;
  }

 private:
  int m_batch;
  std::vector<const Real*> m_xs;
  std::vector<Real*> m_dxs;
};

/// visit(row name, layer, example) for every layer and example.
inline void forEachExample(const std::function<void(const QString&, const LayerDef&, const Example&)>& visit) {
  for (const LayerDef& def : allLayers())
    for (std::size_t i = 0; i < def.examples.size(); ++i)
      visit(QString("%1 %2 %3")
                .arg(QString::fromStdString(def.type))
                .arg(i)
                .arg(QString::fromStdString(def.examples[i].fields)),
            def, def.examples[i]);
}

}  // namespace strata::test
