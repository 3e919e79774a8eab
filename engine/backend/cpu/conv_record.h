// SPDX-License-Identifier: Apache-2.0
// What the forward pass of a convolution leaves for its backward pass, and where pooled pixels lie.
#pragma once
#include <vector>

#include "engine/backend/cpu/buffer.h"
#include "engine/backend/cpu/conv_plan.h"

namespace strata {

/// Where the pooled pixels lie, for planes and windows.
struct PlanePlaces {
  /// outCols: columns of the output with its frame. pack: planesPack(), where the input has zeros.
  PlanePlaces(const ConvContext& context, int outCols, bool pack);

  bool pack;
  Array<PixelPlace> places;         ///< [outH * outW]
  Array<std::int32_t> framePixels;  ///< PlaneScratch::framePixels, where the input's rows serve as planes
  int listRoom = 0;                 ///< for the list of a sample's live pixels, or of its dead ones
};

/// Of each sample of a batch: which place of a pooling window was largest, and by planes which pixels met anything but
/// zeros. Without pooling nothing is kept beyond the sample.
class ConvRecord {
 public:
  /// places: null where planes are not used.
  ConvRecord(const ConvContext& context, const PlanePlaces* places, int batch);

  /// Null without pooling. By planes [live pixels / lanes][k][lanes], else [pooled pixel][panels * panelVecs * lanes].
  std::uint8_t* codes(int sample) const { return m_codes.data() + sample * m_codesSize; }
  /// Null where planes are not used. Without pooling a thread's, good until its next sample.
  PixelLists* pixels(int sample, int thread) {
    if (m_lists.empty()) return nullptr;
    return &m_lists[std::size_t(m_codesSize > 0 ? sample : thread)];
  }

 private:
  std::int64_t m_codesSize = 0;  ///< of one sample
  Array<std::uint8_t> m_codes;
  Array<std::int32_t> m_numbers;  ///< what m_lists point to
  std::vector<PixelLists> m_lists;
};

}  // namespace strata
