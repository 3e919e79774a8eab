// SPDX-License-Identifier: GPL-3.0-or-later
#include "gui/training_session.h"

#include <QDateTime>
#include <QThread>
#include <algorithm>
#include <cmath>
#include <filesystem>

#include "datasets/source.h"
#include "engine/base/error.h"
#include "engine/base/user_dirs.h"
#include "engine/run/run_folder.h"
#include "engine/run/suitability.h"
#include "gui/runs_loader.h"
#include "gui/theme.h"
#include "gui/words.h"

namespace strata::gui {
namespace {

constexpr int kDrainMs = 33;
constexpr int kSnapshotMs = 500;
constexpr char kCpu[] = "cpu";

QString text(const std::string& s) { return QString::fromStdString(s); }

QString rateText(double rate) { return QString::number(rate, 'g', 4); }

}  // namespace

TrainingSession::TrainingSession(Document& document, QObject* parent) : QObject(parent), m_document(document) {
  m_timer.setInterval(kDrainMs);
  m_snapshotTimer.setInterval(kSnapshotMs);
  connect(&m_timer, &QTimer::timeout, this, &TrainingSession::drain);
  connect(&m_snapshotTimer, &QTimer::timeout, this, &TrainingSession::requestSnapshot);
  connect(&m_document, &Document::changed, this, &TrainingSession::stateChanged);
}

TrainingSession::~TrainingSession() = default;

void TrainingSession::setDataset(std::shared_ptr<const Dataset> dataset) {
  m_dataset = std::move(dataset);
  emit datasetChanged();
  emit stateChanged();
}

void TrainingSession::setBackend(const QString& id, int threads) {
  if (id == m_backend && threads == m_threads) return;
  m_backend = id;
  m_threads = threads;
  emit backendChanged();
}

bool TrainingSession::active() const {
  const auto s = state();
  return s == Trainer::State::Running || s == Trainer::State::Paused || s == Trainer::State::Stopping;
}

QString TrainingSession::startBlockedReason() const {
  if (active()) return tr("Stop the run first");
  if (!m_dataset) return tr("Choose a data set first");
  if (!findUserDataDir()) return tr("HOME is not set, so there is no place for a run");
  const auto& project = m_document.project();
  const auto& analysis = m_document.analysis();
  if (!analysis.ok()) {
    int errors = 0, layer = -1;
    for (const auto& issue : analysis.issues) {
      if (issue.level != Issue::Level::Error) continue;
      if (!errors++) layer = issue.layer;
    }
    const bool named = layer >= 0;
    const auto where = named ? tr(" in %1").arg(text(pathOf(project.network, layer))) : QString();
    return errors == 1 ? tr("Fix 1 error%1 first").arg(where) : tr("Fix %1 errors first").arg(errors);
  }
  const QString unfit = text(misfit(project.network, *m_dataset, project.training.loss.def().target));
  return unfit.isEmpty() ? splitBlockedReason() : unfit;
}

QString TrainingSession::splitBlockedReason() const {
  const auto& data = m_document.project().data;
  try {
    splitSizes(*m_dataset, validationSource(data.validation, *m_dataset), data.validationFraction);
    return {};
  } catch (const Error& error) {
    return text(error.what());
  }
}

bool TrainingSession::hasRunsData() const { return m_dataset && m_dataset->title == m_run.datasetTitle; }

QString TrainingSession::blockedReason(Action action) const {
  using A = Trainer::Action;
  const auto ask = [this](A a) { return text(m_trainer.blockedReason(a)); };
  switch (action) {
    case Action::Start:
      return startBlockedReason();
    case Action::Pause:
      return ask(A::Pause);
    case Action::Resume:
      return ask(A::Resume);
    case Action::Stop:
      return ask(A::Stop);
    case Action::StepBatch:
    case Action::StepEpoch:
      if (!active()) return startBlockedReason();
      return ask(action == Action::StepBatch ? A::StepBatch : A::StepEpoch);
    case Action::Continue:
      if (active()) return tr("The run is not over");
      if (!hasRun()) return tr("There is no run yet");
      if (m_run.state == "diverged") return tr("The run diverged. Branch from an epoch with a lower learning rate");
      if (!hasRunsData()) return tr("Load %1 first, which the run trained on").arg(text(m_run.datasetTitle));
      if (!hasCheckpoint(m_run.folder)) return tr("The run's folder holds no checkpoint to go on from");
      return {};
  }
  return {};
}

bool TrainingSession::documentEdited() const {
  Project then = m_startedFrom;
  then.training.epochs = m_document.project().training.epochs;
  return !(then == m_document.project());
}

TrainingSession::Action TrainingSession::primaryAction() const {
  switch (state()) {
    case Trainer::State::Running:
    case Trainer::State::Stopping:
      return Action::Pause;
    case Trainer::State::Paused:
      return Action::Resume;
    default:
      break;
  }
  return hasRun() && !documentEdited() && blockedReason(Action::Continue).isEmpty() ? Action::Continue : Action::Start;
}

QString TrainingSession::stateWord() const {
  switch (state()) {
    case Trainer::State::Running:
      return tr("Training");
    case Trainer::State::Paused:
      return tr("Paused");
    case Trainer::State::Stopping:
      return tr("Stopping");
    case Trainer::State::Failed:
      return tr("Failed");
    case Trainer::State::Finished:
      return m_run.state == "stopped" ? tr("Stopped") : tr("Finished");
    case Trainer::State::Idle:
      break;
  }
  return startBlockedReason().isEmpty() ? tr("Ready") : tr("Cannot start");
}

QString TrainingSession::stateFacts() const {
  const auto& plan = m_run.project.training;
  switch (state()) {
    case Trainer::State::Running:
    case Trainer::State::Paused:
    case Trainer::State::Stopping:
      if (m_progress.batches == 0) return tr("Getting ready");
      return tr("Epoch %1 of %2 · batch %3 of %4")
          .arg(m_progress.epoch)
          .arg(plan.epochs)
          .arg(m_progress.batch)
          .arg(m_progress.batches);
    case Trainer::State::Failed:
      return text(m_run.reason);
    case Trainer::State::Finished: {
      const auto done = tr("%1 of %2 · %3")
                            .arg(m_run.epochs.size())
                            .arg(counted(plan.epochs, tr("1 epoch"), tr("%1 epochs")), duration(elapsedSeconds()));
      return m_run.synthetic ? tr("%1 · synthetic digits").arg(done) : done;
    }
    case Trainer::State::Idle:
      break;
  }
  if (const auto reason = startBlockedReason(); !reason.isEmpty()) return reason;
  const auto& t = m_document.project().training;
  const auto& data = m_document.project().data;
  const auto samples =
      splitSizes(*m_dataset, validationSource(data.validation, *m_dataset), data.validationFraction).train;
  const auto batches = (qint64(samples) + t.batchSize - 1) / t.batchSize;
  const auto facts = tr("%1 · %2 · batch %3")
                         .arg(counted(t.epochs, tr("1 epoch"), tr("%1 epochs")),
                              counted(batches * t.epochs, tr("1 step"), tr("%1 steps")))
                         .arg(t.batchSize);
  return m_dataset->synthetic ? tr("synthetic digits · %1").arg(facts) : facts;
}

QString TrainingSession::timeFacts() const {
  if (state() == Trainer::State::Finished && m_run.bestEpoch > 0) {
    const auto monitor = monitorOf(m_run.project.training);
    return tr("best %1 at epoch %2")
        .arg(figureText(monitor, m_run.epochs[std::size_t(m_run.bestEpoch - 1)].value(monitor)))
        .arg(m_run.bestEpoch);
  }
  if (!active() || m_progress.secondsPerStep <= 0) return {};
  const int epochs = m_run.project.training.epochs;
  const double total = double(epochs) * m_batchesPerEpoch;
  double seconds = std::max(0.0, total - double(m_progress.step)) * m_progress.secondsPerStep;
  if (!m_run.epochs.empty()) seconds += m_run.epochs.back().valSeconds * (epochs - int(m_run.epochs.size()));
  const auto left = tr("%1 left").arg(duration(seconds));
  if (state() != Trainer::State::Running) return left;
  return tr("%1 · ends about %2").arg(left, QDateTime::currentDateTime().addSecs(qint64(seconds)).toString("HH:mm"));
}

double TrainingSession::progress() const {
  if (!hasRun()) return 0;
  const double total = double(m_run.project.training.epochs) * m_batchesPerEpoch;
  return total > 0 ? std::clamp(double(m_progress.step) / total, 0.0, 1.0) : 0;
}

double TrainingSession::elapsedSeconds() const {
  double seconds = 0;
  for (const auto& e : m_run.epochs) seconds += e.epochSeconds + e.valSeconds;
  if (m_progress.epoch > int(m_run.epochs.size())) seconds += m_progress.batch * m_progress.secondsPerStep;
  return seconds;
}

void TrainingSession::perform(Action action, int phase) {
  drain();
  if (phase == m_phase) perform(action);
}

void TrainingSession::perform(Action action) {
  drain();  // the run may have ended since the last look
  if (!blockedReason(action).isEmpty()) return;
  switch (action) {
    case Action::Start:
      startNew(false);
      break;
    case Action::Pause:
      m_trainer.pause();
      break;
    case Action::Resume:
      m_trainer.resume();
      break;
    case Action::Continue:
      continueRun(m_run.folder);
      break;
    case Action::StepBatch:
      if (!active()) startNew(true);
      m_trainer.stepBatch();
      break;
    case Action::StepEpoch:
      if (!active()) startNew(true);
      m_trainer.stepEpoch();
      break;
    case Action::Stop:
      m_trainer.stop();
      break;
  }
  emit stateChanged();
}

/// Begins a run, or says why it cannot be: data that cannot be split, no place for a folder, no memory.
void TrainingSession::attempt(const std::function<void()>& begin) {
  QString reason;
  try {
    return begin();
  } catch (const std::bad_alloc&) {
    reason = tr("There is not enough memory to begin.");
  } catch (const std::exception& error) {
    reason = QString::fromUtf8(error.what());
  }
  emit note(NoteEvent::Level::Warning, reason);
  emit refused(reason);
}

TrainJob TrainingSession::jobFor(const Project& project) const {
  TrainJob job;
  job.project = project;
  job.project.data.source = resolveSource(project.data.source, m_document.path().toStdString());
  DataSpec& data = job.project.data;
  data.validation = validationSource(data.validation, *m_dataset);
  job.data = makeDataView(m_dataset, data.validation, data.validationFraction, project.training.seed);
  job.backend = m_backend.toStdString();
  job.threads = m_threads;
  return job;
}

void TrainingSession::startNew(bool paused) {
  attempt([&] {
    auto job = jobFor(m_document.project());
    job.runFolder = newRunFolder(runsDir());
    job.startPaused = paused;
    launch(std::move(job), nullptr);
  });
}

QString TrainingSession::branchBlockedReason(const RunRecord& run, int epoch) const {
  if (active()) return tr("Stop the run first, then branch from one of its epochs");
  std::error_code none;
  if (!std::filesystem::exists(weightsFile(run.folder, epoch), none))
    return tr("The weights of epoch %1 are not on disk").arg(epoch);
  return startBlockedReason();
}

void TrainingSession::branchFrom(Path run, int epoch) {
  drain();
  if (active() || !startBlockedReason().isEmpty()) return;
  attempt([&] {
    auto job = jobFor(m_document.project());
    job.startWeights = readWeightsOf(epoch, weightsFile(run, epoch)).weights;
    if (job.startWeights->places != layoutFor(job.project.network).places)
      throw Error(
          Error::Kind::Input, {},
          tr("The net in Build differs from that of epoch %1: open the run in Build first.").arg(epoch).toStdString());
    job.runFolder = newRunFolder(runsDir());
    launch(std::move(job), nullptr);
    emit note(NoteEvent::Level::Info,
              tr("Branched from epoch %1 of %2.").arg(epoch).arg(text(run.filename().string())));
  });
}

void TrainingSession::continueRun(Path folder) {
  drain();
  if (active() || !m_dataset) return;
  attempt([&] {
    if (const std::string holder = lockHolder(folder); !holder.empty())
      throw Error(Error::Kind::File, folder.string(), "the run is being trained by " + holder, "Wait until it ends");
    const RunRecord record = folder == m_run.folder ? m_run : readRun(folder);
    auto project = record.project;
    const int done = int(record.epochs.size());
    const int wanted = folder == m_run.folder ? m_document.project().training.epochs : project.training.epochs;
    if (project.training.epochs <= done) project.training.epochs = wanted > done ? wanted : done + kMoreEpochs;
    auto job = jobFor(project);
    job.resumeFrom = job.runFolder = folder;
    launch(std::move(job), &record);
  });
}

bool TrainingSession::canGoOnWithCpu() const { return m_deviceFailed && !active() && hasRunsData(); }

void TrainingSession::goOnWithCpu() {
  drain();
  if (!canGoOnWithCpu()) return;
  setBackend(kCpu, m_threads);
  if (hasCheckpoint(m_run.folder)) return continueRun(m_run.folder);
  attempt([&] {
    auto job = jobFor(m_run.project);
    job.runFolder = newRunFolder(runsDir());
    job.startWeights = m_startWeights;
    launch(std::move(job), nullptr);
  });
}

void TrainingSession::launch(TrainJob job, const RunRecord* continued) {
  const bool sameRun = continued && continued->folder == m_run.folder;
  if (!sameRun) {
    m_batches = {};
    m_changes.clear();
  }
  m_run = continued ? *continued : RunRecord();
  m_run.folder = job.runFolder;
  if (!continued) m_run.name = job.runFolder.filename().string();
  m_run.project = job.project;
  m_run.project.data.preprocessing = resolved(job.project.data.preprocessing, job.data);
  m_run.backend = job.backend;
  m_run.datasetTitle = m_dataset->title;
  m_run.synthetic = m_dataset->synthetic;
  m_run.threads = m_threads > 0 ? m_threads : QThread::idealThreadCount();
  m_run.state = "training";
  if (!continued) m_run.started = QDateTime::currentDateTimeUtc().toString(Qt::ISODate).toStdString();
  m_run.parameters = analyse(job.project.network).parameters;
  m_startWeights = job.startWeights;
  m_deviceFailed = false;
  m_startedFrom = m_document.project();
  m_progress = {};
  m_snapshot.reset();
  m_runDataset = job.data.dataset;
  m_over = false;
  ++m_phase;
  const auto batch = job.project.training.batchSize;
  m_batchesPerEpoch = std::max(1, (int(job.data.train.size()) + batch - 1) / batch);
  m_trainer.start(std::move(job));
  m_timer.start();
  m_snapshotTimer.start();
  if (m_dataset->synthetic) {
    emit note(NoteEvent::Level::Warning,
              tr("Training on synthetic digits, not on MNIST: the figures are not comparable."));
  }
  emit runStarted();
  emit stateChanged();
}

void TrainingSession::requestSnapshot() {
  if (state() == Trainer::State::Running) m_trainer.requestSnapshot();
}

void TrainingSession::setLearningRate(double rate) {
  auto& fields = m_run.project.training.optimizer.fields;
  const double old = m_run.project.training.optimizer.learningRate();
  if (!active() || rate == old) return;
  fields.set("learning_rate", rate);
  m_trainer.setLearningRate(rate);
  m_changes.push_back(
      {double(m_progress.step) / m_batchesPerEpoch, tr("rate %1 → %2").arg(rateText(old), rateText(rate))});
}

void TrainingSession::setEpochs(int epochs) {
  if (!active() || epochs == m_run.project.training.epochs) return;
  m_run.project.training.epochs = epochs;
  m_trainer.setEpochs(epochs);
  emit stateChanged();
}

void TrainingSession::stopAndWait() {
  if (active()) m_trainer.stop();
  m_trainer.wait();
  drain();
}

// Whoever is told of an event may ask for an action, which drains as well: what is still to be handled stands in
// m_events, so that nothing is handled out of order or after the start of another run.
void TrainingSession::drain() {
  for (auto& event : m_trainer.events().drain()) m_events.push_back(std::move(event));
  while (!m_events.empty()) {
    TrainEvent event = std::move(m_events.front());
    m_events.pop_front();
    std::visit([this](auto& e) { handle(e); }, event);
  }
  if (std::exchange(m_progressed, false)) emit progressed();
  if (m_over && !active()) {
    m_batches.flush();
    m_timer.stop();
    m_snapshotTimer.stop();
  }
}

void TrainingSession::handle(const StartedEvent& event) {
  m_totalSteps = event.totalSteps;
  m_batchesPerEpoch = std::max(1, event.batchesPerEpoch);
  m_progress.step = event.step;
  if (!event.runFolder.empty() && m_batches.empty()) m_batches.keepIn(Path(event.runFolder) / "batches.bin");
  // The trainer says where the run goes on from: from an older checkpoint where the last one is damaged or was not
  // written. What came after it is trained again, and counted once.
  const bool otherBatches = m_batches.lastStep() > event.step, otherEpochs = m_run.epochs != event.epochs;
  m_batches.dropAfter(event.step);
  const double position = double(event.step) / m_batchesPerEpoch;
  std::erase_if(m_changes, [&](const Change& change) { return change.epoch > position; });
  m_run.epochs = event.epochs;
  m_run.bestEpoch = event.bestEpoch;
  if (otherBatches || otherEpochs) emit historyChanged();
  emit stateChanged();
}

void TrainingSession::handle(ProgressEvent& event) {
  m_batches.append(event.points);
  event.points.clear();
  m_progress = std::move(event);
  m_progressed = true;
}

void TrainingSession::handle(const EpochDoneEvent& event) {
  m_run.epochs.push_back(event.record);
  if (event.best) m_run.bestEpoch = event.record.epoch;
  emit epochDone(event.record, event.best);
}

void TrainingSession::handle(const SnapshotEvent& event) {
  m_snapshot = event.snapshot;
  emit snapshotReady();
}

void TrainingSession::handle(const NoteEvent& event) { emit note(event.level, text(event.text)); }

void TrainingSession::handle(const FinishedEvent& event) {
  endRun(event.reason == FinishedEvent::Reason::Stopped ? "stopped" : "finished");
}

void TrainingSession::handle(const FailedEvent& event) {
  m_run.reason = event.message;
  m_deviceFailed = event.kind == Error::Kind::Device && m_run.backend != kCpu;
  emit note(NoteEvent::Level::Warning, text(event.message));
  endRun(event.diverged ? "diverged" : "failed");
}

void TrainingSession::endRun(const std::string& state) {
  m_run.state = state;
  m_over = true;
  ++m_phase;
  emit finished();
  emit stateChanged();
}

void TrainingSession::handle(const StateEvent&) { emit stateChanged(); }

}  // namespace strata::gui
