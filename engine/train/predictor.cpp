// SPDX-License-Identifier: Apache-2.0
#include "engine/train/predictor.h"

#include <algorithm>

#include "engine/error.h"

namespace strata {
namespace {

constexpr int kMaxBatch = 64;

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

}  // namespace

Predictor::Predictor(const NetworkSpec& network, const std::string& backend, int threads)
    : m_network(network), m_backend(createBackend(backend, threads)) {
  CompileRequest request;
  request.network = network;
  request.maxBatch = kMaxBatch;
  m_net = m_backend->compile(request);
}

Predictor::~Predictor() = default;

void Predictor::setWeights(const Weights& weights) { m_net->setWeights(weights); }

std::vector<float> Predictor::predict(const std::vector<float>& sample) {
  std::vector<float> probabilities(m_network.classes);
  m_net->forward(oneSample(sample, m_network), probabilities.data());
  softmax(probabilities.data(), 1, m_network.classes, probabilities.data());
  return probabilities;
}

std::vector<std::vector<float>> Predictor::activations(const std::vector<float>& sample) {
  std::vector<std::vector<float>> out;
  m_net->activations(oneSample(sample, m_network), out);
  return out;
}

Evaluation Predictor::evaluate(const Samples& samples, const std::vector<int>& indices,
                               const Preprocessing& preprocessing) {
  const int classes = m_network.classes;
  Evaluation result;
  result.confusion.assign(classes, std::vector<int>(classes, 0));
  Batches batches(samples, indices, m_network.input, preprocessing, kMaxBatch);
  batches.startEpoch(0, false, 0);
  std::vector<float> logits(static_cast<std::size_t>(kMaxBatch) * classes), probabilities(logits.size());
  double lossSum = 0;
  int hits = 0;
  for (int i = 0; i < batches.count(); ++i) {
    const Batch batch = batches.at(i);
    m_net->forward(batch, logits.data());
    const LossResult loss = softmaxCrossEntropy<float>(logits.data(), batch.labels, batch.size, classes, nullptr);
    lossSum += loss.lossSum;
    hits += loss.hits;
    softmax(logits.data(), batch.size, classes, probabilities.data());
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
