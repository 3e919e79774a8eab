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
  // Of equal probabilities.
  def.guess = [](const Fields&, const NetworkSpec& network) { return std::log(network.classes); };
  def.softmaxSmoothing = [](const Fields& fields) { return fields.real(kSmoothing); };
  def.answer = "softmax, cross-entropy loss";
  def.story =
      "Softmax turns the last layer’s %1 values into probabilities, and cross-entropy measures how wrong they are. "
      "Both belong to the loss, so the stack ends with plain values.";
  return def;
}

// ---- focal loss

constexpr const char* kGamma = "gamma";

/// -(1 - p)^gamma log p of the right class's probability p: Lin et al. 2017, for softmax. q = 1 - p is the sum of the
/// other probabilities, so that it keeps its digits where p is nearly 1. Gradient with d the one-hot label:
/// (gamma p q^(gamma - 1) log p - q^gamma) (d - softmax) / N.
template <class Real>
double focal(const Fields& fields, const BasicLossIo<Real>& io) {
  const std::int64_t k = io.size;
  const double gamma = fields.real(kGamma);
  std::vector<double> probabilities(static_cast<std::size_t>(k));
  const Real* logits = io.outputs;
  Real* gradient = io.gradients;
  double sum = 0;
  for (int i = 0; i < io.count; ++i, logits += k) {
    const std::int32_t label = io.labels[i];
    refuseLabel(label, k);
    const double logSum = softmaxRow(logits, k, probabilities.data());
    double q = 0;
    for (std::int64_t j = 0; j < k; ++j)
      if (j != label) q += probabilities[static_cast<std::size_t>(j)];
    const double logP = q < 0.5 ? std::log1p(-q) : logits[label] - logSum, weight = std::pow(q, gamma);
    sum += -weight * logP;
    if (!gradient) continue;
    const double bend = gamma > 0 && q > 0 ? gamma * std::exp(logP) * std::pow(q, gamma - 1) * logP : 0;
    for (std::int64_t j = 0; j < k; ++j) {
      const double off = j == label ? q : -probabilities[static_cast<std::size_t>(j)];
      *gradient++ = static_cast<Real>((bend - weight) * off / io.count);
    }
  }
  return sum;
}

LossDef focalDef() {
  LossDef def;
  def.type = "focal";
  def.title = "Focal";
  def.help =
      "Cross-entropy that cares less for what the net is sure of already: samples that are still hard count for more. "
      "Helps where some classes are rare.";
  def.fields = {realField(kGamma, "Gamma", 2, 0, 10,
                          "How strongly easy samples are passed over. 0 is plain cross-entropy, 2 is usual.")};
  def.target = TargetKind::ClassIndex;
  def.compute = focal<float>;
  def.compute64 = focal<double>;
  def.outputRule = classifierOutput;
  def.predict = softmax;
  def.guess = [](const Fields& fields, const NetworkSpec& network) {
    return std::pow(1 - 1.0 / network.classes, fields.real(kGamma)) * std::log(network.classes);
  };
  def.answer = "softmax, focal loss";
  def.story =
      "Softmax turns the last layer’s %1 values into probabilities, and the focal loss measures how wrong they are, "
      "above all where the net is unsure. Both belong to the loss, so the stack ends with plain values.";
  return def;
}

// ---- sigmoid cross-entropy

/// 1 / (1 + e^-z) without overflow.
double sigmoidOf(double z) {
  const double small = std::exp(-std::abs(z));
  return (z >= 0 ? 1 : small) / (1 + small);
}

/// Every class a yes or no of its own, the label's a yes: the mean over all values of all samples, as PyTorch's
/// BCEWithLogitsLoss; max(z, 0) - z target + log(1 + e^-|z|) each. Gradient: (sigmoid - target) / (N k).
template <class Real>
double sigmoidCrossEntropy(const Fields&, const BasicLossIo<Real>& io) {
  const std::int64_t k = io.size;
  const auto values = static_cast<double>(k), all = values * io.count;
  double sum = 0;
  for (int i = 0; i < io.count; ++i) {
    refuseLabel(io.labels[i], k);
    for (std::int64_t j = 0; j < k; ++j) {
      const auto z = static_cast<double>(io.outputs[i * k + j]);
      const double target = j == io.labels[i] ? 1 : 0;
      sum += (z > 0 ? z * (1 - target) : -z * target) + std::log1p(std::exp(-std::abs(z)));
      if (io.gradients) io.gradients[i * k + j] = static_cast<Real>((sigmoidOf(z) - target) / all);
    }
  }
  return sum / values;
}

LossDef sigmoidCrossEntropyDef() {
  LossDef def;
  def.type = "sigmoid_cross_entropy";
  def.title = "Sigmoid cross-entropy";
  def.help =
      "Asks of each class by itself whether the sample is of it: every value becomes a probability of its own by a "
      "sigmoid, and they need not add up to 1. A sample that is of no class can get small ones throughout.";
  def.target = TargetKind::ClassIndex;
  def.compute = sigmoidCrossEntropy<float>;
  def.compute64 = sigmoidCrossEntropy<double>;
  def.outputRule = classifierOutput;
  def.predict = [](const float* outputs, int count, std::int64_t size, float* predictions) {
    for (std::int64_t i = 0; i < count * size; ++i) predictions[i] = static_cast<float>(sigmoidOf(outputs[i]));
  };
  def.guess = [](const Fields&, const NetworkSpec& network) {  // of the right share for every class
    const double share = 1.0 / network.classes;
    return -(share * std::log(share) + (1 - share) * std::log1p(-share));
  };
  def.answer = "sigmoid, cross-entropy loss";
  def.story = "A sigmoid turns each of the last layer’s %1 values into a probability of its own, and cross-entropy "
              "measures how "
              "wrong they are. Both belong to the loss, so the stack ends with plain values.";
  return def;
}

// ---- losses that compare values

/// The mean over all values of all samples, as PyTorch's MSELoss and its like; so a sample's share is the mean over its
/// values. `each` gives the loss of being so far off, `slope` its slope.
template <class Real, class Each, class Slope>
double meanOfValues(const BasicLossIo<Real>& io, Each each, Slope slope) {
  const auto values = static_cast<double>(io.size), all = values * io.count;
  double sum = 0;
  for (std::int64_t i = 0; i < io.count * io.size; ++i) {
    const double off = static_cast<double>(io.outputs[i]) - static_cast<double>(io.targets[i]);
    sum += each(off);
    if (io.gradients) io.gradients[i] = static_cast<Real>(slope(off) / all);
  }
  return sum / values;
}

template <class Real>
double meanSquaredError(const Fields&, const BasicLossIo<Real>& io) {
  return meanOfValues(
      io, [](double off) { return off * off; }, [](double off) { return 2 * off; });
}

double signOf(double value) { return value > 0 ? 1 : value < 0 ? -1 : value; }

template <class Real>
double meanAbsoluteError(const Fields&, const BasicLossIo<Real>& io) {
  return meanOfValues(
      io, [](double off) { return std::abs(off); }, signOf);
}

constexpr const char* kDelta = "delta";

template <class Real>
double huber(const Fields& fields, const BasicLossIo<Real>& io) {
  const double delta = fields.real(kDelta);
  return meanOfValues(
      io,
      [delta](double off) {
        const double size = std::abs(off);
        return size <= delta ? off * off / 2 : delta * (size - delta / 2);
      },
      [delta](double off) { return std::abs(off) <= delta ? off : delta * signOf(off); });
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

/// What losses that compare the output with the sample have in common.
LossDef sampleLossDef() {
  LossDef def;
  def.target = TargetKind::Sample;
  def.outputRule = sampleOutput;
  def.predict = [](const float* outputs, int count, std::int64_t size, float* predictions) {
    if (predictions != outputs) std::copy_n(outputs, count * size, predictions);
  };
  return def;
}

LossDef meanSquaredErrorDef() {
  LossDef def = sampleLossDef();
  def.type = "mean_squared_error";
  def.title = "Mean squared error";
  def.help = "For giving back the sample itself: the mean square of what the net's output is off. A net that must pass "
             "through few values on the way learns what matters of a sample.";
  def.compute = meanSquaredError<float>;
  def.compute64 = meanSquaredError<double>;
  def.answer = "mean squared error";
  def.story =
      "The last layer’s %1 values are compared with the sample itself, and the mean of the squared differences is the "
      "loss.";
  return def;
}

LossDef meanAbsoluteErrorDef() {
  LossDef def = sampleLossDef();
  def.type = "mean_absolute_error";
  def.title = "Mean absolute error";
  def.help = "For giving back the sample itself: the mean of what the net's output is off. A few values that are far "
             "off weigh "
             "less than with squares, so pictures come out sharper.";
  def.compute = meanAbsoluteError<float>;
  def.compute64 = meanAbsoluteError<double>;
  def.answer = "mean absolute error";
  def.story =
      "The last layer’s %1 values are compared with the sample itself, and the mean of the differences without their "
      "sign is the loss.";
  return def;
}

LossDef huberDef() {
  LossDef def = sampleLossDef();
  def.type = "huber";
  def.title = "Huber";
  def.help = "For giving back the sample itself: squares where the output is nearly right, the plain difference where "
             "it is far "
             "off. Learns as smoothly as squares and is not led astray by a few wild values.";
  def.fields = {realField(kDelta, "Delta", 1, 1e-6, 1e6,
                          "Up to so large a difference squares are taken. Samples lie mostly between 0 and 1, so less "
                          "than 1 makes a difference.")};
  def.compute = huber<float>;
  def.compute64 = huber<double>;
  def.answer = "Huber loss";
  def.story =
      "The last layer’s %1 values are compared with the sample itself: small differences count by their square, large "
      "ones by their size, and the mean is the loss.";
  return def;
}

}  // namespace

const std::vector<Choice>& targetKinds() {
  static const std::vector<Choice> kinds{{"class", "Class", "The sample's label."},
                                         {"sample", "The sample", "The sample itself, as the net reads it."}};
  return kinds;
}

const std::vector<LossDef>& allLosses() {
  static const std::vector<LossDef> losses{softmaxCrossEntropyDef(), sigmoidCrossEntropyDef(), focalDef(),
                                           meanSquaredErrorDef(),    meanAbsoluteErrorDef(),   huberDef()};
  return losses;
}

const LossDef& LossSpec::def() const {
  if (const LossDef* found = findChoice(allLosses(), type)) return *found;
  throw Error(Error::Kind::Input, "loss", "there is no loss of type \"" + type + "\"");
}

double guessingLoss(const LossSpec& loss, const NetworkSpec& network) {
  const LossDef& def = loss.def();
  return def.guess ? def.guess(loss.fields, network) : std::numeric_limits<double>::quiet_NaN();
}

}  // namespace strata
