// SPDX-License-Identifier: Apache-2.0
// A data set in memory: immutable samples and labels, shared by everyone who reads them. Samples stay bytes or floats
// as they were stored until a net's first layer reads them; Preprocessing says what they mean and travels with project
// and checkpoint.
#pragma once
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "engine/base/json_fwd.h"
#include "engine/net/shape.h"

namespace strata {

/// How a picture from outside is laid before the net. `Mnist`: cropped to the ink and framed as MNIST frames its
/// digits. `None`: whole, scaled to the net's size.
enum class Framing { Auto, Mnist, None };
/// What stands on what in the data as they are stored: light things on a dark ground, or dark ones on light, or
/// neither.
enum class Ink { Auto, Light, Dark, None };

/// A byte becomes byte * scale + offset, after an optional inversion (255 - byte); a float is taken as it is. Then
/// either is standardised. Framing and ink say how a picture from outside is made like the data; `Auto` means as the
/// data set says, and no run or checkpoint holds it.
struct Preprocessing {
  double scale = 1.0 / 255;
  double offset = 0;
  bool invert = false;  ///< the data are dark ink on light ground
  Framing framing = Framing::Auto;
  Ink ink = Ink::Auto;
  /// value = (value - mean) / deviation, by the last axis: a table's columns, a picture's channels. As many as that
  /// has, or one for all; both empty: not standardised.
  std::vector<double> mean{}, deviation{};
  bool operator==(const Preprocessing&) const = default;
};
/// More columns than this have one mean and one deviation together.
inline constexpr std::size_t kMostColumns = 16384;
/// Values of whole samples, in place.
void standardise(std::span<float> values, const Preprocessing& preprocessing);
Json preprocessingToJson(const Preprocessing& preprocessing);
Preprocessing preprocessingFromJson(const Json& json, const std::string& where);

/// One part of a data set: samples [N] of a Shape and labels [N]. One of pixels and floats is empty.
struct Samples {
  int count = 0;
  std::vector<std::uint8_t> pixels{};  ///< as bytes
  std::vector<std::int32_t> labels{};
  std::vector<float> floats{};  ///< finite, as stored
  bool areFloats() const { return !floats.empty(); }
};

struct Dataset {
  std::string id;      ///< "mnist", "fashion-mnist", "synthetic-digits"
  std::string title;   ///< "MNIST"; synthetic data say so here
  std::string origin;  ///< folder it was read from, or "generated"
  bool synthetic = false;
  Shape shape = Shape::image(28, 28, 1);
  std::vector<std::string> classes;  ///< names, by label
  Framing framing = Framing::None;
  Ink ink = Ink::Light;
  Samples train, test;
  // Of data of one's own, a sentence each:
  std::vector<std::string> understood;  ///< how they were read where the files leave it open
  std::vector<std::string> warnings;    ///< what ought to be seen to
};

/// The same with the data set's own framing and ink in place of `Auto`.
Preprocessing resolved(Preprocessing preprocessing, const Dataset& dataset);
/// Likewise where the data set is not at hand, for checkpoints that do not say: digits of 28 x 28 are taken for
/// MNIST's.
Preprocessing resolved(Preprocessing preprocessing, const Shape& shape, const std::vector<std::string>& classes);
/// Why the net would learn ink of the other polarity than drawings have, as a sentence with its way out; empty when all
/// is well. `preprocessing` is resolved.
std::string polarityWarning(const Preprocessing& preprocessing);

/// Which part "validation" means.
enum class ValidationSource { Split, TestSet };

/// What a run trains and validates on: indices into one Dataset, never copies.
struct DataView {
  std::shared_ptr<const Dataset> dataset;
  std::vector<int> train;       ///< indices into dataset->train, in file order
  std::vector<int> validation;  ///< indices into dataset->train (Split) or ->test (TestSet)
  ValidationSource validationSource = ValidationSource::Split;
  const Samples& validationSamples() const {
    return validationSource == ValidationSource::Split ? dataset->train : dataset->test;
  }
};

/// As for a data set; and floats are standardised by what is trained on, unless it is said how already.
Preprocessing resolved(Preprocessing preprocessing, const DataView& data);

/// How many samples makeDataView() would give to training and to validation.
struct SplitSizes {
  int train = 0, validation = 0;
};
/// Throws Error::Input with the reason where the data set cannot be split so.
SplitSizes splitSizes(const Dataset& dataset, ValidationSource source, double fraction);

/// Split holds out `fraction` of the training set, drawn by `seed`, the rest keeping its order; TestSet validates on
/// the test set. Throws as splitSizes() does.
DataView makeDataView(std::shared_ptr<const Dataset> dataset, ValidationSource source, double fraction,
                      std::uint64_t seed);

}  // namespace strata
