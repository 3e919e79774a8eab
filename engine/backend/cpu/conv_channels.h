// SPDX-License-Identifier: Apache-2.0
// Channels that a whole batch can do without: outputs that no input brings to life, and inputs that ReLU held at zero.
#pragma once
#include "engine/backend/cpu/channel_marks.h"
#include "engine/backend/cpu/conv_weights.h"

namespace strata {

/// The output channels that ReLU is not known to hold at zero whatever the input, whose values have bounds.
class LiveOutputs {
 public:
  explicit LiveOutputs(const ConvContext& context);
  /// least and most: bounds of the input's values, infinite where they are not known.
  void choose(const ConvWeights& weights, float least, float most);
  OutputChannels channels() const { return {m_numbers.data(), m_bits.data(), m_count}; }

 private:
  bool provenDead(const ConvWeights& weights, int channel, double least, double most) const;

  const ConvContext m_context;
  Array<std::int32_t> m_numbers;
  Array<std::uint32_t> m_bits;
  int m_count = 0;
};

/// The input channels that hold a value other than zero in a batch. The others get no weight gradient and need none for
/// their values: x, its gradient and the weights are packed without them, where shorter rows save more than that costs.
class LiveInputs {
 public:
  /// sampleSize: floats of a sample of x. Up to `tile` samples are packed side by side.
  LiveInputs(const ConvContext& context, std::int64_t sampleSize, int tile);

  /// Before a batch; then by any thread, of each sample x [rows][cols][c].
  void clear() { m_marks.clear(); }
  void mark(const float* x, int thread) const;
  /// Decides for the batch that was marked. Returns the shape of its backward pass.
  ConvShape choose(const ConvWeights& weights);

  bool packed() const { return m_packed; }
  int count() const { return m_back.c; }
  /// Whether the channel is left in.
  bool has(int channel) const { return !m_packed || m_marks.has(channel); }
  PackedChannels channels() const { return {m_packed ? m_marks.merged() : nullptr, m_back.c}; }
  /// While packed: ConvWeights::rows() of these channels, [r][k][rowVecs * lanes].
  const float* rows() const { return m_rows.data(); }
  /// While packed: room for a sample of a tile, [rows][cols][count], and its being filled.
  float* sample(int inTile, int thread) const;
  void pack(const float* x, int inTile, int thread) const;
  /// While packed: room for a sample's gradient, [rows][cols][count], and its way back to all channels.
  float* gradient(int thread) const { return m_scratch[std::size_t(thread)].gradient.data(); }
  void unpackGradient(int thread, float* dx) const;

 private:
  struct Scratch {
    Array<float> samples, gradient;
  };

  const ConvContext m_context;
  ConvShape m_back;
  bool m_packed = false;
  ChannelMarks m_marks;
  Array<float> m_rows;
  std::vector<Scratch> m_scratch;
};

}  // namespace strata
