// SPDX-License-Identifier: Apache-2.0
// Kernels of recurrent layers and of attention, all by register blocks. A row's result does not depend on which rows it
// is worked on with. Included once per instruction set.
#pragma once
#include "engine/backend/cpu/kernels_math.h"

namespace strata::STRATA_ISA_NAMESPACE {

inline void product(const Product& g) {
  eachBlockPiece((g.cols + kLanes - 1) / kLanes, [&](auto nb, int at) {
    constexpr int NB = decltype(nb)::value;
    const int first = at * kLanes, left = g.cols - first;
    eachBlock<NB>(g.rows, [&](auto rows, int row) {
      constexpr int P = decltype(rows)::value;
      Vec acc[P * NB] = {};
      if (g.start) {
        const float* from = g.start + row * g.startRow + first;
        STRATA_UNROLL for (int p = 0; p < P; ++p) {
          STRATA_UNROLL for (int i = 0; i < NB; ++i) acc[p * NB + i] =
              loadSome(from + p * g.startRow + i * kLanes, left - i * kLanes);
        }
      }
      addProducts<P, NB>(acc, g.a + row * g.aRow, g.aRow, g.aStep, g.depth, g.b + first, g.bRow);
      float* to = g.out + row * g.outRow + first;
      STRATA_UNROLL for (int p = 0; p < P; ++p) {
        STRATA_UNROLL for (int i = 0; i < NB; ++i)
            storeSome(to + p * g.outRow + i * kLanes, acc[p * NB + i], left - i * kLanes);
      }
    });
  });
}

inline float softmaxColumns(float* x, int rows, int cols, std::int64_t stride, float scale) {
  Vec probe{};
  for (int i = 0; i < cols; i += kLanes) {
    const int some = cols - i;
    Vec largest = loadSome(x + i, some), sum{};
    for (int row = 0; row < rows; ++row) {
      const Vec v = loadSome(x + row * stride + i, some);
      probe += v - v;
      largest = v > largest ? v : largest;
    }
    for (int row = 0; row < rows; ++row) {
      float* at = x + row * stride + i;
      const Vec v = exponential((loadSome(at, some) - largest) * scale);
      sum += v;
      storeSome(at, v, some);
    }
    const Vec share = 1.f / sum;
    for (int row = 0; row < rows; ++row) {
      float* at = x + row * stride + i;
      storeSome(at, loadSome(at, some) * share, some);
    }
  }
  return sumOf(probe);
}

inline void softmaxColumnsGradient(const float* y, float* dy, int rows, int cols, std::int64_t stride, float scale) {
  for (int i = 0; i < cols; i += kLanes) {
    const int some = cols - i;
    Vec mean{};
    for (int row = 0; row < rows; ++row)
      mean += loadSome(y + row * stride + i, some) * loadSome(dy + row * stride + i, some);
    for (int row = 0; row < rows; ++row) {
      float* at = dy + row * stride + i;
      storeSome(at, loadSome(y + row * stride + i, some) * (loadSome(at, some) - mean) * scale, some);
    }
  }
}

/// What a step's gates are made of, of one block of units, into `kept`.
template <int kGates>
STRATA_INLINE void recurrentSums(const RecurrentShape& g, const RecurrentStep& at, int block, int begin, int end) {
  constexpr int kKept = kGates == 3 ? 4 : kGates, kRow = kKept * kLanes, kWidth = kGates * kLanes;
  const int width = g.width(kLanes);
  const float *kernel = at.kernel + std::int64_t{block} * g.inputs * kWidth,
              *recurrent = at.recurrent + std::int64_t{block} * g.units * kWidth, *bias = at.bias + block * kRow;
  eachBlock<kGates>(end - begin, [&](auto rows, int row) {
    constexpr int P = decltype(rows)::value;
    const std::int64_t n = begin + row;
    float* kept = at.kept + block * at.keptBlock + n * kRow;
    Vec acc[P * kGates];
    loadRowGroups<P, kGates>(acc, bias, 0);
    addProducts<P, kGates>(acc, at.x + n * at.xRow, at.xRow, 1, g.inputs, kernel, kWidth);
    if constexpr (kGates == 3) {  // the reset gate comes between the input's part of g and the last output's
      STRATA_UNROLL for (int p = 0; p < P; ++p) {
        store(kept + p * kRow, acc[3 * p]);
        acc[3 * p] = acc[3 * p + 1];
        acc[3 * p + 1] = acc[3 * p + 2];
        acc[3 * p + 2] = load(bias + 3 * kLanes);
      }
    }
    if (at.before) addProducts<P, kGates>(acc, at.before + n * width, width, 1, g.units, recurrent, kWidth);
    storeRowGroups<P, kGates>(kept + (kKept - kGates) * kLanes, kRow, acc);
  });
}

/// A cell's arithmetic, a vector of units of one sample. forward() makes of the sums in `kept` what backward() needs,
/// and returns a number that is not finite where one of them is not.
template <RecurrentCell kCell, Activation kActivation>
struct VectorCell {
  STRATA_INLINED static Vec bend(Vec v) { return activated<kActivation>(v, VectorMath{}); }
  STRATA_INLINED static Vec unbend(Vec y, Vec dy) { return gradientBefore<kActivation>(y, dy); }
  STRATA_INLINED static Vec gate(Vec y, Vec dy) { return gradientBefore<Activation::Sigmoid>(y, dy); }

  /// before and cellBefore are null at the first step.
  STRATA_INLINED static Vec forward(float* kept, const float* before, const float* cellBefore, float* cell,
                                    float* out) {
    const Vec a = load(kept);
    if constexpr (kCell == RecurrentCell::Simple) {
      const Vec y = bend(a);
      store(kept, y);
      store(out, y);
      return a;
    } else if constexpr (kCell == RecurrentCell::Gru) {
      const Vec sumZ = load(kept + kLanes), sumR = load(kept + 2 * kLanes), inner = load(kept + 3 * kLanes);
      const Vec z = sigmoidOf(sumZ), r = sigmoidOf(sumR), sum = a + r * inner, y = bend(sum);
      store(kept, y);
      store(kept + kLanes, z);
      store(kept + 2 * kLanes, r);
      store(out, before ? y + z * (load(before) - y) : y - z * y);
      return sumZ + sumR + inner + sum;
    } else {
      const Vec sumF = load(kept + kLanes), sumG = load(kept + 2 * kLanes), sumO = load(kept + 3 * kLanes);
      const Vec i = sigmoidOf(a), f = sigmoidOf(sumF), y = bend(sumG), o = sigmoidOf(sumO);
      const Vec c = cellBefore ? f * load(cellBefore) + i * y : i * y;
      store(kept, i);
      store(kept + kLanes, f);
      store(kept + 2 * kLanes, y);
      store(kept + 3 * kLanes, o);
      store(cell, c);
      store(out, o * bend(c));
      return a + sumF + sumG + sumO + c;
    }
  }

  STRATA_INLINED static void backward(float* kept, const float* before, const float* cellBefore, const float* cell,
                                      float* dOut, float* dCell) {
    const Vec dy = load(dOut), y = load(kept);
    if constexpr (kCell == RecurrentCell::Simple) {
      store(kept, unbend(y, dy));
      store(dOut, Vec{});
    } else if constexpr (kCell == RecurrentCell::Gru) {
      const Vec z = load(kept + kLanes), r = load(kept + 2 * kLanes), inner = load(kept + 3 * kLanes);
      const Vec dSum = unbend(y, dy - dy * z), last = before ? load(before) : Vec{};
      store(kept, dSum);
      store(kept + kLanes, gate(z, dy * (last - y)));
      store(kept + 2 * kLanes, gate(r, dSum * inner));
      store(kept + 3 * kLanes, dSum * r);
      store(dOut, dy * z);
    } else {
      const Vec f = load(kept + kLanes), g = load(kept + 2 * kLanes), o = load(kept + 3 * kLanes),
                bent = bend(load(cell));
      const Vec dc = load(dCell) + unbend(bent, dy * o), last = cellBefore ? load(cellBefore) : Vec{};
      store(kept, gate(y, dc * g));
      store(kept + kLanes, gate(f, dc * last));
      store(kept + 2 * kLanes, unbend(g, dc * y));
      store(kept + 3 * kLanes, gate(o, dy * bent));
      store(dCell, dc * f);
      store(dOut, Vec{});
    }
  }
};

/// Calls body(VectorCell<...>()) for the layer's cell and activation.
template <class Body>
STRATA_INLINE void withCell(const RecurrentShape& g, Body body) {
  withActivation(g.activation, [&](auto kind) {
    constexpr Activation kActivation = decltype(kind)::value;
    if (g.cell == RecurrentCell::Lstm) body(VectorCell<RecurrentCell::Lstm, kActivation>());
    else if (g.cell == RecurrentCell::Gru) body(VectorCell<RecurrentCell::Gru, kActivation>());
    else body(VectorCell<RecurrentCell::Simple, kActivation>());
  });
}

STRATA_INLINE const float* behind(const float* array, std::int64_t place) { return array ? array + place : nullptr; }

inline float recurrentForward(const RecurrentShape& g, const RecurrentStep& at, int begin, int end) {
  const int blocks = g.blocks(kLanes), width = g.width(kLanes), row = g.kept() * kLanes;
  Vec probe{};
  for (int block = 0; block < blocks; ++block) {
    if (g.cell == RecurrentCell::Lstm) recurrentSums<4>(g, at, block, begin, end);
    else if (g.cell == RecurrentCell::Gru) recurrentSums<3>(g, at, block, begin, end);
    else recurrentSums<1>(g, at, block, begin, end);
    withCell(g, [&](auto cell) {
      for (int n = begin; n < end; ++n) {
        const std::int64_t place = std::int64_t{n} * width + block * kLanes;
        const Vec sums = cell.forward(at.kept + block * at.keptBlock + std::int64_t{n} * row, behind(at.before, place),
                                      behind(at.cellsBefore, place), at.cells + place, at.out + place);
        probe += sums - sums;
      }
    });
  }
  return sumOf(probe);
}

inline void recurrentBackward(const RecurrentShape& g, const RecurrentStep& at, int begin, int end, float* dOut,
                              float* dCells) {
  const int blocks = g.blocks(kLanes), width = g.width(kLanes), row = g.kept() * kLanes;
  withCell(g, [&](auto cell) {
    for (int block = 0; block < blocks; ++block)
      for (int n = begin; n < end; ++n) {
        const std::int64_t place = std::int64_t{n} * width + block * kLanes;
        cell.backward(at.kept + block * at.keptBlock + std::int64_t{n} * row, behind(at.before, place),
                      behind(at.cellsBefore, place), at.cells + place, dOut + place, dCells + place);
      }
  });
}

}  // namespace strata::STRATA_ISA_NAMESPACE
