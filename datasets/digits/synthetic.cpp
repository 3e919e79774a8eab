// SPDX-License-Identifier: Apache-2.0
// Digits drawn on the spot, so that training can start with neither network nor files: pen strokes (digit_strokes.cpp),
// jittered, bent, slanted and turned, drawn with a pen of some width, framed as MNIST frames its digits. Image i is a
// function of (seed, i).
#include <algorithm>
#include <array>
#include <cmath>
#include <future>
#include <thread>

#include "datasets/datasets.h"
#include "datasets/digits/framing.h"
#include "datasets/digits/strokes.h"
#include "engine/base/rng.h"

namespace strata {

namespace {

constexpr int kPixels = kFrame * kFrame;
constexpr int kStepsPerSpan = 6;                              // straight pieces between two points of a stroke
constexpr std::uint64_t kTestIndex = std::uint64_t{1} << 32;  // test images are numbered from here

/// A digit as written: polylines, at first in the units of digit_strokes.h, at last in pixels of the box.
using Polylines = std::vector<std::vector<PenPoint>>;

const DigitShape& chooseShape(int digit, Rng& rng) {
  const auto shapes = digitShapes(digit);
  float total = 0;
  for (const DigitShape& shape : shapes) total += shape.share;
  float at = rng.uniform(0, total);
  for (const DigitShape& shape : shapes)
    if ((at -= shape.share) < 0) return shape;
  return shapes.back();
}

/// The curve through a stroke's points (Catmull-Rom), each point moved a little. Points given twice stay together: a
/// corner.
std::vector<PenPoint> trace(const PenStroke& stroke, float jitter, Rng& rng) {
  PenStroke points = stroke;
  for (std::size_t i = 0; i < points.size(); ++i) {
    const bool again = i > 0 && stroke[i].x == stroke[i - 1].x && stroke[i].y == stroke[i - 1].y;
    const PenPoint moved = {stroke[i].x + jitter * rng.normal(), stroke[i].y + jitter * rng.normal()};
    points[i] = again ? points[i - 1] : moved;
  }
  std::vector<PenPoint> line = {points.front()};
  for (std::size_t i = 0; i + 1 < points.size(); ++i) {
    const PenPoint p0 = points[i == 0 ? 0 : i - 1], p1 = points[i], p2 = points[i + 1],
                   p3 = points[std::min(i + 2, points.size() - 1)];
    if (p1.x == p2.x && p1.y == p2.y) continue;
    for (int step = 1; step <= kStepsPerSpan; ++step) {
      const float t = static_cast<float>(step) / kStepsPerSpan;
      const auto curve = [t](float a, float b, float c, float d) {
        return 0.5f * (2 * b + t * (c - a + t * (2 * a - 5 * b + 4 * c - d + t * (3 * (b - c) + d - a))));
      };
      line.push_back({curve(p0.x, p1.x, p2.x, p3.x), curve(p0.y, p1.y, p2.y, p3.y)});
    }
  }
  return line;
}

/// Elastic distortion: two slow waves push the points about, as a hand drifts.
void bend(Polylines& lines, Rng& rng) {
  for (int wave = 0; wave < 2; ++wave) {
    const float fx = rng.uniform(-4, 4), fy = rng.uniform(-4, 4), phase = rng.uniform(0, 6.2832f);
    const float ax = 0.035f * rng.normal(), ay = 0.035f * rng.normal();
    for (auto& line : lines)
      for (PenPoint& p : line) {
        const float s = std::sin(fx * p.x + fy * p.y + phase);
        p = {p.x + ax * s, p.y + ay * s};
      }
  }
}

/// Slant, turn and width of the handwriting.
void transform(Polylines& lines, Rng& rng) {
  const float slant = 0.14f + 0.24f * rng.normal(), turn = 0.12f * rng.normal();
  const float widen = std::exp(0.16f * rng.normal());
  const float c = std::cos(turn), s = std::sin(turn);
  for (auto& line : lines)
    for (PenPoint& p : line) {
      const float y = p.y - 0.5f, x = widen * p.x - slant * y;
      p = {c * x - s * y, s * x + c * y};
    }
}

/// Scales and moves the lines so that with the pen's radius they just fill the longer side of the box.
void fitIntoBox(Polylines& lines, float radius) {
  PenPoint low = lines[0][0], high = low;
  for (const auto& line : lines)
    for (const PenPoint& p : line) {
      low = {std::min(low.x, p.x), std::min(low.y, p.y)};
      high = {std::max(high.x, p.x), std::max(high.y, p.y)};
    }
  const float scale = (kBox - 2 * radius) / std::max(high.x - low.x, high.y - low.y);
  const float middleX = (low.x + high.x) / 2, middleY = (low.y + high.y) / 2;
  for (auto& line : lines)
    for (PenPoint& p : line) p = {(p.x - middleX) * scale + kBox / 2.f, (p.y - middleY) * scale + kBox / 2.f};
}

using Box = std::array<float, kBox * kBox>;

/// One straight piece of the pen's way: every pixel takes the pen's coverage of it, falling off over `edge` pixels.
void drawPiece(PenPoint a, PenPoint b, float radius, float edge, Box& box) {
  const float reach = radius + edge / 2;
  const auto first = [](float v) { return std::max(0, static_cast<int>(std::floor(v - 0.5f))); };
  const auto last = [](float v) { return std::min(kBox - 1, static_cast<int>(std::ceil(v - 0.5f))); };
  const float dx = b.x - a.x, dy = b.y - a.y, lengthSquared = std::max(dx * dx + dy * dy, 1e-9f);
  for (int y = first(std::min(a.y, b.y) - reach); y <= last(std::max(a.y, b.y) + reach); ++y)
    for (int x = first(std::min(a.x, b.x) - reach); x <= last(std::max(a.x, b.x) + reach); ++x) {
      const float px = x + 0.5f - a.x, py = y + 0.5f - a.y;
      const float t = std::clamp((px * dx + py * dy) / lengthSquared, 0.f, 1.f);
      const float ex = px - t * dx, ey = py - t * dy, distance = std::sqrt(ex * ex + ey * ey);
      float& pixel = box[static_cast<std::size_t>(y * kBox + x)];
      pixel = std::max(pixel, std::min((reach - distance) / edge, 1.f));
    }
}

/// Draws image number `index` into `frame` [28,28] (zeros before) and returns its label.
int drawDigit(std::uint64_t seed, std::uint64_t index, std::uint8_t* frame) {
  Rng rng(seed, Stream::Digits, index);
  const int digit = static_cast<int>(rng.below(10));
  const float jitter = rng.uniform(0.01f, 0.045f);
  const float radius = std::clamp(1.25f * std::exp(0.28f * rng.normal()), 0.6f, 2.4f);
  const float edge = rng.uniform(1.0f, 1.6f);
  Polylines lines;
  for (const PenStroke& stroke : chooseShape(digit, rng).strokes) lines.push_back(trace(stroke, jitter, rng));
  bend(lines, rng);
  transform(lines, rng);
  fitIntoBox(lines, radius);

  Box box{};
  for (const auto& line : lines)
    for (std::size_t i = 0; i + 1 < line.size(); ++i) drawPiece(line[i], line[i + 1], radius, edge, box);
  std::array<std::uint8_t, kBox * kBox> bytes;
  std::transform(box.begin(), box.end(), bytes.begin(),
                 [](float v) { return static_cast<std::uint8_t>(std::lround(255 * v)); });
  placeByMass(bytes.data(), kBox, kBox, frame, kFrame, kFrame);
  return digit;
}

Samples drawDigits(std::uint64_t seed, std::uint64_t firstIndex, int count) {
  Samples samples;
  samples.count = count;
  samples.pixels.resize(static_cast<std::size_t>(count) * kPixels);
  samples.labels.resize(static_cast<std::size_t>(count));
  const int workers = static_cast<int>(std::clamp(std::thread::hardware_concurrency(), 1u, 8u));
  std::vector<std::future<void>> parts;
  for (int worker = 0; worker < workers; ++worker)
    parts.push_back(std::async(std::launch::async, [&, worker] {
      for (std::size_t i = static_cast<std::size_t>(worker); i < samples.labels.size();
           i += static_cast<std::size_t>(workers))
        samples.labels[i] = drawDigit(seed, firstIndex + i, samples.pixels.data() + i * kPixels);
    }));
  for (auto& part : parts) part.get();  // throws what its thread has thrown
  return samples;
}

}  // namespace

std::shared_ptr<const Dataset> syntheticDigits(std::uint64_t seed, int trainCount, int testCount) {
  const auto& all = catalogue();
  const CatalogueEntry& entry =
      *std::find_if(all.begin(), all.end(), [](const CatalogueEntry& e) { return e.generated; });
  auto dataset = std::make_shared<Dataset>();
  dataset->id = entry.id;
  dataset->title = entry.title;
  dataset->origin = "generated";
  dataset->synthetic = true;
  dataset->framing = Framing::Mnist;
  dataset->shape = Shape::image(kFrame, kFrame, 1);
  dataset->classes = entry.classes;
  dataset->train = drawDigits(seed, 0, trainCount);
  dataset->test = drawDigits(seed, kTestIndex, testCount);
  return dataset;
}

}  // namespace strata
