// SPDX-License-Identifier: Apache-2.0
// The one exception type. Its message is one sentence a person can act on: where, what, got/needed, a way out. Whatever
// a file puts into it, it stays on one line and is cut.
// A half-edited network is not exceptional: analyse() reports it as Issues (network_spec.h).
#pragma once
#include <stdexcept>
#include <string>

#include "engine/base/text.h"

namespace strata {

class Error : public std::runtime_error {
 public:
  /// The value is the exit code of the command line program (resources/docs/command-line.md).
  enum class Kind { Usage = 2, Input = 3, File = 4, Device = 5, Diverged = 6 };

  /// `where` a file, field or layer · `what` what is wrong, with "got X, needed Y" where there are two sides ·
  /// `wayOut` what the person can do, a full sentence; empty when there is nothing better to say.
  Error(Kind kind, const std::string& where, const std::string& what, const std::string& wayOut = {})
      : std::runtime_error(message(where, what, wayOut)), m_kind(kind) {}

  Kind kind() const { return m_kind; }
  int exitCode() const { return static_cast<int>(m_kind); }

 private:
  static std::string message(const std::string& where, const std::string& what, const std::string& wayOut) {
    std::string text = printable(where, kMostWhere, kMostWhere / 2);
    if (!where.empty()) text += ": ";
    text += printable(what, kMostWhat);
    if (!text.ends_with('.')) text += '.';
    if (!wayOut.empty()) text.append(" ").append(printable(wayOut, kMostWhat));
    if (!text.ends_with('.') && !text.ends_with('?')) text += '.';
    return text;
  }

  static constexpr std::size_t kMostWhere = 240;  ///< characters; of a longer path both ends are kept
  static constexpr std::size_t kMostWhat = 600;

  Kind m_kind;
};

}  // namespace strata
