// SPDX-License-Identifier: GPL-3.0-or-later
#include "cuda_sim/graph_interpreter.h"

#include <stdexcept>

#include "engine/base/json.h"

#include "cuda_sim/storage.h"

namespace strata::cuda {

std::int64_t GraphInterpreter::Tensor::elements() const {
  std::int64_t last = 0;
  for (std::size_t i = 0; i < dims.size(); ++i) last += (dims[i] - 1) * strides[i];
  return last + 1;
}

GraphInterpreter::GraphInterpreter(const std::string& text) {
  const Json json = Json::parse(text);
  for (const Json& item : json.at("tensors")) {
    Tensor tensor;
    if (item.at("data_type") == "BFLOAT16") tensor.storage = Storage::Bfloat16;
    else if (item.at("data_type") != "FLOAT")
      throw std::logic_error("the simulated device knows float32 and bfloat16 alone");
    item.at("dim").get_to(tensor.dims);
    item.at("stride").get_to(tensor.strides);
    tensor.isVirtual = item.at("is_virtual");
    m_tensors[item.at("uid")] = tensor;
  }
  for (const Json& item : json.at("nodes")) {
    Node node;
    node.tag = item.at("tag");
    for (const auto& [name, uid] : item.at("inputs").items()) node.inputs[name] = uid;
    for (const auto& [name, uid] : item.at("outputs").items()) m_tensors.at(node.outputs[name] = uid).written = true;
    if (node.tag == "POINTWISE") {
      node.mode = item.at("mode");
    } else {
      item.at("pre_padding").get_to(node.before);
      item.at("post_padding").get_to(node.after);
      item.at("stride").get_to(node.stride);
      if (item.at("math_mode") != "CROSS_CORRELATION" || item.at("dilation") != Json::array({1, 1}))
        throw std::logic_error("unexpected convolution");
    }
    m_nodes.push_back(node);
  }
}

std::vector<Access> GraphInterpreter::accesses(std::span<const Bound> bound) const {
  std::vector<Access> list;
  for (const auto& [tensor, data] : bound) {
    const Tensor& described = m_tensors.at(tensor);
    list.push_back({data, static_cast<std::size_t>(described.elements() * bytesOf(described.storage)),
                    described.written ? Use::Write : Use::Read});
  }
  return list;
}

void GraphInterpreter::run(std::span<const Bound> bound) const {
  Memory memory;
  for (const auto& [uid, data] : bound) {
    const Tensor& tensor = m_tensors.at(uid);
    if (tensor.storage == Storage::Float32) memory.data[uid] = static_cast<float*>(data);
    else memory.data[uid] = (memory.owned[uid] = toFloats(data, tensor.elements(), tensor.storage)).data();
  }
  for (const auto& [uid, tensor] : m_tensors) {
    if (tensor.isVirtual)
      memory.data[uid] = (memory.owned[uid] = std::vector<float>(static_cast<std::size_t>(tensor.elements()))).data();
    else if (!memory.data.contains(uid)) throw std::logic_error("tensor " + std::to_string(uid) + " was not bound");
  }
  for (const Node& node : m_nodes) {
    if (node.tag == "POINTWISE") pointwise(node, memory);
    else convolve(node, memory);
  }
  for (const auto& [uid, data] : bound)
    if (const Tensor& tensor = m_tensors.at(uid); tensor.written && tensor.storage != Storage::Float32)
      fromFloats(memory.owned.at(uid), data, tensor.storage);
}

// Forward, data gradient and weight gradient are one loop over (n, output pixel, tap, filter, channel) that adds to
// another tensor.
void GraphInterpreter::convolve(const Node& node, const Memory& memory) const {
  const bool forward = node.tag == "CONV_FPROP", data = node.tag == "CONV_DGRAD";
  if (!forward && !data && node.tag != "CONV_WGRAD") throw std::logic_error("unexpected node " + node.tag);
  const int xId = data ? node.outputs.at("DX") : node.inputs.at("X"),
            wId = forward || data ? node.inputs.at("W") : node.outputs.at("DW");
  const int yId = forward ? node.outputs.at("Y") : node.inputs.at("DY");
  const Tensor &x = m_tensors.at(xId), &w = m_tensors.at(wId), &y = m_tensors.at(yId);
  float *px = memory.data.at(xId), *pw = memory.data.at(wId), *py = memory.data.at(yId);
  const auto& d = y.dims;
  const std::int64_t channels = w.dims[1], filters = w.dims[0];
  for (int axis : {0, 1}) {  // the sizes must agree as cuDNN computes them
    const auto a = static_cast<std::size_t>(axis);
    if (y.dims[a + 2] != (x.dims[a + 2] + node.before[a] + node.after[a] - w.dims[a + 2]) / node.stride[a] + 1)
      throw std::logic_error("sizes disagree");
  }
  if (channels != x.dims[1] || filters != y.dims[1] || x.strides[1] != 1 || w.strides[1] != 1 || y.strides[1] != 1)
    throw std::logic_error("not channels last");
  const std::int64_t taps = w.dims[2] * w.dims[3];
  // [R,S,C,K], so that the forward loop runs along K.
  std::vector<float> transposed(static_cast<std::size_t>(taps * channels * filters));
  if (forward)
    for (std::int64_t k = 0; k < filters; ++k)
      for (std::int64_t t = 0; t < taps; ++t)
        for (std::int64_t c = 0; c < channels; ++c)
          transposed[static_cast<std::size_t>((t * channels + c) * filters + k)] =
              pw[k * w.strides[0] + t / w.dims[3] * w.strides[2] + t % w.dims[3] * w.strides[3] + c];
  const Tensor& result = forward ? y : data ? x : w;
  std::fill_n(forward ? py : data ? px : pw, result.elements(), 0.0f);

  for (std::int64_t n = 0; n < d[0]; ++n)
    for (std::int64_t p = 0; p < d[2]; ++p)
      for (std::int64_t q = 0; q < d[3]; ++q) {
        float* out = py + n * y.strides[0] + p * y.strides[2] + q * y.strides[3];
        for (std::int64_t t = 0; t < taps; ++t) {
          const std::int64_t r = t / w.dims[3], s = t % w.dims[3];
          const std::int64_t iy = p * node.stride[0] - node.before[0] + r, ix = q * node.stride[1] - node.before[1] + s;
          if (iy < 0 || ix < 0 || iy >= x.dims[2] || ix >= x.dims[3]) continue;
          float* in = px + n * x.strides[0] + iy * x.strides[2] + ix * x.strides[3];
          if (forward) {
            const float* row = transposed.data() + t * channels * filters;
            for (std::int64_t c = 0; c < channels; ++c, row += filters)
              for (std::int64_t k = 0; k < filters; ++k) out[k] += in[c] * row[k];
            continue;
          }
          for (std::int64_t k = 0; k < filters; ++k) {
            const float gradient = out[k];
            if (gradient == 0) continue;
            float* kernel = pw + k * w.strides[0] + r * w.strides[2] + s * w.strides[3];
            if (data)
              for (std::int64_t c = 0; c < channels; ++c) in[c] += gradient * kernel[c];
            else
              for (std::int64_t c = 0; c < channels; ++c) kernel[c] += gradient * in[c];
          }
        }
      }
}

void GraphInterpreter::pointwise(const Node& node, const Memory& memory) const {
  const int aId = node.inputs.at("IN_0"), outId = node.outputs.at("OUT_0");
  const bool add = node.mode == "ADD";
  if (!add && node.mode != "RELU_FWD") throw std::logic_error("unexpected pointwise " + node.mode);
  const int bId = add ? node.inputs.at("IN_1") : aId;
  const Tensor &a = m_tensors.at(aId), &b = m_tensors.at(bId), &out = m_tensors.at(outId);
  const float *pa = memory.data.at(aId), *pb = memory.data.at(bId);
  float* to = memory.data.at(outId);
  const auto at = [](const Tensor& tensor, const std::int64_t(&i)[4]) {  // a dimension of 1 is broadcast
    std::int64_t offset = 0;
    for (std::size_t axis = 0; axis < 4; ++axis) offset += tensor.dims[axis] == 1 ? 0 : i[axis] * tensor.strides[axis];
    return offset;
  };
  const auto& d = out.dims;
  for (std::int64_t n = 0; n < d[0]; ++n)
    for (std::int64_t h = 0; h < d[2]; ++h)
      for (std::int64_t w = 0; w < d[3]; ++w)
        for (std::int64_t c = 0; c < d[1]; ++c) {
          const std::int64_t i[4] = {n, c, h, w};
          const float value = pa[at(a, i)];
          to[at(out, i)] = add ? value + pb[at(b, i)] : value < 0 ? 0.0f : value;
        }
}

}  // namespace strata::cuda
