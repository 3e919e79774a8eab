// SPDX-License-Identifier: GPL-3.0-or-later
// Answers from weights on a thread of its own: never in the GUI thread, never with the trainer's own weights. A request
// carries the weights that it asks, so an answer is of those and no others. One request of each kind can wait; a newer
// one replaces it, so a fast hand or a fast run never builds a queue.
#pragma once
#include <QObject>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <thread>

#include "engine/run/predictor.h"
#include "gui/models/samples_model.h"

namespace strata::gui {

/// Where the weights come from: a snapshot of a run in progress or a checkpoint on disk. Neither: no weights.
struct WeightSource {
  std::shared_ptr<const WeightSnapshot> snapshot;
  Path checkpoint{};
  int epoch = 0;                              ///< whose weights the checkpoint must hold
  std::filesystem::file_time_type written{};  ///< a file that was written anew is another source
  bool none() const { return !snapshot && checkpoint.empty(); }
  bool operator==(const WeightSource&) const = default;
};

/// The weights of an epoch that a run has kept.
WeightSource checkpointSource(const Path& runFolder, int epoch);

/// Weights that answer, and what they say of themselves.
struct LoadedWeights {
  std::unique_ptr<Predictor> predictor;
  int epoch = 0;                     ///< whole epochs trained
  std::uint64_t step = 0;            ///< batches trained
  std::vector<std::string> classes;  ///< names by label; a snapshot knows none
};

class PredictionWorker : public QObject {
  Q_OBJECT
 public:
  /// In order of urgency.
  enum class Kind { Drawing, Tiles, Evaluation };
  Q_ENUM(Kind)
  using Deliver = std::function<void()>;                ///< called in the GUI thread
  using Work = std::function<Deliver(LoadedWeights&)>;  ///< called in the worker's thread; may throw

  explicit PredictionWorker(QObject* parent = nullptr);
  ~PredictionWorker() override;  ///< drops what waits and joins

  /// Runs `work` with these weights once they are loaded. Nothing happens when there are none.
  void post(const WeightSource& weights, Kind kind, Work work);
  /// Drops what waits, and the answers and failures that are still on their way.
  void forget();

 signals:
  void failed(strata::gui::PredictionWorker::Kind kind, const QString& reason);

 private:
  struct Request {
    WeightSource weights;
    Work work;
    int generation = 0;
  };
  void run(std::stop_token stop);
  Deliver answer(const Request& request, Kind kind);
  void load(const WeightSource& source);

  int m_generation = 0;  ///< GUI thread; what is older was forgotten
  std::mutex m_mutex;    ///< guards m_waiting
  std::condition_variable_any m_wake;
  std::map<Kind, Request> m_waiting;
  WeightSource m_loaded;  ///< worker thread from here
  LoadedWeights m_weights;
  std::jthread m_thread;
};

/// Whether the net puts out one value for each class.
bool namesClasses(const NetworkSpec& network);
/// What the net says of some of `samples`. Error::Input when one has a label that the net does not know.
std::vector<Verdict> judge(Predictor& predictor, const Samples& samples, const std::vector<int>& indices,
                           const Preprocessing& preprocessing);

}  // namespace strata::gui
