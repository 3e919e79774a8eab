// SPDX-License-Identifier: Apache-2.0
// Small random moves of the training samples, so that a net sees each of them a little different in every epoch.
#pragma once
#include <cstdint>

#include "engine/base/rng.h"
#include "engine/net/field.h"
#include "engine/net/shape.h"

namespace strata {

struct Augmentation {
  int shift = 0;      ///< whole pixels, up to this many in each direction
  double rotate = 0;  ///< degrees, up to this many either way
  bool any() const { return shift > 0 || rotate > 0; }
  bool operator==(const Augmentation&) const = default;
};
const std::vector<Field>& augmentationFields();
/// The same as values of augmentationFields(), and back.
Fields fieldsOf(const Augmentation& augmentation);
Augmentation augmentationOf(const Fields& fields);
Json augmentationToJson(const Augmentation& augmentation);
Augmentation augmentationFromJson(const Json& json, const std::string& where);

/// Moves one sample [H,W,C]: `to` is `from` rotated about its centre and shifted, both drawn from `rng`; pixels from
/// outside the image are `ground`. A shift alone copies pixels; a rotation blends the four nearest.
void augment(const Augmentation& augmentation, const Shape& shape, Rng rng, std::uint8_t ground,
             const std::uint8_t* from, std::uint8_t* to);

}  // namespace strata
