// SPDX-License-Identifier: Apache-2.0
#include "engine/run/training_loop.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <thread>
#ifdef __SSE__
#include <pmmintrin.h>
#include <xmmintrin.h>
#endif

#include "engine/base/error.h"
#include "engine/base/json.h"
#include "engine/base/memory.h"
#include "engine/run/environment.h"
#include "engine/run/suitability.h"

namespace strata {
namespace {

constexpr std::chrono::seconds kSaveInterval{30};  ///< at most so much work is lost to a crash
constexpr double kReportSeconds = 0.03;            ///< as often the studio wants to hear of progress
constexpr int kCollapseBatches = 100;  ///< so many batches in a row no better than guessing: the net is lost

/// Numbers too small to matter cost a hundred times as much as others.
void flushDenormalsToZero() {
#ifdef __SSE__
  _MM_SET_FLUSH_ZERO_MODE(_MM_FLUSH_ZERO_ON);
  _MM_SET_DENORMALS_ZERO_MODE(_MM_DENORMALS_ZERO_ON);
#endif
}

/// Four digits say enough of a rate.
std::string shortNumber(double value) {
  char text[32];
  return {text, std::to_chars(text, text + sizeof text, value, std::chars_format::general, 4).ptr};
}

Error badJob(const std::string& where, const std::string& what, const std::string& wayOut) {
  return {Error::Kind::Input, where, what, wayOut};
}

}  // namespace

TrainingLoop::TrainingLoop(TrainJob job, EventQueue& events, LoopControl control)
    : m_job(std::move(job)), m_events(events), m_control(std::move(control)) {}

TrainEvent TrainingLoop::run() {
  try {
    flushDenormalsToZero();
    prepare();
    while (m_epoch < m_job.project.training.epochs && !stopsEarly()) {
      if (const auto reason = trainEpoch()) return finished(*reason);
      // Orders are taken between batches; what was asked for during a validation that is stopped, or that was to be the
      // last, is taken here.
      const bool validated = validate();
      if (validated) endEpoch();
      if (!validated || m_epoch == m_job.project.training.epochs || stopsEarly()) change(m_control.changes());
      if (!validated) return finished(Reason::Stopped);
      if (m_stepsHere == m_job.maxSteps && m_job.maxSteps > 0) return finished(Reason::StepsDone);
    }
    return finished(stopsEarly() ? Reason::EarlyStop : Reason::Completed);
  } catch (const Error& error) {
    return failed(error.kind(), error.what());
  } catch (const std::bad_alloc&) {
    return failed(Error::Kind::Device, "Training: the memory is exhausted. Use a smaller batch or a smaller network.");
  } catch (const std::exception& error) {
    return failed(Error::Kind::Device, std::string("Training: ") + error.what());
  }
}

void TrainingLoop::checkJob() const {
  const Project& project = m_job.project;
  const Analysis analysis = analyse(project);
  for (const Issue& issue : analysis.issues)
    if (issue.level == Issue::Level::Error) {
      const std::string layer = issue.layer >= 0 ? ", layer " + pathOf(project.network, issue.layer) : "";
      throw badJob("network" + layer,
                   issue.text.ends_with('.') ? issue.text.substr(0, issue.text.size() - 1) : issue.text,
                   "Mend the layer and start again");
    }
  if (!m_job.data.dataset) throw badJob("data", "no data set is loaded", "Choose one first");
  const Dataset& dataset = *m_job.data.dataset;
  if (const std::string reason = misfit(project.network, dataset, project.training.loss.def().target); !reason.empty())
    throw badJob("network", reason, "Fit the net's input and classes to the data, or choose other data");
  if (project.data.augmentation.any() && (dataset.train.areFloats() || !dataset.shape.isImage()))
    throw badJob("data.augmentation",
                 "changes pictures made of bytes, " + dataset.title + " has samples of " + dataset.shape.text() +
                     (dataset.train.areFloats() ? " numbers" : ""),
                 "Set every augmentation to nothing, or choose pictures");
  if (m_job.data.train.empty())
    throw badJob("data", "there is not one sample to train on", "Hold out a smaller part for validation");
  requireMemory(analysis.trainingBytes(project.training.batchSize, project.training.optimizer.slotsPerWeight()),
                "network", "training it with batches of " + std::to_string(project.training.batchSize),
                "Use a smaller batch or smaller layers");
}

/// Whether the run has waited for a better epoch as long as it may. Only what the record says counts, so a run that is
/// resumed ends where it would have.
bool TrainingLoop::stopsEarly() const {
  const int patience = m_job.project.training.patience;
  return patience > 0 && m_epoch - m_record.bestEpoch >= patience;
}

void TrainingLoop::prepare() {
  checkJob();
  std::optional<ResumePoint> point;
  if (!m_job.resumeFrom.empty()) point = findResumePoint(m_job.resumeFrom);
  const TrainingSpec& training = m_job.project.training;
  const DataView& data = m_job.data;
  m_job.project.data.preprocessing = resolved(m_job.project.data.preprocessing, data);
  m_backend = m_job.makeBackend ? m_job.makeBackend() : createBackend(m_job.backend, m_job.threads);
  checkPrecision(*m_backend, m_job.precision);
  const MetricIds metrics = metricsOf(training);
  m_scorer.emplace(training.loss, metrics);
  m_batchMetric = !metrics.empty() && !findMetric(metrics.front())->validationAlone();
  m_training.emplace(data.dataset->train, data.train, data.dataset->shape, m_job.project.data.preprocessing,
                     training.batchSize, m_job.project.data.augmentation);
  // A run that is made longer later on keeps the beginning that it started with.
  AverageSpec& average = m_job.project.training.optimizer.average;
  average.start = average.startIn(totalSteps());
  if (point && point->checkpoint.averageStart) average.start = *point->checkpoint.averageStart;
  m_net = m_backend->compile({m_job.project.network, training.optimizer, training.loss, metrics, training.batchSize,
                              training.seed, m_job.precision});
  m_validation.emplace(data.validationSamples(), data.validation, data.dataset->shape, m_job.project.data.preprocessing,
                       training.batchSize);
  m_validation->startEpoch(0, false, 0);
  m_outputs.resize(static_cast<std::size_t>(training.batchSize * outputSize(m_job.project.network)));

  m_fingerprint = fingerprintOf(data, m_job.project.data.validationFraction, training.seed, training.shuffle);

  std::error_code code;
  if (std::filesystem::equivalent(m_job.runFolder, m_job.resumeFrom, code)) m_job.runFolder = m_job.resumeFrom;
  m_record.folder = m_job.runFolder;
  m_record.name = m_job.runFolder.filename().string();
  m_record.started = utcNow();
  m_net->setWeights(m_job.startWeights ? *m_job.startWeights : initialWeights(m_job.project.network, training.seed));
  if (point) resume(*point);
  m_good = makeCheckpoint();
  openFolder();
  if (training.patience > 0 && m_record.bestEpoch > 0) m_best = bestSoFar();
  m_mark = m_lastSave = Clock::now();
  m_events.push(StartedEvent{m_job.runFolder.string(), m_step, totalSteps(), m_training->count(), m_record.epochs,
                             m_record.bestEpoch});
  for (const std::string& remark : remarks(m_job.project.network, *m_job.data.dataset, m_scorer->loss().target))
    note(NoteEvent::Level::Warning, remark);
  if (const std::string warning = polarityWarning(m_job.project.data.preprocessing); !warning.empty())
    note(NoteEvent::Level::Warning, warning);
  sendSnapshot(m_good.get());
}

/// Takes over the state and the history of an earlier run.
void TrainingLoop::resume(const ResumePoint& point) {
  const Path& folder = m_job.resumeFrom;
  if (!point.begun)
    return note(NoteEvent::Level::Info,
                "The run was ended before its first checkpoint; it starts with its first step.");
  std::vector<std::string> problems;
  for (const std::string& problem : point.problems) problems.push_back("Passed over a checkpoint. " + problem);
  const Checkpoint& from = point.checkpoint;
  checkSameRun(from);
  if (point.weightsAlone && m_job.project.training.optimizer.slotsPerWeight() > 0)
    problems.push_back("The run goes on from the weights of epoch " + std::to_string(from.epoch) +
                       " alone: the optimizer's state is lost, so it will not come out as it would have.");

  const RunRecord old = readRun(folder, &problems);
  m_record.epochs = epochsUpTo(from, old, problems);
  m_record.bestEpoch = bestEpochOf(m_record.epochs, monitor());
  if (folder == m_job.runFolder) {
    m_record.name = old.name;
    if (!old.started.empty()) m_record.started = old.started;
  }
  for (const std::string& problem : problems) note(NoteEvent::Level::Warning, problem);
  m_net->setWeights(from.weights);
  if (!point.weightsAlone) {
    checkOptimizerState(from, m_job.project.training.optimizer, folder.string());
    m_net->setOptimizerState(from.optimizerState);
  } else if (m_job.project.training.optimizer.average.kept()) {
    // The weights of that file are the mean that was kept; a new one goes on from there.
    std::vector<float> state = m_net->optimizerState();
    std::ranges::copy(from.weights.values, state.end() - std::ssize(from.weights.values));
    m_net->setOptimizerState(state);
  }
  takePosition(from, old.project.training);
}

/// The weights of the best epoch of a run that goes on; null where they are lost, which has been told.
std::shared_ptr<const Checkpoint> TrainingLoop::bestSoFar() const {
  if (m_good->epoch == m_record.bestEpoch && m_good->epochSamples == 0)
    return std::make_shared<Checkpoint>(resultOf(*m_good));
  const Path& folder = m_job.runFolder.empty() ? m_job.resumeFrom : m_job.runFolder;
  try {
    auto best = std::make_shared<Checkpoint>(readCheckpoint(folder / "checkpoints" / "best.safetensors"));
    if (best->epoch == m_record.bestEpoch && best->weights.places == m_good->weights.places) return best;
  } catch (const Error&) {  // opening the folder has tried to mend it
  }
  return nullptr;
}

/// Going on means the same net, data, split and order, and something left to train. Anything else is another run.
void TrainingLoop::checkSameRun(const Checkpoint& from) const {
  const std::string where = m_job.resumeFrom.string();
  const Project& project = m_job.project;
  if (from.network != project.network)
    throw badJob(where, "the run's network is not the project's",
                 "Resume with the run's own project, or start a new run from its weights");
  if (resolved(from.preprocessing, m_job.data) != project.data.preprocessing)
    throw badJob(where, "the run reads its pixels in another way than the project (scale, offset or polarity)",
                 "Resume with the run's own project, or start a new run from its weights");
  if (from.data)
    if (const std::string difference = differenceBetween(*from.data, m_fingerprint); !difference.empty())
      throw badJob(where, "the run cannot go on as the same run: " + difference,
                   "Resume with what it was started with, or start a new run from its weights with --weights");
  const int batchSize = project.training.batchSize, epochs = project.training.epochs;
  const auto samples = static_cast<std::int64_t>(m_job.data.train.size());
  if (from.epochSamples > samples || (from.epochSamples < samples && from.epochSamples % batchSize != 0))
    throw badJob(where,
                 "it was saved in the middle of an epoch, which another batch size or data set cannot go on with",
                 "Use the batch size and data it was started with");
  if (from.epoch > epochs || (from.epoch == epochs && from.epochSamples > 0))
    throw badJob(where,
                 "the run has trained " + std::to_string(from.epoch) + " epochs" +
                     (from.epochSamples > 0 ? " and a part of the next" : "") + ", more than the " +
                     std::to_string(epochs) + " asked for",
                 "Ask for more epochs than it has");
}

/// `before` is how the run was trained so far.
void TrainingLoop::takePosition(const Checkpoint& from, const TrainingSpec& before) {
  const int batchSize = m_job.project.training.batchSize;
  m_step = from.step;
  m_epoch = from.epoch;
  m_batch = static_cast<int>((from.epochSamples + batchSize - 1) / batchSize);
  m_lossSum = from.epochLossSum;
  for (std::size_t i = 0; i < m_scorer->metrics().size(); ++i) {
    const auto sum = from.epochMetrics.find(m_scorer->metrics()[i]->id);
    m_metricSums[i] = sum == from.epochMetrics.end() ? 0 : sum->second;
  }
  m_samples = from.epochSamples;
  m_epochSeconds = from.epochSeconds;
  if (m_job.project.training.schedule.followsMonitor()) m_plateau = from.plateau.value_or(PlateauState());
  if (m_step > 0) m_rate = rateAt(before, m_step - 1);
  noteStretch(before);
}

/// A schedule that is a part of the whole run runs otherwise when the run's length is changed; nobody should find that
/// out from the loss.
void TrainingLoop::noteStretch(const TrainingSpec& before) {
  const TrainingSpec& now = m_job.project.training;
  if (m_step == 0 || before.epochs == now.epochs) return;
  TrainingSpec unstretched = now;
  unstretched.epochs = before.epochs;
  const double was = rateAt(unstretched, m_step), is = rateAt(now, m_step);
  if (was == is) return;
  note(NoteEvent::Level::Warning, "The schedule now runs over " + std::to_string(now.epochs) + " epochs instead of " +
                                      std::to_string(before.epochs) + ": the learning rate goes on at " +
                                      shortNumber(is) + ", not at " + shortNumber(was) + ".");
}

void TrainingLoop::openFolder() {
  m_record.project = m_job.project;
  m_record.backend = m_backend->id();
  m_record.precision = precisionName(m_net->precision());
  m_record.datasetTitle = m_job.data.dataset->title;
  m_record.synthetic = m_job.data.dataset->synthetic;
  m_record.threads =
      m_job.threads > 0 ? m_job.threads : static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
  m_record.parameters = analyse(m_job.project.network).parameters;
  m_record.state = "training";
  if (m_job.runFolder.empty()) return;
  const Json environment = describeEnvironment(m_job, m_record);
  m_folder =
      std::make_unique<RunFolder>(RunFolder::Entry{m_record, environment, m_good, m_job.resumeFrom, m_job.savePace});
  for (const std::string& problem : m_folder->problems()) note(NoteEvent::Level::Warning, problem);
}

std::optional<TrainingLoop::Reason> TrainingLoop::trainEpoch() {
  const TrainingSpec& training = m_job.project.training;
  m_training->startEpoch(m_epoch, training.shuffle, training.seed);
  while (m_batch < m_training->count()) {
    if (!obeyOrders(m_batch == 0 && m_stepsHere > 0)) return Reason::Stopped;
    trainRun();
    const bool epochDone = m_batch == m_training->count();
    if (m_stepsHere == m_job.maxSteps && m_job.maxSteps > 0 && !epochDone) return Reason::StepsDone;
    if (m_folder && (m_guessedBatches == 0 || !hasLearned()) && Clock::now() - m_lastSave > kSaveInterval) {
      m_good = makeCheckpoint();
      m_folder->checkpoint(m_good);
    }
  }
  return std::nullopt;
}

bool TrainingLoop::obeyOrders(bool epochEnded) {
  for (;;) {
    const Orders orders = m_control.orders(epochEnded);
    epochEnded = false;
    if (orders.waited) m_mark = Clock::now();
    change(orders);
    if (orders.snapshot) sendSnapshot();
    if (orders.stop) return false;
    if (orders.train) return true;
  }
}

void TrainingLoop::change(const Orders& orders) {
  if (orders.learningRate) changeRate(*orders.learningRate);
  if (orders.epochs) changeEpochs(*orders.epochs);
}

// As many as fit in one report to the studio, so that orders are not kept waiting.
int TrainingLoop::batchesAtOnce() const {
  int count = std::min(m_net->runLength(), m_training->count() - m_batch);
  if (m_job.maxSteps > 0)
    count = static_cast<int>(std::min<std::uint64_t>(static_cast<std::uint64_t>(count), m_job.maxSteps - m_stepsHere));
  if (count > 1)
    count = m_stepsHere == 0 ? 1 : std::clamp(static_cast<int>(kReportSeconds / m_secondsPerStep), 1, count);
  return count;
}

void TrainingLoop::trainRun() {
  const TrainingSpec& training = m_job.project.training;
  std::vector<double> rates(static_cast<std::size_t>(batchesAtOnce()));
  for (std::size_t i = 0; i < rates.size(); ++i) rates[i] = rateAt(training, m_step + i);
  const std::vector<LossResult> results = m_net->trainRun(*m_training, m_batch, rates, m_step);
  const double seconds = lap() / static_cast<double>(results.size());
  for (std::size_t i = 0; i < results.size(); ++i) {
    if (!std::isfinite(results[i].lossSum)) {
      const NonFinite first = m_net->findNonFinite(m_training->at(m_batch), m_step);
      diverge(first.layer, first.what);
    }
    record(results[i], static_cast<int>(m_training->numbers(m_batch).size()), rates[i], seconds);
  }
}

/// Takes in the result of batch m_batch.
void TrainingLoop::record(const LossResult& result, int samples, double rate, double seconds) {
  m_rate = rate;
  m_lossSum += result.lossSum;
  for (std::size_t i = 0; i < m_metricSums.size(); ++i) m_metricSums[i] += result.metrics[i];
  m_samples += samples;
  ++m_step;
  ++m_batch;
  ++m_stepsHere;
  m_epochSeconds += seconds;
  m_secondsPerStep =
      m_stepsHere == 1 ? seconds : m_secondsPerStep + (seconds - m_secondsPerStep) * (1 - std::exp(-seconds));
  sendProgress(result.lossSum / samples, m_batchMetric ? result.metrics[0] / samples : std::nan(""), rate);
  watchForCollapse(m_batch - 1, result.lossSum / samples);
}

/// Whether an epoch has ended well better than guessing.
bool TrainingLoop::hasLearned() const {
  return std::any_of(m_record.epochs.begin(), m_record.epochs.end(),
                     [&](const EpochRecord& epoch) { return epoch.loss < guessingLoss() / 2; });
}

// One huge step can leave every unit of a layer dead: the loss is finite, but the gradient is zero and nothing will
// ever be learned again. A net that has not learned yet may only be slow, so it is stopped for a dead layer alone.
void TrainingLoop::watchForCollapse(int batch, double loss) {
  m_guessedBatches = loss > 0.9 * guessingLoss() ? m_guessedBatches + 1 : 0;
  if (m_guessedBatches == 0 || m_guessedBatches % kCollapseBatches != 0) return;
  std::vector<std::vector<float>> outputs;
  m_net->activations(m_training->at(batch), outputs);
  const auto dead = std::find_if(outputs.begin(), outputs.end(), [](const auto& values) {
    return std::all_of(values.begin(), values.end(), [](float v) { return v == 0; });
  });
  if (dead == outputs.end() && !hasLearned()) return;
  if (dead != outputs.end())
    m_divergedLayer = lower(m_job.project.network).nodes[static_cast<std::size_t>(dead - outputs.begin())].path;
  throw divergence("for " + std::to_string(m_guessedBatches) + " batches the net has only guessed" +
                   (m_divergedLayer.empty() ? "" : ", and every output of layer " + m_divergedLayer + " is 0"));
}

/// By the mean of the weights, where one has begun.
bool TrainingLoop::validate() {
  if (!m_job.project.training.optimizer.average.begunAfter(m_step)) return validateWeights();
  const Weights trained = m_net->weights();
  m_net->setWeights(resultNow(trained));
  const bool done = validateWeights();
  m_net->setWeights(trained);
  return done;
}

/// resultWeights() of the net as it stands.
Weights TrainingLoop::resultNow(const Weights& trained) const {
  if (!m_job.project.training.optimizer.average.begunAfter(m_step)) return trained;
  const std::vector<float> state = m_net->optimizerState();
  return {trained.places,
          averagedWeights(lower(m_job.project.network), trained.values, std::span(state).last(trained.values.size()))};
}

bool TrainingLoop::validateWeights() {
  Validation validation(*m_scorer, outputSize(m_job.project.network));
  lap();
  for (int i = 0; i < m_validation->count(); ++i) {
    if (m_control.stopWanted()) return false;
    const Batch batch = m_validation->at(i);
    m_net->forward(batch, m_outputs.data());
    validation.add(batch, m_outputs.data());
  }
  m_validated.valLoss = validation.loss();  // nothing to validate on: not a number
  for (const auto& [id, value] : validation.metrics()) m_validated.metrics[withVal(id)] = value;
  m_validated.valSeconds = lap();
  return true;
}

void TrainingLoop::endEpoch() {
  EpochRecord record = m_validated;
  record.epoch = ++m_epoch;
  record.loss = m_lossSum / static_cast<double>(m_samples);
  for (std::size_t i = 0; i < m_scorer->metrics().size(); ++i)
    record.metrics[m_scorer->metrics()[i]->id] = m_metricSums[i] / static_cast<double>(m_samples);
  record.epochSeconds = m_epochSeconds;
  record.samplesPerSecond = m_epochSeconds > 0 ? static_cast<double>(m_samples) / m_epochSeconds : 0;
  record.learningRate = m_rate;
  m_batch = 0;
  m_lossSum = m_epochSeconds = 0;
  m_metricSums = {};
  m_samples = 0;
  m_record.epochs.push_back(record);
  const TrainingSpec& training = m_job.project.training;
  seeValue(training.schedule, training.optimizer.learningRate(), monitoredValue(record, monitor()),
           higherIsBetter(monitor()), m_plateau);
  m_good = makeCheckpoint();
  m_record.bestEpoch = bestEpochOf(m_record.epochs, monitor());
  const bool best = m_record.bestEpoch == record.epoch;
  if (best && training.patience > 0) m_best = std::make_shared<Checkpoint>(resultOf(*m_good));
  if (m_folder) {
    m_folder->epoch(record, best, m_good);
    m_folder->summary(m_record);
    if (auto news = m_folder->takeNews()) m_events.push(std::move(*news));
  }
  m_events.push(EpochDoneEvent{record, best});
  sendSnapshot(m_good.get());
  lap();
}

void TrainingLoop::changeRate(double rate) {
  if (const auto* def = findChoice(allOptimizers(), m_job.project.training.optimizer.type))
    for (const Field& field : def->fields)
      if (field.id == "learning_rate")
        if (const auto problem = problemWith(field, rate)) return note(NoteEvent::Level::Warning, *problem);
  m_job.project.training.optimizer.fields.set("learning_rate", rate);
  m_record.project = m_job.project;
  note(NoteEvent::Level::Info,
       "Learning rate " + Json(rate).dump() + " from step " + std::to_string(m_step + 1) + " on.");
  if (!m_folder) return;
  m_folder->note(m_step, "learning_rate", rate);
  m_folder->project(m_job.project);
}

void TrainingLoop::changeEpochs(int epochs) {
  if (epochs < 1)
    return note(NoteEvent::Level::Warning, "A run has at least one epoch; got " + std::to_string(epochs) + ".");
  const TrainingSpec before = m_job.project.training;
  m_job.project.training.epochs = epochs;
  m_record.project = m_job.project;
  note(NoteEvent::Level::Info, "The run now ends after epoch " + std::to_string(epochs) + ".");
  noteStretch(before);
  if (!m_folder) return;
  m_folder->note(m_step, "epochs", epochs);
  m_folder->project(m_job.project);
}

/// Everything needed to go on from here. Weights that are not finite are never handed out: the run ends instead.
std::shared_ptr<const Checkpoint> TrainingLoop::makeCheckpoint() {
  auto checkpoint = std::make_shared<Checkpoint>();
  checkpoint->weights = m_net->weights();
  if (const std::string layer = firstNonFinite(checkpoint->weights); !layer.empty()) diverge(layer, "weights");
  checkpoint->network = m_job.project.network;
  checkpoint->loss = m_job.project.training.loss;
  checkpoint->preprocessing = m_job.project.data.preprocessing;
  checkpoint->classes = m_job.data.dataset->classes;
  checkpoint->optimizerState = m_net->optimizerState();
  for (const OptimizerSlot& slot : m_job.project.training.optimizer.stateSlots())
    checkpoint->optimizerSlots.push_back(slot.name);
  checkpoint->step = m_step;
  checkpoint->epoch = m_epoch;
  checkpoint->epochLossSum = m_lossSum;
  for (std::size_t i = 0; i < m_scorer->metrics().size(); ++i)
    checkpoint->epochMetrics[m_scorer->metrics()[i]->id] = m_metricSums[i];
  checkpoint->epochSamples = m_samples;
  checkpoint->epochSeconds = m_epochSeconds;
  checkpoint->data = m_fingerprint;
  const AverageSpec& average = m_job.project.training.optimizer.average;
  if (average.kept()) checkpoint->averageStart = average.start;
  if (m_job.project.training.schedule.followsMonitor()) checkpoint->plateau = m_plateau;
  if (m_epoch > 0) checkpoint->lastEpoch = m_record.epochs.back();
  m_lastSave = Clock::now();
  return checkpoint;
}

void TrainingLoop::sendSnapshot(const Checkpoint* checkpoint) {
  Weights weights = checkpoint ? resultWeights(*checkpoint) : resultNow(m_net->weights());
  m_events.push(SnapshotEvent{std::make_shared<const WeightSnapshot>(
      WeightSnapshot{m_job.project.network, std::move(weights), checkpoint ? checkpoint->step : m_step,
                     checkpoint ? checkpoint->epoch : m_epoch})});
}

void TrainingLoop::sendProgress(double loss, double metric, double rate) {
  ProgressEvent event;
  event.epoch = m_epoch + 1;
  event.epochs = m_job.project.training.epochs;
  event.batch = m_batch;
  event.batches = m_training->count();
  event.step = m_step;
  event.secondsPerStep = m_secondsPerStep;
  event.samplesPerSecond = m_job.project.training.batchSize / m_secondsPerStep;
  event.learningRate = rate;
  event.points.push_back({m_step, loss, metric});
  m_events.push(std::move(event));
}

void TrainingLoop::note(NoteEvent::Level level, const std::string& text) { m_events.push(NoteEvent{level, text}); }

void TrainingLoop::diverge(const std::string& layer, const std::string& what) {
  m_divergedLayer = layer;
  throw divergence(layer.empty() ? "the loss is not finite"
                                 : "the " + what + " of layer " + layer +
                                       (what == "output" || what == "gradient" ? " is" : " are") + " the first that " +
                                       (what == "weights" ? "are" : "is") + " not finite");
}

Error TrainingLoop::divergence(const std::string& why) const {
  const std::string kept =
      m_good ? "The weights of step " + std::to_string(m_good->step) + " are kept; a smaller learning rate may help"
             : "";
  return {Error::Kind::Diverged, "Epoch " + std::to_string(m_epoch + 1) + ", step " + std::to_string(m_step + 1),
          "training diverged: " + why, kept};
}

TrainEvent TrainingLoop::finished(Reason reason) {
  FinishedEvent event{reason, m_record.bestEpoch, monitor(), std::nan("")};
  if (m_record.bestEpoch > 0) event.bestValue = m_record.epochs[m_record.bestEpoch - 1].value(event.monitor);
  if (m_good->step != m_step) m_good = makeCheckpoint();
  const bool best = m_best && (reason == Reason::Completed || reason == Reason::EarlyStop);
  sendSnapshot(best ? m_best.get() : m_good.get());
  if (reason == Reason::EarlyStop)
    note(NoteEvent::Level::Info, "Stopped early: epoch " + std::to_string(m_record.bestEpoch) +
                                     " is still the best of " + std::to_string(m_epoch) +
                                     (best ? ". Its weights are the run's result." : "."));
  if (!m_folder) return event;
  m_record.state = reason == Reason::Completed || reason == Reason::EarlyStop ? "finished" : "stopped";
  m_folder->checkpoint(m_good);
  m_folder->summary(m_record);
  if (const std::string unsaved = m_folder->flush(); !unsaved.empty())
    return failed(Error::Kind::File, "The run ended well, but not all of it is saved. " + unsaved);
  m_folder.reset();
  return event;
}

TrainEvent TrainingLoop::failed(Error::Kind kind, std::string message) {
  const bool diverged = kind == Error::Kind::Diverged;
  if (m_good && diverged) sendSnapshot(m_good.get());
  if (m_folder) {
    m_record.state = diverged ? "diverged" : "failed";
    m_record.reason = message;
    if (m_good) m_folder->checkpoint(m_good);
    m_folder->summary(m_record);
    if (const std::string unsaved = m_folder->flush(); !unsaved.empty() && kind != Error::Kind::File)
      message += " " + unsaved;
    m_folder.reset();
  }
  return FailedEvent{diverged, kind, m_divergedLayer, message, m_step};
}

std::uint64_t TrainingLoop::totalSteps(const TrainingSpec& training) const {
  return static_cast<std::uint64_t>(training.epochs) * static_cast<std::uint64_t>(m_training->count());
}

double TrainingLoop::rateAt(const TrainingSpec& training, std::uint64_t step) const {
  const auto batches = static_cast<std::uint64_t>(m_training->count());
  return learningRateAt(training.schedule, training.optimizer.learningRate(), {step, totalSteps(training), batches},
                        m_plateau);
}

double TrainingLoop::lap() {
  const Clock::time_point now = Clock::now();
  const double seconds = std::chrono::duration<double>(now - m_mark).count();
  m_mark = now;
  return seconds;
}

}  // namespace strata
