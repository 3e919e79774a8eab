// SPDX-License-Identifier: GPL-3.0-or-later
#include "gui/prediction_worker.h"

#include "engine/error.h"
#include "engine/thread_name.h"
#include "engine/train/checkpoint.h"

namespace strata::gui {

PredictionWorker::PredictionWorker(QObject* parent) : QObject(parent) {
  m_thread = std::jthread([this](std::stop_token stop) { run(stop); });
}

PredictionWorker::~PredictionWorker() {
  m_thread.request_stop();
  m_wake.notify_all();
  m_thread.join();
}

void PredictionWorker::setWeights(const WeightSource& source) {
  m_source = source;
  const std::lock_guard lock(m_mutex);
  m_wanted = source;
}

void PredictionWorker::post(Kind kind, Work work) {
  if (m_source.none()) return;
  {
    const std::lock_guard lock(m_mutex);
    m_waiting[kind] = std::move(work);
  }
  m_wake.notify_one();
}

void PredictionWorker::run(std::stop_token stop) {
  nameThisThread("predictor");
  while (true) {
    Work work;
    WeightSource wanted;
    {
      std::unique_lock lock(m_mutex);
      if (!m_wake.wait(lock, stop, [this] { return !m_waiting.empty(); })) return;
      work = std::move(m_waiting.extract(m_waiting.begin()).mapped());
      wanted = m_wanted;
    }
    try {
      if (!(wanted == m_loaded)) load(wanted);
      if (!m_predictor) continue;
      if (auto deliver = work(*m_predictor)) QMetaObject::invokeMethod(this, deliver, Qt::QueuedConnection);
    } catch (const Error& error) {
      const auto reason = QString::fromUtf8(error.what());
      QMetaObject::invokeMethod(
          this, [this, reason] { emit failed(reason); }, Qt::QueuedConnection);
    }
  }
}

void PredictionWorker::load(const WeightSource& source) {
  m_loaded = {};
  const auto put = [this](const NetworkSpec& network, const Weights& weights) {
    if (!m_predictor || !(m_predictor->network() == network)) m_predictor = std::make_unique<Predictor>(network);
    m_predictor->setWeights(weights);
  };
  if (source.snapshot) {
    put(source.snapshot->network, source.snapshot->weights);
  } else if (!source.checkpoint.empty()) {
    const auto checkpoint = readCheckpoint(source.checkpoint);
    put(checkpoint.network, checkpoint.weights);
  } else {
    m_predictor.reset();
  }
  m_loaded = source;
}

}  // namespace strata::gui
