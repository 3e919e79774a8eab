// SPDX-License-Identifier: Apache-2.0
#include "engine/cli/model_file.h"

#include <iostream>

#include "engine/base/error.h"
#include "engine/cli/command.h"
#include "engine/run/resume.h"

namespace strata {
namespace {

/// The weights are answered with all the same: they may be all that is left.
void tellIfNotTheBest(const Path& run) {
  try {
    if (const std::string problem = problemWithBest(readRun(run)); !problem.empty()) std::cerr << problem << std::endl;
  } catch (const Error&) {  // a record that cannot be read calls nothing the best
  }
}

}  // namespace

Checkpoint readModel(const std::string& model) {
  if (somethingAt(model) && !folderAt(model)) return readCheckpoint(model);
  const Path run = findRun(model), checkpoints = run / "checkpoints";
  tellIfNotTheBest(run);
  const Path best = checkpoints / "best.safetensors";
  return readCheckpoint(somethingAt(best) ? best : checkpoints / "last.safetensors");
}

Path runOf(const std::string& model) {
  if (!somethingAt(model) || folderAt(model)) return findRun(model);
  const Path folder = Path(model).parent_path().parent_path();
  return somethingAt(folder / "project.json") ? folder : Path();
}

std::string className(const Checkpoint& model, std::size_t index) {
  return index < model.classes.size() ? model.classes[index] : std::to_string(index);
}

}  // namespace strata
