// SPDX-License-Identifier: Apache-2.0
// A stack as the CUDA backend runs it: stages of one to two layers, each a few launches. Flatten costs nothing, a
// ReLU is fused into the layer before it, and a max pool into the ReLU convolution before it.
#pragma once
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "engine/backend/cuda/arena.h"
#include "engine/backend/cuda/device.h"
#include "engine/net/analysis.h"

namespace strata::cuda {

/// A tensor between two stages.
struct Tensor {
  Index size = 0;        ///< values in one sample
  RealBuffer values;     ///< [maxBatch, size]
  RealBuffer gradients;  ///< [maxBatch, size]; empty where nothing before it is trained
};

/// Plans made so far, by what they compute; and the memory they work in, one a lane.
class Plans {
 public:
  explicit Plans(Device& device) : m_device(device) {}
  /// Null when cuDNN or cuBLASLt has no kernel for it.
  ConvPlan* conv(const ConvGraph& graph);
  MatmulPlan* matmul(const Matmul& matmul);
  void* workspace(Lane lane) const { return m_workspaces[static_cast<int>(lane)].data(); }
  /// Rises when a workspace was replaced: graphs captured before are void.
  int generation() const { return m_generation; }

 private:
  template <class Shape, class Plan>
  Plan* add(std::map<Shape, std::unique_ptr<Plan>>& plans, const Shape& shape, std::unique_ptr<Plan> plan);
  void reserve(std::size_t bytes);
  Device& m_device;
  std::map<ConvGraph, std::unique_ptr<ConvPlan>> m_convs;
  std::map<Matmul, std::unique_ptr<MatmulPlan>> m_matmuls;
  Buffer<std::byte> m_workspaces[kLanes];
  int m_generation = 0;
};

/// Collects the gradients that one Reduce at the end adds up.
class Reductions {
 public:
  void add(const Reduce::Job& job) { m_jobs.push_back(job); }
  const std::vector<Reduce::Job>& jobs() const { return m_jobs; }
  void clear() { m_jobs.clear(); }

 private:
  std::vector<Reduce::Job> m_jobs;
};

/// What all stages of a net share. Views of weights and gradients are valid once the arena has been allocated.
struct Shared {
  Device& device;
  Plans& plans;
  int maxBatch = 1;
  Precision precision = Precision::Tf32;
  std::uint64_t seed = 1;
  ArenaLayout arena;
  Buffer<float> weights, gradients;
  RealBuffer rounded;  ///< the weights in bfloat16, as libraries read them; empty in other precisions
  Reductions reductions;
  In<StepCursor> cursor;  ///< of the control block
  In<StepParams> params;

  Storage storage() const { return storageOf(precision); }
  In<float> weight(std::size_t param) const;
  In<Real> operand(std::size_t param) const;  ///< the weight for cuDNN and cuBLASLt
  Out<float> gradient(std::size_t param) const;
};

/// One pass of one batch.
struct Pass {
  int batch = 1;
  bool training = false;
  InputImages images;
};

class Stage {
 public:
  virtual ~Stage() = default;
  /// Makes the plans for a batch size; not while capturing.
  virtual void prepare(int batch, bool training);
  virtual void forward(const Pass& pass) = 0;
  /// out.gradients -> weight gradients and, where wanted, in.gradients. Weight gradients may go on the side lane.
  virtual void backward(const Pass& pass) = 0;

  Tensor out;
  std::string layers;  ///< names: "conv1 + pool1"
  std::string note;    ///< what runs it, for explain()
};

/// The stages of a stack that analyse() accepts. Adds the stack's weights to shared.arena. What the last one puts out,
/// the logits, is float32.
std::vector<std::unique_ptr<Stage>> makeStages(const NetworkSpec& network, const Analysis& analysis, Shared& shared);

}  // namespace strata::cuda
