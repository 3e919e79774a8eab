// SPDX-License-Identifier: GPL-3.0-or-later
// For tests that read and write files: a folder of their own, and the sentence with which something was refused.
#pragma once
#include <QString>
#include <QTemporaryDir>
#include <fstream>
#include <sstream>
#include <string>

#include "engine/base/error.h"
#include "engine/base/file.h"

/// Gone when the test is.
class ScratchFolder {
 public:
  strata::Path path() const { return m_folder.path().toStdString(); }
  strata::Path operator/(const std::string& name) const { return path() / name; }

 private:
  QTemporaryDir m_folder;
};

inline void writeText(const strata::Path& path, const std::string& text) {
  std::ofstream(path, std::ios::binary) << text;
}

inline std::string readText(const strata::Path& path) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

/// What `call` was refused with; "not refused" when it was not. Any exception but strata::Error fails the test by
/// escaping.
template <class Call>
QString refusedWith(strata::Error::Kind kind, Call call) {
  try {
    call();
  } catch (const strata::Error& error) {
    return error.kind() == kind ? QString::fromUtf8(error.what())
                                : QStringLiteral("refused with another kind: ") + error.what();
  }
  return QStringLiteral("not refused");
}
