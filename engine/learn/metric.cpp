// SPDX-License-Identifier: Apache-2.0
// The metrics that can be chosen. Scores by class are averaged over the classes that occur, as scikit-learn's "macro";
// the calibration error is that of Guo et al. 2017.
#include "engine/learn/metric.h"

#include <algorithm>
#include <cmath>

namespace strata {
namespace {

constexpr std::string_view kVal = "val_";

double countWithinTop(const MetricDef& def, const LossIo& io) {
  int count = 0;
  for (int i = 0; i < io.count; ++i) count += rankOf(io.outputs + i * io.size, io.size, io.labels[i]) < def.withinTop;
  return count;
}

MetricDef withinTopDef(const std::string& id, const std::string& title, int top, const std::string& help) {
  MetricDef def;
  def.id = id;
  def.title = title;
  def.help = help;
  def.sum = countWithinTop;
  def.withinTop = top;
  return def;
}

/// The class that the sample is given: the one that rankOf() puts first.
std::int64_t predictedClass(const float* outputs, std::int64_t classes) {
  std::int64_t best = 0;
  for (std::int64_t j = 1; j < classes; ++j)
    if (!(outputs[j] <= outputs[best])) best = j;
  return best;
}

// ---- scores by class: tallies [3, classes] of samples that are rightly given the class, are given it, are of it

void countClasses(const LossIo& io, const float*, std::span<double> tally) {
  const auto classes = static_cast<std::size_t>(io.size);
  for (int i = 0; i < io.count; ++i) {
    const auto given = static_cast<std::size_t>(predictedClass(io.outputs + i * io.size, io.size)),
               own = static_cast<std::size_t>(io.labels[i]);
    if (given == own) ++tally[own];
    ++tally[classes + given];
    ++tally[2 * classes + own];
  }
}

template <double ClassScores::*kScore>
double meanOverClasses(std::span<const double> tally) {
  const std::size_t classes = tally.size() / 3;
  double sum = 0, occurring = 0;
  for (std::size_t k = 0; k < classes; ++k) {
    const double right = tally[k], predicted = tally[classes + k], actual = tally[2 * classes + k];
    if (predicted == 0 && actual == 0) continue;
    sum += classScores(right, predicted, actual).*kScore;
    ++occurring;
  }
  return sum / occurring;
}

template <double ClassScores::*kScore>
MetricDef classScoreDef(const std::string& id, const std::string& title, const std::string& help) {
  MetricDef def;
  def.id = id;
  def.title = title;
  def.help = help;
  def.tallySize = [](std::int64_t size) { return 3 * static_cast<std::size_t>(size); };
  def.count = countClasses;
  def.ofTally = meanOverClasses<kScore>;
  return def;
}

// ---- calibration: a tally [3, bins] of samples, of their confidence and of those that are right

constexpr std::size_t kBins = 15;

void countConfidence(const LossIo& io, const float* predictions, std::span<double> tally) {
  for (int i = 0; i < io.count; ++i) {
    const std::int64_t given = predictedClass(io.outputs + i * io.size, io.size);
    const auto confidence = static_cast<double>(predictions[i * io.size + given]);
    // Bin b holds what lies above b / 15 and up to (b + 1) / 15. What is not a number is no confidence at all.
    const double place = confidence > 0 ? std::ceil(confidence * kBins) - 1 : 0;
    const auto bin = static_cast<std::size_t>(std::clamp(place, 0.0, double{kBins - 1}));
    ++tally[bin];
    tally[kBins + bin] += confidence;
    if (given == io.labels[i]) ++tally[2 * kBins + bin];
  }
}

double calibrationError(std::span<const double> tally) {
  double off = 0, samples = 0;
  for (std::size_t bin = 0; bin < kBins; ++bin) {
    off += std::abs(tally[2 * kBins + bin] - tally[kBins + bin]);
    samples += tally[bin];
  }
  return off / samples;
}

MetricDef calibrationDef() {
  MetricDef def;
  def.id = "calibration_error";
  def.title = "Calibration error";
  def.help =
      "How far the net's confidence lies from how often it is right: of the samples it is 90 % sure of, nine in ten "
      "should be right. Measured on the validation, in 15 steps of confidence.";
  def.higherIsBetter = false;
  def.tallySize = [](std::int64_t) { return 3 * kBins; };
  def.count = countConfidence;
  def.ofTally = calibrationError;
  return def;
}

// ---- of values

double absoluteErrors(const MetricDef&, const LossIo& io) {
  double sum = 0;
  for (std::int64_t i = 0; i < io.count * io.size; ++i)
    sum += std::abs(static_cast<double>(io.outputs[i]) - static_cast<double>(io.targets[i]));
  return sum / static_cast<double>(io.size);
}

MetricDef absoluteErrorDef() {
  MetricDef def;
  def.id = "mean_absolute_error";
  def.title = "Mean absolute error";
  def.help = "How far the output is off the sample, without regard to sign, on average over all values.";
  def.format = MetricDef::Format::Number;
  def.higherIsBetter = false;
  def.target = TargetKind::Sample;
  def.sum = absoluteErrors;
  return def;
}

}  // namespace

const std::vector<MetricDef>& allMetrics() {
  static const std::vector<MetricDef> metrics{
      withinTopDef("accuracy", "Accuracy", 1, "The share of samples that are given their own class."),
      withinTopDef("top_5", "Top 5", 5, "The share of samples whose class is among the five likeliest."),
      classScoreDef<&ClassScores::precision>(
          "precision", "Precision",
          "Of the samples that are given a class, the share that are of it: the mean over the classes, on the "
          "validation. Low where the net cries wolf."),
      classScoreDef<&ClassScores::recall>(
          "recall", "Recall",
          "Of the samples of a class, the share that are given it: the mean over the classes, on the validation. Rare "
          "classes count as much as frequent ones."),
      classScoreDef<&ClassScores::f1>("f1_score", "F1 score",
                                      "Precision and recall in one number, their harmonic mean: the mean over the "
                                      "classes, on the validation."),
      calibrationDef(),
      absoluteErrorDef(),
  };
  return metrics;
}

const MetricDef* findMetric(const std::string& id) {
  const auto& all = allMetrics();
  const auto found = std::find_if(all.begin(), all.end(), [&](const MetricDef& def) { return def.id == id; });
  return found == all.end() ? nullptr : &*found;
}

MetricIds fittingMetrics(const MetricIds& chosen, const LossSpec& loss) {
  MetricIds fitting;
  for (const std::string& id : chosen) {
    const MetricDef* def = findMetric(id);
    const bool taken = std::find(fitting.begin(), fitting.end(), id) != fitting.end();
    if (def && def->target == loss.def().target && !taken && fitting.size() < kMostMetrics) fitting.push_back(id);
  }
  return fitting;
}

std::string withoutVal(const std::string& key) { return key.starts_with(kVal) ? key.substr(kVal.size()) : key; }
std::string withVal(const std::string& id) { return std::string(kVal) + id; }

bool higherIsBetter(const std::string& key) {
  const MetricDef* def = findMetric(withoutVal(key));
  return def && def->higherIsBetter;
}

ClassScores classScores(double right, double predicted, double actual) {
  ClassScores scores;
  if (predicted > 0) scores.precision = right / predicted;
  if (actual > 0) scores.recall = right / actual;
  if (predicted + actual > 0) scores.f1 = 2 * right / (predicted + actual);
  return scores;
}

int rankOf(const float* outputs, std::int64_t classes, std::int32_t label) {
  const float own = outputs[label];
  int before = 0;
  for (std::int32_t j = 0; j < label; ++j) before += !(outputs[j] < own);
  for (std::int64_t j = label + 1; j < classes; ++j) before += !(outputs[j] <= own);
  return before;
}

}  // namespace strata
