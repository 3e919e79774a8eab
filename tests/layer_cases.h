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

/// Site of an example of `def`; throws when the example is not legal for the layer.
inline Site siteOf(const LayerDef& def, const Example& example, int maxBatch) {
  const Fields fields = fieldsFromJson(def.fields, Json::parse(example.fields), def.type, {});
  const ShapeResult result = def.inferShape(fields, example.in);
  if (result.issue) throw Error(Error::Kind::Input, def.type, result.issue->text);
  return {def.type, fields, example.in, result.out, maxBatch, 3, true};
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
  std::vector<Real> x, y, dy, dx, weights, gradients;
  OpTensors(const LayerDef& def, const Site& site, int batch)
      : x(randomValues<Real>(batch * site.in.size(), 1)),
        y(static_cast<std::size_t>(batch * site.out.size()), Real(NAN)),
        dy(randomValues<Real>(batch * site.out.size(), 2)), dx(x.size(), Real(NAN)),
        weights(randomValues<Real>(weightCount(def, site), 3)), gradients(weights.size(), Real(NAN)), m_batch(batch) {}
  BasicOpIo<Real> io() {
    BasicOpIo<Real> io;
    io.batch = m_batch;
    io.x = x.data();
    io.y = y.data();
    io.dy = dy.data();
    io.dx = dx.data();
    io.weights = weights;
    io.gradients = gradients;
    io.training = true;
    io.seed = 7;
    io.step = 5;
    return io;
  }

 private:
  int m_batch;
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
