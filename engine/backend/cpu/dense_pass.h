// SPDX-License-Identifier: Apache-2.0
// A dense layer, bias and activation. All three products run over lists of live values; the weight gradient is made
// block by block and used for the update at once, so it is not stored unless the update must know all of it first.
#pragma once
#include "engine/backend/cpu/channel_marks.h"
#include "engine/backend/cpu/geometry.h"
#include "engine/backend/cpu/pass.h"
#include "engine/backend/cpu/pass_kind.h"

namespace strata {

class DensePass : public Pass {
 public:
  struct Plan {
    std::string name;
    Activation activation = Activation::Linear;
    bool hasBias = true, inputGradient = true;
    bool gradientHasZeros = true;  ///< zeros are to be expected
    int stateSlots = 0;
    std::int64_t weightsOffset = 0;
    bool keepsGradient = false;  ///< gradientSquares() will be asked for
  };

  /// Width of the panels that a vector of `size` values is cut into.
  static int panelFor(std::int64_t size, const Kernels& kernels);

  DensePass(const Plan& plan, Buffer& x, Buffer& y, const Kernels& kernels, int threads);

  void forward(const Step& step) override;
  void backward(const Step& step) override;
  bool finite() const override { return m_finite; }
  int updateTasks(const Step&) const override { return m_blocks + 1; }
  float updateTask(const Step& step, int task, int thread, const UpdateRule& rule) override;
  double gradientSquares(const Step& step, int task, int thread) override;
  void getGradients(float* canonical) const override { toCanonical(m_kept, m_keptBias, canonical); }
  void setWeights(const float* canonical) override;
  void getWeights(float* canonical) const override;
  void setState(int slot, const float* canonical) override;
  void getState(int slot, float* canonical) const override;
  std::int64_t weightsOffset() const override { return m_plan.weightsOffset; }
  PassWork work() const override;

 private:
  /// Lists of a whole batch.
  struct SampleLists {
    Array<float> values;
    Array<std::int32_t> offsets;
    Array<ChunkLists::Stretch> stretches;
    int chunk = 0, chunks = 0, capacity = 0, samples = 0;  ///< capacity: room for one sample's values
    double below = 0;  ///< share of live values from which on register blocks are faster
    void allocate(int width, int chunkSize, int batch);
    ChunkLists view() const { return {{values.data(), offsets.data()}, stretches.data(), samples}; }
  };
  struct Scratch {
    Array<float> values, gradient, transposed;
    Array<std::int32_t> offsets, counts;
  };

  /// Lists a part's live values, unless there are so many that register blocks are faster; that is a function of the
  /// live share alone. Returns that share.
  double list(const Step& step, const Panels& rows, int scale, SampleLists& lists, Density& density, int part);
  void markFeatures(const Step& step, int part, int thread) const;
  /// Chooses the inputs that get a gradient.
  void chooseFeatures();
  void inputGradient(const Step& step, bool lists);
  /// Moves one sample's gradients of the chosen inputs to their places.
  void unpackGradient(int n) const;
  /// take(place, gradient, count) for the weights behind one block of inputs, panel by panel. Nothing where
  /// `skipsZeros` and the inputs are zero in the whole batch.
  template <class Take>
  void weightGradient(const Step& step, int task, int thread, bool skipsZeros, Take take);
  /// [panels * panel]
  Array<float> biasGradient(const Step& step) const;
  /// The weights between the outputs [begin, end) and some of the chosen inputs, as rows [end - begin][inPanel], for
  /// register blocks in pieces.
  void transposeChunk(int begin, int end, const std::int32_t* features, int count, bool pieces, float* to) const;
  void fromCanonical(const float* canonical, const Array<float>& panels, const Array<float>& bias) const;
  void toCanonical(const Array<float>& panels, const Array<float>& bias, float* canonical) const;

  const Plan m_plan;
  const Kernels& m_kernels;
  Buffer &m_x, &m_y;
  const int m_in, m_out, m_panel, m_panels;  ///< of the outputs
  /// Inputs whose gradient is worked on together at most; outputs whose weights are turned over at a time.
  const int m_inPanel, m_outChunk;
  int m_block, m_blocks;   ///< features updated by one task
  Array<float> m_weights;  ///< [panels][in][panel]
  Array<float> m_bias;     ///< [panels * panel]
  Array<float> m_state[kMostSlots], m_biasState[kMostSlots];
  Array<float> m_kept, m_keptBias;  ///< this batch's gradients, where they are kept
  /// [panels][batch][panel]: the output's gradients, each panel in pieces, where register blocks read them.
  Array<float> m_pieces;
  const bool m_mayPack;            ///< whether inputs may go without a gradient
  bool m_packed = false;           ///< of this batch: whether some do
  ChannelMarks m_live;             ///< inputs that are not zero in the whole batch
  Array<std::int32_t> m_features;  ///< the numbers of the inputs whose gradients are wanted
  int m_featureCount;
  Array<float> m_packedGradients;   ///< [batch][in], of those alone
  SampleLists m_inputs, m_outputs;  ///< live inputs; live output gradients
  /// Of this batch, else register blocks: forward; for the weight gradient.
  bool m_listInputs = true, m_listFeatures = true;
  std::vector<Scratch> m_scratch;
  std::atomic<bool> m_finite{true};
  Density m_inputDensity, m_gradientDensity, m_featureShare;
  /// Batches by register blocks [0] and by lists [1].
  std::atomic<std::int64_t> m_forwardBy[2]{}, m_gradientBy[2]{}, m_weightsBy[2]{};
};

PassKind densePassKind();

}  // namespace strata
