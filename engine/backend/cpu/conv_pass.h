// SPDX-License-Identifier: Apache-2.0
// Convolution, bias, activation and pooling as one pass over the batch. The pass chooses, sample by sample, the way
// that the share of zeros makes fastest (conv_forward.h, conv_gradient.h), and keeps count of what it chose.
#pragma once
#include <optional>

#include "engine/backend/cpu/conv_channels.h"
#include "engine/backend/cpu/conv_gradient.h"
#include "engine/backend/cpu/pass.h"
#include "engine/backend/cpu/pass_kind.h"
#include "engine/backend/cpu/pool_pass.h"

namespace strata {

class ConvPass : public Pass {
 public:
  struct Plan {
    std::string name;
    ConvShape shape;  ///< as planConv() leaves it
    bool hasBias = true, inputGradient = true;
    bool training = true;  ///< else there is no room for gradients
    int stateSlots = 0;
    std::int64_t weightsOffset = 0;
  };

  /// `average` is an average pooling of y that is done with each sample, or null.
  ConvPass(const Plan& plan, Buffer& x, Buffer& y, std::unique_ptr<AveragePoolPass> average, const Kernels& kernels,
           int threads);

  void forward(const Step& step) override;
  void backward(const Step& step) override;
  bool finite() const override;
  int gradientTasks(const Step&) const override { return m_context.shape.r; }
  void gradientTask(const Step& step, int row) override;
  int updateTasks(const Step&) const override { return m_context.shape.r + 1; }
  float updateTask(const Step& step, int task, int thread, const UpdateRule& rule) override;
  double gradientSquares(const Step& step, int task, int thread) override;
  void getGradients(float* canonical) const override { m_weights.getGradients(gradientChannels(), canonical); }
  void setWeights(const float* canonical) override { m_weights.set(canonical); }
  void getWeights(float* canonical) const override { m_weights.get(canonical); }
  void setState(int slot, const float* canonical) override { m_weights.setState(slot, canonical); }
  void getState(int slot, float* canonical) const override { m_weights.getState(slot, canonical); }
  std::int64_t weightsOffset() const override { return m_plan.weightsOffset; }
  PassWork work() const override;

 private:
  /// What one thread counts, on cache lines of its own: two threads that count on one line wait for each other at every
  /// sample.
  struct alignas(64) Counts {
    struct Tally {
      std::int64_t live = 0, possible = 0;
      void add(std::int64_t alive, std::int64_t of) { live += alive, possible += of; }
      double share() const { return possible ? double(live) / double(possible) : 1; }
    };
    /// Since the start, for work(): shares, and samples by each way.
    Tally inputs, gradients, weightGradients, inputChannels, outputChannels;
    std::int64_t forwardSparse = 0, forwardWhole = 0, backByInputs = 0, backByLists = 0, backByBlocks = 0;
    /// Of this batch.
    std::int64_t deadPixels = 0;
    bool finite = true;

    bool mostlySparse() const { return forwardSparse > forwardWhole; }
    bool mostlyBlocks() const { return backByInputs == 0 && backByBlocks > backByLists; }
    Counts& operator+=(const Counts& other);
  };
  Counts& counts(int thread) { return m_counts[std::size_t(thread)]; }
  Counts allCounts() const;

  /// The input channels that this batch's weight gradient is of.
  PackedChannels gradientChannels() const { return m_liveInputs ? m_liveInputs->channels() : PackedChannels{}; }
  void makeForward();
  void makeGradients();

  void forwardSample(const Step& step, int n, int thread);
  /// What the input's channels hold nearly everywhere, where that is worth taking off; else null.
  const float* background() const;
  /// Tells the next pass what this one makes of a window of zeros.
  void tellBackground(const Step& step);

  void chooseInputs();
  void backwardTile(int begin, int end, int thread, const ConvGradient& sum);
  void backwardSample(int n, const float* x, int thread, const ConvGradient& sum);
  GradientSample gradientSample(int n, const float* x, int thread);
  bool weightGradientFromInputs(GradientSample sample, int n, int thread, const ConvGradient& sum);
  /// Writes a sample's gradient before the activation to where it is wanted, pixels `pixel` floats apart, and its sums
  /// over the pixels into m_gradientSums. Returns how many values are live.
  int beforeActivation(int n, Frame to, int pixel, int thread);
  void writeInputGradient(const GradientSample& sample, int n, bool blocks, int thread);

  std::string forwardText(const Counts& counts) const;
  std::string backwardText(const Counts& counts) const;

  const Plan m_plan;
  const ConvContext m_context;
  const int m_tile;  ///< samples whose weight gradient is taken together
  Buffer &m_x, &m_y;
  const std::unique_ptr<AveragePoolPass> m_average;
  ConvWeights m_weights;
  std::optional<PlanePlaces> m_places;  ///< where there are planes
  ConvRecord m_record;

  std::optional<LiveOutputs> m_liveOutputs;  ///< by planes and windows
  std::unique_ptr<SparseForward> m_sparse;   ///< null where zeros are not to be expected
  std::unique_ptr<ConvForward> m_whole;      ///< multiplies everything

  std::optional<LiveInputs> m_liveInputs;    ///< where dead ones may be left out of the backward pass
  ConvShape m_back;                          ///< of this batch's backward pass: without dead input channels
  std::vector<Array<float>> m_gradientSums;  ///< [kWidth], one a thread
  std::unique_ptr<WeightGradientByInputs> m_weightByInputs;               ///< null where it does not suit
  std::unique_ptr<ConvWeightGradient> m_weightByLists, m_weightByBlocks;  ///< the latter null after max pooling
  std::unique_ptr<ConvInputGradient> m_inputByLists, m_inputByBlocks;     ///< null where it is not wanted

  std::vector<Counts> m_counts;      ///< one a thread
  std::atomic<bool> m_finite{true};  ///< of this batch's gradients
};

PassKind convPassKind();
/// A dense layer at each place of an image or a sequence: a convolution of one pixel.
PassKind pointwisePassKind();

}  // namespace strata
