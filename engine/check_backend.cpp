// SPDX-License-Identifier: Apache-2.0
#include "engine/check_backend.h"

#include "engine/compare_tensors.h"
#include "engine/error.h"

namespace strata {
namespace {

std::vector<int> batchShape(int batch, const Shape& shape) {
  if (shape.isImage()) return {batch, shape.h, shape.w, shape.c};
  return {batch, shape.c};
}

class CheckOp : public Op {
 public:
  CheckOp(std::unique_ptr<Op> expected, std::unique_ptr<Op> checked, const LayerDef& def, const Site& site, const std::string& backends)
      : m_expected(std::move(expected)), m_checked(std::move(checked)), m_site(site), m_params(def.params(site.fields, site.in)),
        m_where(site.name + " (" + def.type + ", " + backends + ")"), m_y(site.maxBatch * site.out.size()), m_dx(site.maxBatch * site.in.size()) {}

  void forward(const OpIo& io) override {
    m_expected->forward(io);
    OpIo own = io;
    own.y = m_y.data();
    m_checked->forward(own);
    compare("output", {m_y.data(), outSize(io)}, {io.y, outSize(io)}, batchShape(io.batch, m_site.out));
  }

  void backward(const OpIo& io) override {
    m_expected->backward(io);
    OpIo own = io;
    own.y = m_y.data();
    own.dx = io.dx ? m_dx.data() : nullptr;
    m_gradients.resize(io.gradients.size());
    own.gradients = m_gradients;
    m_checked->backward(own);
    std::size_t offset = 0;
    for (const ParamInfo& param : m_params) {
      const auto size = static_cast<std::size_t>(param.size());
      compare("gradient of the " + param.name, {m_gradients.data() + offset, size}, {io.gradients.data() + offset, size}, param.shape);
      offset += size;
    }
    if (io.dx) compare("gradient of the input", {m_dx.data(), inSize(io)}, {io.dx, inSize(io)}, batchShape(io.batch, m_site.in));
  }

 private:
  std::size_t inSize(const OpIo& io) const { return static_cast<std::size_t>(io.batch * m_site.in.size()); }
  std::size_t outSize(const OpIo& io) const { return static_cast<std::size_t>(io.batch * m_site.out.size()); }

  void compare(const std::string& tensor, std::span<const float> got, std::span<const float> expected, const std::vector<int>& shape) const {
    if (const auto difference = compareTensors(got, expected, shape)) throw Error(Error::Kind::Device, m_where, tensor + " " + *difference);
  }

  std::unique_ptr<Op> m_expected, m_checked;
  Site m_site;
  std::vector<ParamInfo> m_params;
  std::string m_where;
  std::vector<float> m_y, m_dx, m_gradients;  ///< of the checked op
};

class CheckBackend : public Backend {
 public:
  CheckBackend(std::unique_ptr<Backend> expected, std::unique_ptr<Backend> checked)
      : m_expected(std::move(expected)), m_checked(std::move(checked)), m_id("check:" + m_expected->id() + "," + m_checked->id()) {}

  const std::string& id() const override { return m_id; }
  std::unique_ptr<Op> makeOp(const LayerDef& def, const Site& site) override {
    return std::make_unique<CheckOp>(opOf(*m_expected, def, site), opOf(*m_checked, def, site), def, site, m_id);
  }

 private:
  static std::unique_ptr<Op> opOf(Backend& backend, const LayerDef& def, const Site& site) {
    auto op = backend.makeOp(def, site);
    return op ? std::move(op) : def.makeOp(site);
  }

  std::unique_ptr<Backend> m_expected, m_checked;
  std::string m_id;
};

}  // namespace

std::unique_ptr<Backend> makeCheckBackend(std::unique_ptr<Backend> expected, std::unique_ptr<Backend> checked) {
  return std::make_unique<CheckBackend>(std::move(expected), std::move(checked));
}

}  // namespace strata
