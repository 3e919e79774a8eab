// SPDX-License-Identifier: Apache-2.0
// The ways to compute a convolution's gradients, one sample at a time: by lists of live gradients, by lists of live
// inputs, or by register blocks that multiply everything. Max-pooled gradients stay in pooled form: only the places
// that were largest are multiplied.
#pragma once
#include <memory>
#include <vector>

#include "engine/backend/cpu/conv_forward.h"

namespace strata {

/// One sample on its way back.
struct GradientSample {
  const ConvShape& shape;  ///< of this batch's backward pass: c and what depends on it are of the input's live channels
  const float* x = nullptr;  ///< [rows][cols][c], framed
  Frame y;                   ///< [outH][outW][k]
  /// [outH][outW][channelCount], in as wide a frame as y: before the activation where there was no max pooling. Lists
  /// apply ReLU's derivative themselves.
  Frame dy;
  const std::int32_t* channels = nullptr;  ///< that dy holds
  int channelCount = 0;                    ///< all of them, but by planes with pooling
  const float* sums = nullptr;             ///< [k]: dy, before the activation, over the pixels. For all but lists
  const std::uint8_t* codes = nullptr;     ///< what the forward pass left (ConvRecord)
  const PixelLists* pixels = nullptr;
};

/// Adds to a part's gradient of weights and bias.
class ConvWeightGradient {
 public:
  explicit ConvWeightGradient(const ConvContext& context) : m_context(context) {}
  virtual ~ConvWeightGradient() = default;
  /// Adds what a sample contributes, at the latest when its tile and its part are finished; until then its x must stay.
  /// Samples of a tile lie one after the other in memory. Returns what was multiplied.
  virtual LiveCount add(const GradientSample& sample, const ConvGradient& sum, int thread) = 0;
  virtual void finishTile(const ConvShape&, const ConvGradient&, int /*thread*/) {}
  virtual void finishPart(const ConvShape&, const ConvGradient&, int /*thread*/) {}

 protected:
  /// Gradients of a sample, with those that max pooling made zero.
  std::int64_t outputs() const {
    return std::int64_t{m_context.outputPixels()} * m_context.window() * m_context.shape.k;
  }

  const ConvContext m_context;
};

/// Lists of live gradients, one for each output channel, over a tile of samples: any shape.
class WeightGradientByLists : public ConvWeightGradient {
 public:
  /// tile: most samples between two calls of finishTile().
  WeightGradientByLists(const ConvContext& context, int tile);
  LiveCount add(const GradientSample& sample, const ConvGradient& sum, int thread) override;
  void finishTile(const ConvShape& shape, const ConvGradient& sum, int thread) override;

 protected:
  /// Lists pooled rows from firstRow on, backRows of them. base: where x begins after the tile's. Returns how many
  /// gradients are live.
  virtual int list(const GradientSample& sample, int firstRow, std::int32_t base, const ChannelLists& lists,
                   const ConvGradient& sum, int thread);

 private:
  struct Scratch {
    Array<float> values;
    Array<std::int32_t> offsets, counts;
    const float* x = nullptr;  ///< of the tile; null before its first sample
  };
  ChannelLists listsOf(const Scratch& scratch) const;
  /// Multiplies what is listed, and begins new lists.
  void empty(const ConvShape& shape, const ConvGradient& sum, const Scratch& scratch) const;

  const int m_capacity;  ///< of one channel's list: what a band adds to it for each sample of a tile
  std::vector<Scratch> m_scratch;
};

/// The same of what planes or windows have pooled.
class WeightGradientByPlanes : public WeightGradientByLists {
 public:
  WeightGradientByPlanes(const ConvContext& context, const PlanePlaces& places, int tile);
  void finishPart(const ConvShape& shape, const ConvGradient& sum, int thread) override;

 protected:
  int list(const GradientSample& sample, int firstRow, std::int32_t base, const ChannelLists& lists,
           const ConvGradient& sum, int thread) override;

 private:
  const PlanePlaces& m_places;
  std::vector<Array<float>> m_biasSums;  ///< [k][lanes], one a thread
};

/// Register blocks, row by row of the kernel: nets without max pooling.
class WeightGradientByBlocks : public ConvWeightGradient {
 public:
  using ConvWeightGradient::ConvWeightGradient;
  LiveCount add(const GradientSample& sample, const ConvGradient& sum, int thread) override;
};

/// Register blocks of whole patches, those of zeros passed over: shapes with patchVecs.
class WeightGradientByPatches : public ConvWeightGradient {
 public:
  explicit WeightGradientByPatches(const ConvContext& context);
  LiveCount add(const GradientSample& sample, const ConvGradient& sum, int thread) override;
  void finishPart(const ConvShape& shape, const ConvGradient& sum, int thread) override;

 private:
  struct Scratch {
    Array<float> patches, gradients, sums;
  };
  std::vector<Scratch> m_scratch;
};

/// Lists of live inputs: shapes for which inputListsSuit(). Where few inputs are live they make fewer products than the
/// live gradients do, of which ReLU leaves half.
class WeightGradientByInputs : public ConvWeightGradient {
 public:
  explicit WeightGradientByInputs(const ConvContext& context);
  /// Lists the inputs. Where there are too many to be worth it, returns false; else fill room(), then call add().
  bool look(const float* x, int thread);
  /// For the gradient before the activation, pixels `kWidth` floats apart: a frame of zeros lies around it.
  Frame room(int thread) const;
  LiveCount add(const GradientSample& sample, const ConvGradient& sum, int thread) override;
  void finishPart(const ConvShape& shape, const ConvGradient& sum, int thread) override;

 private:
  struct Scratch {
    Array<float> frame, sums;
    int live = 0;  ///< inputs on the list
  };
  int frameCols() const { return m_context.shape.cols + m_context.shape.s - 1; }
  int pixel() const { return m_context.shape.kWidth(m_context.lanes()); }

  InputLists m_lists;
  std::vector<Scratch> m_scratch;
};

/// Writes a sample's input gradient. rows: the weights [r][k][rowVecs * lanes] of the sample's shape.
class ConvInputGradient {
 public:
  explicit ConvInputGradient(const ConvContext& context) : m_context(context) {}
  virtual ~ConvInputGradient() = default;
  /// dx [rows][cols][c], and a vector of room after it.
  virtual void write(const GradientSample& sample, const float* rows, float* dx, int thread) = 0;

 protected:
  const ConvContext m_context;
};

/// Lists of live gradients, one for each position of the kernel: any shape but planes with pooling.
class InputGradientByLists : public ConvInputGradient {
 public:
  explicit InputGradientByLists(const ConvContext& context);
  void write(const GradientSample& sample, const float* rows, float* dx, int thread) override;

 private:
  struct Scratch {
    Array<float> values;
    Array<std::int32_t> offsets, starts, visits;
  };
  void orderPositions();

  Array<std::int32_t> m_order;  ///< for Kernels::convInputGradient()
  std::vector<Scratch> m_scratch;
};

/// Register blocks: nets without max pooling.
class InputGradientByBlocks : public ConvInputGradient {
 public:
  using ConvInputGradient::ConvInputGradient;
  void write(const GradientSample& sample, const float* rows, float* dx, int thread) override;
};

/// Whether register blocks are faster than lists for both gradients of a sample with so many live values.
bool gradientBlocksPay(const ConvContext& context, const ConvShape& shape, bool inputGradient, int live);

}  // namespace strata
