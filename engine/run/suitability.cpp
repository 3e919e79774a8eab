// SPDX-License-Identifier: Apache-2.0
#include "engine/run/suitability.h"

#include <algorithm>

namespace strata {
namespace {

std::string classCounts(const NetworkSpec& network, const Dataset& dataset) {
  return dataset.title + " has " + std::to_string(dataset.classes.size()) +
         (dataset.classes.size() == 1 ? " class" : " classes") + ", the net has " + std::to_string(network.classes);
}

}  // namespace

std::string misfit(const NetworkSpec& network, const Dataset& dataset, TargetKind target) {
  if (dataset.shape != network.input)
    return dataset.title + " has samples of " + dataset.shape.text() + ", the net's input is " + network.input.text();
  if (target == TargetKind::ClassIndex && static_cast<int>(dataset.classes.size()) > network.classes)
    return classCounts(network, dataset);
  return {};
}

std::vector<std::string> remarks(const Dataset& dataset) {
  std::vector<std::string> sentences = dataset.warnings;
  if (dataset.test.count == 0)
    sentences.push_back("There is no test set, so a part of the training set is held out to validate on.");
  if (!dataset.classes.empty() && dataset.classes.front() == "1")
    sentences.push_back("The labels count from 1 to " + dataset.classes.back() + ", not from 0.");
  const auto& labels = dataset.train.labels;
  const auto isFirst = [&](std::int32_t label) { return label == labels.front(); };
  if (!labels.empty() && std::all_of(labels.begin(), labels.end(), isFirst))
    sentences.push_back("All training samples are of one class, " +
                        dataset.classes[static_cast<std::size_t>(labels.front())] +
                        ": an accuracy of 1 means nothing.");
  return sentences;
}

std::vector<std::string> remarks(const NetworkSpec& network, const Dataset& dataset, TargetKind target) {
  std::vector<std::string> sentences = remarks(dataset);
  if (target == TargetKind::ClassIndex && static_cast<int>(dataset.classes.size()) < network.classes)
    sentences.push_back(classCounts(network, dataset) + ": it only learns that the others never come.");
  return sentences;
}

ValidationSource validationSource(ValidationSource wanted, const Dataset& dataset) {
  return dataset.test.count == 0 ? ValidationSource::Split : wanted;
}

}  // namespace strata
