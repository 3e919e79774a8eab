// SPDX-License-Identifier: Apache-2.0
#include "engine/backend/cuda/plan_choice.h"

#include <algorithm>
#include <cctype>
#include <limits>

#include "engine/base/json.h"

namespace strata::cuda {
namespace {

constexpr std::uint64_t kMostBytes = std::uint64_t{4} << 20;  // of a file that is believed

std::string fileName(const PlanSource& source) {
  std::string name = "plans " + source.device + " driver " + source.driver + " " + source.library + ".json";
  std::ranges::replace_if(
      name, [](unsigned char c) { return !std::isalnum(c) && c != '.'; }, '-');
  return name;
}

Json sourceJson(const PlanSource& source) {
  return {{"version", 1}, {"device", source.device}, {"driver", source.driver}, {"library", source.library}};
}

}  // namespace

PlanChoice::PlanChoice(const Path& folder, PlanSource source)
    : m_file(folder / fileName(source)), m_source(std::move(source)), m_kept(kept()), m_timing(true) {}

std::map<std::string, std::string> PlanChoice::kept() const {
  try {
    const Json file = parseJson(readFile(m_file, kMostBytes), m_file.string());
    if (file.at("source") == sourceJson(m_source)) return file.at("plans").get<std::map<std::string, std::string>>();
  } catch (const std::exception&) {
    // absent or broken: a cache, so it is filled anew
  }
  return {};
}

// Reads the file again, so that what another process has kept meanwhile stays.
bool PlanChoice::keep(const std::string& shape, const std::string& name) {
  std::map<std::string, std::string> all = kept();
  all[shape] = name;
  try {
    makeFolders(m_file.parent_path());
    durableReplace(m_file, prettyJson({{"source", sourceJson(m_source)}, {"plans", all}}));
    m_kept = std::move(all);
  } catch (const Error&) {
    m_timing = false;
  }
  return m_timing;
}

std::optional<std::size_t> PlanChoice::choose(Precision precision, const std::string& shape,
                                              const std::vector<std::string>& names,
                                              const std::function<bool(std::size_t)>& build,
                                              const std::function<double(std::size_t)>& seconds) {
  const bool timing = m_timing && precision != Precision::Float32;
  const std::string key = shape + ", " + precisionName(precision);
  if (const auto found = m_kept.find(key); found != m_kept.end() && precision != Precision::Float32) {
    const auto at = static_cast<std::size_t>(std::ranges::find(names, found->second) - names.begin());
    if (at < names.size() && build(at)) return at;
  }
  std::optional<std::size_t> first, best;
  double least = std::numeric_limits<double>::infinity();
  for (std::size_t i = 0, built = 0; i < names.size() && built < kCandidates; ++i) {
    if (!build(i)) continue;
    ++built;
    if (!first) first = best = i;
    if (!timing) return first;
    try {
      if (const double took = seconds(i); took < least) {
        best = i;
        least = took;
      }
    } catch (const Error&) {
      // too little memory to try it, perhaps
    }
  }
  return best && keep(key, names[*best]) ? best : first;
}

double timed(Device& device, const ConvGraph& graph, ConvPlan& plan, const Clock& clock) {
  std::vector<Buffer<float>> tensors;  // as float32, which is the largest
  std::vector<Bound> bound;
  for (const auto& [tensor, count] : graph.tensors()) {
    tensors.emplace_back(device, count);
    device.clear(Lane::Main, tensors.back().data(), tensors.back().bytes());
    bound.push_back({tensor, tensors.back().data()});
  }
  const Buffer<std::byte> workspace(device, static_cast<Index>(plan.workspaceBytes()));
  return clock([&] { plan.run(Lane::Main, bound, workspace.data()); });
}

double timed(Device& device, const Matmul& matmul, MatmulPlan& plan, const Clock& clock) {
  const Index m = matmul.m, n = matmul.n, k = matmul.k;
  const Buffer<float> a(device, m * k), b(device, k * n), bias(device, matmul.bias ? n : 0), c(device, m * n);
  for (const Buffer<float>* input : {&a, &b, &bias})
    if (*input) device.clear(Lane::Main, input->data(), input->bytes());
  const Buffer<std::byte> workspace(device, static_cast<Index>(plan.workspaceBytes()));
  return clock([&] { plan.run(Lane::Main, a.data(), b.data(), bias.data(), c.data(), workspace.data()); });
}

}  // namespace strata::cuda
