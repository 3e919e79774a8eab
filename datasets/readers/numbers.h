// SPDX-License-Identifier: Apache-2.0
// Arrays of numbers as IDX and NumPy files hold them, in either byte order, and how they become samples and labels.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "engine/base/file.h"
#include "engine/data/dataset.h"

namespace strata {

struct NumberType {
  enum class Kind { Unsigned, Signed, Real };
  Kind kind = Kind::Unsigned;
  int size = 1;  ///< bytes: 1, 2, 4 or 8; reals 2, 4 or 8
  bool bigEndian = false;
  bool isByte() const { return kind == Kind::Unsigned && size == 1; }
  bool operator==(const NumberType&) const = default;
};

/// Numbers in the order of C: the last dimension runs fastest.
struct Array {
  Path path;         ///< for messages
  std::string name;  ///< of the array in its file; may be empty
  std::vector<int> dims;
  NumberType type;
  std::vector<std::uint8_t> bytes{};  ///< product(dims) * type.size
};

/// What an array is called in messages.
std::string nameOf(const Array& array);

/// The array's rows become the samples of both parts and give the data set its shape: [N,D] vectors; [N,H,W] pictures,
/// or sequences [N,T,D] where the numbers are not those of pictures; [N,H,W,C] or [N,C,H,W] pictures, told by the small
/// axis. Whole numbers of 0 to 255 in pictures become bytes, all else floats, which must be finite. What was judged is
/// added to the data set's `understood`. Error::Input.
void takeSamples(Dataset& dataset, Array train, std::optional<Array> test);

/// Labels: [N] or [N,1] whole numbers, or one row [N,K] a sample in which the 1 stands at its class. Error::Input.
std::vector<std::int64_t> labelsOf(const Array& array);

}  // namespace strata
