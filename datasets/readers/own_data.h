// SPDX-License-Identifier: Apache-2.0
// What the readers of a person's own data share: refusals, names of classes, what is worth a warning.
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "engine/base/file.h"
#include "engine/data/dataset.h"

namespace strata {

/// Bytes of samples in one part. What is larger would take more memory than a training has.
inline constexpr std::uint64_t kMostSampleBytes = std::uint64_t{4} << 30;

[[noreturn]] void refuseData(const Path& path, const std::string& what, const std::string& wayOut);

/// `count` samples of `size` values of `bytesEach`, for which there must be room. Error::Input
void checkRoom(std::uint64_t count, std::uint64_t size, std::uint64_t bytesEach, const Path& path);

/// Error::Input for a shape that no net reads.
void checkShape(const Shape& shape, const Path& path);

/// Labels that are whole numbers become indices of classes, which count from 0, or from 1 as in EMNIST's letters.
/// Negative and large ones (10,000 and more) are taken for names. `test` may be empty.
void takeClasses(Dataset& dataset, std::span<const std::int64_t> train, std::span<const std::int64_t> test,
                 const Path& path);
/// Labels that are names: the classes in the order of the alphabet, or of the numbers where all are whole numbers.
void takeClasses(Dataset& dataset, std::span<const std::string> train, std::span<const std::string> test,
                 const Path& path);

/// The name of a file or folder without its endings, to be shown.
std::string titleOf(const Path& path);

/// What the samples say by themselves, as warnings: classes of very different size, classes without samples, the same
/// sample in both parts.
void addWarnings(Dataset& dataset);

}  // namespace strata
