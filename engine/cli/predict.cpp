// SPDX-License-Identifier: Apache-2.0
// `strata predict`: what a trained net makes of pictures.
#include <algorithm>
#include <iostream>

#include "datasets/digits/prep.h"
#include "engine/base/error.h"
#include "engine/base/json.h"
#include "engine/base/text.h"
#include "engine/cli/command.h"
#include "engine/cli/model_file.h"
#include "engine/run/predictor.h"

namespace strata {
namespace {

/// A picture made ready for the net, and what a person should know about it.
struct Sample {
  std::vector<float> values;
  std::vector<std::string> remarks;
};

Sample readSample(const Path& path, const Checkpoint& model, const PrepChoice& choice) {
  const PictureFile file = readPicture(path);
  const auto prepared = preparePicture(file.picture, model.network.input, model.preprocessing, choice);
  if (!prepared)
    throw Error(Error::Kind::Input, path.string(), "the picture is empty: there is nothing to recognise",
                "Use a picture with something on it");
  Sample sample{netInput(prepared->final, model.preprocessing), {}};
  if (!file.remark.empty()) sample.remarks.push_back(file.remark);
  if (prepared->shapes > 1)
    sample.remarks.push_back("seems to hold " + std::to_string(prepared->shapes) +
                             " separate shapes; the answer is for one");
  if (prepared->asItIs && prepared->inverted && choice.polarity == Polarity::Auto)
    sample.remarks.push_back(
        "was inverted to match the data the net learned from; to keep it as it is, add --polarity " +
        std::string(model.preprocessing.ink == Ink::Dark ? "dark-on-light" : "light-on-dark"));
  return sample;
}

void print(const std::string& image, const Checkpoint& model, const std::vector<float>& probabilities,
           const std::vector<std::string>& remarks, bool json) {
  const auto best =
      static_cast<std::size_t>(std::max_element(probabilities.begin(), probabilities.end()) - probabilities.begin());
  if (json) {
    Json line = {{"image", image},
                 {"class", className(model, best)},
                 {"index", best},
                 {"probability", probabilities[best]},
                 {"probabilities", probabilities}};
    if (!remarks.empty()) line["remarks"] = remarks;
    std::cout << compactJson(line) << "\n";
    return;
  }
  for (const std::string& remark : remarks)
    std::cerr << "strata: " << printable(image, 240, 120) << " " << remark << ".\n";
  std::cout << printable(image, 240, 120) << ": " << className(model, best) << " ("
            << fixed(100.0 * probabilities[best], 1) << " %)\n";
}

struct PredictOptions {
  std::string model;
  std::vector<std::string> images;
  PrepChoice choice;
};

int predict(const PredictOptions& options, bool json) {
  Checkpoint model = readModel(options.model);
  model.preprocessing = resolved(model.preprocessing, model.network.input, model.classes);
  if (!readsPictures(model.network.input))
    throw Error(Error::Kind::Input, options.model,
                "the net reads samples of " + model.network.input.text() + ", needed pictures of 1 or 3 channels");
  if (model.loss.def().target != TargetKind::ClassIndex)
    throw Error(Error::Kind::Input, options.model, "the net was trained to give back its samples, not to name a class",
                "Use a net whose loss compares with classes");
  Predictor predictor(model.network, model.loss);
  predictor.setWeights(resultWeights(model));
  predictor.reserve(1);  // before a picture of the net's size is made
  return forEachInput(options.images, "image", json, [&](const std::string& image) {
    const Sample sample = readSample(image, model, options.choice);
    print(image, model, predictor.predict(sample.values), sample.remarks, json);
  });
}

}  // namespace

void addPredict(CLI::App& app, Command& command) {
  static const std::map<std::string, Framing> framings{
      {"auto", Framing::Auto}, {"mnist", Framing::Mnist}, {"none", Framing::None}};
  static const std::map<std::string, Polarity> polarities{
      {"auto", Polarity::Auto}, {"light-on-dark", Polarity::LightOnDark}, {"dark-on-light", Polarity::DarkOnLight}};
  CLI::App* sub = app.add_subcommand("predict", "Recognise pictures with a trained net");
  auto options = std::make_shared<PredictOptions>();
  sub->add_option("MODEL", options->model, "A run folder or a checkpoint")->required();
  sub->add_option("IMAGE", options->images, "Pictures: PNG, JPEG, GIF, BMP, WebP or TIFF")->required();
  sub->add_option_function<std::string>(
         "--framing", [options](const std::string& name) { options->choice.framing = framings.at(name); },
         "How pictures are laid before the net: mnist crops to the ink and frames it as MNIST frames digits, none "
         "scales the whole picture; auto, the default, does as the data set of the net, and leaves a picture of "
         "exactly "
         "the net's size as it is")
      ->check(CLI::IsMember(framings));
  sub->add_option_function<std::string>(
         "--polarity", [options](const std::string& name) { options->choice.polarity = polarities.at(name); },
         "What the pictures show: light-on-dark or dark-on-light; auto, the default, judges each")
      ->check(CLI::IsMember(polarities));
  sub->add_flag("--json", command.json, "Results as JSON lines");
  sub->callback([options, &command] { command.run = [options, &command] { return predict(*options, command.json); }; });
}

}  // namespace strata
