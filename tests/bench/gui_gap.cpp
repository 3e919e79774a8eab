// SPDX-License-Identifier: GPL-3.0-or-later
// gui_gap [SECONDS] [PAIRS] [PROJECT | --nested]: how smooth the studio stays and how much it slows the training it
// shows. Trains the same project in turns without a window and in the whole window with plots and samples live, saving
// its run either way. Prints the largest gap of a 20 ms heartbeat in the event loop, the samples a second of each turn,
// the slowdown, and the share of a core that each thread used, which tells the window's cost on a busy machine too.
// With --nested it trains a small net of 60 layers, residuals in residuals, and shows the Build page, on which the
// layers are chosen one after the other, four a second. Needs a display and the project's data.
#include <unistd.h>

#include <QApplication>
#include <QDir>
#include <QElapsedTimer>
#include <QFile>
#include <QTemporaryDir>
#include <QTimer>
#include <algorithm>
#include <cstdio>
#include <map>
#include <string>
#include <vector>

#include "datasets/datasets.h"
#include "engine/base/error.h"
#include "gui/main_window.h"
#include "gui/widgets/stack_view.h"

using namespace strata;
using namespace strata::gui;

namespace {

constexpr int kNestedLayers = 60;
constexpr char kSyntheticSource[] = "synthetic-digits";

using Shares = std::map<std::string, double>;  ///< thread name -> seconds of CPU, or share of a core

struct Turn {
  double samplesPerSecond = 0, largestGap = 0, p999 = 0;
  Shares shares;
};

/// CPU seconds of this process by thread name. The trainer's helpers have its name.
Shares threadSeconds() {
  Shares seconds;
  for (const QString& id : QDir("/proc/self/task").entryList(QDir::Dirs | QDir::NoDotAndDotDot)) {
    QFile file("/proc/self/task/" + id + "/stat");
    if (!file.open(QIODevice::ReadOnly)) continue;  // it has just ended
    const QByteArray line = file.readAll();
    const auto name = line.mid(line.indexOf('(') + 1, line.lastIndexOf(')') - line.indexOf('(') - 1);
    // From the state on, which proc(5) counts as the third.
    const auto fields = line.mid(line.lastIndexOf(')') + 2).split(' ');
    seconds[id.toLongLong() == getpid() ? "window" : name.toStdString()] +=
        (fields.value(11).toDouble() + fields.value(12).toDouble()) / double(sysconf(_SC_CLK_TCK));
  }
  return seconds;
}

Shares sharesSince(const Shares& before, double took) {
  Shares shares;
  for (const auto& [name, seconds] : threadSeconds())
    shares[name] = (seconds - (before.count(name) ? before.at(name) : 0)) / took;
  return shares;
}

std::string text(const Shares& shares) {
  std::string text;
  double others = 0;
  char buffer[64];
  for (const auto& [name, share] : shares) {
    std::snprintf(buffer, sizeof buffer, "%s %.1f %%, ", name.c_str(), 100 * share);
    if (share >= 0.0005) text += buffer;
    if (name != "trainer") others += share;
  }
  std::snprintf(buffer, sizeof buffer, "all but the trainer %.1f %% of a core", 100 * others);
  return text + buffer;
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
  job.runFolder = newRunFolder(runsDir());
  trainer.start(std::move(job));
  std::uint64_t first = 0, last = 0;
  QElapsedTimer clock;
  Shares cpu;
  for (int i = 1; i <= seconds * 2; ++i) {
    wait(500);
    for (const auto& event : trainer.events().drain()) {
      if (const auto* progress = std::get_if<ProgressEvent>(&event)) last = progress->step;
      if (const auto* failed = std::get_if<FailedEvent>(&event)) {
        std::fprintf(stderr, "The run failed, so there is nothing to measure. %s\n", failed->message.c_str());
        std::exit(1);
      }
    }
    if (i == 2) {  // the first second warms up
      first = last;
      cpu = threadSeconds();
      clock.start();
    }
  }
  const double took = double(clock.elapsed()) / 1000;
  const Turn turn{double(last - first) * project.training.batchSize / took, 0, 0, sharesSince(cpu, took)};
  trainer.stop();
  trainer.wait();
  return turn;
}

/// Five residuals of three residuals each, 60 layers with all that is around them.
Project nestedProject() {
  Project project = lessonProject();
  project.name = "Nested";
  project.data.source = kSyntheticSource;
  project.training.optimizer.fields.set("learning_rate", 0.02);
  project.training.epochs = 1000;
  NetworkSpec& net = project.network;
  net.layers.clear();
  const auto layer = [&](const char* type, const std::vector<std::pair<std::string, Value>>& values = {}) {
    LayerSpec made = newLayer(net, *findLayer(type));
    for (const auto& [field, value] : values) made.fields.set(field, value);
    return made;
  };
  const auto named = [](LayerSpec made, const char* stem, int number) {
    made.name = stem + std::to_string(number);
    return made;
  };
  const std::vector<std::pair<std::string, Value>> conv{{"filters", std::int64_t{4}}, {"padding", std::string("same")}};
  const std::vector<std::pair<std::string, Value>> bend{{"activation", std::string("leaky_relu")}};  // none dies
  net.layers = {layer("conv2d", conv), layer("max_pool2d")};
  for (int outer = 1; outer <= 5; ++outer) {
    LayerSpec block = named(layer("residual", bend), "res", outer);
    for (int inner = 1; inner <= 3; ++inner) {
      LayerSpec small = named(layer("residual", bend), "inner", inner);
      small.stacks[0] = {named(layer("conv2d", conv), "conv", 1), named(layer("batch_norm"), "bn", 1)};
      block.stacks[0].push_back(small);
    }
    block.stacks[0].push_back(layer("dropout", {{"rate", 0.1}}));
    net.layers.push_back(block);
  }
  net.layers.push_back(layer("global_avg_pool"));
  net.layers.push_back(named(layer("dropout"), "last", 1));
  net.layers.push_back(layer("dense", {{"units", std::int64_t{net.classes}}}));
  return project;
}

/// Chooses one layer after the other on the Build page.
void walk(MainWindow& window, QTimer& steps) {
  auto* stack = window.findChild<StackView*>("stack");
  QObject::connect(&steps, &QTimer::timeout, stack,
                   [stack, at = 0]() mutable { stack->selectLayer(at++ % kNestedLayers); });
  steps.start(250);
}

Turn live(Theme& theme, const Project& project, int seconds, bool nested) {
  Document document;
  document.reset(project, {});
  TrainingSession session(document);
  MainWindow window(theme, document, session);
  window.resize(1440, 900);
  window.showPage(nested ? "build" : "train");
  window.show();
  while (!session.dataset() || session.dataset()->id != project.data.source) wait(50);
  session.perform(TrainingSession::Action::Start);
  wait(1500);
  QTimer walker;
  if (nested) walk(window, walker);
  std::vector<double> gaps;
  QElapsedTimer clock, beat;
  QTimer heart;
  heart.setTimerType(Qt::PreciseTimer);
  heart.setInterval(20);
  QObject::connect(&heart, &QTimer::timeout, [&] { gaps.push_back(double(beat.nsecsElapsed()) / 1e6), beat.start(); });
  const auto first = session.lastProgress().step;
  clock.start();
  const Shares cpu = threadSeconds();
  beat.start();
  heart.start();
  wait((seconds - 1) * 1000);
  const auto steps = session.lastProgress().step - first;
  const double took = double(clock.elapsed()) / 1000;
  const Shares shares = sharesSince(cpu, took);
  session.stopAndWait();
  std::sort(gaps.begin(), gaps.end());
  return {double(steps) * project.training.batchSize / took, gaps.back(), gaps[gaps.size() * 999 / 1000], shares};
}

}  // namespace

int main(int argc, char** argv) {
  if (!qEnvironmentVariableIsSet("STRATA_DATA_DIR"))
    qputenv("STRATA_DATA_DIR", (userDataDir() / "datasets").c_str());  // the private home hides it
  QTemporaryDir home;
  qputenv("XDG_DATA_HOME", home.path().toUtf8());
  qputenv("XDG_CONFIG_HOME", home.path().toUtf8());
  QApplication app(argc, argv);
  QCoreApplication::setOrganizationName("strata");
  QCoreApplication::setApplicationName("gui-gap");
  try {
    const int seconds = argc > 1 ? std::max(3, atoi(argv[1])) : 60, pairs = argc > 2 ? std::max(1, atoi(argv[2])) : 1;
    const bool nested = argc > 3 && std::string(argv[3]) == "--nested";
    Project project = nested ? nestedProject() : argc > 3 ? readProject(argv[3]) : lessonProject();
    if (nested && layerCount(project.network) != kNestedLayers)
      throw Error(Error::Kind::Input, "--nested", "has " + std::to_string(layerCount(project.network)) + " layers");
    project.training.epochs = std::max(30, 2 * seconds);  // it does not end by itself
    const auto data = loadDataset(project.data.source, {});
    Theme theme(app);
    std::vector<double> slowdowns, gaps;
    for (int i = 0; i < pairs; ++i) {
      const bool headFirst = i % 2 == 0;
      const Turn before = headFirst ? headless(project, data, seconds) : Turn();
      const Turn shown = live(theme, project, seconds, nested);
      const Turn alone = headFirst ? before : headless(project, data, seconds);
      slowdowns.push_back(100 * (1 - shown.samplesPerSecond / alone.samplesPerSecond));
      gaps.push_back(shown.largestGap);
      std::printf("pair %d: alone %.0f samples/s, shown %.0f samples/s, slowdown %.1f %%, largest gap %.0f ms, 99.9 %% "
                  "of gaps within %.0f ms\n",
                  i + 1, alone.samplesPerSecond, shown.samplesPerSecond, slowdowns.back(), shown.largestGap,
                  shown.p999);
      std::printf("  alone: %s\n  shown: %s\n", text(alone.shares).c_str(), text(shown.shares).c_str());
      std::fflush(stdout);
    }
    std::printf("median slowdown %.1f %%, largest gap %.0f ms\n", median(slowdowns),
                *std::max_element(gaps.begin(), gaps.end()));
    return 0;
  } catch (const Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return error.exitCode();
  }
}
