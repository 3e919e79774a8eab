// SPDX-License-Identifier: Apache-2.0
// The one file that includes cuDNN's frontend, which takes most of a minute to compile.
#include "engine/backend/cuda/cudnn_graphs.h"

#include <dlfcn.h>

#include <cstdlib>
#include <unordered_map>

#define NV_CUDNN_FRONTEND_USE_DYNAMIC_LOADING
#include <cudnn_frontend.h>

namespace cudnn_frontend {
void* cudnn_dlhandle = nullptr;  // the frontend finds cuDNN's functions in here
}

namespace strata::cuda {
namespace {

namespace fe = cudnn_frontend;
using Dims = std::vector<std::int64_t>;

void check(fe::error_t error, const char* doing) {
  if (error.is_bad())
    throw Error(Error::Kind::Device, "cuDNN", std::string(doing) + " failed (" + error.get_message() + ")");
}

fe::DataType_t typeOf(Storage storage) {
  return storage == Storage::Bfloat16 ? fe::DataType_t::BFLOAT16 : fe::DataType_t::FLOAT;
}

// Dimensions are N,C,H,W by cuDNN's convention; the strides say channels last.
struct Layout {
  Dims dims, strides;
};
Layout channelsLast(std::int64_t n, std::int64_t c, std::int64_t h, std::int64_t w) {
  return {{n, c, h, w}, {h * w * c, 1, w * c, c}};
}

class GraphBuilder {
 public:
  explicit GraphBuilder(const ConvGraph& conv) : m_conv(conv), m_graph(std::make_shared<fe::graph::Graph>()) {
    m_graph->set_io_data_type(typeOf(storageOf(conv.precision)))
        .set_intermediate_data_type(fe::DataType_t::FLOAT)
        .set_compute_data_type(fe::DataType_t::FLOAT);
  }

  std::shared_ptr<fe::graph::Graph> build() {
    switch (m_conv.kind) {
      case ConvGraph::Kind::Forward:
        forward();
        break;
      case ConvGraph::Kind::DataGradient:
        output(m_graph->conv_dgrad(input(ConvGraph::Dy, "dy", y()), input(ConvGraph::W, "w", w()),
                                   window(fe::graph::Conv_dgrad_attributes())),
               ConvGraph::Dx, x());
        break;
      case ConvGraph::Kind::WeightGradient:
        output(m_graph->conv_wgrad(input(ConvGraph::Dy, "dy", y()), input(ConvGraph::X, "x", x()),
                                   window(fe::graph::Conv_wgrad_attributes())),
               ConvGraph::Dw, w());
        break;
    }
    check(m_graph->validate(), "validating a graph");
    return m_graph;
  }

 private:
  using Tensor = std::shared_ptr<fe::graph::Tensor_attributes>;
  Layout x() const { return channelsLast(m_conv.n, m_conv.c, m_conv.h, m_conv.w); }
  Layout y() const { return channelsLast(m_conv.n, m_conv.k, m_conv.p, m_conv.q); }
  Layout w() const { return channelsLast(m_conv.k, m_conv.c, m_conv.r, m_conv.s); }

  void forward() {
    Tensor result = m_graph->conv_fprop(input(ConvGraph::X, "x", x()), input(ConvGraph::W, "w", w()),
                                        window(fe::graph::Conv_fprop_attributes()));
    if (m_conv.bias)
      result = m_graph->pointwise(result, input(ConvGraph::Bias, "bias", channelsLast(1, m_conv.k, 1, 1)),
                                  fe::graph::Pointwise_attributes().set_mode(fe::PointwiseMode_t::ADD));
    if (m_conv.relu)
      result = m_graph->pointwise(result, fe::graph::Pointwise_attributes().set_mode(fe::PointwiseMode_t::RELU_FWD));
    output(result, ConvGraph::Y, y());
  }
  template <class Attributes>
  Attributes window(Attributes attributes) const {
    return attributes.set_pre_padding({m_conv.top, m_conv.left})
        .set_post_padding({m_conv.bottom, m_conv.right})
        .set_stride({m_conv.strideH, m_conv.strideW})
        .set_dilation({1, 1});
  }
  Tensor input(int tensor, const char* name, const Layout& layout) {
    return m_graph->tensor(
        fe::graph::Tensor_attributes().set_name(name).set_uid(tensor).set_dim(layout.dims).set_stride(layout.strides));
  }
  static void output(const Tensor& tensor, int number, const Layout& layout) {
    tensor->set_output(true).set_uid(number).set_dim(layout.dims).set_stride(layout.strides);
  }

  const ConvGraph& m_conv;
  std::shared_ptr<fe::graph::Graph> m_graph;
};

/// Asks heuristics for plans, best first. Those whose sums depend on the order in which threads arrive cannot be built:
/// the same bits on every run.
fe::error_t askHeuristics(fe::graph::Graph& graph, Precision precision, std::shared_ptr<fe::DeviceProperties> device) {
  graph.set_device_properties(std::move(device));
  if (auto error = graph.build_operation_graph(); error.is_bad()) return error;
  if (auto error = graph.create_execution_plans({fe::HeurMode_t::A, fe::HeurMode_t::FALLBACK}); error.is_bad())
    return error;
  graph.deselect_numeric_notes({fe::NumericalNote_t::NONDETERMINISTIC});
  if (precision == Precision::Float32) graph.deselect_numeric_notes({fe::NumericalNote_t::TENSOR_CORE});
  return {};
}

std::vector<std::string> planNames(const fe::graph::Graph& graph) {
  std::vector<std::string> names(static_cast<std::size_t>(graph.get_execution_plan_count()));
  for (std::size_t i = 0; i < names.size(); ++i)
    check(graph.get_plan_name_at_index(static_cast<std::int64_t>(i), names[i]), "naming a plan");
  return names;
}

bool buildPlan(fe::graph::Graph& graph, std::size_t plan) {
  return graph.build_plan_at_index(static_cast<std::int64_t>(plan)).is_good();
}

PlanOutcome outcomeOf(const fe::graph::Graph& graph, std::size_t plan) {
  PlanOutcome outcome;
  std::int64_t bytes = 0;
  const auto index = static_cast<std::int64_t>(plan);
  check(graph.get_plan_name_at_index(index, outcome.engine), "naming a plan");
  check(graph.get_workspace_size_plan_at_index(index, bytes), "sizing a plan's workspace");
  outcome.engine = outcome.engine.substr(0, outcome.engine.find('_'));  // the engine alone; its knobs follow
  outcome.workspaceBytes = static_cast<std::size_t>(bytes);
  return outcome;
}

}  // namespace

std::string convGraphJson(const ConvGraph& graph) {
  nlohmann::json json;
  GraphBuilder(graph).build()->serialize(json);
  return json.dump();
}

namespace {

/// The frontend calls a shared CUDA runtime and would take one of CUDA 12 where that is installed too. It can be told
/// by this variable alone, in which a person may have named another.
void nameCudart() {
  for (const char* path : {"libcudart.so.13", STRATA_CUDART_PATH})
    if (dlopen(path, RTLD_NOW | RTLD_LOCAL)) {
      setenv("CUDNN_FRONTEND_CUDART_LIB_NAME", path, 0);
      return;
    }
}

}  // namespace

std::string loadCudnn() {
  if (fe::cudnn_dlhandle) return "";
  const char* named = std::getenv("STRATA_CUDNN");
  std::string problem;
  for (const char* path : {named ? named : "libcudnn.so.9", STRATA_CUDNN_PATH}) {
    if (void* library = dlopen(path, RTLD_NOW | RTLD_LOCAL)) {
      const auto version = reinterpret_cast<std::size_t (*)()>(dlsym(library, "cudnnGetVersion"));
      const std::size_t number = version ? version() : 0;
      if (number / 10000 == 9) {
        fe::cudnn_dlhandle = library;
        nameCudart();
        return "";
      }
      problem = "cuDNN is of another major version, got " + std::to_string(number / 10000) + ", needed 9";
      dlclose(library);
    } else if (problem.empty()) {
      problem = std::string("cuDNN 9 was not found (") + dlerror() + ")";
    }
  }
  return problem + ". Install cuDNN 9 for CUDA 13, or name its libcudnn.so.9 in STRATA_CUDNN.";
}

std::string cudnnVersion() {
  const std::size_t number = fe::detail::get_backend_version();
  return std::to_string(number / 10000) + "." + std::to_string(number / 100 % 100) + "." + std::to_string(number % 100);
}

PlanOutcome planOnDescribed(const ConvGraph& conv, const std::string& deviceJson, PlanChoice& choice,
                            const std::function<double(std::size_t)>& seconds) {
  const auto device = std::make_shared<fe::DeviceProperties>();
  check(device->deserialize(std::vector<std::uint8_t>(deviceJson.begin(), deviceJson.end())),
        "reading a device's description");
  const auto graph = GraphBuilder(conv).build();
  if (auto error = askHeuristics(*graph, conv.precision, device); error.is_bad()) return {"", 0, error.get_message()};
  const auto chosen = choice.choose(
      conv.precision, conv.text(), planNames(*graph), [&](std::size_t i) { return buildPlan(*graph, i); }, seconds);
  if (!chosen) return {"", 0, "no plan of the heuristics can be built"};
  return outcomeOf(*graph, *chosen);
}

struct Cudnn::Handles {
  std::function<std::string()> contextError;
  cudnnHandle_t handles[kLanes] = {};
  std::shared_ptr<fe::DeviceProperties> device = std::make_shared<fe::DeviceProperties>();
  ~Handles() {
    for (cudnnHandle_t handle : handles)
      if (handle) (void)fe::detail::destroy_handle(handle);
  }
};

namespace {

void checkStatus(cudnnStatus_t status, const char* doing) {
  if (status != CUDNN_STATUS_SUCCESS)
    throw Error(Error::Kind::Device, "cuDNN",
                std::string(doing) + " failed (" + fe::detail::get_error_string(status) + ")");
}

class CudnnPlan : public ConvPlan {
 public:
  template <class Handles>
  CudnnPlan(std::shared_ptr<fe::graph::Graph> graph, std::size_t plan, std::shared_ptr<Handles> handles)
      : m_graph(std::move(graph)), m_plan(static_cast<std::int64_t>(plan)), m_outcome(outcomeOf(*m_graph, plan)),
        m_handles(handles->handles), m_contextError(handles->contextError), m_keepAlive(std::move(handles)) {}

  std::size_t workspaceBytes() const override { return m_outcome.workspaceBytes; }
  std::string engine() const override { return m_outcome.engine; }
  void run(Lane lane, std::span<const Bound> tensors, void* workspace) override {
    std::unordered_map<std::int64_t, void*> pointers;
    for (const Bound& bound : tensors) pointers[bound.tensor] = bound.data;
    if (auto error = m_graph->execute_plan_at_index(m_handles[static_cast<int>(lane)], pointers, workspace, m_plan);
        error.is_bad())
      throw libraryError("cuDNN", "running a convolution failed (" + error.get_message() + ")", m_contextError());
  }

 private:
  std::shared_ptr<fe::graph::Graph> m_graph;
  std::int64_t m_plan;
  PlanOutcome m_outcome;
  cudnnHandle_t* m_handles;
  const std::function<std::string()>& m_contextError;
  std::shared_ptr<void> m_keepAlive;
};

}  // namespace

Cudnn::Cudnn(void* const (&streams)[kLanes], std::function<std::string()> contextError)
    : m_handles(std::make_shared<Handles>()) {
  m_handles->contextError = std::move(contextError);
  for (int lane = 0; lane < kLanes; ++lane) {
    checkStatus(fe::detail::create_handle(&m_handles->handles[lane]), "starting cuDNN");
    checkStatus(fe::detail::set_stream(m_handles->handles[lane], static_cast<cudaStream_t>(streams[lane])),
                "binding cuDNN to a stream");
  }
  m_handles->device->set_device_id(0);
  check(m_handles->device->build(), "asking for the device's properties");
}

Cudnn::~Cudnn() = default;

std::unique_ptr<ConvPlan> Cudnn::plan(const ConvGraph& conv, PlanChoice& choice,
                                      const std::function<double(ConvPlan&)>& seconds) {
  const auto graph = GraphBuilder(conv).build();
  std::optional<std::size_t> chosen;
  if (askHeuristics(*graph, conv.precision, m_handles->device).is_good())
    chosen = choice.choose(
        conv.precision, conv.text(), planNames(*graph), [&](std::size_t i) { return buildPlan(*graph, i); },
        [&](std::size_t i) {
          CudnnPlan plan(graph, i, m_handles);
          return seconds(plan);
        });
  if (chosen) return std::make_unique<CudnnPlan>(graph, *chosen, m_handles);
  if (const std::string lost = m_handles->contextError(); !lost.empty())
    throw deviceLost("cuDNN", "no plan can be built; " + lost);
  return nullptr;
}

}  // namespace strata::cuda
