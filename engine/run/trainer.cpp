// SPDX-License-Identifier: Apache-2.0
// The thread, its states and what may be asked for in each. The training itself is in training_loop.cpp.
#include "engine/run/trainer.h"

#include <system_error>

#include "engine/base/thread_name.h"
#include "engine/run/training_loop.h"

namespace strata {
namespace {

constexpr int kStates = 6, kActions = 6;

/// Why an action cannot be taken in a state; "" when it can. Rows are states, columns actions, both in the order of
/// their enums.
constexpr const char* kBlocked[kStates][kActions] = {
    // Start                           Pause                       Resume                      StepBatch StepEpoch Stop
    {"", "Nothing is running", "Nothing is running", "Nothing is running", "Nothing is running",
     "Nothing is running"},  // Idle
    {"Training is already running", "", "The run is not paused", "Pause the run first", "Pause the run first",
     ""},                                                                                       // Running
    {"A run is paused: resume or stop it first", "The run is already paused", "", "", "", ""},  // Paused
    {"The last run is just stopping", "The run is just stopping", "The run is just stopping",
     "The run is just stopping", "The run is just stopping", "The run is just stopping"},  // Stopping
    {"", "The run has finished", "The run has finished", "The run has finished", "The run has finished",
     "The run has finished"},  // Finished
    {"", "The run has failed", "The run has failed", "The run has failed", "The run has failed",
     "The run has failed"},  // Failed
};

const char* blocked(Trainer::State state, Trainer::Action action) {
  return kBlocked[static_cast<int>(state)][static_cast<int>(action)];
}
bool allowed(Trainer::State state, Trainer::Action action) { return *blocked(state, action) == '\0'; }

}  // namespace

const char* stateName(Trainer::State state) {
  constexpr const char* kNames[kStates] = {"Idle", "Running", "Paused", "Stopping", "Finished", "Failed"};
  return kNames[static_cast<int>(state)];
}

Trainer::Trainer() = default;

Trainer::~Trainer() {
  stop();
  wait();
}

std::string Trainer::blockedReason(Action action) const { return blocked(state(), action); }

void Trainer::setState(State state) {
  if (m_state.exchange(state) != state) m_events.push(StateEvent{});
}

void Trainer::start(TrainJob job) {
  if (!allowed(state(), Action::Start)) return;
  wait();
  m_events.drain();
  const std::lock_guard lock(m_mutex);
  m_stopWanted = m_snapshotWanted = m_oneBatch = m_toEndOfEpoch = false;
  m_pauseWanted = job.startPaused;
  m_newRate.reset();
  m_newEpochs.reset();
  setState(job.startPaused ? State::Paused : State::Running);
  try {
    m_thread = std::jthread([this, job = std::move(job)]() mutable { run(std::move(job)); });
  } catch (const std::system_error& error) {
    end(FailedEvent{
        false, Error::Kind::Device, {}, std::string("Training: no thread for it (") + error.what() + ").", 0});
  }
}

void Trainer::wait() {
  if (m_thread.joinable()) m_thread.join();
}

void Trainer::pause() {
  const std::lock_guard lock(m_mutex);
  if (!allowed(state(), Action::Pause)) return;
  m_pauseWanted = true;
  m_toEndOfEpoch = false;
}

void Trainer::resume() {
  const std::lock_guard lock(m_mutex);
  if (!allowed(state(), Action::Resume)) return;
  m_pauseWanted = false;
  setState(State::Running);
  m_wake.notify_all();
}

void Trainer::stepBatch() {
  const std::lock_guard lock(m_mutex);
  if (!allowed(state(), Action::StepBatch)) return;
  m_oneBatch = true;
  setState(State::Running);
  m_wake.notify_all();
}

void Trainer::stepEpoch() {
  const std::lock_guard lock(m_mutex);
  if (!allowed(state(), Action::StepEpoch)) return;
  m_toEndOfEpoch = true;
  setState(State::Running);
  m_wake.notify_all();
}

void Trainer::stop() {
  const std::lock_guard lock(m_mutex);
  if (!allowed(state(), Action::Stop)) return;
  m_stopWanted = true;
  setState(State::Stopping);
  m_wake.notify_all();
}

void Trainer::requestSnapshot() {
  const std::lock_guard lock(m_mutex);
  m_snapshotWanted = true;
  m_wake.notify_all();
}

void Trainer::setLearningRate(double rate) {
  const std::lock_guard lock(m_mutex);
  m_newRate = rate;
  m_wake.notify_all();
}

void Trainer::setEpochs(int epochs) {
  const std::lock_guard lock(m_mutex);
  m_newEpochs = epochs;
  m_wake.notify_all();
}

bool Trainer::mayTrain() const { return !m_stopWanted && (!m_pauseWanted || m_oneBatch || m_toEndOfEpoch); }

/// Called by the worker between two batches; waits here while the run is paused.
Orders Trainer::nextOrders(bool epochEnded) {
  std::unique_lock lock(m_mutex);
  if (epochEnded) m_toEndOfEpoch = false;
  Orders orders;
  if (!mayTrain() && !m_stopWanted) {
    setState(State::Paused);
    orders.waited = true;
    m_wake.wait(lock, [this] { return mayTrain() || m_stopWanted || m_snapshotWanted || m_newRate || m_newEpochs; });
  }
  orders.stop = m_stopWanted;
  orders.train = mayTrain();
  if (orders.train) m_oneBatch = false;
  orders.snapshot = std::exchange(m_snapshotWanted, false);
  orders.learningRate = std::exchange(m_newRate, std::nullopt);
  orders.epochs = std::exchange(m_newEpochs, std::nullopt);
  return orders;
}

void Trainer::run(TrainJob job) {
  nameThisThread("trainer");
  LoopControl control;
  control.orders = [this](bool epochEnded) { return nextOrders(epochEnded); };
  control.stopWanted = [this] { return state() == State::Stopping; };
  control.changes = [this] {
    const std::lock_guard lock(m_mutex);
    Orders orders;
    orders.learningRate = std::exchange(m_newRate, std::nullopt);
    orders.epochs = std::exchange(m_newEpochs, std::nullopt);
    return orders;
  };
  TrainingLoop loop(std::move(job), m_events, std::move(control));
  TrainEvent last = loop.run();
  const std::lock_guard lock(m_mutex);
  end(std::move(last));
}

/// With the mutex held.
void Trainer::end(TrainEvent last) {
  setState(std::holds_alternative<FailedEvent>(last) ? State::Failed : State::Finished);
  m_events.push(std::move(last));
}

}  // namespace strata
