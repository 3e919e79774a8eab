// SPDX-License-Identifier: Apache-2.0
// `strata train`: from a project file to a run folder.
#include <unistd.h>

#include <atomic>
#include <charconv>
#include <csignal>
#include <fstream>
#include <thread>

#include "datasets/datasets.h"
#include "datasets/source.h"
#include "engine/backend/backend.h"
#include "engine/base/error.h"
#include "engine/base/growing_file.h"
#include "engine/base/json.h"
#include "engine/base/user_dirs.h"
#include "engine/cli/command.h"
#include "engine/cli/terminal.h"
#include "engine/cli/train_report.h"
#include "engine/run/checkpoint.h"
#include "engine/run/run_record.h"
#include "engine/run/suitability.h"

namespace strata {
namespace {

struct TrainOptions {
  std::string project, backend, dataDir, out, weights, resume, logBatches;
  std::optional<int> epochs;
  std::optional<std::uint64_t> seed;
  std::optional<Precision> precision;
  std::uint64_t steps = 0;
  int threads = 0;
  std::vector<std::string> settings;
};

std::atomic<int> g_signal{0};

/// The first signal asks the run to save and end; whoever sends a second does not want to wait.
void onSignal(int number) {
  if (g_signal.exchange(number) != 0) _exit(128 + number);
}

void catchSignals() {
  struct sigaction action {};
  action.sa_handler = onSignal;
  for (const int number : {SIGINT, SIGTERM, SIGHUP}) sigaction(number, &action, nullptr);
  std::signal(SIGPIPE, SIG_IGN);  // a reader that goes away must not cost the run
}

/// `step,loss`, one line a batch. A log that is there already is gone on with when the run is.
class BatchLog {
 public:
  explicit BatchLog(const std::string& path) : m_path(path) {
    if (m_path.empty()) return;
    const auto type = std::filesystem::status(m_path).type();
    using enum std::filesystem::file_type;
    if (type != not_found && type != regular && type != character)  // a pipe would make the run wait for its reader
      throw Error(Error::Kind::File, m_path, "is not a regular file, so batch losses cannot be written to it",
                  "Name another file");
    m_file.open(m_path, std::ios::app);
    check();
  }
  /// The run begins, or goes on, behind `step`: what the log says of later ones will be written again.
  void begin(std::uint64_t step) {
    if (m_path.empty()) return;
    const std::uint64_t size = step > 0 ? sizeUpTo(step) : 0;
    std::error_code ignored;  // a device has no size
    std::filesystem::resize_file(m_path, size, ignored);
    if (size == 0) m_file << kHeader << '\n';
    check();
  }
  void add(const std::vector<BatchPoint>& points) {
    if (m_path.empty()) return;
    for (const BatchPoint& point : points) m_file << point.step << ',' << compactJson(numberOrNull(point.loss)) << '\n';
    m_file.flush();  // a run that is killed goes on behind a checkpoint, its log behind what is in the file
  }
  void close() {
    if (m_path.empty()) return;
    m_file.close();
    check();
  }

 private:
  static constexpr std::string_view kHeader = "step,loss";

  /// Of the header and the lines up to `step`; 0 for a file that is no such log.
  std::uint64_t sizeUpTo(std::uint64_t step) const {
    if (!std::filesystem::is_regular_file(m_path)) return 0;
    LineReader lines(m_path);
    std::string_view line;
    if (!lines.next(line) || line != kHeader) return 0;
    std::uint64_t size = lines.offset(), number = 0;
    while (lines.next(line) && std::from_chars(line.data(), line.data() + line.size(), number).ec == std::errc() &&
           number <= step)
      size = lines.offset();
    return size;
  }
  void check() const {
    if (!m_file)
      throw Error(Error::Kind::File, m_path, "cannot write the batch losses",
                  "Check the folder and the space on the disk");
  }
  std::string m_path;
  std::ofstream m_file;
};

Project projectFor(const TrainOptions& options, const Path& run) {
  const Path path = options.project.empty() ? run / "project.json" : Path(options.project);
  std::error_code code;
  if (options.project.empty() && !std::filesystem::exists(path, code))
    throw Error(Error::Kind::Input, run.string(), "holds no project.json: it is no run, or one that was never begun",
                "Start it again with its project");
  Project project = readProject(path);
  for (const std::string& setting : options.settings) applySetting(project, setting);
  if (options.epochs) applySetting(project, "training.epochs=" + std::to_string(*options.epochs));
  if (options.seed) applySetting(project, "training.seed=" + std::to_string(*options.seed));
  project.data.source = resolveSource(project.data.source, path);
  return project;
}

std::shared_ptr<const Dataset> datasetFor(const Project& project, const std::string& dataDir) {
  try {
    return loadDataset(project.data.source, dataDir, project.data.reading);
  } catch (const Error& error) {
    if (error.kind() != Error::Kind::File) throw;
    throw Error(Error::Kind::File, "", error.what(),
                "To train at once on drawn digits: --set data.source=synthetic-digits");
  }
}

/// A run that is resumed goes on as it began where the options leave it open: other backends and precisions leave other
/// bits.
void chooseBackend(TrainJob& job, const TrainOptions& options) {
  RunRecord run;
  if (!job.resumeFrom.empty()) run = describeRun(job.resumeFrom);
  job.backend = options.backend;
  for (const BackendDef& def : allBackends())
    if (job.backend.empty() && def.id == run.backend) job.backend = def.id;
  if (job.backend.empty()) job.backend = defaultBackendId();
  job.precision = options.precision;
  for (const Precision precision : {Precision::Float32, Precision::Tf32, Precision::Bfloat16})
    if (!job.precision && job.backend == run.backend && run.precision == precisionName(precision))
      job.precision = precision;
  checkPrecision(*createBackend(job.backend, 1), job.precision);
}

Path runFolderFor(const TrainOptions& options, const Path& resumeFrom) {
  if (!options.out.empty()) return options.out;
  if (!resumeFrom.empty()) return resumeFrom;
  if (!findUserDataDir())
    throw Error(Error::Kind::File, "HOME", "is not set, so there is no place for the run",
                "Name a folder for it with --out.");
  return newRunFolder(runsDir());
}

TrainJob jobFor(const TrainOptions& options) {
  TrainJob job;
  if (options.project.empty() && options.resume.empty())
    throw Error(Error::Kind::Usage, "strata train", "needed a project file, or --resume and a run");
  if (!options.resume.empty()) job.resumeFrom = findRun(options.resume);
  job.project = projectFor(options, job.resumeFrom);
  chooseBackend(job, options);  // an unknown or absent one is told before a data set is read
  job.threads = options.threads;
  job.maxSteps = options.steps;
  if (!options.weights.empty()) job.startWeights = readWeights(options.weights, job.project.network);
  const auto dataset = datasetFor(job.project, options.dataDir);
  DataSpec& data = job.project.data;
  data.validation = validationSource(data.validation, *dataset);
  job.data = makeDataView(dataset, data.validation, data.validationFraction, job.project.training.seed);
  job.runFolder = runFolderFor(options, job.resumeFrom);
  return job;
}

/// Passes the trainer's events to the report until the run has ended.
class Follower {
 public:
  Follower(const TrainJob& job, TrainReport& report, BatchLog& log)
      : m_job(job), m_report(report), m_log(log), m_epochs(job.project.training.epochs) {}

  int follow(Trainer& trainer) {
    bool stopping = false;
    while (!m_exitCode) {
      if (g_signal != 0 && !stopping) {
        // A large net takes its time to start. Nothing is trained yet, so there is nothing to wait for and to save.
        if (!m_started) _exit(128 + g_signal);
        stopping = true;
        trainer.stop();
      }
      const std::vector<TrainEvent> events = trainer.events().drain();
      for (const TrainEvent& event : events) std::visit([this](const auto& each) { handle(each); }, event);
      if (events.empty()) std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    trainer.wait();
    return *m_exitCode;
  }

 private:
  void handle(const StartedEvent& event) {
    m_started = true;
    m_step = event.step;
    m_log.begin(event.step);
    m_report.started(m_job, event);
  }
  void handle(const ProgressEvent& event) {
    m_step = event.step;
    m_epochs = event.epochs;
    m_log.add(event.points);
    m_report.progress(event);
  }
  void handle(const EpochDoneEvent& event) { m_report.epoch(event.record, m_epochs, event.best); }
  void handle(const NoteEvent& event) { m_report.note(event); }
  void handle(const SnapshotEvent&) {}
  void handle(const StateEvent&) {}
  void handle(const FinishedEvent& event) {
    m_report.finished(event, m_step, m_job.runFolder);
    const bool bySignal = event.reason == FinishedEvent::Reason::Stopped && g_signal != 0;
    m_exitCode = bySignal ? 128 + g_signal : 0;
  }
  void handle(const FailedEvent& event) {
    m_report.failed(event);
    throw Error(event.kind, "", event.message);
  }

  const TrainJob& m_job;
  TrainReport& m_report;
  BatchLog& m_log;
  int m_epochs;
  bool m_started = false;
  std::uint64_t m_step = 0;
  std::optional<int> m_exitCode;
};

int train(const TrainOptions& options, bool json) {
  catchSignals();
  const TrainJob job = jobFor(options);
  BatchLog log(options.logBatches);
  const auto report = makeTrainReport(json                       ? ReportStyle::Json
                                      : canRedraw(STDOUT_FILENO) ? ReportStyle::Terminal
                                                                 : ReportStyle::Plain);
  Trainer trainer;
  trainer.start(job);
  const int exitCode = Follower(job, *report, log).follow(trainer);
  log.close();
  return exitCode;
}

}  // namespace

void addTrain(CLI::App& app, Command& command) {
  CLI::App* sub = app.add_subcommand("train", "Train a project's network; what comes of it lies in a run folder");
  auto options = std::make_shared<TrainOptions>();
  sub->add_option("PROJECT", options->project, "A project file (.strata); with --resume the run's own unless given");
  sub->add_option("--epochs", options->epochs, "Epochs to train instead of the project's")
      ->check(CLI::Range(1, 1'000'000));
  sub->add_option("--steps", options->steps, "End after so many batches, with a checkpoint")
      ->check(CLI::Range(1, 1'000'000'000));
  sub->add_option("--backend", options->backend,
                  "Where to compute: see strata devices; with --resume the run's own unless given");
  sub->add_option("--threads", options->threads, "Processor cores to use; 0: all")->check(CLI::Range(0, 1024));
  addPrecision(*sub, options->precision);
  sub->add_option("--seed", options->seed, "Seed instead of the project's");
  sub->add_option("--data-dir", options->dataDir, "Folder to look for data sets in first");
  sub->add_option("--out", options->out, "The run folder; by default a new one among your runs");
  sub->add_option("--weights", options->weights, "Start from the weights in this safetensors file");
  sub->add_option("--resume", options->resume, "Go on with this run from its last checkpoint");
  sub->add_option("--set", options->settings, "Override a value of the project by its path, as training.batch_size=64")
      ->allow_extra_args(false);
  sub->add_option("--log-batches", options->logBatches, "Write every batch's loss to this CSV file");
  sub->add_flag("--json", command.json, "Results as JSON lines");
  sub->callback([options, &command] { command.run = [options, &command] { return train(*options, command.json); }; });
}

}  // namespace strata
