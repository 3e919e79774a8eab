// SPDX-License-Identifier: Apache-2.0
// What `data.source` of a project means, the same for both programs. In this order: the id of a known data set; a
// folder, absolute or from "~"; a folder beside the project file; a folder from where the program was started. A folder
// that is called like a known data set is named by "./mnist".
#pragma once
#include <string>

#include "engine/base/file.h"

namespace strata {

/// The same source so that it means the same wherever it is read: an id, or an absolute folder as sourceText() writes
/// it. `projectFile` is what the source stands in; empty when it was never saved. What is found nowhere comes back
/// as it is when it may be a misspelt id, else as the folder that was looked for beside the project.
std::string resolveSource(const std::string& source, const Path& projectFile);

/// A folder as text. A project file holds UTF-8 alone, so a name with other bytes becomes a file address,
/// "file:///a%E9".
std::string sourceText(const Path& folder);
/// The folder that the text names, wherever it may lie.
Path sourceFolder(const std::string& source);

}  // namespace strata
