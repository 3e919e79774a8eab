// SPDX-License-Identifier: Apache-2.0
// `strata evaluate`: loss, metrics and confusion of a trained net on a data set.
#include <cmath>
#include <iostream>

#include "datasets/datasets.h"
#include "datasets/source.h"
#include "engine/base/error.h"
#include "engine/base/json.h"
#include "engine/base/text.h"
#include "engine/cli/command.h"
#include "engine/cli/model_file.h"
#include "engine/data/dataset.h"
#include "engine/run/predictor.h"
#include "engine/run/run_record.h"
#include "engine/run/suitability.h"

namespace strata {
namespace {

struct EvaluateOptions {
  std::string model, data, dataDir;
  std::string views = testViews().front().id;
  bool train = false;  ///< the training set in place of the test set
};

/// What the run was trained on, unless other data are named.
std::string sourceFor(const EvaluateOptions& options) {
  if (!options.data.empty()) return resolveSource(options.data, {});
  const Path run = runOf(options.model);
  if (run.empty())
    throw Error(Error::Kind::Usage, options.model, "a checkpoint by itself does not say what it was trained on",
                "Name the data with --data");
  return readRun(run).project.data.source;
}

Json toJson(const Evaluation& evaluation) {
  Json json = {{"loss", std::isfinite(evaluation.loss) ? Json(evaluation.loss) : Json()}};
  for (const auto& [id, value] : evaluation.metrics) json[id] = value;
  return json;
}

void print(const Evaluation& evaluation, const std::string& how) {
  std::cout << how << "loss " << fixed(evaluation.loss, 4);
  for (const auto& [id, value] : evaluation.metrics)
    std::cout << ", " << findMetric(id)->title << " " << fixed(value, 4);
  std::cout << "\n";
}

/// Of each class: how many there are, and the share of them that was named rightly.
void printClasses(const Checkpoint& model, const Evaluation& evaluation) {
  for (std::size_t truth = 0; truth < evaluation.confusion.size(); ++truth) {
    const std::vector<int>& row = evaluation.confusion[truth];
    std::int64_t all = 0;
    for (const int count : row) all += count;
    if (all == 0) continue;
    std::cout << "  " << printable(className(model, truth)) << "  " << counted(all, "sample") << ", "
              << fixed(100.0 * row[truth] / double(all), 2) << " % right\n";
  }
}

int evaluate(const EvaluateOptions& options, bool json) {
  const Checkpoint model = readModel(options.model);
  const auto dataset = loadDataset(sourceFor(options), options.dataDir);
  if (const std::string reason = misfit(model.network, *dataset, model.loss.def().target); !reason.empty())
    throw Error(Error::Kind::Input, options.model, reason, "Use data that the net was made for");
  const Samples& samples = options.train ? dataset->train : dataset->test;
  if (samples.count == 0)
    throw Error(Error::Kind::Input, dataset->title, options.train ? "has no training samples" : "has no test samples",
                options.train ? "Leave --train away" : "Add --train to use the training samples");
  std::vector<int> all(static_cast<std::size_t>(samples.count));
  for (int i = 0; i < samples.count; ++i) all[static_cast<std::size_t>(i)] = i;
  const Preprocessing preprocessing = resolved(model.preprocessing, *dataset);
  Predictor predictor(model.network, model.loss, "cpu", 0);
  predictor.setWeights(model.weights);
  const Evaluation plain = predictor.evaluate(samples, all, preprocessing);
  const bool averaged = options.views != testViews().front().id;
  const Evaluation byViews = averaged ? predictor.evaluate(samples, all, preprocessing, options.views) : Evaluation();
  const std::string part = options.train ? "training set" : "test set";
  if (json) {
    Json line = toJson(plain);
    line["data"] = dataset->title, line["part"] = part, line["samples"] = samples.count;
    line["confusion"] = plain.confusion;
    if (averaged) line["views"] = options.views, line["averaged"] = toJson(byViews);
    std::cout << compactJson(line) << "\n";
    return 0;
  }
  std::cout << printable(dataset->title) << ", " << part << ", " << counted(samples.count, "sample") << "\n";
  print(plain, "");
  if (averaged) print(byViews, "averaged over views (" + options.views + "): ");
  printClasses(model, plain);
  return 0;
}

}  // namespace

void addEvaluate(CLI::App& app, Command& command) {
  CLI::App* sub = app.add_subcommand("evaluate", "Loss and metrics of a trained net on a data set");
  auto options = std::make_shared<EvaluateOptions>();
  sub->add_option("MODEL", options->model, "A run folder or a checkpoint")->required();
  sub->add_option("--data", options->data, "A data set's name or a folder; the default is what the run was trained on");
  sub->add_option("--data-dir", options->dataDir, "A folder to look for data sets in first");
  sub->add_flag("--train", options->train, "The training samples in place of the test samples");
  std::vector<std::string> views;
  for (const Choice& choice : testViews()) views.push_back(choice.id);
  sub->add_option(
         "--views", options->views,
         "Also the mean answer over several views of each sample, told apart: shift moves it by one pixel each "
         "way, flip mirrors it, shift_flip does both")
      ->check(CLI::IsMember(views));
  sub->add_flag("--json", command.json, "Results as a JSON line");
  sub->callback(
      [options, &command] { command.run = [options, &command] { return evaluate(*options, command.json); }; });
}

}  // namespace strata
