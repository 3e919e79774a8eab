// SPDX-License-Identifier: GPL-3.0-or-later
// Answers from weights on a thread of its own: never in the GUI thread, never with the trainer's own weights. One
// request of each kind can wait; a newer one replaces it, so a fast hand or a fast run never builds a queue.
#pragma once
#include <QObject>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <thread>

#include "engine/train/predictor.h"

namespace strata::gui {

/// Where the weights come from: a snapshot of a run in progress or a checkpoint on disk. Neither: no weights.
struct WeightSource {
  std::shared_ptr<const WeightSnapshot> snapshot;
  Path checkpoint;
  bool none() const { return !snapshot && checkpoint.empty(); }
  bool operator==(const WeightSource&) const = default;
};

class PredictionWorker : public QObject {
  Q_OBJECT
 public:
  /// In order of urgency.
  enum class Kind { Drawing, Tiles, Evaluation };
  using Deliver = std::function<void()>;            ///< called in the GUI thread
  using Work = std::function<Deliver(Predictor&)>;  ///< called in the worker's thread; may throw strata::Error

  explicit PredictionWorker(QObject* parent = nullptr);
  ~PredictionWorker() override;  ///< drops what waits and joins

  void setWeights(const WeightSource& source);
  const WeightSource& weights() const { return m_source; }
  /// Runs `work` with the present weights once they are loaded. Nothing happens while there are none.
  void post(Kind kind, Work work);

 signals:
  void failed(const QString& reason);

 private:
  void run(std::stop_token stop);
  void load(const WeightSource& source);

  WeightSource m_source;  ///< GUI thread
  std::mutex m_mutex;     ///< guards the next three
  std::condition_variable_any m_wake;
  WeightSource m_wanted;
  std::map<Kind, Work> m_waiting;
  WeightSource m_loaded;  ///< worker thread from here
  std::unique_ptr<Predictor> m_predictor;
  std::jthread m_thread;
};

}  // namespace strata::gui
