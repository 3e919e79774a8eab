// SPDX-License-Identifier: Apache-2.0
#include "engine/backend/cuda/host_stage.h"

#include <algorithm>
#include <cstring>
#include <deque>
#include <optional>

namespace strata::cuda {
namespace {

/// A value or a gradient as the op sees it, and the page-locked memory through which it comes and goes. That memory
/// must not change before the device has been waited for.
class HostTensor {
 public:
  HostTensor(Device& device, Index most)
      : values(static_cast<std::size_t>(most)), m_device(device), m_bytes(device, most * Index{sizeof(float)}) {}

  void fetch(const In<Real>& from) {
    const Access access = from.access();
    m_device.copyOut(Lane::Main, m_bytes.data(), access.data, access.bytes);
  }
  /// Once it has been waited for.
  void unpack(Index count, Storage storage) {
    if (storage == Storage::Float32) std::memcpy(values.data(), m_bytes.data(), bytes(count, storage));
    else
      for (Index i = 0; i < count; ++i) values[static_cast<std::size_t>(i)] = RealRef(m_bytes.data(), storage, i);
  }
  void send(const Out<Real>& to) {
    if (to.storage == Storage::Float32) std::memcpy(m_bytes.data(), values.data(), bytes(to.count, to.storage));
    else
      for (Index i = 0; i < to.count; ++i) RealRef(m_bytes.data(), to.storage, i) = values[static_cast<std::size_t>(i)];
    m_device.copyIn(Lane::Main, to.data, m_bytes.data(), bytes(to.count, to.storage));
  }

  std::vector<float> values;

 private:
  static std::size_t bytes(Index count, Storage storage) { return static_cast<std::size_t>(count * bytesOf(storage)); }
  Device& m_device;
  HostBuffer<std::byte> m_bytes;
};

class HostStage : public Stage {
 public:
  HostStage(Shared& shared, const Graph& graph, std::size_t index, std::vector<Input> inputs)
      : Stage(std::move(inputs)), m_shared(shared), m_node(graph.nodes[index]), m_index(index),
        m_y(shared.device, shared.maxBatch * graph.outputOf(index).size()),
        m_dy(shared.device, shared.maxBatch * graph.outputOf(index).size()) {
    const bool wanted = std::ranges::any_of(in, &Input::wantsGradient);
    for (const Input& input : in) {
      m_x.emplace_back(shared.device, shared.maxBatch * input.size());
      m_dx.emplace_back(shared.device, input.wantsGradient() ? shared.maxBatch * input.size() : 1);
      m_xs.push_back(m_x.back().values.data());
      m_dxs.push_back(input.wantsGradient() ? m_dx.back().values.data() : nullptr);
    }
    if (m_node.parameters > 0) {
      m_weights.emplace(shared.device, m_node.parameters);
      m_gradients.emplace(shared.device, m_node.parameters);
    }
    m_op = m_node.def->makeOp(graph.siteOf(index, shared.maxBatch, wanted));
    onHost = true;
    note = "on the host: no kernel for " + m_node.def->type;
  }

  void forward(const Pass& pass) override {
    for (std::size_t i = 0; i < in.size(); ++i) m_x[i].fetch(in[i].values(pass.batch));
    eachVariable([this](ParamId id, Index offset, Index size) {
      m_shared.device.copyOut(Lane::Main, m_weights->data() + offset, m_shared.weight(id).data, floats(size));
    });
    m_shared.device.synchronize(Lane::Main);
    for (std::size_t i = 0; i < in.size(); ++i)
      m_x[i].unpack(pass.batch * in[i].size(), in[i].values(pass.batch).storage);
    m_op->forward(io(pass));
    m_y.send(out.values.out(pass.batch * out.size));
  }

  void backward(const Pass& pass) override {
    const In<Real> dy = out.gradients.in(pass.batch * out.size);
    m_dy.fetch(dy);
    m_shared.device.synchronize(Lane::Main);
    m_dy.unpack(dy.count, dy.storage);
    m_op->backward(io(pass));
    for (std::size_t i = 0; i < in.size(); ++i)
      if (in[i].wantsGradient()) m_dx[i].send(in[i].gradient(pass.batch));
    if (!m_node.trainable) return;
    eachVariable([this](ParamId id, Index offset, Index size) {
      m_shared.device.copyIn(Lane::Main, m_shared.gradient(id).data, m_gradients->data() + offset, floats(size));
    });
  }

 private:
  static std::size_t floats(Index count) { return static_cast<std::size_t>(count) * sizeof(float); }

  /// visit(id, offset in the node's slice, size)
  template <class Visit>
  void eachVariable(Visit visit) const {
    Index offset = 0;
    for (std::size_t i = 0; i < m_node.params.size(); ++i) {
      visit(ParamId{m_index, i}, offset, m_node.params[i].size());
      offset += m_node.params[i].size();
    }
  }

  OpIo io(const Pass& pass) {
    OpIo io;
    io.batch = pass.batch;
    io.x = m_xs.front();
    io.xs = m_xs;
    io.y = m_y.values.data();
    io.dy = m_dy.values.data();
    io.dx = m_dxs.front();
    io.dxs = m_dxs;
    if (m_weights) io.weights = {m_weights->data(), static_cast<std::size_t>(m_node.parameters)};
    if (m_gradients) io.gradients = {m_gradients->data(), static_cast<std::size_t>(m_node.parameters)};
    io.training = pass.training;
    io.seed = m_shared.seed;
    io.step = pass.step;
    return io;
  }

  Shared& m_shared;
  const Node& m_node;
  const std::size_t m_index;
  std::deque<HostTensor> m_x, m_dx;  ///< of each input
  HostTensor m_y, m_dy;
  std::vector<const float*> m_xs;
  std::vector<float*> m_dxs;
  std::optional<HostBuffer<float>> m_weights, m_gradients;
  std::unique_ptr<Op> m_op;
};

}  // namespace

std::unique_ptr<Stage> makeHostStage(Shared& shared, const Graph& graph, std::size_t node, std::vector<Input> inputs) {
  return std::make_unique<HostStage>(shared, graph, node, std::move(inputs));
}

}  // namespace strata::cuda
