// SPDX-License-Identifier: Apache-2.0
// Kernels that add up many numbers within a launch, by groups: batch norm, the mean of an image, the squared error.
#pragma once
#include "engine/backend/cuda/groups.h"
#include "engine/backend/cuda/kernel_types.h"

namespace strata::cuda {

/// Count, mean and the sum of squares around the mean of some numbers.
struct Moments {
  float count, mean, squares;
};
/// Of the numbers of both (Chan, Golub & LeVeque 1979).
STRATA_DEVICE Moments together(const Moments& a, const Moments& b) {
  const float count = a.count + b.count, share = count > 0 ? b.count / count : 0.0f, off = b.mean - a.mean;
  return {count, a.mean + off * share, a.squares + b.squares + off * off * a.count * share};
}

/// Batch norm's first launch: mean, less the column's first number, and sum of squares around it, of each column in
/// each part.
struct BatchNormMoments : Tiled {
  static constexpr const char* kName = "BatchNormMoments";
  struct Common {
    Moments moments[kGroup];
  };
  In<Real> x;           ///< [rows, columns]
  Out<float> partials;  ///< [parts, 2, columns]
  std::vector<Access> buffers() const { return accesses(x, partials); }
  STRATA_DEVICE int phases() const { return treeSteps(tiling.lanes()) + 2; }

  /// Summed around the first of the member's numbers, and told beside the first of all, so that little is lost however
  /// far from zero they lie.
  STRATA_DEVICE Moments own(const Tiling::Place& place) const {
    const Index first = place.first + place.lane;
    if (first >= place.end) return {0, 0, 0};
    const float pivot = x[first * tiling.columns + place.column];
    float sum = 0, squares = 0;
    tiling.eachRow(place, [&](Index, Index at) {
      const float off = x[at] - pivot;
      sum += off;
      squares += off * off;
    });
    const auto count = static_cast<float>((place.end - first + tiling.lanes() - 1) / tiling.lanes());
    const float around = squares - sum * (sum / count);
    return {count, pivot - x[place.column] + sum / count, around < 0 ? 0.0f : around};
  }
  STRATA_DEVICE void operator()(const Tiling::Place& place, int phase, Common& common) const {
    if (place.idle) return;
    Moments& mine = common.moments[place.member];
    if (phase == 0) {
      mine = own(place);
    } else if (phase + 1 < phases()) {
      const int stride = treeStride(place.lane, tiling.lanes(), phase - 1);
      if (stride > 0) mine = together(mine, common.moments[place.member + stride * tiling.width]);
    } else if (place.lane == 0) {
      const Index to = place.part * 2 * tiling.columns + place.column;
      partials[to] = mine.mean;
      partials[to + tiling.columns] = mine.squares;
    }
  }
};

/// Its second: each group brings the parts' moments together for its columns, then normalizes its rows,
/// y = act((x - mean) gamma / sqrt(variance + epsilon) + beta). Without `partials` by the moving statistics, at once.
struct BatchNorm : Tiled {
  static constexpr const char* kName = "BatchNorm";
  struct Common {
    Moments moments[kGroup];
    float gain[kGroup];
  };
  Act act = Act::Linear;
  float epsilon = 0, kept = 0, taken = 1;  ///< shares of the old moving statistics and of the batch's
  In<Real> x;                              ///< [rows, columns]
  In<float> gamma, beta;                   ///< [columns], or unset
  In<float> movingMean, movingVariance;    ///< [columns]
  In<float> partials;                      ///< as above, or unset
  Out<Real> y;                             ///< [rows, columns]
  Out<float> statistics;              ///< mean and 1 / sqrt(variance + epsilon) [2, columns] for backward, or unset
  Out<float> nextMean, nextVariance;  ///< [columns]; set where the moving statistics move
  std::vector<Access> buffers() const {
    return accesses(x, gamma, beta, movingMean, movingVariance, partials, y, statistics, nextMean, nextVariance);
  }
  STRATA_DEVICE int joining() const { return partials ? treeSteps(tiling.lanes()) + 1 : 0; }
  STRATA_DEVICE int phases() const { return joining() + 2; }

  STRATA_DEVICE Moments own(const Tiling::Place& place) const {
    Moments sum{0, 0, 0};
    tiling.eachPart(place, [&](Index part) {
      const Index from = part * 2 * tiling.columns + place.column;
      const auto count = static_cast<float>(tiling.countOf(part));
      sum = together(sum, {count, partials[from], partials[from + tiling.columns]});
    });
    return sum;
  }
  /// What all rows of the column need; one group of those that have the column tells the others' memory.
  STRATA_DEVICE void settle(const Tiling::Place& place, Moments& mine, float& gain) const {
    const int c = place.column;
    if (partials) mine.mean += x[c];
    else mine = {1, movingMean[c], movingVariance[c]};
    const float variance = mine.squares / mine.count, inverse = 1 / sqrtf(variance + epsilon);
    gain = gamma ? gamma[c] * inverse : inverse;
    if (place.part != 0) return;
    if (statistics) {
      statistics[c] = mine.mean;
      statistics[tiling.columns + c] = inverse;
    }
    if (nextMean) {
      nextMean[c] = kept * movingMean[c] + taken * mine.mean;
      nextVariance[c] = kept * movingVariance[c] + taken * variance;
    }
  }
  STRATA_DEVICE void operator()(const Tiling::Place& place, int phase, Common& common) const {
    if (place.idle) return;
    Moments& mine = common.moments[place.member];
    if (phase > joining()) {
      const float mean = common.moments[place.leader].mean, gain = common.gain[place.leader];
      const float shift = beta ? beta[place.column] : 0.0f;
      tiling.eachRow(place, [&](Index, Index at) { y[at] = activated(act, (x[at] - mean) * gain + shift); });
    } else if (phase == joining()) {
      if (place.lane == 0) settle(place, mine, common.gain[place.member]);
    } else if (phase == 0) {
      mine = own(place);
    } else {
      const int stride = treeStride(place.lane, tiling.lanes(), phase - 1);
      if (stride > 0) mine = together(mine, common.moments[place.member + stride * tiling.width]);
    }
  }
};

/// Two sums for each member, brought together in treeSteps(); what the backward kernels of batch norm share.
struct PairSums {
  float products[kGroup], sums[kGroup];
  STRATA_DEVICE void take(const Tiling& tiling, const Tiling::Place& place, int step) {
    const int stride = treeStride(place.lane, tiling.lanes(), step) * tiling.width;
    if (stride == 0) return;
    products[place.member] += products[place.member + stride];
    sums[place.member] += sums[place.member + stride];
  }
};

/// Batch norm backward, first launch, where the batch's statistics were taken: with dz before the activation and xh the
/// normalized x, the sums of dz xh and of dz, of each column in each part.
struct BatchNormSums : Tiled {
  static constexpr const char* kName = "BatchNormSums";
  using Common = PairSums;
  Act act = Act::Linear;
  In<Real> x, y, dy;     ///< y is unset where nothing bends it
  In<float> statistics;  ///< as BatchNorm left them
  Out<float> partials;   ///< [parts, 2, columns]
  std::vector<Access> buffers() const { return accesses(x, y, dy, statistics, partials); }
  STRATA_DEVICE int phases() const { return treeSteps(tiling.lanes()) + 2; }
  STRATA_DEVICE void operator()(const Tiling::Place& place, int phase, Common& common) const {
    if (place.idle) return;
    if (phase == 0) {
      const float mean = statistics[place.column], inverse = statistics[tiling.columns + place.column];
      float product = 0, sum = 0;
      tiling.eachRow(place, [&](Index, Index at) {
        const float dz = activationGradient(act, y ? y[at] : 0.0f, dy[at]);
        product += dz * (x[at] - mean) * inverse;
        sum += dz;
      });
      common.products[place.member] = product;
      common.sums[place.member] = sum;
    } else if (phase + 1 < phases()) {
      common.take(tiling, place, phase - 1);
    } else if (place.lane == 0) {
      const Index to = place.part * 2 * tiling.columns + place.column;
      partials[to] = common.products[place.member];
      partials[to + tiling.columns] = common.sums[place.member];
    }
  }
};

/// The second: with the sums of all parts, which are the gradients of gamma and beta, dx = gain (dz - (sum of dz + xh
/// times sum of dz xh) / rows). By moving statistics, without `partials`, dx = gain dz alone.
struct BatchNormGradient : Tiled {
  static constexpr const char* kName = "BatchNormGradient";
  using Common = PairSums;
  Act act = Act::Linear;
  In<Real> x, y, dy;  ///< x is set with partials, y where something bends it
  In<float> statistics, gamma, partials;
  Out<float> dgamma, dbeta;  ///< [columns]; unset where not wanted, as is dx
  Out<Real> dx;
  std::vector<Access> buffers() const { return accesses(x, y, dy, statistics, gamma, partials, dgamma, dbeta, dx); }
  STRATA_DEVICE int joining() const { return partials ? treeSteps(tiling.lanes()) + 1 : 0; }
  STRATA_DEVICE int phases() const { return joining() + 1; }

  STRATA_DEVICE void write(const Tiling::Place& place, const Common& common) const {
    if (place.part == 0 && place.lane == 0) {
      if (dgamma) dgamma[place.column] = common.products[place.member];
      if (dbeta) dbeta[place.column] = common.sums[place.member];
    }
    if (!dx) return;
    const float mean = statistics[place.column], inverse = statistics[tiling.columns + place.column];
    const float gain = gamma ? gamma[place.column] * inverse : inverse, share = 1 / static_cast<float>(tiling.rows);
    const float level = partials ? common.sums[place.leader] * share : 0.0f;
    const float slope = partials ? common.products[place.leader] * share * inverse : 0.0f;
    tiling.eachRow(place, [&](Index, Index at) {
      const float dz = activationGradient(act, y ? y[at] : 0.0f, dy[at]);
      dx[at] = gain * (dz - level - (x ? (x[at] - mean) * slope : 0.0f));
    });
  }
  STRATA_DEVICE void operator()(const Tiling::Place& place, int phase, Common& common) const {
    if (place.idle) return;
    if (phase == joining()) {
      write(place, common);
    } else if (phase == 0) {
      float product = 0, sum = 0;
      tiling.eachPart(place, [&](Index part) {
        product += partials[part * 2 * tiling.columns + place.column];
        sum += partials[(part * 2 + 1) * tiling.columns + place.column];
      });
      common.products[place.member] = product;
      common.sums[place.member] = sum;
    } else {
      common.take(tiling, place, phase - 1);
    }
  }
};

/// One sum for each member, likewise.
struct Sums {
  float sums[kGroup];
  STRATA_DEVICE void take(const Tiling& tiling, const Tiling::Place& place, int step) {
    const int stride = treeStride(place.lane, tiling.lanes(), step) * tiling.width;
    if (stride > 0) sums[place.member] += sums[place.member + stride];
  }
};

/// The mean of every channel over its image; a part is a sample, a row a pixel.
struct GlobalAverage : Tiled {
  static constexpr const char* kName = "GlobalAverage";
  using Common = Sums;
  In<Real> x;   ///< [N,H,W,C]
  Out<Real> y;  ///< [N,C]
  std::vector<Access> buffers() const { return accesses(x, y); }
  STRATA_DEVICE int phases() const { return treeSteps(tiling.lanes()) + 2; }
  STRATA_DEVICE void operator()(const Tiling::Place& place, int phase, Common& common) const {
    if (place.idle) return;
    if (phase == 0) {
      float sum = 0;
      tiling.eachRow(place, [&](Index, Index at) { sum += x[at]; });
      common.sums[place.member] = sum;
    } else if (phase + 1 < phases()) {
      common.take(tiling, place, phase - 1);
    } else if (place.lane == 0) {
      y[place.part * tiling.columns + place.column] =
          common.sums[place.member] / static_cast<float>(place.end - place.first);
    }
  }
};

struct GlobalAverageGradient : Tiled {
  static constexpr const char* kName = "GlobalAverageGradient";
  struct Common {};
  In<Real> dy;
  Out<Real> dx;
  std::vector<Access> buffers() const { return accesses(dy, dx); }
  STRATA_DEVICE int phases() const { return 1; }
  STRATA_DEVICE void operator()(const Tiling::Place& place, int, Common&) const {
    if (place.idle) return;
    const float each = dy[place.part * tiling.columns + place.column] / static_cast<float>(place.end - place.first);
    tiling.eachRow(place, [&](Index, Index at) { dx[at] = each; });
  }
};

/// The mean squared error against the sample as the net reads it, and its gradient, of the mean over all values of the
/// batch. A part is a sample, a row one of its values.
struct MeanSquaredError : Tiled {
  static constexpr const char* kName = "MeanSquaredError";
  using Common = Sums;
  InputImages images;
  In<Real> outputs;     ///< [N, size]
  Out<Real> gradients;  ///< [N, size]
  Out<float> losses;    ///< [N]
  std::vector<Access> buffers() const {
    return accesses(images.cursor, images.numbers, images.bytes, images.floats, outputs, gradients, losses);
  }
  STRATA_DEVICE int phases() const { return treeSteps(tiling.lanes()) + 2; }
  STRATA_DEVICE void operator()(const Tiling::Place& place, int phase, Common& common) const {
    if (phase == 0) {
      const Index sample = images.first(place.part) - place.first;
      const float share = 2 / static_cast<float>(tiling.rows);
      float sum = 0;
      tiling.eachRow(place, [&](Index row, Index) {
        const float off = outputs[row] - images.at(sample + row);
        gradients[row] = off * share;
        sum += off * off;
      });
      common.sums[place.member] = sum;
    } else if (phase + 1 < phases()) {
      common.take(tiling, place, phase - 1);
    } else if (place.lane == 0) {
      losses[place.part] = common.sums[place.member] / static_cast<float>(place.end - place.first);
    }
  }
};

}  // namespace strata::cuda
