// SPDX-License-Identifier: Apache-2.0
// The weights of a convolution: the rows that are trained, the forms that kernels read, the sums of the gradient and
// the optimizer's slots. Canonical, as files and other backends have them: kernel [r][s][c][k], then bias [k].
#pragma once
#include <vector>

#include "engine/backend/cpu/buffer.h"
#include "engine/backend/cpu/conv_plan.h"

namespace strata {

/// The gradient of one part of a batch: weights [r][k][rowVecs * lanes] of the shape of the backward pass, bias [k].
struct ConvGradient {
  float *weights = nullptr, *bias = nullptr;
};

/// The input channels that a gradient is of, where it is not of all.
struct PackedChannels {
  const std::uint32_t* live = nullptr;  ///< null for all; as ChannelMarks::merged()
  int count = 0;
};

class ConvWeights {
 public:
  struct Plan {
    bool hasBias = true;
    bool training = true;         ///< else there is no room for gradients
    bool packedGradient = false;  ///< whether gradients may be of some input channels only
    int stateSlots = 0;
  };

  ConvWeights(const ConvContext& context, const Plan& plan);

  void set(const float* canonical);
  void get(float* canonical) const;
  /// The optimizer's slot 0 or 1.
  void setState(int slot, const float* canonical);
  void getState(int slot, float* canonical) const;

  /// [r][k][rowVecs * lanes], zeros after s*c: one output channel's taps of a kernel row side by side.
  const float* rows() const { return m_slots[0].weights.data(); }
  /// One output channel's taps of kernel row r, [s][c].
  const float* taps(int r, int k) const { return rows() + (std::int64_t{r} * m_context.shape.k + k) * rowSize(); }
  /// [panels][r][s*c][panelVecs * lanes]: what one input meets side by side. Not derived for planes, which see to it
  /// themselves.
  const float* panels() const { return m_panels.data(); }
  /// For ConvMethod::Columns and Wide: [panels][r][c][wideTaps][panelVecs * lanes].
  const float* spread() const { return m_spread.data(); }
  /// [panels * panelVecs * lanes], zeros after k.
  const float* bias() const { return m_slots[0].bias.data(); }

  ConvGradient gradient(int part) const;
  /// Sets a part's gradient of `channels` input channels to zero.
  void clearGradient(int part, int channels) const;
  /// Adds one kernel row of the other parts to that of the first. False when a sum is not finite.
  bool addParts(int row, int parts, int channels) const;
  void addBiasParts(int parts) const;
  /// One kernel row by the first part's gradient. Returns a probe of the new weights.
  float update(int row, const PackedChannels& channels, int thread, const UpdateRule& rule);
  float updateBias(const UpdateRule& rule);
  /// Of the first part's gradient: one kernel row's sum of squares, the bias's, and all of it in the canonical layout.
  double squares(int row, const PackedChannels& channels) const;
  double biasSquares() const;
  void getGradients(const PackedChannels& channels, float* canonical) const;

 private:
  /// Weights and bias, or something for each of them.
  struct Slot {
    Array<float> weights, bias;
  };
  enum { kWeights = 0, kStates = 1 };

  /// Where the optimizer's state of the weights or the bias from `at` on lies.
  SlotPointers statesAt(Array<float> Slot::*of, std::int64_t at) const;
  std::int64_t rowSize() const { return m_context.rowSize(); }
  /// One output channel's taps of a kernel row of the first part's gradient, [s][c]; unpacked to `room` where need be.
  const float* gradientTaps(int row, int k, const PackedChannels& channels, float* room) const;
  /// Of a gradient of so many input channels.
  std::int64_t gradientRowSize(int channels) const;
  void derive(int row);
  void derivePanel(int row, int panel);
  void fromCanonical(const float* canonical, const Slot& slot) const;
  void toCanonical(const Slot& slot, float* canonical) const;

  const ConvContext m_context;
  const Plan m_plan;
  Slot m_slots[1 + kMostSlots];  ///< the weights, and the optimizer's state
  Array<float> m_panels, m_spread;
  Slot m_gradients;                      ///< of kMostParts parts, as far apart as the weights are large
  std::vector<Array<float>> m_unpacked;  ///< a gradient's row with all channels; one a thread
};

}  // namespace strata
