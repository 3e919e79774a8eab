// SPDX-License-Identifier: Apache-2.0
// The two ways forward for one input channel (ConvShape::planes), from the weights of this batch's live output channels
// alone. Both leave the same record for the backward pass.
#pragma once
#include "engine/backend/cpu/conv_forward.h"

namespace strata {

/// Register blocks with pixels as lanes, of those that meet anything but zeros: shapes with `planes`.
class ForwardByPlanes : public ConvForward {
 public:
  ForwardByPlanes(const ConvContext& context, const ConvWeights& weights, const PlanePlaces& places);
  void prepare(const ConvBatch& batch) override;
  ForwardResult forward(const ForwardSample& sample, int thread) override;
  std::string how() const override;

 private:
  struct Scratch {
    Array<float> phases, planes, tile;
    Array<PlanePiece> pieces;
  };
  Scratch makeScratch() const;

  const PlanePlaces& m_places;
  OutputChannels m_outputs;
  Array<float> m_packed;  ///< [r][s*c][m_outputs.count]
  std::vector<Scratch> m_scratch;
};

/// Lists, the four outputs of a pooling window at a time: shapes for which windowsSuit().
class ForwardByWindows : public SparseForward {
 public:
  ForwardByWindows(const ConvContext& context, const ConvWeights& weights, const PlanePlaces& places);
  void prepare(const ConvBatch& batch) override;
  LiveCount look(const float* x, int thread) override;
  double below() const override;
  ForwardResult forward(const ForwardSample& sample, int thread) override;
  std::string how() const override;

 private:
  struct Scratch {
    Array<float> values;
    Array<std::uint8_t> codes;
  };

  const PlanePlaces& m_places;
  OutputChannels m_outputs;
  ConvShape m_shape;      ///< cut up for these channels
  Array<float> m_packed;  ///< their weights and bias, as Kernels::convForwardWindows() has them
  InputLists m_lists;
  std::vector<Scratch> m_scratch;
};

}  // namespace strata
