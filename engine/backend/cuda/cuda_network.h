// SPDX-License-Identifier: Apache-2.0
// A net bound to a CUDA device: forward, loss, backward and update of a batch are a fixed list of launches, captured
// into one CUDA graph per batch size. Weights, gradients and optimizer state lie in one arena each and stay on the
// device. A net of which some node runs on the host is not captured: it runs launch by launch.
#pragma once
#include <map>
#include <memory>
#include <optional>

#include "engine/backend/backend.h"
#include "engine/backend/cuda/losses.h"
#include "engine/backend/cuda/stages.h"

namespace strata::cuda {

/// The types of layers and losses that have kernels.
const std::set<std::string>& kernelTypes();

class CudaNetwork : public CompiledNetwork {
 public:
  /// Trains in request.precision, or in TF32 when that is open; in float32 instead of bfloat16 on a device before
  /// sm_80. Error::Device, naming the largest batch that fits, when the device has too little free memory.
  /// Layers and losses of other types than `types` run on the host.
  CudaNetwork(std::shared_ptr<Device> device, const CompileRequest& request,
              const std::set<std::string>& types = kernelTypes());
  ~CudaNetwork() override;

  void setWeights(const Weights& weights) override;
  Weights weights() const override;
  std::vector<float> optimizerState() const override;
  void setOptimizerState(const std::vector<float>& state) override;
  LossResult trainBatch(const Batch& batch, double learningRate, std::uint64_t step) override;
  /// On samples that lie on the device as bytes, and are augmented there: the host sends the order, and waits once for
  /// the results of all. Samples that do not fit arrive a chunk of kCaptured batches ahead of the training. Where two
  /// chunks do not fit either, or something runs on the host, batch by batch.
  std::vector<LossResult> trainRun(Batches& batches, int first, std::span<const double> learningRates,
                                   std::uint64_t step) override;
  int runLength() const override { return m_onHost ? 1 : kRun; }
  void forward(const Batch& batch, float* outputs) override;
  void activations(const Batch& batch, std::vector<std::vector<float>>& out) override;
  NonFinite findNonFinite(const Batch& batch, std::uint64_t step) override;
  Precision precision() const override { return m_shared.precision; }
  std::string explain() const override;

  static constexpr int kRun = 64;      ///< most steps between two waits of the host
  static constexpr int kCaptured = 8;  ///< steps in one captured graph, where so many whole batches follow one another

  /// Gradients of the last trainBatch(), canonical layout.
  std::vector<float> gradients() const;

 private:
  /// Everything that is fixed in a captured graph.
  struct Key {
    int batch = 1, steps = 1;
    bool training = false;
    enum class Source { Bytes, Floats, Resident, Streamed } source = Source::Bytes;
    float scale = 1, offset = 0;
    int half = 0;   ///< of the streamed samples' memory
    int shift = 0;  ///< augmentation on the device
    double rotate = 0;
    std::uint64_t augmentSeed = 0;
    std::uint8_t ground = 0;
    /// A loss that the host computes stands between the two halves of a step.
    enum class Part { Whole, Forward, Backward } part = Part::Whole;
    bool moved() const { return shift > 0 || rotate > 0; }
    bool onDevice() const { return source == Source::Resident || source == Source::Streamed; }
    auto operator<=>(const Key&) const = default;
  };
  struct Program {
    bool warm = false;  ///< has run once without capture, so that everything is loaded
    int generation = 0;
    std::unique_ptr<CapturedWork> graph;
  };
  /// Views into the block that carries all small values to the device and back, each way in one copy. Rings hold kRun
  /// steps.
  struct Control {
    explicit Control(int maxBatch);
    /// Offsets in bytes. `numbers`: where a batch's samples lie; `drawn`: what streamed ones are called in the data
    /// set, from which they are moved.
    Index cursor = 0, params = 0, results = 0, labels = 0, numbers = 0, drawn = 0, size = 0;
  };

  template <class T>
  T* hostAt(Index offset) const {
    return reinterpret_cast<T*>(m_controlHost.data() + offset);
  }
  template <class T, Use kUse>
  View<T, kUse> deviceAt(Index offset, Index count) const {
    return {reinterpret_cast<T*>(m_control.data() + offset), count};
  }
  /// What a step may read of the samples that lie on the device.
  template <class T>
  In<T> part(const Buffer<T>& buffer, const Key& key) const {
    const Index half = buffer.size() / 2;
    return key.source == Key::Source::Streamed ? buffer.in().slice(key.half * half, half) : buffer.in();
  }

  void checkMemory() const;
  LossResult trainWithHostLoss(const Batch& batch, Key key);
  void copyOutputs(int batch, float* outputs);
  void upload(const Batch& batch, double rate, std::uint64_t step);
  void checkLabel(std::int32_t label) const;
  bool readsLabels() const { return m_scorer.loss().target == TargetKind::ClassIndex; }
  void setStep(int slot, double rate, std::uint64_t step, std::uint32_t epoch = 0);
  void sendControl(int steps);
  std::vector<LossResult> results(int steps);
  Key::Source placeSamples(const Samples& samples);
  void bringChunk(const Batches& batches, int chunk);
  void sendChunk(const Batches& batches, int chunk);
  void run(const Key& key);
  void execute(const Key& key);
  void executeStep(const Key& key, const Pass& pass);
  void moveSamples(const Key& key, const Pass& pass);
  void launchLoss(const Key& key, const Pass& pass);
  void executeBackward(const Key& key, const Pass& pass);
  void reduce(const Key& key);
  void clipByNorm();
  void update();
  void updateOnHost();
  std::vector<float> canonical(const Buffer<float>& buffer, Index offset) const;

  std::shared_ptr<Device> m_device;
  CompileRequest m_request;
  Scorer m_scorer;
  LossKernel m_lossKernel;  ///< null: the host computes the loss
  Analysis m_analysis;
  Weights m_layout;  ///< places alone
  Control m_offsets;
  Buffer<std::byte> m_control;
  HostBuffer<std::byte> m_controlHost;
  HostBuffer<StepResult> m_results;  ///< [kRun]
  /// Chunk number `chunk` of an epoch, on its way to its half of m_pixels and m_labels or there. Even chunks go to the
  /// first half.
  struct Half {
    std::vector<int> numbers;  ///< which samples it holds, in the order in which they lie there
    bool arrived = false;      ///< work queued on the main lane from now on runs after its copy
  };
  const Samples* m_samples = nullptr;         ///< whose pixels and labels lie on the device, or pass through it
  Key::Source m_source = Key::Source::Bytes;  ///< how trainRun() gets at them
  Buffer<std::uint8_t> m_pixels;              ///< all, or two chunks
  Buffer<std::int32_t> m_labels;              ///< likewise
  std::optional<HostBuffer<std::uint8_t>> m_pixelsHost;  ///< two chunks
  std::optional<HostBuffer<std::int32_t>> m_labelsHost;
  Half m_halves[2];
  Buffer<std::uint8_t> m_bytes;  ///< the batch's samples, as sent or as moved
  Buffer<Move> m_moves;          ///< [maxBatch]
  Buffer<float> m_floats;
  std::optional<HostBuffer<std::uint8_t>> m_bytesHost;
  std::optional<HostBuffer<float>> m_floatsHost;
  Plans m_plans;
  Shared m_shared;
  std::vector<std::unique_ptr<Stage>> m_stages;
  bool m_onHost = false;  ///< some stage or the update is
  double m_rate = 0;      ///< of the step, for an update on the host
  Buffer<float> m_state, m_losses;
  Buffer<double> m_squares;  ///< partial sums, where gradients are clipped by their norm
  Buffer<std::int32_t> m_ranks;
  std::map<Key, Program> m_programs;
};

}  // namespace strata::cuda
