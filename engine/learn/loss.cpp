// SPDX-License-Identifier: Apache-2.0
// The losses that can be chosen. All add up in double.
#include "engine/learn/loss.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "engine/base/error.h"

namespace strata {
namespace {

// ---- softmax cross-entropy, the largest logit taken off first so that nothing overflows

constexpr const char* kSmoothing = "label_smoothing";

/// probabilities[k]; returns log(sum of exp(logits)).
template <class Real>
double softmaxRow(const Real* logits, std::int64_t k, double* probabilities) {
  const double largest = *std::max_element(logits, logits + k);
  double sum = 0;
  for (std::int64_t j = 0; j < k; ++j) sum += probabilities[j] = std::exp(logits[j] - largest);
  for (std::int64_t j = 0; j < k; ++j) probabilities[j] /= sum;
  return largest + std::log(sum);
}

void refuseLabel(std::int32_t label, std::int64_t classes) {
  if (label < 0 || label >= classes)
    throw Error(Error::Kind::Input, "labels",
                "got label " + std::to_string(label) + ", needed 0 to " + std::to_string(classes - 1));
}

/// Label smoothing s as Keras: target = (1 - s) one-hot + s / k. Gradient: (softmax - target) / N.
template <class Real>
double softmaxCrossEntropy(const Fields& fields, const BasicLossIo<Real>& io) {
  const std::int64_t k = io.size;
  const double smoothing = fields.real(kSmoothing), spread = smoothing / static_cast<double>(k);
  std::vector<double> probabilities(static_cast<std::size_t>(k));
  const Real* logits = io.outputs;
  Real* gradient = io.gradients;
  double sum = 0;
  for (int i = 0; i < io.count; ++i, logits += k) {
    const std::int32_t label = io.labels[i];
    refuseLabel(label, k);
    const double logSum = softmaxRow(logits, k, probabilities.data());
    sum += (1 - smoothing) * (logSum - logits[label]);
    if (spread > 0)
      for (std::int64_t j = 0; j < k; ++j) sum += spread * (logSum - logits[j]);
    if (!gradient) continue;
    for (std::int64_t j = 0; j < k; ++j) {
      const double target = (j == label ? 1 - smoothing : 0) + spread;
      *gradient++ = static_cast<Real>((probabilities[static_cast<std::size_t>(j)] - target) / io.count);
    }
  }
  return sum;
}

void softmax(const float* logits, int count, std::int64_t k, float* probabilities) {
  std::vector<double> row(static_cast<std::size_t>(k));
  for (int i = 0; i < count; ++i, logits += k, probabilities += k) {
    softmaxRow(logits, k, row.data());
    std::copy(row.begin(), row.end(), probabilities);
  }
}

LossDef softmaxCrossEntropyDef() {
  LossDef def;
  def.type = "softmax_cross_entropy";
  def.title = "Cross-entropy";
  def.help =
      "For telling classes apart: the net's last values become probabilities by softmax, and the loss is small where "
      "the right class is given a large one.";
  def.fields = {realField(kSmoothing, "Smooth labels", 0, 0, 0.9,
                          "The share of each label that is spread over all classes, so that the net is not pressed to "
                          "be certain. 0 takes labels as they are.")};
  def.target = TargetKind::ClassIndex;
  def.compute = softmaxCrossEntropy<float>;
  def.compute64 = softmaxCrossEntropy<double>;
  def.outputRule = classifierOutput;
  def.predict = softmax;
  def.guess = [](const NetworkSpec& network) { return std::log(network.classes); };  // of equal probabilities
  def.softmaxSmoothing = [](const Fields& fields) { return fields.real(kSmoothing); };
  def.answer = "softmax, cross-entropy loss";
  def.story =
      "Softmax turns the last layer’s %1 values into probabilities, and cross-entropy measures how wrong they are. "
      "Both belong to the loss, so the stack ends with plain values.";
  return def;
}

// ---- mean squared error

/// The mean over all values of all samples, as PyTorch's MSELoss; so a sample's share is the mean over its values.
template <class Real>
double meanSquaredError(const Fields&, const BasicLossIo<Real>& io) {
  const auto values = static_cast<double>(io.size), all = values * io.count;
  double sum = 0;
  for (std::int64_t i = 0; i < io.count * io.size; ++i) {
    const double off = static_cast<double>(io.outputs[i]) - static_cast<double>(io.targets[i]);
    sum += off * off;
    if (io.gradients) io.gradients[i] = static_cast<Real>(2 * off / all);
  }
  return sum / values;
}

/// As many values as the sample has; a vector may stand for an image, whose values it gives in their order.
void sampleOutput(const NetworkSpec& spec, const Shape& out, std::vector<Issue>& issues) {
  if (out.size() == spec.input.size()) return;
  const int last = numberAt(spec, {-1, 0, static_cast<int>(spec.layers.size()) - 1});
  const std::string units = std::to_string(spec.input.size());
  Issue issue{last,
              "",
              Issue::Level::Error,
              "The last layer puts out " + out.text() + ", but the loss compares it with the sample, which is " +
                  spec.input.text() + ". End with a layer of " + units + " values.",
              {}};
  const LayerDef* def = findLayer(spec.layers.back().type);
  if (def && out.isVector() && !def->width.empty() && spec.input.size() <= kMaxChannels) {
    issue.field = def->width;
    issue.fixes = {{"Use " + units + " " + def->width, def->width, std::int64_t{spec.input.size()}, {}}};
  }
  issues.push_back(std::move(issue));
}

LossDef meanSquaredErrorDef() {
  LossDef def;
  def.type = "mean_squared_error";
  def.title = "Mean squared error";
  def.help = "For giving back the sample itself: the mean square of what the net's output is off. A net that must pass "
             "through few values on the way learns what matters of a sample.";
  def.target = TargetKind::Sample;
  def.compute = meanSquaredError<float>;
  def.compute64 = meanSquaredError<double>;
  def.outputRule = sampleOutput;
  def.predict = [](const float* outputs, int count, std::int64_t size, float* predictions) {
    if (predictions != outputs) std::copy_n(outputs, count * size, predictions);
  };
  def.answer = "mean squared error";
  def.story =
      "The last layer’s %1 values are compared with the sample itself, and the mean of the squared differences is the "
      "loss.";
  return def;
}

}  // namespace

const std::vector<Choice>& targetKinds() {
  static const std::vector<Choice> kinds{{"class", "Class", "The sample's label."},
                                         {"sample", "The sample", "The sample itself, as the net reads it."}};
  return kinds;
}

const std::vector<LossDef>& allLosses() {
  static const std::vector<LossDef> losses{softmaxCrossEntropyDef(), meanSquaredErrorDef()};
  return losses;
}

const LossDef& LossSpec::def() const {
  if (const LossDef* found = findChoice(allLosses(), type)) return *found;
  throw Error(Error::Kind::Input, "loss", "there is no loss of type \"" + type + "\"");
}

double guessingLoss(const LossSpec& loss, const NetworkSpec& network) {
  const LossDef& def = loss.def();
  return def.guess ? def.guess(network) : std::numeric_limits<double>::quiet_NaN();
}

}  // namespace strata
