// SPDX-License-Identifier: Apache-2.0
// What tells one run's data from another's, so that a run goes on with the samples, the split and the order it began
// with.
#pragma once
#include <cstdint>
#include <string>

#include "engine/data/dataset.h"

namespace strata {

/// Of the samples a run trains and validates on, and of the order it goes through them.
struct DataFingerprint {
  std::string title;    ///< of the data set, for the message
  std::string samples;  ///< 16 hexadecimal digits: shape, every value and label that the run may read
  ValidationSource validation = ValidationSource::Split;
  double validationFraction = 0;  ///< 0 where the test set validates
  std::uint64_t seed = 0;         ///< of the split and of the order
  bool shuffle = true;
  bool operator==(const DataFingerprint&) const = default;
};

DataFingerprint fingerprintOf(const DataView& data, double validationFraction, std::uint64_t seed, bool shuffle);

/// Why a run of data `began` cannot go on with `now`, as a clause: "it trained on MNIST, ..."; "" when they are the
/// same.
std::string differenceBetween(const DataFingerprint& began, const DataFingerprint& now);

Json fingerprintToJson(const DataFingerprint& fingerprint);
DataFingerprint fingerprintFromJson(const Json& json, const std::string& where);  ///< Error::Input

}  // namespace strata
