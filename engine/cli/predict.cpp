// SPDX-License-Identifier: Apache-2.0
// `strata predict`: what a trained net makes of pictures.
#include <algorithm>
#include <iostream>

#include "datasets/digit_prep.h"
#include "engine/cli/command.h"
#include "engine/error.h"
#include "engine/text.h"
#include "engine/train/checkpoint.h"
#include "engine/train/predictor.h"
#include "engine/train/resume.h"

namespace strata {
namespace {

/// The weights are answered with all the same: they may be all that is left.
void tellIfNotTheBest(const Path& run) {
  try {
    if (const std::string problem = problemWithBest(readRun(run)); !problem.empty()) std::cerr << problem << std::endl;
  } catch (const Error&) {  // a record that cannot be read calls nothing the best
  }
}

/// A run's best weights, else its last; or the checkpoint itself.
Checkpoint readModel(const std::string& model) {
  if (somethingAt(model) && !folderAt(model)) return readCheckpoint(model);
  const Path run = findRun(model), checkpoints = run / "checkpoints";
  tellIfNotTheBest(run);
  const Path best = checkpoints / "best.safetensors";
  return readCheckpoint(somethingAt(best) ? best : checkpoints / "last.safetensors");
}

std::vector<float> readSample(const Path& path, const Checkpoint& model) {
  const GreyImage picture = readImage(path);
  const std::optional<PreparedDigit> digit = prepareDigit(picture, model.network.input);
  if (!digit)
    throw Error(Error::Kind::Input, path.string(), "the picture is empty: there is nothing to recognise",
                "Use a picture with a digit on it");
  return netInput(digit->final, model.preprocessing);
}

std::string className(const Checkpoint& model, std::size_t index) {
  return index < model.classes.size() ? model.classes[index] : std::to_string(index);
}

void print(const std::string& image, const Checkpoint& model, const std::vector<float>& probabilities, bool json) {
  const auto best =
      static_cast<std::size_t>(std::max_element(probabilities.begin(), probabilities.end()) - probabilities.begin());
  if (json) {
    std::cout << compactJson({{"image", image},
                              {"class", className(model, best)},
                              {"index", best},
                              {"probability", probabilities[best]},
                              {"probabilities", probabilities}})
              << "\n";
    return;
  }
  std::cout << printable(image, 240, 120) << ": " << className(model, best) << " ("
            << fixed(100.0 * probabilities[best], 1) << " %)\n";
}

int predict(const std::string& modelName, const std::vector<std::string>& images, bool json) {
  const Checkpoint model = readModel(modelName);
  if (model.network.input.c != 1)
    throw Error(Error::Kind::Input, modelName,
                "the net reads pictures of " + std::to_string(model.network.input.c) + " channels, needed 1 (grey)");
  Predictor predictor(model.network);
  predictor.setWeights(model.weights);
  predictor.reserve(1);  // before a picture of the net's size is made
  return forEachInput(images, "image", json, [&](const std::string& image) {
    print(image, model, predictor.predict(readSample(image, model)), json);
  });
}

}  // namespace

void addPredict(CLI::App& app, Command& command) {
  struct Options {
    std::string model;
    std::vector<std::string> images;
  };
  CLI::App* sub = app.add_subcommand("predict", "Recognise pictures with a trained net");
  auto options = std::make_shared<Options>();
  sub->add_option("MODEL", options->model, "A run folder or a checkpoint")->required();
  sub->add_option("IMAGE", options->images, "PNG or JPEG pictures")->required();
  sub->add_flag("--json", command.json, "Results as JSON lines");
  sub->callback([options, &command] {
    command.run = [options, &command] { return predict(options->model, options->images, command.json); };
  });
}

}  // namespace strata
