// SPDX-License-Identifier: GPL-3.0-or-later
// Copies of work that would have been lost: projects in the user's data folder, written when the studio has met an
// error of its own, offered at the next start, and removed once the work is saved or given up.
#pragma once
#include <optional>

#include "engine/run/project.h"

namespace strata::gui {

/// Writes the project where newestKept() finds it; the copies that one process writes replace each other. Returns the
/// file. Error::File.
Path keepForRecovery(const Project& project);
/// The copy of the process that wrote its first one last.
std::optional<Path> newestKept();

}  // namespace strata::gui
