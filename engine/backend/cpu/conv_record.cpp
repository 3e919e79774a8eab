// SPDX-License-Identifier: Apache-2.0
#include "engine/backend/cpu/conv_record.h"

namespace strata {

PlanePlaces::PlanePlaces(const ConvContext& context, int outCols, bool packed)
    : pack(packed), places(std::size_t(context.outputPixels())) {
  const ConvShape& g = context.shape;
  for (int i = 0; i < context.outputPixels(); ++i) {
    const int y = i / g.outW, x = i % g.outW;
    places[std::size_t(i)] = {y * outCols + x, (y * g.poolH * g.sy * g.cols + x * g.poolW * g.sx) * g.c};
  }
  const bool rows = g.rowsArePlanes() && !pack;
  listRoom = (rows ? g.framePixels() : context.outputPixels()) + kListRoom;
  if (!rows) return;
  framePixels = Array<std::int32_t>(std::size_t(listRoom));
  for (int i = 0; i < listRoom; ++i)
    framePixels[std::size_t(i)] = i < g.framePixels() && i % g.cols < g.outW ? i / g.cols * g.outW + i % g.cols : -1;
}

ConvRecord::ConvRecord(const ConvContext& context, const PlanePlaces* places, int batch) {
  const ConvShape& g = context.shape;
  if (context.window() > 1) {
    m_codesSize = g.planes ? std::int64_t{g.planeStride(context.lanes())} * g.k
                           : std::int64_t{context.outputPixels()} * context.width();
    m_codes = Array<std::uint8_t>(std::size_t(m_codesSize * batch));
  }
  if (!places) return;
  const std::size_t lists = std::size_t(m_codesSize > 0 ? batch : context.threads),
                    room = std::size_t(places->listRoom);
  m_numbers = Array<std::int32_t>(2 * room * lists);
  for (std::size_t i = 0; i < lists; ++i)
    m_lists.push_back({m_numbers.data() + 2 * room * i, m_numbers.data() + 2 * room * i + room});
}

}  // namespace strata
