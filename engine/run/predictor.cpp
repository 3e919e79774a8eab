// SPDX-License-Identifier: Apache-2.0
#include "engine/run/predictor.h"

#include <algorithm>
#include <cmath>
#include <span>

#include "engine/base/error.h"
#include "engine/base/memory.h"
#include "engine/data/picture_moves.h"

namespace strata {
namespace {

constexpr std::size_t kMostAtOnce = 64;

Batch oneSample(const std::vector<float>& sample, const NetworkSpec& network) {
  if (static_cast<std::int64_t>(sample.size()) != network.input.size())
    throw Error(
        Error::Kind::Input, "sample",
        "holds " + std::to_string(sample.size()) + " values, the net reads " + std::to_string(network.input.size()));
  Batch batch;
  batch.size = 1;
  batch.floats = sample.data();
  return batch;
}

void refuseNonFinite(std::span<const float> predictions) {
  if (!std::all_of(predictions.begin(), predictions.end(), [](float p) { return std::isfinite(p); }))
    throw Error(Error::Kind::Input, "network", "its answer is not a number: weights or samples are too large for it",
                "Use weights of an earlier epoch");
}

void checkLabels(const Samples& samples, const std::vector<int>& indices, int classes) {
  for (const int index : indices)
    if (const int label = samples.labels[static_cast<std::size_t>(index)]; label < 0 || label >= classes)
      throw Error(
          Error::Kind::Input, "sample " + std::to_string(index),
          "has label " + std::to_string(label) + ", the net tells " + std::to_string(classes) + " classes apart",
          "Use data of the net's classes");
}

struct ViewsDef {
  Choice choice;
  bool shifted = false, flipped = false;
};
const std::vector<ViewsDef>& allViews() {
  static const std::vector<ViewsDef> views{
      {{"none", "None", "Each sample once, as it is."}},
      {{"shift", "Shifted", "Also moved by one pixel each way: five views."}, true},
      {{"flip", "Mirrored", "Also mirrored: two views."}, false, true},
      {{"shift_flip", "Both", "Moved and mirrored: ten views."}, true, true}};
  return views;
}

/// All but the sample as it is.
std::vector<PictureMoves> otherViews(const std::string& id) {
  bool shifted = false, flipped = false;
  for (const ViewsDef& def : allViews())
    if (def.choice.id == id) shifted = def.shifted, flipped = def.flipped;
  std::vector<PictureMoves> views;
  for (const bool mirrored : {false, true})
    for (const auto& [down, right] : {std::pair{0, 0}, {1, 0}, {-1, 0}, {0, 1}, {0, -1}}) {
      const bool moved = down != 0 || right != 0;
      if ((mirrored && !flipped) || (moved && !shifted) || (!mirrored && !moved)) continue;
      PictureMoves& view = views.emplace_back();
      view.down = down, view.right = right, view.mirrored = mirrored;
    }
  return views;
}

}  // namespace

const std::vector<Choice>& testViews() {
  static const std::vector<Choice> choices = [] {
    std::vector<Choice> all;
    for (const ViewsDef& def : allViews()) all.push_back(def.choice);
    return all;
  }();
  return choices;
}

Predictor::Predictor(const NetworkSpec& network, const LossSpec& loss, const std::string& backend, int threads)
    : m_network(network), m_loss(loss), m_outputSize(outputSize(network)), m_weights(layoutFor(network)),
      m_backend(createBackend(backend, threads)) {}

Predictor::~Predictor() = default;

void Predictor::setWeights(const Weights& weights) {
  if (weights.places != m_weights.places) throw Error(Error::Kind::Input, "weights", "they belong to another net");
  m_weights = weights;
  if (m_net) m_net->setWeights(weights);
}

/// No more than are wanted, and no more than half of the memory holds.
int Predictor::samplesAtOnce(std::size_t wanted) const {
  auto samples = static_cast<int>(std::clamp<std::size_t>(wanted, 1, kMostAtOnce));
  if (samples <= m_samples) return samples;
  const Analysis analysis = analyse(m_network, nullptr);
  while (samples > 1 && analysis.inferenceBytes(samples) > availableMemory() / 2) samples /= 2;
  return samples;
}

CompiledNetwork& Predictor::netFor(int samples) {
  if (samples <= m_samples) return *m_net;
  m_net.reset();
  m_samples = 0;
  CompileRequest request;
  request.network = m_network;
  request.loss = m_loss;
  request.maxBatch = samples;
  request.training = false;
  m_net = m_backend->compile(request);
  m_net->setWeights(m_weights);
  m_samples = samples;
  return *m_net;
}

std::vector<float> Predictor::predict(const std::vector<float>& sample) {
  std::vector<float> values(static_cast<std::size_t>(m_outputSize));
  netFor(1).forward(oneSample(sample, m_network), values.data());
  m_loss.def().predict(values.data(), 1, m_outputSize, values.data());
  refuseNonFinite(values);
  return values;
}

std::vector<std::vector<float>> Predictor::activations(const std::vector<float>& sample) {
  std::vector<std::vector<float>> out;
  netFor(1).activations(oneSample(sample, m_network), out);
  return out;
}

/// The mean of what the net puts out for each view.
void Predictor::forwardViews(CompiledNetwork& net, const Batch& batch, std::uint8_t ground, const std::string& views,
                             std::vector<float>& outputs) {
  net.forward(batch, outputs.data());
  if (views == testViews().front().id) return;
  const Shape& shape = m_network.input;
  if (!batch.bytes || !shape.isImage())
    throw Error(Error::Kind::Input, "views", "the samples are no pictures, so there are no other views of them",
                "Evaluate without views");
  const std::int64_t values = batch.size * m_outputSize;
  std::vector<float> ofView(static_cast<std::size_t>(values));
  std::vector<std::uint8_t> moved(static_cast<std::size_t>(batch.size * shape.size()));
  const std::vector<PictureMoves> others = otherViews(views);
  for (const PictureMoves& moves : others) {
    Batch view = batch;
    for (int n = 0; n < batch.size; ++n)
      movePicture(moves, shape, ground, batch.bytes + n * shape.size(), moved.data() + n * shape.size());
    view.bytes = moved.data();
    net.forward(view, ofView.data());
    for (std::int64_t i = 0; i < values; ++i)
      outputs[static_cast<std::size_t>(i)] += ofView[static_cast<std::size_t>(i)];
  }
  for (std::int64_t i = 0; i < values; ++i)
    outputs[static_cast<std::size_t>(i)] /= static_cast<float>(others.size() + 1);
}

Evaluation Predictor::evaluate(const Samples& samples, const std::vector<int>& indices,
                               const Preprocessing& preprocessing, const std::string& views) {
  const bool classifies = m_loss.def().target == TargetKind::ClassIndex;
  const int classes = classifies ? static_cast<int>(m_outputSize) : 0;
  if (classifies) checkLabels(samples, indices, classes);
  MetricIds all;
  for (const MetricDef& metric : allMetrics()) all.push_back(metric.id);
  const Scorer scorer(m_loss, all);
  const int atOnce = samplesAtOnce(indices.size());
  CompiledNetwork& net = netFor(atOnce);
  Batches batches(samples, indices, m_network.input, preprocessing, atOnce);
  batches.startEpoch(0, false, 0);
  std::vector<float> values(static_cast<std::size_t>(atOnce * m_outputSize));
  Evaluation result;
  result.confusion.assign(classes, std::vector<int>(classes, 0));
  Validation validation(scorer, m_outputSize);
  for (int i = 0; i < batches.count(); ++i) {
    const Batch batch = batches.at(i);
    forwardViews(net, batch, batches.ground(), views, values);
    validation.add(batch, values.data());
    m_loss.def().predict(values.data(), batch.size, m_outputSize, values.data());
    const std::span<const float> made(values.data(), static_cast<std::size_t>(batch.size * m_outputSize));
    refuseNonFinite(made);
    for (int n = 0; classifies && n < batch.size; ++n) {
      const float* row = made.data() + n * m_outputSize;
      result.predicted.push_back(static_cast<int>(std::max_element(row, row + classes) - row));
      ++result.confusion[batch.labels[n]][result.predicted.back()];
    }
    result.predictions.insert(result.predictions.end(), made.begin(), made.end());
  }
  if (indices.empty()) return result;
  result.loss = validation.loss();
  result.metrics = validation.metrics();
  return result;
}

}  // namespace strata
