// SPDX-License-Identifier: Apache-2.0
// Pictures as people make them, read from files: PNG, JPEG, GIF, BMP, WebP and TIFF, upright and on a ground.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "engine/base/file.h"

namespace strata {

/// Pixels [height,width,channels], 0 black to 255 white; one channel is grey, three are red, green and blue.
struct Picture {
  int width = 0, height = 0;
  std::vector<std::uint8_t> pixels;
  int channels = 1;
};

/// A picture from a file, in colour.
struct PictureFile {
  Picture picture;
  std::string remark;  ///< what was amiss and yet harmless, as part of a sentence: "is cut off: ..."; mostly empty
};

/// Which format it is tells the content, never the name. Of several frames or pages the first is read; EXIF's
/// orientation is followed; what is transparent gets a ground on which the rest stands out. Up to 40 million pixels in
/// 64 MiB are read; those above 4 million are averaged to fewer while they are read. Error::File, Error::Input.
PictureFile readPicture(const Path& path);

/// Whether a file that starts with these bytes is one of readPicture()'s formats.
bool looksLikePicture(std::string_view head);

/// One channel: weights as in Rec. 601, which leave grey as it is.
Picture toGrey(const Picture& picture);

}  // namespace strata
