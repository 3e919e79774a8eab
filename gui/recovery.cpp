// SPDX-License-Identifier: GPL-3.0-or-later
#include "gui/recovery.h"

#include <QDateTime>

#include <unistd.h>

#include "engine/base/error.h"

namespace strata::gui {
namespace {

namespace fs = std::filesystem;

constexpr char kSuffix[] = ".strata";

Path folder() { return userDataDir() / "recovery"; }

/// One name a process, sorted by when it was first needed.
const std::string& ownName() {
  static const std::string name =
      QDateTime::currentDateTimeUtc().toString("yyyyMMdd-HHmmss-").toStdString() + std::to_string(::getpid()) + kSuffix;
  return name;
}

}  // namespace

Path keepForRecovery(const Project& project) {
  makeFolders(folder());
  const Path file = folder() / ownName();
  writeProject(file, project);
  return file;
}

std::optional<Path> newestKept() try {
  std::optional<Path> newest;
  std::error_code failed;  // a folder that is not there holds none
  fs::directory_iterator entry(folder(), failed), end;
  for (; !failed && entry != end; entry.increment(failed)) {
    const Path& file = entry->path();
    if (file.extension() != kSuffix) continue;  // a temporary one of a save under way
    if (!newest || file.filename() > newest->filename()) newest = file;
  }
  return newest;
} catch (const Error&) {  // no place for the user's data: nothing was kept
  return std::nullopt;
}

}  // namespace strata::gui
