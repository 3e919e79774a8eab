// SPDX-License-Identifier: Apache-2.0
#include "datasets/digits/prep.h"

#include <algorithm>
#include <cmath>

#include "datasets/digits/framing.h"
#include "datasets/digits/paper.h"

namespace strata {

namespace {

constexpr int kMaxSide = 512;  // larger pictures carry nothing more that 28 x 28 could show
constexpr int kLeastInk = 24;  // fainter pixels do not count as drawn
// Thin lines fade when they are made smaller; the strongest pixel is brought up to full white.
constexpr int kFullInk = 200;

/// How much each source pixel counts for each output pixel along one axis: a window as wide as the scale, at least one
/// pixel. That is the area average when shrinking and linear interpolation when growing.
struct Taps {
  int first = 0;
  std::vector<float> weights;
};

std::vector<Taps> tapsFor(int from, int to) {
  const double scale = static_cast<double>(from) / to, half = std::max(scale, 1.0) / 2;
  std::vector<Taps> taps(static_cast<std::size_t>(to));
  for (int i = 0; i < to; ++i) {
    const double centre = (i + 0.5) * scale;
    const double low = std::max(0.0, centre - half), high = std::min<double>(from, centre + half);
    Taps& tap = taps[static_cast<std::size_t>(i)];
    tap.first = static_cast<int>(low);
    for (int source = tap.first; source < high; ++source) {
      const double covered = std::min<double>(high, source + 1) - std::max<double>(low, source);
      tap.weights.push_back(static_cast<float>(covered / (high - low)));
    }
  }
  return taps;
}

/// The part `from` of a picture, as large as told.
Picture resampled(const Picture& image, Rect from, int width, int height) {
  const auto across = tapsFor(from.w, width), down = tapsFor(from.h, height);
  const int c = image.channels, rowSize = width * c;
  std::vector<float> rows(static_cast<std::size_t>(from.h) * rowSize);
  for (int y = 0; y < from.h; ++y) {
    const std::uint8_t* line = image.pixels.data() + (static_cast<std::size_t>(from.y + y) * image.width + from.x) * c;
    for (int i = 0; i < rowSize; ++i) {
      const Taps& tap = across[static_cast<std::size_t>(i / c)];
      float sum = 0;
      for (std::size_t t = 0; t < tap.weights.size(); ++t)
        sum += tap.weights[t] * line[(tap.first + static_cast<int>(t)) * c + i % c];
      rows[static_cast<std::size_t>(y) * rowSize + i] = sum;
    }
  }
  Picture out{width, height, std::vector<std::uint8_t>(static_cast<std::size_t>(height) * rowSize), c};
  for (int y = 0; y < height; ++y) {
    const Taps& tap = down[static_cast<std::size_t>(y)];
    for (int i = 0; i < rowSize; ++i) {
      float sum = 0;
      for (std::size_t t = 0; t < tap.weights.size(); ++t)
        sum += tap.weights[t] * rows[(static_cast<std::size_t>(tap.first) + t) * rowSize + i];
      out.pixels[static_cast<std::size_t>(y) * rowSize + i] =
          static_cast<std::uint8_t>(std::lround(std::min(sum, 255.f)));
    }
  }
  return out;
}

Rect wholeOf(const Picture& picture) { return {0, 0, picture.width, picture.height}; }

/// `w` x `h` scaled, at least one pixel each way.
Rect scaledSize(int w, int h, double scale) {
  return {0, 0, std::max(1, static_cast<int>(std::lround(w * scale))),
          std::max(1, static_cast<int>(std::lround(h * scale)))};
}

Picture atMost(const Picture& picture, int side) {
  const int longer = std::max(picture.width, picture.height);
  if (longer <= side) return picture;
  const Rect size = scaledSize(picture.width, picture.height, static_cast<double>(side) / longer);
  return resampled(picture, wholeOf(picture), size.w, size.h);
}

/// One channel as three, three as one.
Picture withChannels(const Picture& picture, int channels) {
  if (picture.channels == channels) return picture;
  if (channels == 1) return toGrey(picture);
  Picture colour{picture.width, picture.height, {}, channels};
  colour.pixels.reserve(picture.pixels.size() * static_cast<std::size_t>(channels));
  for (const std::uint8_t pixel : picture.pixels) colour.pixels.insert(colour.pixels.end(), channels, pixel);
  return colour;
}

/// The pixels within a fourteenth of the side from the border, of one channel.
std::vector<std::uint8_t> borderOf(const Picture& picture, int channel) {
  const int w = picture.width, h = picture.height, band = std::max(1, std::min(w, h) / 14);
  std::vector<std::uint8_t> border;
  for (int y = 0; y < h; ++y)
    for (int x = 0; x < w; ++x)
      if (x < band || x >= w - band || y < band || y >= h - band)
        border.push_back(picture.pixels[(static_cast<std::size_t>(y) * w + x) * picture.channels + channel]);
  return border;
}

/// White ink on black, whatever it was: a clean drawing stays as it is, a photo (of paper or of a blackboard) is evened
/// out. Frames, ruled lines and specks are gone.
Picture inkOf(const Picture& grey, bool dark) {
  const bool clean = cleanGround(grey) == (dark ? Ink::Dark : Ink::Light);
  Picture ink = dark ? grey : negative(grey);
  ink = clean ? negative(std::move(ink)) : inkFromPaper(ink);
  cleanInk(ink);
  return ink;
}

void strengthen(Picture& image) {
  const int strongest = *std::max_element(image.pixels.begin(), image.pixels.end());
  if (strongest == 0 || strongest >= kFullInk) return;
  for (std::uint8_t& pixel : image.pixels) pixel = static_cast<std::uint8_t>(pixel * 255 / strongest);
}

/// Ink of the data's polarity.
Ink inkFor(Polarity polarity) { return polarity == Polarity::DarkOnLight ? Ink::Dark : Ink::Light; }

/// As MNIST frames a digit; `steps` may leave something out.
std::optional<PreparedPicture> framed(const Picture& picture, Shape target, const Preprocessing& data,
                                      const PrepChoice& choice) {
  const PrepSteps steps = choice.steps;
  const Picture grey = strongestChannel(atMost(picture, kMaxSide));
  PreparedPicture digit;
  digit.framing = Framing::Mnist;
  digit.inverted = choice.polarity == Polarity::Auto ? isDarkOnLight(grey) : choice.polarity == Polarity::DarkOnLight;
  digit.ink = inkOf(grey, digit.inverted);
  digit.shapes = countShapes(digit.ink);

  const Rect bounds = inkBounds(digit.ink, kLeastInk);
  if (bounds.w == 0) return std::nullopt;
  digit.crop = steps.crop ? bounds : wholeOf(digit.ink);
  const double box = std::round(std::min(target.h, target.w) * static_cast<double>(kBox) / kFrame);
  const double scale = steps.fit ? box / std::max(digit.crop.w, digit.crop.h)
                                 : std::min(static_cast<double>(target.w) / digit.ink.width,
                                            static_cast<double>(target.h) / digit.ink.height);
  const Rect fitted = scaledSize(digit.crop.w, digit.crop.h, scale);
  digit.fitted = resampled(digit.ink, digit.crop, fitted.w, fitted.h);
  strengthen(digit.fitted);

  Picture frame{target.w, target.h, std::vector<std::uint8_t>(static_cast<std::size_t>(target.w) * target.h), 1};
  const std::uint8_t* ink = digit.fitted.pixels.data();
  if (steps.centre) placeByMass(ink, fitted.w, fitted.h, frame.pixels.data(), target.w, target.h);
  else
    placeAt(ink, fitted.w, fitted.h, frame.pixels.data(), target.w, target.h, (target.w - fitted.w) / 2,
            (target.h - fitted.h) / 2);
  if (data.ink == Ink::Dark) frame = negative(std::move(frame));
  digit.final = withChannels(frame, target.c);
  return digit;
}

/// Whether dark and light have to be exchanged to match the data. Only where both the data's and the picture's grounds
/// are plain; and a picture of the net's size, which may well be one of the data's, only where the data are digits.
bool mustTurn(const Picture& picture, const Preprocessing& data, Polarity polarity, bool asItIs) {
  const Ink wanted = data.ink == Ink::Dark ? Ink::Dark : Ink::Light;
  if (polarity != Polarity::Auto) return inkFor(polarity) != wanted;
  if (data.ink == Ink::None || (asItIs && data.framing != Framing::Mnist)) return false;
  const Ink has = groundOf(picture);
  if (has == Ink::None || has == wanted) return false;
  return data.framing != Framing::Mnist || isDarkOnLight(toGrey(picture)) == (has == Ink::Dark);
}

/// The whole picture, its aspect kept; what is left over beside it gets the colour of its border.
Picture fittedWhole(const Picture& picture, Shape target) {
  const Rect size = scaledSize(
      picture.width, picture.height,
      std::min(static_cast<double>(target.w) / picture.width, static_cast<double>(target.h) / picture.height));
  const Picture fitted = resampled(picture, wholeOf(picture), std::min(size.w, target.w), std::min(size.h, target.h));
  const int c = picture.channels, left = (target.w - fitted.width) / 2, top = (target.h - fitted.height) / 2;
  Picture out{target.w, target.h, {}, c};
  out.pixels.resize(static_cast<std::size_t>(target.w) * target.h * c);
  for (int channel = 0; channel < c; ++channel) {
    const auto ground = static_cast<std::uint8_t>(percentile(borderOf(picture, channel), 0.5));
    for (std::size_t at = static_cast<std::size_t>(channel); at < out.pixels.size(); at += c) out.pixels[at] = ground;
  }
  for (int y = 0; y < fitted.height; ++y)
    std::copy_n(fitted.pixels.data() + static_cast<std::size_t>(y) * fitted.width * c, fitted.width * c,
                out.pixels.data() + (static_cast<std::size_t>(y + top) * target.w + left) * c);
  return out;
}

std::optional<PreparedPicture> whole(const Picture& picture, Shape target, const Preprocessing& data,
                                     const PrepChoice& choice) {
  PreparedPicture prepared;
  prepared.asItIs = picture.width == target.w && picture.height == target.h;
  prepared.ink =
      withChannels(prepared.asItIs ? picture : atMost(picture, std::max({kMaxSide, target.w, target.h})), target.c);
  const auto& pixels = prepared.ink.pixels;
  const bool flat = std::all_of(pixels.begin(), pixels.end(), [&](std::uint8_t pixel) { return pixel == pixels[0]; });
  if (flat && (!prepared.asItIs || data.framing == Framing::Mnist)) return std::nullopt;
  prepared.inverted = mustTurn(prepared.ink, data, choice.polarity, prepared.asItIs);
  if (prepared.inverted) prepared.ink = negative(std::move(prepared.ink));
  prepared.crop = wholeOf(prepared.ink);
  prepared.final = prepared.asItIs ? prepared.ink : fittedWhole(prepared.ink, target);
  prepared.fitted = prepared.final;
  return prepared;
}

/// Sample `index` of a part of a data set.
Picture sampleOf(const Samples& samples, const Shape& shape, int index) {
  const auto first = samples.pixels.begin() + static_cast<std::ptrdiff_t>(shape.size()) * index;
  return {shape.w, shape.h, {first, first + static_cast<std::ptrdiff_t>(shape.size())}, shape.c};
}

}  // namespace

std::optional<PreparedPicture> preparePicture(const Picture& picture, Shape target, const Preprocessing& data,
                                              const PrepChoice& choice) {
  const bool sound = picture.width > 0 && picture.height > 0 && picture.channels > 0 &&
                     picture.pixels.size() == static_cast<std::size_t>(picture.width) * picture.height *
                                                  static_cast<std::size_t>(picture.channels);
  if (!sound || !readsPictures(target)) return std::nullopt;
  const bool exact = picture.width == target.w && picture.height == target.h;
  const Framing framing = choice.framing != Framing::Auto ? choice.framing : exact ? Framing::None : data.framing;
  return framing == Framing::Mnist ? framed(picture, target, data, choice) : whole(picture, target, data, choice);
}

bool readsPictures(const Shape& input) {
  return input.isImage() && input.h > 0 && input.w > 0 && (input.c == 1 || input.c == 3);
}

Ink groundOf(const Picture& picture) {
  constexpr int kDark = 64, kLight = 191;
  constexpr double kMostOf = 0.75;
  const std::vector<std::uint8_t> border = borderOf(toGrey(picture), 0);
  if (border.empty()) return Ink::None;
  if (percentile(border, kMostOf) <= kDark) return Ink::Light;
  return percentile(border, 1 - kMostOf) >= kLight ? Ink::Dark : Ink::None;
}

void judgePictures(Dataset& dataset, Framing known) {
  constexpr int kLooks = 200;
  constexpr double kSame = 2;  // mean difference of a framed digit from what framing it again makes of it
  dataset.framing = known == Framing::Auto ? Framing::None : known;
  dataset.ink = Ink::None;
  if (!readsPictures(dataset.shape) || dataset.train.count == 0 || dataset.train.areFloats()) return;
  const int looks = std::min(kLooks, dataset.train.count);
  const bool grey = dataset.shape.c == 1;
  int light = 0, dark = 0, framedAlready = 0;
  for (int i = 0; i < looks; ++i) {
    const Picture sample =
        sampleOf(dataset.train, dataset.shape, static_cast<int>(std::int64_t{dataset.train.count} * i / looks));
    const Ink ground = groundOf(sample);
    light += ground == Ink::Light;
    dark += ground == Ink::Dark;
    if (known != Framing::Auto || !grey || ground == Ink::None) continue;
    Preprocessing same;
    same.ink = ground;
    PrepChoice again;
    again.framing = Framing::Mnist;
    const auto digit = preparePicture(sample, dataset.shape, same, again);
    if (!digit) continue;
    double difference = 0;
    for (std::size_t p = 0; p < sample.pixels.size(); ++p)
      difference += std::abs(sample.pixels[p] - digit->final.pixels[p]);
    framedAlready += difference < kSame * static_cast<double>(sample.pixels.size());
  }
  if (light * 2 > looks && dark * 20 <= looks) dataset.ink = Ink::Light;
  else if (dark * 2 > looks && light * 20 <= looks) dataset.ink = Ink::Dark;
  if (known == Framing::Auto && framedAlready * 4 >= looks * 3) dataset.framing = Framing::Mnist;
}

std::vector<float> netInput(const Picture& final, const Preprocessing& preprocessing) {
  std::vector<float> values(final.pixels.size());
  std::transform(final.pixels.begin(), final.pixels.end(), values.begin(), [&](std::uint8_t pixel) {
    const int byte = preprocessing.invert ? 255 - pixel : pixel;
    return static_cast<float>(byte * preprocessing.scale + preprocessing.offset);
  });
  standardise(values, preprocessing);
  return values;
}

}  // namespace strata
