// SPDX-License-Identifier: Apache-2.0
// Which decoder reads a picture, by its first bytes.
#include <algorithm>
#include <array>

#include "datasets/readers/inflate.h"
#include "datasets/readers/picture_sink.h"
#include "engine/base/error.h"

namespace strata {

namespace {

using namespace std::string_view_literals;

constexpr std::uint64_t kMaxFile = std::uint64_t{64} << 20;
constexpr std::uint64_t kHead = 16;  // bytes that tell the format

struct Format {
  std::string_view start, then;  ///< the first bytes, and those from the ninth
  PictureFile (*decode)(std::span<const unsigned char>, const std::string&);
};

constexpr std::array kFormats{
    Format{"\x89PNG\r\n\x1a\n"sv, ""sv, decodePng},
    Format{"\xff\xd8\xff"sv, ""sv, decodeJpeg},
    Format{"GIF87a"sv, ""sv, decodeGif},
    Format{"GIF89a"sv, ""sv, decodeGif},
    Format{"RIFF"sv, "WEBP"sv, decodeWebp},
    Format{"II*\0"sv, ""sv, decodeTiff},
    Format{"MM\0*"sv, ""sv, decodeTiff},
    Format{"II+\0"sv, ""sv, decodeTiff},
    Format{"MM\0+"sv, ""sv, decodeTiff},
    Format{"BM"sv, ""sv, decodeBmp},
};

const Format* formatOf(std::string_view head) {
  const auto found = std::find_if(kFormats.begin(), kFormats.end(), [&](const Format& format) {
    return head.starts_with(format.start) &&
           (format.then.empty() || head.substr(std::min<std::size_t>(8, head.size())).starts_with(format.then));
  });
  return found == kFormats.end() ? nullptr : &*found;
}

}  // namespace

bool looksLikePicture(std::string_view head) { return formatOf(head) != nullptr; }

PictureFile readPicture(const Path& path) {
  RegularFile file(path);
  std::string bytes = file.read(kHead);
  const Format* format = formatOf(bytes);
  if (!format)
    refusePicture(path.string(), "is not a picture in a format that is read",
                  "Save it as PNG, JPEG, GIF, BMP, WebP or TIFF.");
  if (file.size() > kMaxFile)
    refusePicture(path.string(),
                  "is a picture of " + std::to_string(file.size() >> 20) + " MiB, at most 64 MiB are read",
                  "Save a smaller copy.");
  bytes += file.read(file.size() - std::min<std::uint64_t>(file.size(), bytes.size()));
  return format->decode(asBytes(bytes), path.string());
}

Picture toGrey(const Picture& picture) {
  if (picture.channels == 1) return picture;
  Picture grey{picture.width, picture.height, {}, 1};
  grey.pixels.reserve(picture.pixels.size() / 3);
  for (std::size_t at = 0; at + 2 < picture.pixels.size(); at += 3)
    grey.pixels.push_back(static_cast<std::uint8_t>(
        (picture.pixels[at] * 299 + picture.pixels[at + 1] * 587 + picture.pixels[at + 2] * 114 + 500) / 1000));
  return grey;
}

}  // namespace strata
