// SPDX-License-Identifier: Apache-2.0
#include "engine/run/predictor.h"

#include <algorithm>
#include <cmath>
#include <span>

#include "engine/base/error.h"
#include "engine/base/memory.h"

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

void refuseNonFinite(std::span<const float> probabilities) {
  if (!std::all_of(probabilities.begin(), probabilities.end(), [](float p) { return std::isfinite(p); }))
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

}  // namespace

Predictor::Predictor(const NetworkSpec& network, const std::string& backend, int threads)
    : m_network(network), m_weights(layoutFor(network)), m_backend(createBackend(backend, threads)) {}

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
  const Analysis analysis = analyse(m_network);
  while (samples > 1 && analysis.inferenceBytes(samples) > availableMemory() / 2) samples /= 2;
  return samples;
}

CompiledNetwork& Predictor::netFor(int samples) {
  if (samples <= m_samples) return *m_net;
  m_net.reset();
  m_samples = 0;
  CompileRequest request;
  request.network = m_network;
  request.maxBatch = samples;
  request.training = false;
  m_net = m_backend->compile(request);
  m_net->setWeights(m_weights);
  m_samples = samples;
  return *m_net;
}

std::vector<float> Predictor::predict(const std::vector<float>& sample) {
  std::vector<float> probabilities(m_network.classes);
  netFor(1).forward(oneSample(sample, m_network), probabilities.data());
  softmax(probabilities.data(), 1, m_network.classes, probabilities.data());
  refuseNonFinite(probabilities);
  return probabilities;
}

std::vector<std::vector<float>> Predictor::activations(const std::vector<float>& sample) {
  std::vector<std::vector<float>> out;
  netFor(1).activations(oneSample(sample, m_network), out);
  return out;
}

Evaluation Predictor::evaluate(const Samples& samples, const std::vector<int>& indices,
                               const Preprocessing& preprocessing) {
  const int classes = m_network.classes;
  checkLabels(samples, indices, classes);
  Evaluation result;
  result.confusion.assign(classes, std::vector<int>(classes, 0));
  const int atOnce = samplesAtOnce(indices.size());
  CompiledNetwork& net = netFor(atOnce);
  Batches batches(samples, indices, m_network.input, preprocessing, atOnce);
  batches.startEpoch(0, false, 0);
  std::vector<float> logits(static_cast<std::size_t>(atOnce) * classes), probabilities(logits.size());
  double lossSum = 0;
  int hits = 0;
  for (int i = 0; i < batches.count(); ++i) {
    const Batch batch = batches.at(i);
    net.forward(batch, logits.data());
    const LossResult loss = softmaxCrossEntropy<float>(logits.data(), batch.labels, batch.size, classes, nullptr);
    lossSum += loss.lossSum;
    hits += loss.hits;
    softmax(logits.data(), batch.size, classes, probabilities.data());
    refuseNonFinite({probabilities.data(), static_cast<std::size_t>(batch.size) * classes});
    for (int n = 0; n < batch.size; ++n) {
      const float* row = probabilities.data() + static_cast<std::size_t>(n) * classes;
      const int predicted = static_cast<int>(std::max_element(row, row + classes) - row);
      result.predicted.push_back(predicted);
      ++result.confusion[batch.labels[n]][predicted];
    }
    result.probabilities.insert(result.probabilities.end(), probabilities.begin(),
                                probabilities.begin() + static_cast<std::ptrdiff_t>(batch.size) * classes);
  }
  if (!indices.empty()) {
    result.loss = lossSum / static_cast<double>(indices.size());
    result.accuracy = static_cast<double>(hits) / static_cast<double>(indices.size());
  }
  return result;
}

}  // namespace strata
