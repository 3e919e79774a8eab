// SPDX-License-Identifier: Apache-2.0
// Convolution, bias, activation and pooling as one pass over the batch. Gradients stay in max-pooled form: the byte
// that says which place of a window was largest is all that is kept, and only those places are multiplied backward.
#pragma once
#include "engine/backend/cpu/channel_marks.h"
#include "engine/backend/cpu/geometry.h"
#include "engine/backend/cpu/pass.h"
#include "engine/backend/cpu/pool_pass.h"

namespace strata {

class ConvPass : public Pass {
 public:
  struct Plan {
    std::string name;
    ConvShape shape;
    bool hasBias = true, inputGradient = true;
    bool training = true;  ///< else there is no room for gradients
    int stateSlots = 0;
    std::int64_t weightsOffset = 0;
  };

  /// Fills in what follows from the kernels' width and the cache: panels, bands and groups.
  static void plan(ConvShape& shape, bool inputGradient, const Kernels& kernels);

  /// `average` is an average pooling of y that is done with each sample, or null.
  ConvPass(const Plan& plan, Buffer& x, Buffer& y, std::unique_ptr<AveragePoolPass> average, const Kernels& kernels,
           int threads);

  void forward(const Step& step) override;
  void backward(const Step& step) override;
  bool finite() const override { return m_finite; }
  int gradientTasks(const Step&) const override { return m_shape.r; }
  void gradientTask(const Step& step, int row) override;
  int updateTasks(const Step&) const override { return m_shape.r + 1; }
  float updateTask(const Step& step, int task, int thread, const UpdateRule& rule) override;
  void setWeights(const float* canonical) override;
  void getWeights(float* canonical) const override;
  void setState(int slot, const float* canonical) override;
  void getState(int slot, float* canonical) const override;
  std::int64_t weightsOffset() const override { return m_plan.weightsOffset; }
  PassWork work() const override;

 private:
  /// What one thread needs to work on one sample, and for the weight gradient on a few.
  struct Scratch {
    Array<float> acc, rowValues, gradValues, channelValues, gradientSums, frame, inputSums, patches, patchGradients,
        patchSums, packedX, packedDx, gradientRow;
    Array<std::int32_t> rowOffsets, rowStarts, gradOffsets, gradStarts, visits, channelOffsets, channelCounts;
    // For convForwardPlanes() and convForwardWindows().
    Array<float> phases, planes, tile, biasSums, windowValues;
    Array<std::uint8_t> windowCodes;
    Array<PlanePiece> pieces;
  };

  const float* transposed() const { return (m_packed ? m_packedWeights : m_transposed).data(); }
  const float* weightsFor(ConvMethod method) const {
    return (method == ConvMethod::Columns || method == ConvMethod::Wide ? m_wide : m_forward).data();
  }
  ConvMethod chooseMethod(std::int64_t live, std::int64_t of) const;
  void forwardSample(const Step& step, int sample, int thread);
  void chooseInputChannels();
  void subtractBackground();
  void tellBackground(const Step& step);
  bool provenDead(int channel) const;
  void chooseOutputChannels();
  void deriveWindows();
  void backwardTile(int begin, int end, Scratch& scratch, float* gradient, float* biasGradient);
  std::uint8_t* codesOf(int sample) const { return m_codes.data() + sample * codesSize(); }
  /// Of one sample, whether pixel by pixel or by runs of pixels; 0 without pooling.
  std::int64_t codesSize() const {
    if (m_shape.poolH * m_shape.poolW == 1) return 0;
    return m_shape.planes ? m_shape.planeStride(m_lanes) * m_shape.k
                          : std::int64_t{m_shape.outH} * m_shape.outW * std::int64_t(m_bias.size());
  }
  PixelLists& pixelsOf(int sample, const Scratch& scratch) {
    return m_pixelLists[m_codes.size() > 0 ? std::size_t(sample) : std::size_t(&scratch - m_scratch.data())];
  }
  void allocateForGradients(Scratch& scratch) const;
  void makePixelLists();
  PlaneScratch forPlanes(const Scratch& scratch) const {
    return {scratch.phases.data(), scratch.planes.data(), scratch.tile.data(), scratch.pieces.data(),
            m_framePixels.data()};
  }
  void addBiasSums(Scratch& scratch, float* biasGradient) const;
  std::int64_t rowSize() const { return std::int64_t{m_shape.rowVecs} * m_lanes; }
  std::int64_t sliceSize() const { return m_shape.k * rowSize(); }  ///< of one kernel row, transposed
  std::int64_t gradientRowSize() const { return std::int64_t{m_back.rowVecs} * m_lanes; }
  int inputPixels() const { return m_shape.rows * m_shape.cols; }
  void orderPositions();
  void listGradients(int sample, const float* x, std::int32_t base, float* dx, Scratch& scratch,
                     const ChannelLists& channels, float* gradient, float* biasGradient);
  int channelCapacity() const;
  int beforeActivation(int sample, Frame to, int pixel, Scratch& scratch);
  bool denseGradients(int sample, int live, const float* x, float* dx, Scratch& scratch, float* gradient);
  bool gradientFromInputs(int sample, Scratch& scratch, float* biasGradient);
  void addInputSums(Scratch& scratch, float* gradient) const;
  void addPatchSums(Scratch& scratch, float* gradient) const;
  void deriveForward(int row);
  void fromCanonical(const float* canonical, const Array<float>& transposed, const Array<float>& bias) const;
  void toCanonical(const Array<float>& transposed, const Array<float>& bias, float* canonical) const;

  const Plan m_plan;
  const ConvShape m_shape;
  const int m_lanes, m_tile;     ///< samples whose weight gradient is taken together
  const bool m_packPixels;       ///< that meet anything but zeros, for convForwardPlanes()
  const bool m_mayUseInputs;     ///< for the weight gradient, instead of live gradients
  const bool m_mayPackChannels;  ///< x without the channels that are dead in a whole batch, for the backward pass
  const bool m_mayUseWindows;    ///< for the forward pass, instead of planes
  const Kernels& m_kernels;
  Buffer &m_x, &m_y;
  const std::unique_ptr<AveragePoolPass> m_average;
  Array<float> m_transposed;  ///< the weights, [r][k][rowSize], zeros after s*c
  Array<float> m_forward;     ///< derived: [panels][r][s*c][panelVecs * lanes], for planes [r][s*c][m_outputCount]
  Array<float> m_wide;        ///< derived, for Columns and Wide: [panels][r][c][wideTaps][panelVecs * lanes]
  Array<std::int32_t> m_windowOffsets;  ///< for listBands()
  /// Output channels that this batch's forward pass works on, by planes or windows.
  Array<std::int32_t> m_outputChannels;
  Array<std::uint32_t> m_outputBits;  ///< the same as bits
  int m_outputCount = 0;              ///< how many of them
  ConvShape m_windows;                ///< for listWindows() and convForwardWindows() in this batch
  Array<float> m_windowWeights;       ///< of these channels
  Array<PixelPlace> m_places;         ///< of the pooled pixels, for convForwardPlanes()
  Array<std::int32_t> m_framePixels;  ///< PlaneScratch::framePixels
  Array<std::int32_t> m_pixels;       ///< what m_pixelLists point to
  /// Into m_pixels; a sample each with pooling, whose gradient needs them, else a thread each.
  std::vector<PixelLists> m_pixelLists;
  Array<std::int32_t> m_order;  ///< of the positions in the input gradient
  Array<float> m_bias;          ///< [panels * panelVecs * lanes]
  /// For listColumns(): what is taken off the input's channels, and the bias with what that amounts to.
  Array<float> m_background, m_shiftedBias;
  std::atomic<std::int64_t> m_deadPixels{0};  ///< of this batch, by planes or windows
  ConvShape m_back;              ///< of this batch's backward pass: that of the packed x, where packing pays
  bool m_packed = false;         ///< whether it does
  ChannelMarks m_liveChannels;   ///< of this batch
  Array<float> m_packedWeights;  ///< m_transposed for m_back
  Array<float> m_gradients;      ///< [parts][r][k][gradientRowSize], parts as far apart as m_transposed is large
  Array<float> m_biasGradients;  ///< [parts][panels * panelVecs * lanes]
  Array<float> m_state[kMostSlots], m_biasState[kMostSlots];
  Array<std::uint8_t> m_codes;
  std::vector<Scratch> m_scratch;
  std::atomic<bool> m_finite{true};
  Density m_inputDensity, m_gradientDensity, m_weightGradientDensity, m_inputChannelShare, m_outputChannelShare;
  std::atomic<std::int64_t> m_samplesBy[6]{};        ///< forward passes by each ConvMethod
  std::atomic<std::int64_t> m_samplesDense{0};       ///< gradients by register blocks
  std::atomic<std::int64_t> m_samplesFromInputs{0};  ///< weight gradients taken from live inputs
};

}  // namespace strata
