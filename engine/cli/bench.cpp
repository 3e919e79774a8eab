// SPDX-License-Identifier: Apache-2.0
// `strata bench`: how fast a project's net trains and answers here, pass by pass, beside what the machine can do at
// most.
#include <algorithm>
#include <chrono>
#include <iostream>
#include <thread>

#include "datasets/datasets.h"
#include "datasets/source.h"
#include "engine/backend/backend.h"
#include "engine/backend/cpu/machine.h"
#include "engine/backend/cpu/profile.h"
#include "engine/base/error.h"
#include "engine/base/json.h"
#include "engine/base/memory.h"
#include "engine/base/rng.h"
#include "engine/base/text.h"
#include "engine/cli/command.h"
#include "engine/run/project.h"
#include "engine/run/suitability.h"

namespace strata {
namespace {

struct BenchOptions {
  std::string project, backend, dataDir;
  std::vector<int> batches;
  int threads = 0, epochs = 1, samples = 12800;
  std::optional<double> density;
  std::optional<Precision> precision;
  std::uint64_t steps = 0;
  bool explain = false, plans = false;
};

/// Training samples of the net's shape: the project's data set, or seeded noise.
struct BenchData {
  std::string title;
  std::shared_ptr<const Dataset> dataset;
  Samples noise;
  Preprocessing preprocessing;
  const Samples& samples() const { return dataset ? dataset->train : noise; }
};

BenchData makeNoise(const NetworkSpec& network, int count, double density) {
  BenchData data;
  data.title = "seeded noise, " + fixed(100 * density, 0) + " % of it not zero";
  requireMemory(saturatingMul(count, network.input.size()), "bench", "its noise", "Ask for fewer samples");
  data.noise.count = count;
  data.noise.pixels.resize(std::size_t(count * network.input.size()));
  Rng rng(1, Stream::Test);
  for (std::uint8_t& pixel : data.noise.pixels)
    pixel = rng.uniform01() < density ? std::uint8_t(1 + rng.below(255)) : 0;
  for (int i = 0; i < count; ++i) data.noise.labels.push_back(std::int32_t(rng.below(std::uint32_t(network.classes))));
  return data;
}

BenchData makeData(const Project& project, const BenchOptions& options) {
  if (!options.density) {
    BenchData data;
    try {
      data.dataset = loadDataset(project.data.source, options.dataDir, project.data.reading);
    } catch (const Error& error) {
      if (error.kind() != Error::Kind::File) throw;  // not on this machine: noise will do for timing
    }
    if (data.dataset && misfit(project.network, *data.dataset).empty()) {
      data.title = data.dataset->title;
      data.preprocessing = project.data.preprocessing;
      return data;
    }
  }
  return makeNoise(project.network, options.samples, options.density.value_or(1));
}

double percentile(std::vector<double> values, double share) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  return values[std::min(values.size() - 1, std::size_t(share * double(values.size())))];
}

double secondsSince(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

struct BenchResult {
  int batch = 0, samples = 0;
  std::vector<double> epochSeconds;
  double loss = 0;  ///< mean over the last epoch
  NetProfile profile;
  Precision precision = Precision::Float32;
  std::string explanation;
  /// Seconds, one sample, one thread: alone, and while training runs.
  std::vector<double> predictions, predictionsBeside;
};

CompileRequest requestFor(const Project& project, const BenchOptions& options, int batch) {
  CompileRequest request;
  request.network = project.network;
  request.optimizer = project.training.optimizer;
  request.loss = project.training.loss;
  request.metrics = metricsOf(project.training);
  request.maxBatch = batch;
  request.seed = project.training.seed;
  request.precision = options.precision;
  return request;
}

/// Seconds that predictions take, `pause` apart, as those of a drawing that is being made.
std::vector<double> timePredictions(CompiledNetwork& net, const Batch& one, std::int64_t outputs, int count,
                                    std::chrono::microseconds pause) {
  std::vector<float> logits(static_cast<std::size_t>(outputs));
  std::vector<double> times;
  for (int i = 0; i < count; ++i) {
    std::this_thread::sleep_for(pause);
    const auto start = std::chrono::steady_clock::now();
    net.forward(one, logits.data());
    times.push_back(secondsSince(start));
  }
  return times;
}

/// Alone, and beside `trainer`, which goes on training meanwhile.
void benchPrediction(const Project& project, const BenchOptions& options, const std::string& backendId,
                     Batches& batches, CompiledNetwork& trainer, BenchResult& result) {
  constexpr int kWarmUp = 200, kPredictions = 2000, kBeside = 500;
  const auto backend = createBackend(backendId, 1);
  CompileRequest request = requestFor(project, options, 1);
  request.training = false;
  const auto net = backend->compile(request);
  net->setWeights(initialWeights(project.network, project.training.seed));
  const std::int64_t outputs = outputSize(project.network);
  std::vector<float> sample(static_cast<std::size_t>(project.network.input.size()));
  Batch one = batches.at(0);
  for (std::size_t i = 0; i < sample.size(); ++i)
    sample[i] = one.floats ? one.floats[i] : float(one.bytes[i]) * one.scale + one.offset;
  one.size = 1;
  one.bytes = nullptr;
  one.floats = sample.data();
  timePredictions(*net, one, outputs, kWarmUp, {});
  result.predictions = timePredictions(*net, one, outputs, kPredictions, {});
  const std::jthread training([&](std::stop_token stop) {
    const std::vector<double> rates(std::size_t(std::min(trainer.runLength(), batches.count())),
                                    project.training.optimizer.learningRate());
    for (std::uint64_t step = 0; !stop.stop_requested(); step += rates.size())
      trainer.trainRun(batches, 0, rates, step);
  });
  result.predictionsBeside = timePredictions(*net, one, outputs, kBeside, std::chrono::milliseconds(2));
}

BenchResult benchBatch(const Project& project, const BenchData& data, const BenchOptions& options,
                       const std::string& backendId, int batchSize) {
  BenchResult result;
  result.batch = batchSize;
  result.samples = data.samples().count;
  const auto backend = createBackend(backendId, options.threads);
  const auto net = backend->compile(requestFor(project, options, batchSize));
  net->setWeights(initialWeights(project.network, project.training.seed));
  std::vector<int> indices(std::size_t(result.samples));
  for (int i = 0; i < result.samples; ++i) indices[std::size_t(i)] = i;
  Batches batches(data.samples(), indices, project.network.input, data.preprocessing, batchSize);
  if (auto* profiled = dynamic_cast<Profiled*>(net.get())) profiled->startProfile();
  std::uint64_t step = 0;
  for (int epoch = 0; epoch < options.epochs; ++epoch) {
    batches.startEpoch(epoch, false, project.training.seed);
    const auto start = std::chrono::steady_clock::now();
    double lossSum = 0;
    const std::uint64_t first = step, total = std::uint64_t(batches.count()) * std::uint64_t(options.epochs);
    const int count = options.steps == 0 ? batches.count()
                                         : int(std::min<std::uint64_t>(options.steps, std::uint64_t(batches.count())));
    for (int i = 0; i < count; i = int(step - first)) {
      std::vector<double> rates(std::size_t(std::min(net->runLength(), count - i)));
      for (std::size_t n = 0; n < rates.size(); ++n)
        rates[n] = learningRateAt(project.training.schedule, project.training.optimizer.learningRate(),
                                  {step + n, total, std::uint64_t(batches.count())});
      for (const LossResult& result : net->trainRun(batches, i, rates, step)) lossSum += result.lossSum, ++step;
    }
    const double done = std::min(double(step - first) * batchSize, double(result.samples));
    result.epochSeconds.push_back(secondsSince(start) * result.samples / done);
    result.loss = lossSum / done;
  }
  if (auto* profiled = dynamic_cast<Profiled*>(net.get())) result.profile = profiled->profile();
  result.precision = net->precision();
  result.explanation = net->explain();
  benchPrediction(project, options, backendId, batches, *net, result);
  return result;
}

/// Floating-point operations of a pass in one batch: with every zero multiplied, and as done.
struct PassFlops {
  double nominal = 0, executed = 0;
};
PassFlops forwardFlops(const PassWork& work, int batch) {
  return {2 * work.macs * batch, 2 * work.macs * batch * work.inputLive * work.outputChannels};
}
PassFlops backwardFlops(const PassWork& work, int batch) {
  const double all = 2 * work.macs * batch;
  return {all * (work.inputGradient + work.weightGradient),
          all * work.inputChannels *
              (work.inputGradient * work.gradientLive + work.weightGradient * work.weightGradientLive)};
}

void printText(const BenchResult& r, const MachinePeak& peak, bool explain) {
  const auto ms = [](double seconds) { return fixed(1e3 * seconds, 3); };
  const auto column = [](const std::string& text, std::size_t width) {
    return std::string(text.size() < width ? width - text.size() : 1, ' ') + text;
  };
  std::cout << "\nBatch " << r.batch << ", " << counted(r.samples, "sample") << ", in " << precisionName(r.precision)
            << ". Zeros are skipped: executed work is less than nominal.\n";
  if (!r.profile.passes.empty())
    std::cout << "Pass                    forward ms      backward ms     nominal  executed GFLOP/s  share of peak  "
                 "live in  live gradient\n"
              << "                      p5    median      p5    median\n";
  for (const PassTimes& pass : r.profile.passes) {
    const PassFlops forward = forwardFlops(pass.work, r.batch), backward = backwardFlops(pass.work, r.batch);
    const double seconds = percentile(pass.forward, 0.5) + percentile(pass.backward, 0.5);
    const double nominal = (forward.nominal + backward.nominal) / seconds,
                 executed = (forward.executed + backward.executed) / seconds;
    std::cout << pass.work.name
              << column(ms(percentile(pass.forward, 0.05)), 26 - std::min<std::size_t>(pass.work.name.size(), 20))
              << column(ms(percentile(pass.forward, 0.5)), 9) << column(ms(percentile(pass.backward, 0.05)), 9)
              << column(ms(percentile(pass.backward, 0.5)), 9);
    if (pass.work.macs > 0)
      std::cout << column(fixed(nominal / 1e9, 1), 10) << column(fixed(executed / 1e9, 1), 10)
                << column(fixed(100 * executed / peak.flops, 0) + " %", 17)
                << column(fixed(100 * pass.work.inputLive, 0) + " %", 9)
                << column(fixed(100 * pass.work.gradientLive, 1) + " %", 15);
    std::cout << "\n";
  }
  if (!r.profile.step.empty())
    std::cout << "input " << ms(percentile(r.profile.input, 0.5)) << " ms, loss " << ms(percentile(r.profile.loss, 0.5))
              << " ms, update with the dense layers' weight gradients " << ms(percentile(r.profile.update, 0.5))
              << " ms; step " << ms(percentile(r.profile.step, 0.05)) << " / " << ms(percentile(r.profile.step, 0.5))
              << " ms (5th percentile / median)\n";
  std::cout << "Epoch:";
  for (const double seconds : r.epochSeconds) std::cout << " " << fixed(seconds, 2) << " s";
  std::cout << "; mean loss " << fixed(r.loss, 4)
            << "\nOne prediction, one thread: " << ms(percentile(r.predictions, 0.5)) << " ms median, "
            << ms(percentile(r.predictions, 0.99)) << " ms 99th percentile; while training runs "
            << ms(percentile(r.predictionsBeside, 0.5)) << " ms median, " << ms(percentile(r.predictionsBeside, 0.99))
            << " ms 99th percentile\n";
  if (explain) std::cout << r.explanation;
}

void printJson(const std::string& name, const BenchResult& r, const MachinePeak& peak, const std::string& data) {
  const auto both = [](const std::vector<double>& seconds) {
    return Json{percentile(seconds, 0.05) * 1e3, percentile(seconds, 0.5) * 1e3};
  };
  Json passes = Json::array();
  for (const PassTimes& pass : r.profile.passes) {
    const PassFlops forward = forwardFlops(pass.work, r.batch), backward = backwardFlops(pass.work, r.batch);
    passes.push_back({{"name", pass.work.name},
                      {"forward_ms", both(pass.forward)},
                      {"backward_ms", both(pass.backward)},
                      {"nominal_flop", forward.nominal + backward.nominal},
                      {"executed_flop", forward.executed + backward.executed},
                      {"live_inputs", pass.work.inputLive},
                      {"live_gradients", pass.work.gradientLive},
                      {"forward", pass.work.forward},
                      {"backward", pass.work.backward}});
  }
  std::cout << compactJson(
                   {{"event", "bench"},
                    {"net", name},
                    {"data", data},
                    {"batch", r.batch},
                    {"samples", r.samples},
                    {"precision", precisionName(r.precision)},
                    {"isa", peak.isa},
                    {"threads", peak.threads},
                    {"peak_gflops", peak.flops / 1e9},
                    {"memory_gbytes", peak.bytes / 1e9},
                    {"zeros_skipped", true},
                    {"epoch_seconds", r.epochSeconds},
                    {"loss", numberOrNull(r.loss)},
                    {"input_ms", both(r.profile.input)},
                    {"loss_ms", both(r.profile.loss)},
                    {"update_ms", both(r.profile.update)},
                    {"step_ms", both(r.profile.step)},
                    {"predict_ms", {percentile(r.predictions, 0.5) * 1e3, percentile(r.predictions, 0.99) * 1e3}},
                    {"predict_while_training_ms",
                     {percentile(r.predictionsBeside, 0.5) * 1e3, percentile(r.predictionsBeside, 0.99) * 1e3}},
                    {"passes", passes}})
            << std::endl;
}

int bench(const BenchOptions& options, bool json) {
  if (options.plans)
    return benchPlans(options.project, options.batches.empty() ? std::nullopt : std::optional(options.batches.front()),
                      json);
  if (options.project.empty()) throw Error(Error::Kind::Usage, "bench", "got no project, needed a file (*.strata)");
  Project project = readProject(options.project);
  project.data.source = resolveSource(project.data.source, options.project);
  const Analysis analysis = analyse(project);
  for (const Issue& issue : analysis.issues)
    if (issue.level == Issue::Level::Error)
      throw Error(Error::Kind::Input, options.project, issue.text.substr(0, issue.text.size() - 1));
  if (options.density && (*options.density < 0 || *options.density > 1))
    throw Error(Error::Kind::Usage, "--density", "got " + fixed(*options.density, 2) + ", needed a share from 0 to 1");
  const std::string backend = options.backend.empty() ? "cpu" : options.backend;
  checkPrecision(*createBackend(backend, options.threads), options.precision);
  const BenchData data = makeData(project, options);
  const MachinePeak peak = measurePeak(options.threads);
  if (!json)
    std::cout << project.name << " on " << backend << ", " << data.title
              << "\nThis machine: " << fixed(peak.flops / 1e9, 1) << " GFLOP/s of multiply-adds (" << peak.isa << ", "
              << counted(peak.threads, "thread") << "), " << fixed(peak.bytes / 1e9, 1) << " GB/s from memory\n";
  std::vector<int> batches = options.batches;
  if (batches.empty()) batches = {project.training.batchSize};
  for (const int batch : batches) {
    if (batch < 1) throw Error(Error::Kind::Usage, "--batch", "got " + std::to_string(batch) + ", needed 1 or more");
    const BenchResult result = benchBatch(project, data, options, backend, batch);
    if (json) printJson(project.name, result, peak, data.title);
    else printText(result, peak, options.explain);
  }
  return 0;
}

}  // namespace

void addBench(CLI::App& app, Command& command) {
  CLI::App* sub = app.add_subcommand("bench", "Measure how fast a project's net trains and answers here, pass by pass");
  auto options = std::make_shared<BenchOptions>();
  sub->add_option("project", options->project,
                  "Project file (*.strata); without one --plans takes every template and layer");
  sub->add_option("--backend", options->backend, "Backend; cpu unless told otherwise");
  addPrecision(*sub, options->precision);
  sub->add_option("--batch", options->batches, "Batch size; several are measured one after the other")->delimiter(',');
  sub->add_option("--threads", options->threads, "Threads; 0: one per core");
  sub->add_option("--epochs", options->epochs, "Epochs to train")->check(CLI::PositiveNumber);
  sub->add_option("--steps", options->steps, "End every epoch after that many batches; the epoch's time is scaled up");
  sub->add_option("--density", options->density,
                  "Use noise with this share of values that are not zero, instead of the project's data");
  sub->add_option("--samples", options->samples, "How many samples of noise")->check(CLI::PositiveNumber);
  sub->add_option("--data-dir", options->dataDir, "Where data sets are looked for first");
  sub->add_flag("--explain", options->explain, "Say which kernels were chosen, and why");
  sub->add_flag("--plans", options->plans,
                "Plan the net's convolutions for GPUs that need not be here, and print which engine each gets");
  sub->add_flag("--json", command.json, "Results as JSON lines");
  sub->callback([&command, options] { command.run = [&command, options] { return bench(*options, command.json); }; });
}

}  // namespace strata
