// SPDX-License-Identifier: GPL-3.0-or-later
// gui_gap [SECONDS] [PAIRS] [PROJECT]: how smooth the studio stays and how much it slows the training it shows. Trains the same
// project in turns without a window and in the whole window with plots and samples live, and prints the largest gap of a 20 ms
// heartbeat in the event loop, the samples a second of each turn, and the slowdown. Needs a display and the project's data.
#include <time.h>

#include <QApplication>
#include <QElapsedTimer>
#include <QTemporaryDir>
#include <QTimer>
#include <algorithm>
#include <cstdio>
#include <vector>

#include "datasets/datasets.h"
#include "engine/error.h"
#include "gui/main_window.h"

using namespace strata;
using namespace strata::gui;

namespace {

struct Turn {
  double samplesPerSecond = 0, largestGap = 0, p999 = 0;
  double guiShare = 0;  ///< of one core, used by the GUI thread
};

/// CPU seconds of the calling thread: they tell the window's cost also on a machine that has other work.
double threadSeconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return double(now.tv_sec) + double(now.tv_nsec) / 1e9;
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values.empty() ? 0 : values[values.size() / 2];
}

void wait(int milliseconds) {
  QEventLoop loop;
  QTimer::singleShot(milliseconds, &loop, &QEventLoop::quit);
  loop.exec();
}

/// The pace of the trainer alone: its queue is drained now and then, nothing else happens.
Turn headless(const Project& project, const std::shared_ptr<const Dataset>& data, int seconds) {
  Trainer trainer;
  TrainJob job;
  job.project = project;
  job.data = makeDataView(data, project.data.validation, project.data.validationFraction, project.training.seed);
  trainer.start(std::move(job));
  std::uint64_t first = 0, last = 0;
  QElapsedTimer clock;
  for (int i = 0; i <= seconds * 2; ++i) {
    for (const auto& event : trainer.events().drain()) {
      if (const auto* progress = std::get_if<ProgressEvent>(&event)) last = progress->step;
    }
    if (i == 2) {  // the first second warms up
      first = last;
      clock.start();
    }
    wait(500);
  }
  const Turn turn{double(last - first) * project.training.batchSize / (double(clock.elapsed()) / 1000), 0, 0, 0};
  trainer.stop();
  trainer.wait();
  return turn;
}

Turn live(Theme& theme, const Project& project, int seconds) {
  Document document;
  document.reset(project, {});
  TrainingSession session(document);
  MainWindow window(theme, document, session);
  window.resize(1440, 900);
  window.showPage(MainWindow::TrainMode);
  window.show();
  while (!session.dataset() || session.dataset()->synthetic) wait(50);
  session.perform(TrainingSession::Action::Start);
  wait(1500);
  std::vector<double> gaps;
  QElapsedTimer clock, beat;
  QTimer heart;
  heart.setTimerType(Qt::PreciseTimer);
  heart.setInterval(20);
  QObject::connect(&heart, &QTimer::timeout, [&] { gaps.push_back(double(beat.nsecsElapsed()) / 1e6), beat.start(); });
  const auto first = session.lastProgress().step;
  clock.start();
  const double cpu = threadSeconds();
  beat.start();
  heart.start();
  wait((seconds - 1) * 1000);
  const auto steps = session.lastProgress().step - first;
  const double took = double(clock.elapsed()) / 1000;
  const double share = (threadSeconds() - cpu) / took;
  session.stopAndWait();
  std::sort(gaps.begin(), gaps.end());
  return {double(steps) * project.training.batchSize / took, gaps.back(), gaps[gaps.size() * 999 / 1000], share};
}

}  // namespace

int main(int argc, char** argv) {
  QTemporaryDir home;
  qputenv("XDG_DATA_HOME", home.path().toUtf8());
  qputenv("XDG_CONFIG_HOME", home.path().toUtf8());
  QApplication app(argc, argv);
  QCoreApplication::setOrganizationName("strata");
  QCoreApplication::setApplicationName("gui-gap");
  try {
    const int seconds = argc > 1 ? std::max(3, atoi(argv[1])) : 60, pairs = argc > 2 ? std::max(1, atoi(argv[2])) : 1;
    Project project = argc > 3 ? readProject(argv[3]) : lessonProject();
    project.training.epochs = 1000;  // it never ends by itself
    const auto data = loadDataset(project.data.source, {});
    Theme theme(app);
    std::vector<double> slowdowns, gaps;
    for (int i = 0; i < pairs; ++i) {
      const bool headFirst = i % 2 == 0;
      const Turn before = headFirst ? headless(project, data, seconds) : Turn();
      const Turn shown = live(theme, project, seconds);
      const Turn alone = headFirst ? before : headless(project, data, seconds);
      slowdowns.push_back(100 * (1 - shown.samplesPerSecond / alone.samplesPerSecond));
      gaps.push_back(shown.largestGap);
      std::printf("pair %d: alone %.0f samples/s, shown %.0f samples/s, slowdown %.1f %%, largest gap %.0f ms, 99.9 %% of gaps within %.0f ms, GUI thread %.1f %% of a core\n", i + 1,
                  alone.samplesPerSecond, shown.samplesPerSecond, slowdowns.back(), shown.largestGap, shown.p999, 100 * shown.guiShare);
      std::fflush(stdout);
    }
    std::printf("median slowdown %.1f %%, largest gap %.0f ms\n", median(slowdowns), *std::max_element(gaps.begin(), gaps.end()));
    return 0;
  } catch (const Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return error.exitCode();
  }
}
