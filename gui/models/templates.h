// SPDX-License-Identifier: GPL-3.0-or-later
// The table of nets to start from, each a project among the resources. To add one: the file in resources/projects, its
// name in gui/CMakeLists.txt, a row in templates.cpp.
#pragma once
#include <QString>
#include <vector>

#include "engine/run/project.h"

namespace strata::gui {

struct Template {
  Project project;
  QString teaches;  ///< a sentence
};

/// In the palette's order.
const std::vector<Template>& templates();

}  // namespace strata::gui
