// SPDX-License-Identifier: Apache-2.0
// Kernels whose items work together. A group of kGroup members has memory in common and goes through phases: the
// functor is called once for each member of a phase before it is called for the next, so that a member may read what
// others left in Common in an earlier phase. Between phases a member keeps its place, and nothing else. On the device a
// group is a block; tests run the same source in plain loops, members in either order.
#pragma once
#include <algorithm>

#include "engine/backend/cuda/views.h"

namespace strata::cuda {

inline constexpr int kGroup = 256;

/// functor(functor.place(group, member), phase, common), for phases 0 to functor.phases() - 1.
template <class Functor>
concept Grouped = requires {
  typename Functor::Common;
};

/// The steps in which `lanes` members add up what each of them has, two and two, in an order that is always the same.
STRATA_DEVICE int treeSteps(int lanes) {
  int steps = 0;
  while (1 << steps < lanes) ++steps;
  return steps;
}
/// How many lanes further lies what a lane takes in a step; 0 when it takes nothing.
STRATA_DEVICE int treeStride(int lane, int lanes, int step) {
  const int stride = 1 << (treeSteps(lanes) - 1 - step);
  return lane < stride && lane + stride < lanes ? stride : 0;
}

/// How groups share [rows, columns]: one has `width` neighbouring columns of one part of the rows. Its members stand in
/// lanes of that width, so that neighbours read neighbouring numbers; each goes down its column, a row of every
/// lanes().
struct Tiling {
  Index rows = 1;
  int columns = 1, width = 1, parts = 1;

  STRATA_DEVICE int lanes() const { return kGroup / width; }
  STRATA_DEVICE int tiles() const { return (columns + width - 1) / width; }
  STRATA_DEVICE int groups() const { return parts * tiles(); }
  /// Where a part's rows begin, and how many they are; parts with a row more come first.
  STRATA_DEVICE Index firstOf(Index part) const {
    const Index more = rows % parts;
    return part * (rows / parts) + (part < more ? part : more);
  }
  STRATA_DEVICE Index countOf(Index part) const { return rows / parts + (part < rows % parts); }

  /// Where a member stands.
  struct Place {
    Index part, first, end;  ///< the part's rows
    int member, lane, column;
    int leader;  ///< the member of lane 0 in the same column
    bool idle;   ///< there is no such lane or column
  };
  STRATA_DEVICE Place placeOf(int group, int member) const {
    const int lane = member / width, leader = member % width, column = group % tiles() * width + leader;
    const Index part = group / tiles(), first = firstOf(part);
    return {part, first, first + countOf(part), member, lane, column, leader, lane >= lanes() || column >= columns};
  }
  /// visit(row, its number in [rows, columns]) for the member's rows of its part.
  template <class Visit>
  STRATA_DEVICE void eachRow(const Place& place, Visit visit) const {
    const Index step = Index{lanes()} * columns;
    Index at = (place.first + place.lane) * columns + place.column;
    for (Index row = place.first + place.lane; row < place.end; row += lanes(), at += step) visit(row, at);
  }
  /// visit(part) for the parts that a member adds up where the sums of all are wanted.
  template <class Visit>
  STRATA_DEVICE void eachPart(const Place& place, Visit visit) const {
    for (Index part = place.lane; part < parts; part += lanes()) visit(part);
  }
};

/// A kernel whose groups share numbers like that.
struct Tiled {
  Tiling tiling;
  STRATA_DEVICE Tiling::Place place(int group, int member) const { return tiling.placeOf(group, member); }
};

/// Enough groups for every multiprocessor of a large GPU; more would leave more partial sums than they are worth.
inline constexpr int kMostGroups = 256;

/// Parts of the rows so that each member has some, but no more than `mostGroups` groups; more rows never give fewer.
inline Tiling tilingOf(Index rows, int columns, int mostGroups = kMostGroups) {
  constexpr int kWidest = 64, kLeastRows = 8;  // columns of a group; rows of a member
  Tiling tiling{rows, columns};
  const int tiles = (columns + kWidest - 1) / kWidest;
  tiling.width = (columns + tiles - 1) / tiles;
  const Index most = std::max(1, mostGroups / tiling.tiles());
  tiling.parts = static_cast<int>(std::clamp<Index>(rows / (tiling.lanes() * kLeastRows), 1, most));
  return tiling;
}
/// One part a sample.
inline Tiling tilingBySample(int batch, Index rowsOfSample, int columns) {
  Tiling tiling = tilingOf(batch * rowsOfSample, columns);
  tiling.parts = batch;
  return tiling;
}

}  // namespace strata::cuda
