// SPDX-License-Identifier: Apache-2.0
// `strata info`: what a file or folder is, judged by its content, and whether it is sound.
#include <cmath>
#include <iostream>

#include "datasets/datasets.h"
#include "datasets/digits/paper.h"
#include "datasets/readers.h"
#include "datasets/readers/idx.h"
#include "engine/base/error.h"
#include "engine/base/safetensors.h"
#include "engine/base/text.h"
#include "engine/cli/command.h"
#include "engine/run/checkpoint.h"
#include "engine/run/resume.h"
#include "engine/run/suitability.h"

namespace strata {
namespace {

void printNetwork(const NetworkSpec& network, const LossSpec& loss) {
  const Analysis analysis = analyse(network, loss.def().outputRule);
  std::cout << "Input " << network.input.text() << ", " << counted(network.classes, "class") << ", "
            << counted(analysis.parameters, "parameter") << ", " << counted(analysis.macs, "multiply-add")
            << " a sample\n";
  for (int i = 0; i < layerCount(network); ++i) {
    const LayerAnalysis& layer = analysis.layers[static_cast<std::size_t>(i)];
    const LayerSpec& spec = layerAt(network, i);
    std::cout << std::string(static_cast<std::size_t>(2 + 2 * layer.depth), ' ') << printable(spec.name) << "  "
              << (layer.def ? layer.def->summary(spec.fields) : spec.type) << (spec.trainable ? "" : " · frozen")
              << "  " << layer.out.text() << "\n";
  }
  for (const Issue& issue : analysis.issues) {
    const std::string where = issue.layer >= 0 ? printable(pathOf(network, issue.layer)) : "network";
    if (issue.level == Issue::Level::Error) throw Error(Error::Kind::Input, where, issue.text);
    std::cout << "  Warning: " << where << ": " << issue.text << "\n";
  }
}

void printProject(const Path& path) {
  const Project project = readProject(path);
  std::cout << "Strata project \"" << project.name << "\"\nData " << printable(project.data.source) << ", validated on "
            << (project.data.validation == ValidationSource::TestSet ? "the test set"
                                                                     : "a held-out part of the training set")
            << "\n";
  printNetwork(project.network, project.training.loss);
  const TrainingSpec& training = project.training;
  if (training.loss.type != LossSpec().type) std::cout << "Loss " << training.loss.type << "\n";
  std::cout << "Training " << counted(training.epochs, "epoch") << ", batches of " << training.batchSize << ", "
            << training.optimizer.type << " at " << training.optimizer.learningRate() << ", seed " << training.seed
            << "\n";
}

void printCheckpoint(const Path& path) {
  const Checkpoint checkpoint = readCheckpoint(path);
  std::cout << "Strata checkpoint after step " << checkpoint.step << ", epoch " << checkpoint.epoch
            << (checkpoint.optimizerState.empty() ? "" : ", with the optimizer's state") << "; checksum right\n";
  printNetwork(checkpoint.network, checkpoint.loss);
}

/// False for a checkpoint, which says more about itself.
bool printPlainTensors(const Path& path) {
  RegularFile source(path);
  const SafeTensorsHeader file = readSafeTensorsHeader(source);
  if (file.metadata.contains("checksum")) return false;
  std::cout << "safetensors file, " << file.tensors.size() << " tensors\n";
  for (const auto& [name, tensor] : file.tensors) {
    std::string shape;
    for (const std::int64_t size : tensor.shape) shape += (shape.empty() ? "" : " × ") + std::to_string(size);
    std::cout << "  " << printable(name) << "  " << tensor.dtype << "  " << shape << "\n";
  }
  return true;
}

void printTensors(const Path& path) {
  if (!printPlainTensors(path)) printCheckpoint(path);
}

void printIdx(const Path& path) {
  const IdxReader file(path);
  file.verify();
  const std::size_t rank = file.dims().size();
  std::cout << "IDX file of " << (file.type().isByte() ? "bytes" : "numbers") << ", "
            << (rank == 1   ? "labels"
                : rank == 2 ? "vectors"
                            : "pictures")
            << ":";
  for (std::size_t i = 0; i < file.dims().size(); ++i) std::cout << (i ? " × " : " ") << file.dims()[i];
  std::cout << (file.packed()               ? ", packed with gzip"
                : path.extension() == ".gz" ? ", not packed although its name ends in .gz"
                                            : "")
            << "\n";
}

void printImage(const Path& path) {
  const PictureFile file = readPicture(path);
  std::cout << "Picture, " << file.picture.width << " × " << file.picture.height << " pixels"
            << (isDarkOnLight(strongestChannel(file.picture)) ? ", dark on light" : ", light on dark") << "\n";
  if (!file.remark.empty()) std::cout << "  Warning: it " << file.remark << "\n";
}

/// All epochs of a run, or of a long one so many that they can be read: evenly chosen ones, the best and the last.
void printEpochs(const RunRecord& run) {
  constexpr std::size_t kMost = 200;
  const std::size_t every = run.epochs.size() / kMost + 1;
  const MetricIds metrics = metricsOf(run.project.training);
  for (const EpochRecord& epoch : run.epochs) {
    const bool best = epoch.epoch == run.bestEpoch, last = epoch.epoch == run.epochs.back().epoch;
    if (static_cast<std::size_t>(epoch.epoch) % every != 0 && !best && !last) continue;
    const auto print = [&](const std::string& key) { std::cout << "  " << key << " " << fixed(epoch.value(key), 4); };
    std::cout << "  epoch " << epoch.epoch;
    print("loss");
    for (const std::string& id : metrics)
      if (!findMetric(id)->validationAlone()) print(id);
    print("val_loss");
    for (const std::string& id : metrics) print(withVal(id));
    std::cout << (best ? "  best" : "") << "\n";
  }
  if (every > 1)
    std::cout << "  (one epoch in " << every << " is shown, the best and the last; history.csv has all "
              << grouped(static_cast<std::int64_t>(run.epochs.size())) << ")\n";
}

void printRun(const Path& path) {
  const RunRecord run = readRun(path);
  std::cout << "Run \"" << run.name << "\" of \"" << run.project.name << "\": " << run.state;
  if (!run.reason.empty()) std::cout << " (" << run.reason << ")";
  for (const std::string& problem : run.problems) std::cout << "\nWarning: " << problem;
  std::cout << "\nStarted " << run.started << ", backend " << run.backend << ", data " << run.datasetTitle << "\n";
  printEpochs(run);
  std::uintmax_t bytes = 0;
  for (const Path& file : entriesOf(path / "checkpoints")) {
    if (file.extension() != ".safetensors") continue;
    readCheckpoint(file);
    bytes += RegularFile(file).size();
  }
  if (const std::string problem = problemWithBest(run); !problem.empty())
    throw Error(Error::Kind::Input, "", problem, "Resume the run, which makes it good");
  std::cout << "Checkpoints: all sound, " << fixed(static_cast<double>(bytes) / 1e6, 1) << " MB\n";
}

void printDataset(const Path& path) {
  const auto dataset = loadDataset(path.string(), {});
  std::cout << "Data set " << dataset->title << ": " << grouped(dataset->train.count) << " training and "
            << counted(dataset->test.count, "test sample") << " of " << dataset->shape.text() << ", "
            << counted(std::ssize(dataset->classes), "class") << "\n";
  for (const std::string& remark : remarks(*dataset)) std::cout << "  Note: " << remark << "\n";
}

/// A brace, after a byte-order mark or not. What is in UTF-16 is read too: it is refused in words.
bool startsLikeProject(std::string_view head) {
  if (head.starts_with("\xFF\xFE") || head.starts_with("\xFE\xFF")) return true;
  if (head.starts_with("\xEF\xBB\xBF")) head.remove_prefix(3);
  const auto first = head.find_first_not_of(" \t\r\n");
  return first != std::string_view::npos && head[first] == '{';
}

void printFile(const Path& path) {
  RegularFile file(path);
  const std::string head = file.read(16);
  const auto startsWith = [&](std::string_view magic) { return head.starts_with(magic); };
  const ReaderDef* reader = readerFor(path);
  const bool own = reader && reader != &idxReader();
  if (startsWith({"\0\0\x08", 3}) || looksLikeIdx(head) || (startsWith("\x1f\x8b") && !own)) return printIdx(path);
  if (looksLikePicture(head)) return printImage(path);
  if (head.size() > 8 && head[8] == '{') return printTensors(path);
  if (startsLikeProject(head)) return printProject(path);
  if (own) return printDataset(path);
  throw Error(Error::Kind::Input, path.string(),
              "is none of the files that Strata reads: a project, a checkpoint or safetensors file, an IDX file, a "
              "picture, a table, an array");
}

void printAny(const Path& path) {
  if (!somethingAt(path))
    throw Error(Error::Kind::File, path.string(), "there is no such file or folder", "Check the name.");
  if (!folderAt(path)) printFile(path);
  else if (somethingAt(path / "project.json")) printRun(path);
  else printDataset(path);
}

int info(const std::vector<std::string>& paths) {
  return forEachInput(paths, "path", false, [several = paths.size() > 1](const std::string& path) {
    if (several) std::cout << path << ":\n";
    printAny(path);
  });
}

}  // namespace

void addInfo(CLI::App& app, Command& command) {
  CLI::App* sub = app.add_subcommand("info", "Say what a file, or a folder holding a data set or a run, is");
  auto paths = std::make_shared<std::vector<std::string>>();
  sub->add_option("PATH", *paths, "Any files or folders")->required();
  sub->callback([paths, &command] { command.run = [paths] { return info(*paths); }; });
}

}  // namespace strata
