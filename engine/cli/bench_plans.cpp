// SPDX-License-Identifier: Apache-2.0
// `strata bench --plans`: which engine every convolution of a net would get on GPUs that need not be here.
#include <algorithm>
#include <filesystem>
#include <iostream>
#include <map>
#include <optional>
#include <set>

#include "engine/backend/backend.h"
#include "engine/base/error.h"
#include "engine/base/json.h"
#include "engine/base/text.h"
#include "engine/cli/command.h"
#include "engine/net/layer.h"
#include "engine/run/project.h"

namespace strata {
namespace {

struct PlannedNet {
  std::string title;
  NetworkSpec network;
  int batch = 1;
};

/// The layer at one of its examples, behind a trained layer, so that its input gradient is wanted too; null where the
/// two do not fit, and for what only containers make.
std::optional<PlannedNet> netAround(const LayerDef& def, const Example& example) {
  constexpr int kBatch = 5;
  if (def.hidden) return std::nullopt;
  Json tested = parseJson(example.fields, def.type);
  PlannedNet net{def.type + " " + compactJson(tested), {}, kBatch};
  net.network.input = example.in;
  net.network.classes = 2;
  const auto add = [&](const std::string& type, const Json& values, const std::string& name) {
    net.network.layers.push_back({type, name, fieldsFromJson(findLayer(type)->fields, values, name, {})});
  };
  if (example.in.isImage()) add("conv2d", {{"filters", example.in.c}, {"kernel_size", 1}}, "before");
  tested["type"] = def.type;
  tested["name"] = "tested";
  net.network.layers.push_back(networkFromJson({{"layers", Json::array({tested})}}, def.type).layers.front());
  add("flatten", Json::object(), "flatten");
  add("dense", {{"units", net.network.classes}}, "top");
  for (const Issue& issue : analyse(net.network).issues)
    if (issue.level == Issue::Level::Error) return std::nullopt;
  return net;
}

PlannedNet netOf(const Path& file) {
  const Project project = readProject(file);
  return {project.name, project.network, project.training.batchSize};
}

/// In the source tree, or where they were installed.
std::vector<Path> projectTemplates() {
  const Path folder = std::filesystem::read_symlink("/proc/self/exe").parent_path();
  std::vector<Path> files;
  for (const Path& candidate : {folder / "../../resources/projects", folder / "../share/strata/projects"})
    if (files.empty() && std::filesystem::is_directory(candidate))
      for (const auto& entry : std::filesystem::directory_iterator(candidate)) files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  return files;
}

/// The project templates and every layer at every example.
std::vector<PlannedNet> everyNet() {
  std::vector<PlannedNet> nets;
  for (const Path& file : projectTemplates()) nets.push_back(netOf(file));
  for (const LayerDef& def : allLayers())
    for (const Example& example : def.examples)
      if (auto net = netAround(def, example)) nets.push_back(*net);
  return nets;
}

std::vector<PlannedConv> plansOf(const std::vector<PlannedNet>& nets) {
  std::vector<PlannedConv> plans;
  std::set<std::string> known;
  for (const BackendDef& def : allBackends()) {
    if (!def.plans) continue;
    for (const PlannedNet& net : nets) {
      std::set<std::string> seen;
      for (PlannedConv& plan : def.plans(net.network, net.batch)) {
        seen.insert(plan.graph);
        if (!known.contains(plan.graph)) plans.push_back(std::move(plan));
      }
      known.merge(seen);
    }
  }
  return plans;
}

std::string padded(std::string text, std::size_t width) {
  text.resize(std::max(text.size() + 1, width), ' ');
  return text;
}

/// A line for each graph and precision, a column for each GPU; then what the fallbacks mean.
void printTable(const std::vector<PlannedConv>& plans) {
  constexpr std::size_t kGraph = 66, kPrecision = 10, kCell = 19;
  std::set<std::string> gpus;
  std::map<std::string, int> fallbacks;
  std::string header = padded("batch x height x width x channels", kGraph) + padded("in", kPrecision), line, title;
  const auto flush = [&] {
    if (!header.empty()) std::cout << header << "\n";
    header.clear();
    std::cout << title << line << "\n";
    line.clear();
  };
  for (const PlannedConv& plan : plans) {
    const std::string wanted = padded(plan.graph, kGraph) + padded(plan.precision, kPrecision);
    if (wanted != title && !title.empty()) flush();
    title = wanted;
    if (gpus.insert(plan.gpu).second) header += padded(plan.gpu, kCell);
    line += padded(plan.engine.empty() ? plan.fallback.substr(0, plan.fallback.find(':'))
                                       : plan.engine + ", " + grouped((plan.workspaceBytes + 1023) / 1024) + " KB",
                   kCell);
    if (plan.engine.empty()) ++fallbacks[plan.fallback];
  }
  if (!title.empty()) flush();
  const auto planned =
      std::count_if(plans.begin(), plans.end(), [](const PlannedConv& plan) { return !plan.engine.empty(); });
  std::cout << "\n"
            << grouped(planned) << " of " << grouped(std::int64_t(plans.size()))
            << " have an engine (its name, and its workspace).\n";
  for (const auto& [fallback, times] : fallbacks) std::cout << grouped(times) << " fall back. " << fallback << ".\n";
}

}  // namespace

int benchPlans(const std::string& project, std::optional<int> batch, bool json) {
  std::vector<PlannedNet> nets = project.empty() ? everyNet() : std::vector<PlannedNet>{netOf(project)};
  if (batch)
    for (PlannedNet& net : nets) net.batch = *batch;
  const std::vector<PlannedConv> plans = plansOf(nets);
  if (!json) printTable(plans);
  for (const PlannedConv& plan : plans)
    if (json)
      std::cout << compactJson({{"event", "plan"},
                                {"graph", plan.graph},
                                {"precision", plan.precision},
                                {"gpu", plan.gpu},
                                {"engine", plan.engine},
                                {"workspace_bytes", plan.workspaceBytes},
                                {"fallback", plan.fallback}})
                << "\n";
  return 0;
}

}  // namespace strata
