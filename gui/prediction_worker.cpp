// SPDX-License-Identifier: GPL-3.0-or-later
#include "gui/prediction_worker.h"

#include "engine/base/thread_name.h"
#include "gui/runs_loader.h"

namespace strata::gui {

WeightSource checkpointSource(const Path& runFolder, int epoch) {
  const Path file = weightsFile(runFolder, epoch);
  std::error_code none;
  return {nullptr, file, epoch, std::filesystem::last_write_time(file, none)};
}

PredictionWorker::PredictionWorker(QObject* parent) : QObject(parent) {
  m_thread = std::jthread([this](std::stop_token stop) { run(stop); });
}

PredictionWorker::~PredictionWorker() {
  m_thread.request_stop();
  m_wake.notify_all();
  m_thread.join();
}

void PredictionWorker::post(const WeightSource& weights, Kind kind, Work work) {
  if (weights.none()) return;
  {
    const std::lock_guard lock(m_mutex);
    m_waiting[kind] = {weights, std::move(work), m_generation};
  }
  m_wake.notify_one();
}

void PredictionWorker::forget() {
  ++m_generation;
  const std::lock_guard lock(m_mutex);
  m_waiting.clear();
}

void PredictionWorker::run(std::stop_token stop) {
  nameThisThread("predictor");
  while (true) {
    Kind kind{};
    Request request;
    {
      std::unique_lock lock(m_mutex);
      if (!m_wake.wait(lock, stop, [this] { return !m_waiting.empty(); })) return;
      auto first = m_waiting.extract(m_waiting.begin());
      kind = first.key();
      request = std::move(first.mapped());
    }
    const Deliver deliver = answer(request, kind);
    const auto unlessForgotten = [this, deliver, generation = request.generation] {
      if (deliver && generation == m_generation) deliver();
    };
    QMetaObject::invokeMethod(this, unlessForgotten, Qt::QueuedConnection);
  }
}

PredictionWorker::Deliver PredictionWorker::answer(const Request& request, Kind kind) {
  try {
    if (!(request.weights == m_loaded)) load(request.weights);
    return request.work(m_weights);
  } catch (const std::exception& error) {
    return [this, kind, reason = QString::fromUtf8(error.what())] { emit failed(kind, reason); };
  }
}

void PredictionWorker::load(const WeightSource& source) {
  m_loaded = {};
  const auto put = [this](const NetworkSpec& network, const Weights& weights) {
    auto& predictor = m_weights.predictor;
    if (!predictor || !(predictor->network() == network)) predictor = std::make_unique<Predictor>(network);
    predictor->setWeights(weights);
  };
  if (source.snapshot) {
    put(source.snapshot->network, source.snapshot->weights);
    m_weights.epoch = source.snapshot->epoch;
    m_weights.step = source.snapshot->step;
    m_weights.classes.clear();
  } else {
    const auto checkpoint = readWeightsOf(source.epoch, source.checkpoint);
    put(checkpoint.network, checkpoint.weights);
    m_weights.epoch = checkpoint.epoch;
    m_weights.step = checkpoint.step;
    m_weights.classes = checkpoint.classes;
  }
  m_loaded = source;
}

bool namesClasses(const NetworkSpec& network) { return outputSize(network) == network.classes; }

std::vector<Verdict> judge(Predictor& predictor, const Samples& samples, const std::vector<int>& indices,
                           const Preprocessing& preprocessing) {
  const auto evaluation = predictor.evaluate(samples, indices, preprocessing);
  const auto classes = indices.empty() ? 0 : evaluation.predictions.size() / indices.size();
  std::vector<Verdict> verdicts;
  for (std::size_t i = 0; i < indices.size(); ++i) {
    const int predicted = evaluation.predicted[i];
    verdicts.push_back({indices[i], samples.labels[std::size_t(indices[i])], predicted,
                        evaluation.predictions[i * classes + std::size_t(predicted)]});
  }
  return verdicts;
}

}  // namespace strata::gui
