// SPDX-License-Identifier: Apache-2.0
// The graph as the CUDA backend runs it: stages of one to two nodes, each a few launches. Reshaping costs nothing, a
// ReLU is fused into the layer before it, and a max pool into the ReLU convolution before it. A node for which there is
// no stage here runs on the host. To give a type of layer a stage: a row in the table of stages.cpp.
#pragma once
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "engine/backend/cuda/arena.h"
#include "engine/backend/cuda/device.h"
#include "engine/net/graph.h"

namespace strata::cuda {

/// A value of the graph. A node that only reshapes makes none: its output is its input's tensor.
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
  std::vector<RealBuffer> parts;  ///< gradients on their way to a sum; each as large as the largest that passes by

  Storage storage() const { return storageOf(precision); }
  In<float> weight(ParamId param) const;
  In<Real> operand(ParamId param) const;  ///< the weight for cuDNN and cuBLASLt
  Out<float> gradient(ParamId param) const;
};

/// A value as one stage reads it. Where several do, or one of them twice, the first in the backward pass writes the
/// value's gradient; what each other finds goes into a part, which is added then.
class Input {
 public:
  static constexpr int kWrites = -1;
  Input(Shared& shared, Tensor& tensor, int part = kWrites) : m_shared(&shared), m_tensor(&tensor), m_part(part) {}

  Index size() const { return m_tensor->size; }
  In<Real> values(int batch) const { return m_tensor->values.in(batch * size()); }
  bool wantsGradient() const { return static_cast<bool>(m_tensor->gradients); }
  /// Where the stage writes what it finds.
  Out<Real> gradient(int batch) const;
  /// After that.
  void addPart(int batch) const;

 private:
  Shared* m_shared;
  Tensor* m_tensor;
  int m_part;  ///< of Shared::parts
};

/// One pass of one batch.
struct Pass {
  int batch = 1;
  bool training = false;
  InputImages images;
  std::uint64_t step = 0;  ///< for what runs on the host; captured work looks it up on the device
};

class Stage {
 public:
  explicit Stage(std::vector<Input> inputs) : in(std::move(inputs)) {}
  virtual ~Stage() = default;
  /// Makes the plans for a batch size; not while capturing.
  virtual void prepare(int batch, bool training);
  virtual void forward(const Pass& pass) = 0;
  /// out.gradients -> weight gradients and, where wanted, those of the inputs. Weight gradients may go on the side
  /// lane. Not called unless `inBackward`.
  virtual void backward(const Pass& pass) = 0;

  const std::vector<Input> in;
  Tensor out;
  bool inBackward = false;  ///< something up to here learns
  bool onHost = false;      ///< waits for the device, so that it cannot be captured
  std::string layers;       ///< paths: "conv1 + pool1"
  std::string note;         ///< what runs it, for explain()
};

/// The types of layers that have stages; not everyone with all fields.
const std::set<std::string>& stageTypes();

/// The stages of a graph; nodes whose type is not among `types` run on the host. Adds the net's variables to
/// shared.arena. What the last one puts out, the logits, is float32.
std::vector<std::unique_ptr<Stage>> makeStages(const Graph& graph, const std::set<std::string>& types, Shared& shared);

}  // namespace strata::cuda
