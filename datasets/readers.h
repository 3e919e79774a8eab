// SPDX-License-Identifier: Apache-2.0
// The table of readers of a person's own data.
#pragma once
#include <vector>

#include "datasets/readers/reader.h"

namespace strata {

/// In the order in which they are asked; the first that recognises a path reads it.
const std::vector<const ReaderDef*>& allReaders();
/// Null for what none of them knows.
const ReaderDef* readerFor(const Path& path);

}  // namespace strata
