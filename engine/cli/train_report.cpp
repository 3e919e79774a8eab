// SPDX-License-Identifier: Apache-2.0
#include "engine/cli/train_report.h"

#include <unistd.h>

#include <chrono>
#include <cmath>
#include <iostream>

#include "engine/base/json.h"
#include "engine/base/text.h"
#include "engine/cli/command.h"
#include "engine/cli/terminal.h"
#include "engine/run/run_record.h"

namespace strata {
namespace {

const char* reasonWord(FinishedEvent::Reason reason) {
  switch (reason) {
    case FinishedEvent::Reason::Completed:
      return "completed";
    case FinishedEvent::Reason::Stopped:
      return "stopped";
    case FinishedEvent::Reason::StepsDone:
      return "steps_done";
    case FinishedEvent::Reason::EarlyStop:
      return "early_stop";
  }
  return "";
}

bool onTestSet(const TrainJob& job) { return job.data.validationSource == ValidationSource::TestSet; }

class JsonReport : public TrainReport {
 public:
  void started(const TrainJob& job, const StartedEvent& event) override {
    print({{"event", "started"},
           {"run", event.runFolder},
           {"project", job.project.name},
           {"dataset", job.data.dataset->title},
           {"synthetic", job.data.dataset->synthetic},
           {"training_samples", job.data.train.size()},
           {"validation_samples", job.data.validation.size()},
           {"validation", onTestSet(job) ? "test" : "split"},
           {"backend", job.backend},
           {"threads", job.threads},
           {"parameters", analyse(job.project.network).parameters},
           {"epochs", job.project.training.epochs},
           {"batch_size", job.project.training.batchSize},
           {"seed", job.project.training.seed},
           {"step", event.step},
           {"total_steps", event.totalSteps}});
  }
  void epoch(const EpochRecord& record, int, bool best) override {
    Json json = epochToJson(record);
    json["best"] = best;
    print(json);
  }
  void note(const NoteEvent& event) override {
    print({{"event", "note"},
           {"level", event.level == NoteEvent::Level::Warning ? "warning" : "info"},
           {"text", event.text}});
  }
  void failed(const FailedEvent& event) override {
    if (event.diverged)
      print({{"event", "diverged"}, {"layer", event.layer}, {"step", event.step}, {"message", event.message}});
  }
  void finished(const FinishedEvent& event, std::uint64_t step, const Path& folder) override {
    print({{"event", "finished"},
           {"reason", reasonWord(event.reason)},
           {"step", step},
           {"best_epoch", event.bestEpoch},
           {"best_" + event.monitor, numberOrNull(event.bestValue)},
           {"run", folder.string()}});
  }

 private:
  static void print(const Json& json) { std::cout << compactJson(json) << std::endl; }
};

class PlainReport : public TrainReport {
 public:
  void started(const TrainJob& job, const StartedEvent& event) override {
    const Dataset& data = *job.data.dataset;
    m_metrics = metricsOf(job.project.training);
    std::cout << job.project.name << ": " << counted(analyse(job.project.network).parameters, "parameter")
              << ", backend " << job.backend << "\n"
              << "Training on " << counted(static_cast<std::int64_t>(job.data.train.size()), "sample") << " of "
              << data.title << (data.synthetic ? ", which are synthetic, not real data" : "") << "; validating on "
              << (onTestSet(job) ? "the test set, as the project asks" : "a held-out part of the training set") << " ("
              << counted(static_cast<std::int64_t>(job.data.validation.size()), "sample") << ")\n"
              << "Run folder: " << event.runFolder << "\n";
    if (event.step > 0) std::cout << "Resuming at step " << event.step << "\n";
    std::cout << std::flush;
  }
  void epoch(const EpochRecord& record, int epochs, bool) override {
    std::cout << "epoch " << record.epoch << "/" << epochs << " - " << fixed(record.epochSeconds, 2) << " s - "
              << figures(record) << std::endl;
  }
  void note(const NoteEvent& event) override { std::cerr << event.text << std::endl; }
  void failed(const FailedEvent&) override {}
  void finished(const FinishedEvent& event, std::uint64_t step, const Path& folder) override {
    const bool early = event.reason == FinishedEvent::Reason::EarlyStop;
    std::cout << (early                                              ? "Stopped early"
                  : event.reason == FinishedEvent::Reason::Completed ? "Finished"
                                                                     : "Stopped")
              << " after step " << step;
    if (std::isfinite(event.bestValue))
      std::cout << "; best epoch " << event.bestEpoch << " with " << event.monitor << " " << fixed(event.bestValue, 4);
    std::cout << "\nCheckpoint: "
              << (folder / "checkpoints" / (early ? "best.safetensors" : "last.safetensors")).string() << std::endl;
  }

 protected:
  std::string figures(const EpochRecord& record) const {
    std::string text;
    const auto add = [&](const std::string& key) {
      text += (text.empty() ? "" : " - ") + key + ": " + fixed(record.value(key), 4);
    };
    add("loss");
    for (const std::string& id : m_metrics)
      if (!findMetric(id)->validationAlone()) add(id);
    if (std::isfinite(record.valLoss)) {
      add("val_loss");
      for (const std::string& id : m_metrics) add(withVal(id));
    }
    return text + " - " + grouped(std::llround(record.samplesPerSecond)) + " samples/s";
  }

 private:
  MetricIds m_metrics;  ///< of the run
};

class TerminalReport : public PlainReport {
 public:
  void progress(const ProgressEvent& event) override {
    const auto now = std::chrono::steady_clock::now();
    if (event.epoch != m_epoch) {
      std::cout << "Epoch " << event.epoch << "/" << event.epochs << "\n";
      m_epoch = event.epoch;
    } else if (now - m_drawn < std::chrono::milliseconds(100)) {
      return;
    }
    m_drawn = now;
    m_batches = event.batches;
    m_secondsPerStep = event.secondsPerStep;
    std::string line = bar(event.batch);
    if (!event.points.empty()) line += " - loss: " + fixed(event.points.back().loss, 4);
    line += " - " + fixed((event.batches - event.batch) * event.secondsPerStep, 0) + " s left";
    m_line.draw(line);
  }
  void epoch(const EpochRecord& record, int epochs, bool best) override {
    if (m_epoch != record.epoch) return PlainReport::epoch(record, epochs, best);
    const std::string text = " " + fixed(record.epochSeconds, 1) + " s " + fixed(1000 * m_secondsPerStep, 2) +
                             " ms/step - " + figures(record) + (best ? " (best)" : "");
    m_line.clear();
    std::cout << (m_line.fits(bar(m_batches) + text) ? bar(m_batches) + text : text.substr(1)) << std::endl;
  }
  void note(const NoteEvent& event) override {
    m_line.clear();
    PlainReport::note(event);
  }
  void failed(const FailedEvent&) override { m_line.clear(); }
  void finished(const FinishedEvent& event, std::uint64_t step, const Path& folder) override {
    m_line.clear();
    PlainReport::finished(event, step, folder);
  }

 private:
  std::string bar(int done) const {
    constexpr int kWidth = 20;
    const int filled = m_batches > 0 ? static_cast<int>(std::int64_t{kWidth} * done / m_batches) : 0;
    std::string text = std::to_string(done) + "/" + std::to_string(m_batches) + " ";
    for (int i = 0; i < kWidth; ++i) text += i < filled ? "━" : "─";
    return text;
  }
  int m_epoch = 0, m_batches = 0;
  double m_secondsPerStep = 0;
  ProgressLine m_line{std::cout, STDOUT_FILENO};
  std::chrono::steady_clock::time_point m_drawn;
};

}  // namespace

std::unique_ptr<TrainReport> makeTrainReport(ReportStyle style) {
  switch (style) {
    case ReportStyle::Json:
      return std::make_unique<JsonReport>();
    case ReportStyle::Terminal:
      return std::make_unique<TerminalReport>();
    case ReportStyle::Plain:
      break;
  }
  return std::make_unique<PlainReport>();
}

}  // namespace strata
