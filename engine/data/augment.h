// SPDX-License-Identifier: Apache-2.0
// Small random changes of the training samples, so that a net sees each of them a little different in every epoch. Each
// is a row of a table: form, JSON, `--set` and tests walk it. To add one: a row in augment.cpp.
#pragma once
#include <cstdint>

#include "engine/base/rng.h"
#include "engine/net/field.h"
#include "engine/net/shape.h"

namespace strata {

/// How strongly the training samples are changed in which ways. Nothing by itself.
struct Augmentation {
  Fields fields;  ///< of augmentationFields()
  Augmentation();
  bool any() const;
  /// Whether it is made of whole shifts and turns alone, which a backend may draw itself (cuda/kernels.h).
  bool onlyShiftsAndTurns() const;
  bool operator==(const Augmentation&) const = default;
};
const std::vector<Field>& augmentationFields();
Json augmentationToJson(const Augmentation& augmentation);
Augmentation augmentationFromJson(const Json& json, const std::string& where);

/// Which sample is changed when: what is drawn is a pure function of this.
struct AugmentDraw {
  std::uint64_t seed = 0, epoch = 0;
  std::uint32_t sample = 0;
};

/// Changes samples of one shape [H,W,C]. Any thread.
class Augmenter {
 public:
  /// `ground` is what comes in from outside the picture.
  Augmenter(const Augmentation& augmentation, const Shape& shape, std::uint8_t ground);

  /// `to` is `from` changed; they do not overlap.
  void operator()(const AugmentDraw& draw, const std::uint8_t* from, std::uint8_t* to) const;

 private:
  struct Part {
    std::size_t row;  ///< of the table
    double amount;
  };
  Shape m_shape;
  std::uint8_t m_ground;
  std::vector<Part> m_parts;  ///< what is not nothing, in the table's order
};

}  // namespace strata
