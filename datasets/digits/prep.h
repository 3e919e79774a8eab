// SPDX-License-Identifier: Apache-2.0
// From a picture to what the net reads, one code for the drawing canvas, photos and `strata predict`. A picture of
// exactly the net's size goes in as it is. Others are framed as their data set is: drawn digits the way MNIST was made
// (cropped to the ink, fitted into 20x20 keeping the aspect, antialiased, placed on 28x28 with the centre of mass in
// the middle), everything else whole, scaled to the net's size with its aspect kept.
#pragma once
#include <optional>

#include "datasets/digits/blots.h"
#include "datasets/readers/picture.h"
#include "engine/data/dataset.h"

namespace strata {

/// Which steps of framing run; each has a tick in the studio.
struct PrepSteps {
  bool crop = true, fit = true, centre = true;
};

enum class Polarity { Auto, LightOnDark, DarkOnLight };

/// What a person asks for in place of what the data set says and the picture shows.
struct PrepChoice {
  Framing framing = Framing::Auto;
  Polarity polarity = Polarity::Auto;
  PrepSteps steps = {};
};

/// Every stage, for the strip "what the net sees".
struct PreparedPicture {
  Framing framing = Framing::None;  ///< how it was laid: never Auto
  bool asItIs = false;              ///< of the net's size already: neither framed nor scaled
  bool inverted = false;            ///< dark and light were exchanged
  /// White ink on black when it is framed as MNIST's, else the picture; those above 512 pixels a side are made smaller.
  Picture ink;
  Rect crop;       ///< the part of `ink` that is used: with framing its ink's bounding box
  Picture fitted;  ///< 20x20 or smaller in one direction, for a net that reads 28x28 and framed digits
  Picture final;   ///< as large as the net's input and with its channels, like a sample of the data set
  int shapes = 1;  ///< drawings beside each other, where they were looked for: the net answers for one
};

/// `data` is resolved (dataset.h). Nothing drawn, nothing to prepare: empty when the picture holds no ink.
std::optional<PreparedPicture> preparePicture(const Picture& picture, Shape target, const Preprocessing& data,
                                              const PrepChoice& choice = {});

/// Whether the net of that input reads pictures at all: one channel or three.
bool readsPictures(const Shape& input);

/// What the data's polarity is, by a look at this one sample's border: Light, Dark or None. Never Auto.
Ink groundOf(const Picture& picture);

/// Sets the data set's ink, and its framing unless that is known, by a look at some of its training samples.
void judgePictures(Dataset& dataset, Framing known = Framing::Auto);

/// Floats as the net reads them, as from a sample of the data set: value = byte * scale + offset, inverted before and
/// standardised behind if the data are.
std::vector<float> netInput(const Picture& final, const Preprocessing& preprocessing);

}  // namespace strata
