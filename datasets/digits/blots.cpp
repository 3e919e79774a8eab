// SPDX-License-Identifier: Apache-2.0
#include "datasets/digits/blots.h"

#include <algorithm>
#include <functional>
#include <numeric>

namespace strata {

namespace {

constexpr double kSpeckShare = 0.04;   // of the largest blot's ink: less is a speck
constexpr double kBand = 0.08;         // of a box's sides: what lies so near its edges is outline
constexpr double kFrameShare = 0.85;   // of a frame's ink is outline
constexpr double kDrawingShare = 0.1;  // of the largest blot's ink: without so much left over there was no frame
constexpr double kShapeShare = 0.25;   // of the largest drawing's ink: less is a part of another one
constexpr int kInk = 64;               // as strong is a line, not its soft edge

bool nearEdge(const Rect& box, int x, int y) {
  const int across = std::max(1, static_cast<int>(kBand * box.w)), down = std::max(1, static_cast<int>(kBand * box.h));
  return x < box.x + across || x >= box.x + box.w - across || y < box.y + down || y >= box.y + box.h - down;
}

bool inside(const Rect& inner, const Rect& outer) {
  return inner.x >= outer.x && inner.y >= outer.y && inner.x + inner.w <= outer.x + outer.w &&
         inner.y + inner.h <= outer.y + outer.h;
}

/// Wipes out the blots that `unwanted` names.
void wipe(Picture& ink, const Blots& blots, const std::vector<char>& unwanted) {
  for (std::size_t i = 0; i < ink.pixels.size(); ++i)
    if (blots.of[i] >= 0 && unwanted[static_cast<std::size_t>(blots.of[i])]) ink.pixels[i] = 0;
}

std::int64_t largestMass(const Blots& blots, const std::vector<char>& left_out) {
  std::int64_t largest = 0;
  for (std::size_t i = 0; i < blots.all.size(); ++i)
    if (!left_out[i]) largest = std::max(largest, blots.all[i].mass);
  return largest;
}

/// Whether a blot is no drawing but what surrounds one: it runs along the picture's border (a frame, the table around a
/// sheet, a shadow), crosses it from side to side as a thin line, or is a box with other ink in it.
bool surrounds(const Blot& blot, const Blots& blots, int width, int height) {
  const Rect& box = blot.box;
  const int shorter = std::min(width, height);
  if (blot.edge * 2 >= shorter) return true;
  const bool thin = std::min(box.w, box.h) <= std::max(2.0, kBand * shorter);
  if (thin && (box.w == width || box.h == height)) return true;
  if (static_cast<double>(blot.outline) < kFrameShare * static_cast<double>(blot.mass)) return false;
  return std::any_of(blots.all.begin(), blots.all.end(), [&](const Blot& other) {
    return &other != &blot && inside(other.box, box) &&
           static_cast<double>(other.mass) > kDrawingShare * static_cast<double>(blot.mass);
  });
}

/// Frames go where something is left without them.
void removeFrames(Picture& ink) {
  const Blots blots = findBlots(ink);
  std::vector<char> frame(blots.all.size());
  for (std::size_t i = 0; i < frame.size(); ++i) frame[i] = surrounds(blots.all[i], blots, ink.width, ink.height);
  const std::vector<char> none(frame.size(), 0);
  const auto left = largestMass(blots, frame), all = largestMass(blots, none);
  const bool enough = left > 0 && static_cast<double>(left) >= kDrawingShare * static_cast<double>(all);
  // A thick frame or a table may have far more ink than the drawing in it: then that it is large must do.
  const bool large = std::any_of(blots.all.begin(), blots.all.end(), [&](const Blot& blot) {
    return !frame[static_cast<std::size_t>(&blot - blots.all.data())] &&
           std::max(blot.box.w * 8, blot.box.h * 8) >= std::min(ink.width, ink.height);
  });
  if (enough || (left > 0 && large)) wipe(ink, blots, frame);
}

void removeSpecks(Picture& ink) {
  const Blots blots = findBlots(ink);
  const double least = kSpeckShare * static_cast<double>(largestMass(blots, std::vector<char>(blots.all.size(), 0)));
  std::vector<char> speck;
  for (const Blot& blot : blots.all) speck.push_back(static_cast<double>(blot.mass) < least);
  wipe(ink, blots, speck);
}

/// Rows seen as columns and the other way round.
Picture transposed(const Picture& picture) {
  Picture turned{picture.height, picture.width, std::vector<std::uint8_t>(picture.pixels.size())};
  for (int y = 0; y < picture.height; ++y)
    for (int x = 0; x < picture.width; ++x)
      turned.pixels[static_cast<std::size_t>(x) * turned.width + y] =
          picture.pixels[static_cast<std::size_t>(y) * picture.width + x];
  return turned;
}

/// A row of which nearly every pixel is ink.
std::vector<char> fullRows(const Picture& ink) {
  std::vector<char> full;
  for (int y = 0; y < ink.height; ++y) {
    const auto row = ink.pixels.begin() + static_cast<std::ptrdiff_t>(y) * ink.width;
    const auto count = std::count_if(row, row + ink.width, [](std::uint8_t pixel) { return pixel >= kInk / 2; });
    full.push_back(count >= 0.9 * ink.width);
  }
  return full;
}

/// A frame that the drawing touches is one blot with it, so rows and columns at the border that are all ink are peeled
/// off; on three sides at least, for one or two may be the bars of a digit cut out closely.
void peelFrame(Picture& ink) {
  const std::vector<char> rows = fullRows(ink), columns = fullRows(transposed(ink));
  const int most = std::max(1, std::min(ink.width, ink.height) / 10);
  int sides = 0;
  const auto depth = [&](auto first, auto last) {
    const auto end = std::find(first, last, 0);
    const auto full = static_cast<int>(end - first);
    if (full == 0 || full > most) return 0;
    ++sides;
    return full + 1;  // with its soft edge
  };
  const int top = depth(rows.begin(), rows.end()), bottom = depth(rows.rbegin(), rows.rend()),
            left = depth(columns.begin(), columns.end()), right = depth(columns.rbegin(), columns.rend());
  if (sides < 3) return;
  for (int y = 0; y < ink.height; ++y)
    for (int x = 0; x < ink.width; ++x)
      if (y < top || y >= ink.height - bottom || x < left || x >= ink.width - right)
        ink.pixels[static_cast<std::size_t>(y) * ink.width + x] = 0;
}

/// Lines of ruled paper: thin, from side to side, two of them or more. Where the drawing crosses one it stays.
void removeRules(Picture& ink) {
  const std::vector<char> full = fullRows(ink);
  const int thickest = std::max(1, ink.height / 40);
  std::vector<std::pair<int, int>> lines;  // first row, number of rows
  for (int y = 0; y < ink.height;) {
    int end = y;
    while (end < ink.height && full[static_cast<std::size_t>(end)]) ++end;
    if (end > y && end - y <= thickest) lines.push_back({y, end - y});
    y = std::max(end, y + 1);
  }
  if (lines.size() < 2) return;
  const auto at = [&](int x, int y) -> std::uint8_t& {
    return ink.pixels[static_cast<std::size_t>(y) * ink.width + x];
  };
  const auto isInk = [&](int x, int y) { return y >= 0 && y < ink.height && at(x, y) >= kInk; };
  for (const auto& [first, rows] : lines)
    for (int x = 0; x < ink.width; ++x) {
      const int above = first - 2, below = first + rows + 1;  // past the line's soft edge
      if (isInk(x, above) || isInk(x, below)) continue;
      for (int y = std::max(0, first - 1); y <= std::min(ink.height - 1, first + rows); ++y) at(x, y) = 0;
    }
}

}  // namespace

Blots findBlots(const Picture& ink) {
  const int w = ink.width, h = ink.height;
  Blots blots;
  blots.of.assign(ink.pixels.size(), -1);
  std::vector<int> stack;
  for (int start = 0; start < w * h; ++start) {
    if (ink.pixels[start] == 0 || blots.of[start] >= 0) continue;
    const int number = static_cast<int>(blots.all.size());
    Blot blot;
    int left = w, right = 0, top = h, bottom = 0;
    blots.of[start] = number;
    stack.push_back(start);
    while (!stack.empty()) {
      const int at = stack.back(), column = at % w, row = at / w;
      stack.pop_back();
      blot.mass += ink.pixels[at];
      blot.edge += column == 0 || row == 0 || column == w - 1 || row == h - 1;
      left = std::min(left, column);
      right = std::max(right, column);
      top = std::min(top, row);
      bottom = std::max(bottom, row);
      for (int y = std::max(0, row - 1); y <= std::min(h - 1, row + 1); ++y)
        for (int x = std::max(0, column - 1); x <= std::min(w - 1, column + 1); ++x) {
          const int next = y * w + x;
          if (ink.pixels[next] == 0 || blots.of[next] >= 0) continue;
          blots.of[next] = number;
          stack.push_back(next);
        }
    }
    blot.box = {left, top, right - left + 1, bottom - top + 1};
    blots.all.push_back(blot);
  }
  for (int at = 0; at < w * h; ++at)
    if (blots.of[at] >= 0)
      if (Blot& blot = blots.all[static_cast<std::size_t>(blots.of[at])]; nearEdge(blot.box, at % w, at / w))
        blot.outline += ink.pixels[at];
  return blots;
}

void cleanInk(Picture& ink) {
  peelFrame(ink);
  removeRules(ink);
  Picture turned = transposed(ink);
  removeRules(turned);
  ink = transposed(turned);
  removeFrames(ink);
  removeSpecks(ink);
}

int countShapes(const Picture& ink) {
  const Blots blots = findBlots(ink);
  std::vector<Rect> shapes;
  const double least = kShapeShare * static_cast<double>(largestMass(blots, std::vector<char>(blots.all.size(), 0)));
  for (const Blot& blot : blots.all)
    if (static_cast<double>(blot.mass) >= least) shapes.push_back(blot.box);
  // Parts over or under each other belong together unless each is a figure of its own height.
  const auto together = [](const Rect& a, const Rect& b) {
    const int shared = std::min(a.x + a.w, b.x + b.w) - std::max(a.x, b.x);
    if (shared * 5 < std::min(a.w, b.w)) return false;
    const bool apart = a.y + a.h <= b.y || b.y + b.h <= a.y;
    return !apart || std::min(a.h, b.h) * 2 < std::max(a.h, b.h);
  };
  std::vector<int> group(shapes.size());
  std::iota(group.begin(), group.end(), 0);
  for (std::size_t i = 0; i < shapes.size(); ++i)
    for (std::size_t j = 0; j < i; ++j)
      if (together(shapes[i], shapes[j])) std::replace(group.begin(), group.end(), group[i], group[j]);
  std::sort(group.begin(), group.end());
  return static_cast<int>(std::unique(group.begin(), group.end()) - group.begin());
}

Rect inkBounds(const Picture& ink, int least) {
  int left = ink.width, right = -1, top = ink.height, bottom = -1;
  for (int y = 0; y < ink.height; ++y)
    for (int x = 0; x < ink.width; ++x)
      if (ink.pixels[static_cast<std::size_t>(y) * ink.width + x] >= least) {
        left = std::min(left, x);
        right = std::max(right, x);
        top = std::min(top, y);
        bottom = y;
      }
  return right < 0 ? Rect{} : Rect{left, top, right - left + 1, bottom - top + 1};
}

}  // namespace strata
