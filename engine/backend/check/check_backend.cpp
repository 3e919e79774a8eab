// SPDX-License-Identifier: Apache-2.0
#include "engine/backend/check/check_backend.h"

#include "engine/backend/compare_tensors.h"
#include "engine/backend/reference/network.h"
#include "engine/base/error.h"

namespace strata {
namespace {

std::vector<int> batchShape(int batch, const Shape& shape) {
  if (shape.isImage()) return {batch, shape.h, shape.w, shape.c};
  if (shape.isSequence()) return {batch, shape.h, shape.c};
  return {batch, shape.c};
}

class CheckOp : public Op {
 public:
  CheckOp(std::unique_ptr<Op> expected, std::unique_ptr<Op> checked, const LayerDef& def, const Site& site,
          const std::string& backends)
      : m_expected(std::move(expected)), m_checked(std::move(checked)), m_site(site),
        m_params(def.params(site.fields, site.in)), m_where(site.name + " (" + def.type + ", " + backends + ")"),
        m_y(site.maxBatch * site.out.size()) {
    for (const Shape& in : site.ins) m_dxs.emplace_back(static_cast<std::size_t>(site.maxBatch * in.size()));
  }

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
    std::vector<float*> dxs;
    for (std::size_t i = 0; i < m_dxs.size(); ++i) dxs.push_back(io.dxs[i] ? m_dxs[i].data() : nullptr);
    own.dx = dxs.front();
    own.dxs = dxs;
    m_gradients.resize(io.gradients.size());
    own.gradients = m_gradients;
    m_checked->backward(own);
    std::size_t offset = 0;
    for (const ParamInfo& param : m_params) {
      const auto size = static_cast<std::size_t>(param.size());
      compare("gradient of the " + param.name, {m_gradients.data() + offset, size},
              {io.gradients.data() + offset, size}, param.shape);
      offset += size;
    }
    for (std::size_t i = 0; i < m_dxs.size(); ++i) {
      const auto size = static_cast<std::size_t>(io.batch * m_site.ins[i].size());
      if (io.dxs[i])
        compare(m_dxs.size() == 1 ? "gradient of the input" : "gradient of input " + std::to_string(i + 1),
                {m_dxs[i].data(), size}, {io.dxs[i], size}, batchShape(io.batch, m_site.ins[i]));
    }
  }

 private:
  std::size_t outSize(const OpIo& io) const { return static_cast<std::size_t>(io.batch * m_site.out.size()); }

  void compare(const std::string& tensor, std::span<const float> got, std::span<const float> expected,
               const std::vector<int>& shape) const {
    if (const auto difference = compareTensors(got, expected, shape))
      throw Error(Error::Kind::Device, m_where, tensor + " " + *difference);
  }

  std::unique_ptr<Op> m_expected, m_checked;
  Site m_site;
  std::vector<ParamInfo> m_params;
  std::string m_where;
  std::vector<float> m_y, m_gradients;  ///< of the checked op
  std::vector<std::vector<float>> m_dxs;
};

/// Two compiled nets side by side. Before every step the checked one is given the other's weights and state; after it,
/// the loss and what the step did to each tensor are compared.
class CheckedNetwork : public CompiledNetwork {
 public:
  CheckedNetwork(std::unique_ptr<CompiledNetwork> expected, std::unique_ptr<CompiledNetwork> checked,
                 const CompileRequest& request, const std::string& backends)
      : m_expected(std::move(expected)), m_checked(std::move(checked)), m_output(lower(request.network).output()),
        m_where("the whole net (" + backends + ")") {}

  void setWeights(const Weights& weights) override { m_expected->setWeights(weights); }
  Weights weights() const override { return m_expected->weights(); }
  std::vector<float> optimizerState() const override { return m_expected->optimizerState(); }
  void setOptimizerState(const std::vector<float>& state) override { m_expected->setOptimizerState(state); }
  void activations(const Batch& batch, std::vector<std::vector<float>>& out) override {
    m_expected->activations(batch, out);
  }
  NonFinite findNonFinite(const Batch& batch, std::uint64_t step) override {
    return m_expected->findNonFinite(batch, step);
  }
  Precision precision() const override { return m_checked->precision(); }
  std::string explain() const override { return m_checked->explain(); }

  void forward(const Batch& batch, float* outputs) override {
    m_checked->setWeights(m_expected->weights());
    m_expected->forward(batch, outputs);
    std::vector<float> own(static_cast<std::size_t>(batch.size * m_output.size()));
    m_checked->forward(batch, own.data());
    compare<float>("output", own, {outputs, own.size()}, batchShape(batch.size, m_output));
  }

  LossResult trainBatch(const Batch& batch, double learningRate, std::uint64_t step) override {
    const Weights before = m_expected->weights();
    m_checked->setWeights(before);
    m_checked->setOptimizerState(m_expected->optimizerState());
    const LossResult expected = m_expected->trainBatch(batch, learningRate, step),
                     got = m_checked->trainBatch(batch, learningRate, step);
    compare<double>("loss", {&got.lossSum, 1}, {&expected.lossSum, 1}, {1});
    const std::vector<float> state = m_expected->optimizerState(), ownState = m_checked->optimizerState();
    if (state.empty())
      compareLayers("change of ", before.places, change(m_checked->weights(), before),
                    change(m_expected->weights(), before));
    // Adam's steps turn on the sign of tiny gradients: its state tells more.
    const std::size_t count = before.values.size();
    for (std::size_t slot = 0; slot * count < state.size(); ++slot)
      compareLayers("optimizer state of ", before.places, std::span(ownState).subspan(slot * count, count),
                    std::span(state).subspan(slot * count, count));
    return expected;
  }

 private:
  static std::vector<float> change(const Weights& after, const Weights& before) {
    std::vector<float> result(after.values.size());
    for (std::size_t i = 0; i < result.size(); ++i) result[i] = after.values[i] - before.values[i];
    return result;
  }

  /// From the last tensor to the first, as gradients flow: the first that differs is where it starts.
  void compareLayers(const std::string& what, const std::vector<TensorPlace>& places, std::span<const float> got,
                     std::span<const float> expected) const {
    for (auto place = places.rbegin(); place != places.rend(); ++place) {
      const auto offset = static_cast<std::size_t>(place->offset), size = static_cast<std::size_t>(place->size);
      compare(what + place->name, got.subspan(offset, size), expected.subspan(offset, size), place->shape);
    }
  }

  template <class Real = float>
  void compare(const std::string& tensor, std::span<const Real> got, std::span<const Real> expected,
               const std::vector<int>& shape) const {
    if (const auto difference = compareTensors(got, expected, shape, {1e-3, 1e-6}))
      throw Error(Error::Kind::Device, m_where, tensor + " " + *difference);
  }

  std::unique_ptr<CompiledNetwork> m_expected, m_checked;
  Shape m_output;
  std::string m_where;
};

class CheckBackend : public Backend {
 public:
  CheckBackend(std::unique_ptr<Backend> expected, std::unique_ptr<Backend> checked)
      : m_expected(std::move(expected)), m_checked(std::move(checked)),
        m_id("check:" + m_expected->id() + "," + m_checked->id()) {}

  const std::string& id() const override { return m_id; }
  std::vector<Precision> precisions() const override { return m_checked->precisions(); }
  std::unique_ptr<Op> makeOp(const LayerDef& def, const Site& site) override {
    return std::make_unique<CheckOp>(opOf(*m_expected, def, site), opOf(*m_checked, def, site), def, site, m_id);
  }
  std::unique_ptr<CompiledNetwork> compile(const CompileRequest& request) override {
    auto checked = m_checked->compile(request);
    if (dynamic_cast<Network*>(checked.get())) return Backend::compile(request);
    CompileRequest own = request;
    own.precision.reset();  // which the expected backend may not know
    return std::make_unique<CheckedNetwork>(m_expected->compile(own), std::move(checked), request, m_id);
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
