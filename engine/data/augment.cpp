// SPDX-License-Identifier: Apache-2.0
// The table of augmentations.
#include "engine/data/augment.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "engine/base/json.h"
#include "engine/data/picture_moves.h"

namespace strata {
namespace {

/// A picture whose values are changed in place.
struct Picture {
  const Shape& shape;
  std::uint8_t ground;
  std::uint8_t* pixels;
};

/// What a row draws from: `rng` is the sample's own in this epoch.
struct Dice {
  Rng& rng;
  const AugmentDraw& draw;
  double around0() { return 2 * rng.uniform01() - 1; }  ///< in [-1, 1)
};

/// Either moves pixels or changes their values.
struct AugmentDef {
  Field field;
  void (*move)(PictureMoves& moves, double amount, Dice& dice) = nullptr;
  void (*change)(const Picture& picture, double amount, Dice& dice) = nullptr;
  bool alwaysDraws = false;  ///< its numbers are drawn at 0 too, where a later row acts
};

/// An amount, 0 where the row does nothing: of a choice the place in its list, of a switch 1.
double amountOf(const Field& field, const Value& value) {
  switch (field.kind) {
    case Field::Kind::Int:
      return double(std::get<std::int64_t>(value));
    case Field::Kind::Choice:
      return double(std::find_if(field.choices.begin(), field.choices.end(),
                                 [&](const Choice& c) { return c.id == std::get<std::string>(value); }) -
                    field.choices.begin());
    default:
      return std::get<double>(value);
  }
}

Field withUnit(Field field, const std::string& unit) {
  field.unit = unit;
  return field;
}

std::uint8_t asByte(double value) { return static_cast<std::uint8_t>(std::clamp(std::lround(value), 0L, 255L)); }

template <class Change>
void eachByte(const Picture& picture, Change change) {
  for (std::int64_t i = 0; i < picture.shape.size(); ++i) picture.pixels[i] = asByte(change(i, picture.pixels[i]));
}

void shiftBy(PictureMoves& moves, double amount, Dice& dice) {
  const int most = static_cast<int>(amount);
  const auto range = static_cast<std::uint32_t>(2 * most + 1);
  moves.down = static_cast<int>(dice.rng.below(range)) - most;
  moves.right = static_cast<int>(dice.rng.below(range)) - most;
}

void turn(PictureMoves& moves, double amount, Dice& dice) {
  const double angle = amount * dice.around0() * std::numbers::pi / 180, cosine = std::cos(angle),
               sine = std::sin(angle);
  moves.then(cosine, sine, -sine, cosine);
}

/// Both directions alike, by a factor whose logarithm is drawn, so that larger and smaller are equally likely.
void resize(PictureMoves& moves, double amount, Dice& dice) {
  const double back = std::exp(-std::log1p(amount) * dice.around0());
  moves.then(back, 0, 0, back);
}

void slant(PictureMoves& moves, double amount, Dice& dice) {
  moves.then(1, std::tan(amount * dice.around0() * std::numbers::pi / 180), 0, 1);
}

void warp(PictureMoves& moves, double amount, Dice& dice) {
  moves.warp.resize(2 * PictureMoves::kWarpGrid * PictureMoves::kWarpGrid);
  for (float& displacement : moves.warp) displacement = static_cast<float>(amount * dice.around0());
}

constexpr double kAlternating = 2;
/// Alternating: whether a sample is mirrored is drawn once, and is the other way in every second epoch.
void mirror(PictureMoves& moves, double amount, Dice& dice) {
  if (amount < kAlternating) moves.mirrored = dice.rng.below(2) == 1;
  else
    moves.mirrored =
        (Rng(dice.draw.seed, Stream::Augment, ~std::uint64_t{dice.draw.sample}).below(2) + dice.draw.epoch) % 2 == 1;
}

void brighten(const Picture& picture, double amount, Dice& dice) {
  const double by = 255 * amount * dice.around0();
  eachByte(picture, [&](std::int64_t, double value) { return value + by; });
}

void stretchContrast(const Picture& picture, double amount, Dice& dice) {
  double mean = 0;
  for (std::int64_t i = 0; i < picture.shape.size(); ++i) mean += picture.pixels[i];
  mean /= double(picture.shape.size());
  const double factor = 1 + amount * dice.around0();
  eachByte(picture, [&](std::int64_t, double value) { return mean + (value - mean) * factor; });
}

void tint(const Picture& picture, double amount, Dice& dice) {
  std::vector<double> factors(std::size_t(picture.shape.c));
  for (double& factor : factors) factor = 1 + amount * dice.around0();
  eachByte(picture, [&](std::int64_t i, double value) { return value * factors[std::size_t(i % picture.shape.c)]; });
}

void addNoise(const Picture& picture, double amount, Dice& dice) {
  eachByte(picture, [&](std::int64_t, double value) { return value + 255 * amount * double(dice.rng.normal()); });
}

void cutOut(const Picture& picture, double amount, Dice& dice) {
  const Shape& shape = picture.shape;
  const int side = static_cast<int>(amount), middleY = static_cast<int>(dice.rng.below(std::uint32_t(shape.h))),
            middleX = static_cast<int>(dice.rng.below(std::uint32_t(shape.w)));
  const int left = std::max(0, middleX - side / 2), right = std::min(shape.w, middleX - side / 2 + side);
  for (int y = std::max(0, middleY - side / 2); y < std::min(shape.h, middleY - side / 2 + side); ++y)
    std::fill_n(picture.pixels + (std::int64_t{y} * shape.w + left) * shape.c, std::int64_t{right - left} * shape.c,
                picture.ground);
}

/// In the order in which they act and draw: the first two as they always were, so that old runs stay what they are.
const std::vector<AugmentDef>& allAugmentations() {
  static const std::vector<AugmentDef> rows{
      {withUnit(intField("shift", "Shift", 0, 0, 64,
                         "Moves each training sample by up to so many pixels in each direction."),
                "px"),
       shiftBy, nullptr, true},
      {withUnit(
           realField("rotate", "Rotate", 0, 0, 180, "Turns each training sample by up to so many degrees either way."),
           "°"),
       turn},
      {realField("zoom", "Zoom", 0, 0, 1,
                 "Makes each training sample larger or smaller by up to this share: 0.2 is up to a fifth."),
       resize},
      {withUnit(realField("shear", "Shear", 0, 0, 60, "Slants each training sample by up to so many degrees."), "°"),
       slant},
      {withUnit(realField("elastic", "Elastic", 0, 0, 16,
                          "Warps each training sample like rubber, by up to so many pixels at each of 16 points."),
                "px"),
       warp},
      {choiceField("flip", "Flip",
                   {{"none", "None", "Left stays left."},
                    {"random", "Random", "Half of the samples are mirrored, drawn anew in every epoch."},
                    {"alternating", "Alternating", "Each sample is mirrored in every second epoch."}},
                   "none", "Mirrors training samples left to right. Not for digits or letters, which change by it."),
       mirror},
      {realField("brightness", "Brightness", 0, 0, 1,
                 "Makes each training sample brighter or darker by up to this share of the whole range."),
       nullptr, brighten},
      {realField("contrast", "Contrast", 0, 0, 1,
                 "Stretches or flattens the values about their mean by up to this share."),
       nullptr, stretchContrast},
      {realField("colour", "Colour", 0, 0, 1, "Strengthens or weakens each colour by itself by up to this share."),
       nullptr, tint},
      {realField("noise", "Noise", 0, 0, 1,
                 "Adds random noise to every value, of this standard deviation as a share of the whole range."),
       nullptr, addNoise},
      {withUnit(intField("cutout", "Cut-out", 0, 0, 512,
                         "Blanks a square of this side at a random place, so that the net cannot lean on one part."),
                "px"),
       nullptr, cutOut}};
  return rows;
}

}  // namespace

const std::vector<Field>& augmentationFields() {
  static const std::vector<Field> fields = [] {
    std::vector<Field> all;
    for (const AugmentDef& row : allAugmentations()) all.push_back(row.field);
    return all;
  }();
  return fields;
}

Augmentation::Augmentation() : fields(augmentationFields()) {}

bool Augmentation::any() const {
  return std::any_of(augmentationFields().begin(), augmentationFields().end(),
                     [&](const Field& field) { return amountOf(field, fields.at(field.id)) > 0; });
}

bool Augmentation::onlyShiftsAndTurns() const {
  return std::all_of(augmentationFields().begin(), augmentationFields().end(), [&](const Field& field) {
    return field.id == "shift" || field.id == "rotate" || amountOf(field, fields.at(field.id)) == 0;
  });
}

Json augmentationToJson(const Augmentation& augmentation) {
  Json json = Json::object();
  fieldsToJson(augmentationFields(), augmentation.fields, json);
  return json;
}

Augmentation augmentationFromJson(const Json& json, const std::string& where) {
  Augmentation augmentation;
  augmentation.fields = fieldsFromJson(augmentationFields(), json, where, {});
  return augmentation;
}

Augmenter::Augmenter(const Augmentation& augmentation, const Shape& shape, std::uint8_t ground)
    : m_shape(shape), m_ground(ground) {
  if (!augmentation.any()) return;
  for (std::size_t row = 0; row < allAugmentations().size(); ++row) {
    const AugmentDef& def = allAugmentations()[row];
    const double amount = amountOf(def.field, augmentation.fields.at(def.field.id));
    if (amount > 0 || def.alwaysDraws) m_parts.push_back({row, amount});
  }
}

void Augmenter::operator()(const AugmentDraw& draw, const std::uint8_t* from, std::uint8_t* to) const {
  Rng rng(draw.seed, Stream::Augment, draw.epoch << 32 | draw.sample);
  Dice dice{rng, draw};
  PictureMoves moves;
  const auto each = [&](auto act) {
    for (const Part& part : m_parts) act(allAugmentations()[part.row], part.amount);
  };
  each([&](const AugmentDef& def, double amount) {
    if (def.move) def.move(moves, amount, dice);
  });
  movePicture(moves, m_shape, m_ground, from, to);
  const Picture picture{m_shape, m_ground, to};
  each([&](const AugmentDef& def, double amount) {
    if (def.change) def.change(picture, amount, dice);
  });
}

}  // namespace strata
