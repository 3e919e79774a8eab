// SPDX-License-Identifier: GPL-3.0-or-later
// What tests/gpu/run cannot ask the program `strata`. No Qt.
//   device_checks layers BACKEND PRECISION    every layer at every example trains three steps as `reference` does
//   device_checks weights PROJECT GOT WANTED  two files hold the same weights but for rounding
// A line a check, "PASS   : name" or "FAIL!  : name what"; ends with 0 when all passed, 1 otherwise.
#include <algorithm>
#include <cmath>
#include <iostream>

#include "engine/backend/backend.h"
#include "engine/backend/compare_tensors.h"
#include "engine/base/error.h"
#include "engine/base/json.h"
#include "engine/base/rng.h"
#include "engine/run/checkpoint.h"
#include "engine/run/project.h"

using namespace strata;

namespace {

// Three steps: on a GPU as plain launches, as a captured graph, as its replay.
constexpr int kBatch = 5, kClasses = 7, kSteps = 3;
constexpr double kRate = 0.1;
constexpr Tolerance kRounding{1e-4, 1e-6};  // strict float32: sums in another order
constexpr double kBfloat16 = 4.0 / 512;     // of the largest value: up to four roundings of 2^-9, one behind the other
constexpr Tolerance kTwentySteps{0, 2e-3};  // as tst_golden

using Problem = std::optional<std::string>;

bool report(const std::string& name, const Problem& problem) {
  std::cout << (problem ? "FAIL!  : " : "PASS   : ") << name << (problem ? " " + *problem : "") << std::endl;
  return !problem;
}

LayerSpec layer(const std::string& type, const Json& values, const std::string& name) {
  return {type, name, fieldsFromJson(findLayer(type)->fields, values, name, {})};
}

/// The layer between a dense layer that ends the net and, when `inside`, a trained layer that wants its input gradient.
NetworkSpec netAround(const LayerDef& def, const Example& example, bool inside) {
  NetworkSpec net;
  net.input = example.in;
  net.classes = kClasses;
  if (inside && example.in.isImage())
    net.layers.push_back(layer("conv2d", {{"filters", example.in.c}, {"kernel_size", 1}}, "before"));
  if (inside && !example.in.isImage()) net.layers.push_back(layer("dense", {{"units", example.in.c}}, "before"));
  Json tested = Json::parse(example.fields);
  tested["type"] = def.type;
  tested["name"] = "tested";
  net.layers.push_back(networkFromJson({{"layers", Json::array({tested})}}, def.type).layers.front());
  const int last = numberAt(net, {-1, 0, int(net.layers.size()) - 1});
  if (!analyse(net).layers[std::size_t(last)].out.isVector())
    net.layers.push_back(layer("flatten", Json::object(), "flatten"));
  net.layers.push_back(layer("dense", {{"units", kClasses}}, "top"));
  return net;
}

Tolerance toleranceOf(Precision precision, std::span<const float> wanted) {
  if (precision != Precision::Bfloat16) return kRounding;
  double largest = 0;
  for (const float value : wanted) largest = std::max(largest, std::abs(double(value)));
  return {0, kBfloat16 * largest};
}

/// First difference of what a step changed, tensor by tensor from the last.
Problem compareChanges(const Weights& before, const Weights& got, const Weights& wanted, Precision precision) {
  std::vector<float> changes;
  for (std::size_t i = 0; i < before.values.size(); ++i) changes.push_back(wanted.values[i] - before.values[i]);
  const Tolerance tolerance = toleranceOf(precision, changes);
  for (auto place = before.places.rbegin(); place != before.places.rend(); ++place) {
    std::vector<float> gotChange, wantedChange;
    for (auto i = std::size_t(place->offset); i < std::size_t(place->offset + place->size); ++i) {
      gotChange.push_back(got.values[i] - before.values[i]);
      wantedChange.push_back(wanted.values[i] - before.values[i]);
    }
    if (const auto difference = compareTensors<float>(gotChange, wantedChange, place->shape, tolerance))
      return "change of " + place->name + " " + *difference;
  }
  return std::nullopt;
}

/// In bfloat16 pixels and weights are numbers that it holds exactly, as are most sums of them: what ReLU and pools
/// decide is then the same.
Problem compareNets(Backend& referenceBackend, Backend& testedBackend, const NetworkSpec& net, Precision precision) {
  CompileRequest request;
  request.network = net;
  request.optimizer.type = "sgd";
  for (const ChoiceDef& def : allOptimizers())
    if (def.type == "sgd") request.optimizer.fields = Fields(def.fields);
  request.maxBatch = kBatch;
  request.seed = 5;
  const auto reference = referenceBackend.compile(request);
  request.precision = precision;
  const auto tested = testedBackend.compile(request);
  const bool grid = precision == Precision::Bfloat16;

  Rng rng(11, Stream::Test);
  std::vector<std::uint8_t> pixels(std::size_t(kBatch * net.input.size()));
  for (std::uint8_t& pixel : pixels) pixel = std::uint8_t(grid ? rng.below(3) : rng.below(3) == 0 ? rng.below(256) : 0);
  std::vector<std::int32_t> labels(kBatch);
  for (std::int32_t& label : labels) label = std::int32_t(rng.below(kClasses));
  Batch batch;
  batch.size = kBatch;
  batch.bytes = pixels.data();
  batch.scale = grid ? 1 : 1.0f / 255;
  batch.labels = labels.data();
  Weights weights = initialWeights(net, 3);
  auto weight = weights.values.begin();
  for (const Node& node : lower(net).nodes)
    for (const ParamInfo& param : node.params)
      for (std::int64_t i = 0; i < param.size(); ++i, ++weight)
        if (!grid) *weight += rng.uniform(-0.1f, 0.1f);  // biases too
        else if (param.role == ParamInfo::Role::Trained) *weight = 0.125f * float(int(rng.below(3)) - 1);

  for (std::uint64_t step = 0; step < kSteps; ++step) {
    reference->setWeights(weights);
    tested->setWeights(weights);
    std::vector<float> wanted(kBatch * kClasses), got(wanted);
    reference->forward(batch, wanted.data());
    tested->forward(batch, got.data());
    if (const auto difference = compareTensors<float>(got, wanted, {kBatch, kClasses}, toleranceOf(precision, wanted)))
      return "output " + *difference;
    const LossResult wantedLoss = reference->trainBatch(batch, kRate, step),
                     gotLoss = tested->trainBatch(batch, kRate, step);
    if (!(std::abs(gotLoss.lossSum - wantedLoss.lossSum) <=
          (grid ? kBfloat16 : kRounding.relative) * wantedLoss.lossSum))
      return "loss: got " + std::to_string(gotLoss.lossSum) + ", expected " + std::to_string(wantedLoss.lossSum);
    const Weights after = reference->weights();
    if (const auto difference = compareChanges(weights, tested->weights(), after, precision))
      return "step " + std::to_string(step + 1) + ", " + *difference;
    if (!grid) weights = after;
  }
  return std::nullopt;
}

bool checkLayers(const std::string& id, const std::string& precisionWanted) {
  const auto reference = createBackend("reference", 1), tested = createBackend(id, 2);
  const Precision precision =
      precisionWanted == precisionName(Precision::Bfloat16) ? Precision::Bfloat16 : Precision::Float32;
  checkPrecision(*tested, precision);
  bool good = true;
  for (const LayerDef& def : allLayers())
    for (std::size_t i = 0; i < def.examples.size() && !def.hidden; ++i)  // the hidden ones join what containers hold
      for (const bool inside : {false, true}) {
        Problem problem;
        try {
          problem = compareNets(*reference, *tested, netAround(def, def.examples[i], inside), precision);
        } catch (const Error& error) {
          problem = error.what();
        }
        good = report("parity of " + def.type + " " + std::to_string(i + 1) + (inside ? " inside" : " first") + " in " +
                          precisionName(precision),
                      problem) &&
               good;
      }
  return good;
}

bool checkWeights(const Path& project, const Path& gotFile, const Path& wantedFile) {
  const NetworkSpec network = readProject(project).network;
  const Weights got = readWeights(gotFile, network), wanted = readWeights(wantedFile, network);
  Problem problem;
  for (const TensorPlace& place : wanted.places) {
    const auto slice = [&](const Weights& weights) {
      return std::span(weights.values).subspan(std::size_t(place.offset), std::size_t(place.size));
    };
    if (const auto difference = compareTensors<float>(slice(got), slice(wanted), place.shape, kTwentySteps);
        difference && !problem)
      problem = place.name + " " + *difference;
  }
  return report("golden weights", problem);
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  try {
    if (arguments.size() == 3 && arguments[0] == "layers" && (arguments[2] == "float32" || arguments[2] == "bfloat16"))
      return checkLayers(arguments[1], arguments[2]) ? 0 : 1;
    if (arguments.size() == 4 && arguments[0] == "weights")
      return checkWeights(arguments[1], arguments[2], arguments[3]) ? 0 : 1;
  } catch (const Error& error) {
    report(arguments[0], error.what());
    return 1;
  }
  std::cerr << "Usage: device_checks layers BACKEND float32|bfloat16 | weights PROJECT GOT WANTED\n";
  return 2;
}
