// SPDX-License-Identifier: Apache-2.0
// The ways to compute a convolution with its bias, max pooling and activation, one sample at a time: by lists of live
// inputs, of which there is one way for each kind of shape, or by register blocks that multiply everything. All give
// y [outH][outW][k] = activation(max over the window of (x * kernel) + bias); they differ in speed alone.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "engine/backend/cpu/conv_record.h"
#include "engine/backend/cpu/conv_weights.h"

namespace strata {

/// Some values, and how many of them are not zero, or are multiplied.
struct LiveCount {
  std::int64_t live = 0, of = 0;
  double share() const { return double(live) / double(of); }
};

/// What is known of a batch before its samples are worked on.
struct ConvBatch {
  OutputChannels outputs;             ///< for planes and windows: those to work on
  const float* background = nullptr;  ///< [c]: what most pixels hold, worth taking off all; null where nothing is
};

/// One sample on its way forward.
struct ForwardSample {
  const float* x = nullptr;       ///< [rows][cols][c], framed
  Frame y;                        ///< [outH][outW][k]
  std::uint8_t* codes = nullptr;  ///< as ConvRecord::codes()
  PixelLists* pixels = nullptr;   ///< of planes and windows, which fill them
  LiveCount inputs;               ///< what SparseForward::look() said of x
};

struct ForwardResult {
  float probe = 0;   ///< not 0 when a value was not finite
  LiveCount inputs;  ///< those that were multiplied
};

class ConvForward {
 public:
  ConvForward(const ConvContext& context, const ConvWeights& weights) : m_context(context), m_weights(weights) {}
  virtual ~ConvForward() = default;
  /// Before the samples of a batch; the weights stay as they are until they are done.
  virtual void prepare(const ConvBatch&) {}
  /// Any thread, which `thread` numbers.
  virtual ForwardResult forward(const ForwardSample& sample, int thread) = 0;
  /// For people: "lists of live inputs".
  virtual std::string how() const = 0;

 protected:
  const ConvContext m_context;
  const ConvWeights& m_weights;
};

/// A way that passes zeros over, and is faster where there are enough of them.
class SparseForward : public ConvForward {
 public:
  using ConvForward::ConvForward;
  /// How many inputs of x are live. forward() of the same sample must be the thread's next call, if it is called.
  virtual LiveCount look(const float* x, int thread) = 0;
  /// Share of live inputs below which it is faster than multiplying everything.
  virtual double below() const = 0;
};

/// Sums of a band of output rows, before bias and pooling: one a thread.
class ConvSums {
 public:
  explicit ConvSums(const ConvContext& context);
  float* of(int thread) const { return m_sums[std::size_t(thread)].data(); }

 private:
  std::vector<Array<float>> m_sums;
};

/// The lists of live inputs of one sample: one a thread.
class InputLists {
 public:
  InputLists(const ConvContext& context, std::int64_t values, std::int64_t starts);
  RowLists of(int thread) const;

 private:
  struct Lists {
    Array<float> values;
    Array<std::int32_t> offsets, starts;
  };
  std::vector<Lists> m_lists;
};

/// Register blocks: several output pixels at once, every input multiplied.
class ForwardByBlocks : public ConvForward {
 public:
  ForwardByBlocks(const ConvContext& context, const ConvWeights& weights)
      : ConvForward(context, weights), m_sums(context) {}
  ForwardResult forward(const ForwardSample& sample, int thread) override;
  std::string how() const override { return "register blocks"; }

 private:
  ConvSums m_sums;
};

/// Lists, one output pixel at a time, for any shape.
class ForwardByLists : public SparseForward {
 public:
  ForwardByLists(const ConvContext& context, const ConvWeights& weights);
  LiveCount look(const float* x, int thread) override;
  double below() const override { return m_context.kernels.convListsBelow; }
  ForwardResult forward(const ForwardSample& sample, int thread) override;
  std::string how() const override { return "lists of live inputs"; }

 private:
  ConvSums m_sums;
  InputLists m_lists;
};

/// Lists, several pixels of a row at a time, column by column of the input: kernels 3 or 5 wide, horizontal stride 1.
///
/// Around a digit all pixels are alike, and where a bias is above zero they are live. Subtracting that value from the
/// whole channel makes its list shorter. What was subtracted adds the same to all outputs, so it goes into their bias.
/// A frame of zeros would come to life: then there must be no background.
class ForwardByColumns : public SparseForward {
 public:
  ForwardByColumns(const ConvContext& context, const ConvWeights& weights);
  void prepare(const ConvBatch& batch) override;
  LiveCount look(const float* x, int thread) override;
  double below() const override { return m_context.kernels.columnsBelow; }
  ForwardResult forward(const ForwardSample& sample, int thread) override;
  std::string how() const override;

 private:
  bool severalRows() const { return m_context.shape.columnRows > 1; }
  void addToBias(int channel, float value);

  ConvSums m_sums;
  InputLists m_lists;
  Array<float> m_background;  ///< [c]
  Array<float> m_bias;        ///< with what the background amounts to
};

/// Lists, several pixels of a row at a time, from what a band of columns meets: few input channels, horizontal
/// stride 1.
class ForwardByBands : public SparseForward {
 public:
  ForwardByBands(const ConvContext& context, const ConvWeights& weights);
  LiveCount look(const float* x, int thread) override;
  double below() const override;
  ForwardResult forward(const ForwardSample& sample, int thread) override;
  std::string how() const override;

 private:
  ConvSums m_sums;
  InputLists m_lists;
  Array<std::int32_t> m_offsets;  ///< for Kernels::listBands()
};

/// The way by lists that suits a planned shape without planes.
std::unique_ptr<SparseForward> makeSparseForward(const ConvContext& context, const ConvWeights& weights);

}  // namespace strata
