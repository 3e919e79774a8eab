// SPDX-License-Identifier: Apache-2.0
// The first frame of a GIF, by giflib.
#include <algorithm>
#include <array>
#include <cstring>

#include <gif_lib.h>

#include "datasets/readers/picture_sink.h"

namespace strata {

namespace {

struct GifJob {
  std::span<const unsigned char> rest;
  GifFileType* gif = nullptr;
  int transparent = NO_TRANSPARENT_COLOR;  ///< index of the colour that is none
  std::string where;

  ~GifJob() {
    if (gif) DGifCloseFile(gif, nullptr);
  }
  [[noreturn]] void refuse(const char* reason) const {
    refusePicture(where, std::string("is a damaged GIF") + (reason ? std::string(" (") + reason + ")" : ""));
  }
  void check(int result) const {
    if (result == GIF_ERROR) refuse(gif ? GifErrorString(gif->Error) : nullptr);
  }
};

int readGif(GifFileType* gif, GifByteType* into, int size) {
  auto* job = static_cast<GifJob*>(gif->UserData);
  const std::size_t count = std::min(job->rest.size(), static_cast<std::size_t>(std::max(size, 0)));
  std::memcpy(into, job->rest.data(), count);
  job->rest = job->rest.subspan(count);
  return static_cast<int>(count);
}

void readExtension(GifJob& job) {
  int code = 0;
  GifByteType* block = nullptr;
  job.check(DGifGetExtension(job.gif, &code, &block));
  while (block) {
    GraphicsControlBlock control;
    if (code == GRAPHICS_EXT_FUNC_CODE && DGifExtensionToGCB(block[0], block + 1, &control) == GIF_OK)
      job.transparent = control.TransparentColor;
    job.check(DGifGetExtensionNext(job.gif, &block));
  }
}

/// Goes on to the first frame's header.
void findFrame(GifJob& job) {
  for (GifRecordType type = UNDEFINED_RECORD_TYPE;;) {
    job.check(DGifGetRecordType(job.gif, &type));
    if (type == EXTENSION_RECORD_TYPE) readExtension(job);
    else if (type == IMAGE_DESC_RECORD_TYPE) return job.check(DGifGetImageDesc(job.gif));
    else job.refuse("it has no frame");
  }
}

/// In the order in which an interlaced frame's rows come, the row's place.
std::vector<int> rowOrder(int height, bool interlaced) {
  std::vector<int> order;
  if (!interlaced)
    for (int y = 0; y < height; ++y) order.push_back(y);
  else
    for (const auto& [first, step] : {std::pair{0, 8}, {4, 8}, {2, 4}, {1, 2}})
      for (int y = first; y < height; y += step) order.push_back(y);
  return order;
}

/// A row of colour numbers as RGBA; numbers past the table's end are none.
void colourRow(const GifByteType* indices, int count, const ColorMapObject& colours, int transparent,
               std::uint8_t* rgba) {
  for (int x = 0; x < count; ++x, rgba += 4) {
    const int index = indices[x];
    if (index == transparent || index >= colours.ColorCount) continue;
    const GifColorType& colour = colours.Colors[index];
    const std::uint8_t pixel[4] = {colour.Red, colour.Green, colour.Blue, 255};
    std::memcpy(rgba, pixel, 4);
  }
}

}  // namespace

PictureFile decodeGif(std::span<const unsigned char> file, const std::string& where) {
  GifJob job;
  job.rest = file;
  job.where = where;
  int error = 0;
  job.gif = DGifOpen(&job, readGif, &error);
  if (!job.gif) job.refuse(GifErrorString(error));
  findFrame(job);
  const GifImageDesc& frame = job.gif->Image;
  const ColorMapObject* colours = frame.ColorMap ? frame.ColorMap : job.gif->SColorMap;
  if (!colours) job.refuse("it has no colours");
  if (frame.Left < 0 || frame.Top < 0 || frame.Width <= 0 || frame.Height <= 0) job.refuse("a frame without size");
  const int width = std::max(job.gif->SWidth, frame.Left + frame.Width),
            height = std::max(job.gif->SHeight, frame.Top + frame.Height);
  PictureSink sink(static_cast<std::uint64_t>(width), static_cast<std::uint64_t>(height), where);

  std::vector<GifByteType> indices(static_cast<std::size_t>(frame.Width) * static_cast<std::size_t>(frame.Height));
  std::vector<char> there(static_cast<std::size_t>(frame.Height), 0);
  const auto line = [&](int y) { return indices.data() + static_cast<std::size_t>(y) * frame.Width; };
  std::string reason;
  for (const int y : rowOrder(frame.Height, frame.Interlace)) {
    if (DGifGetLine(job.gif, line(y), frame.Width) == GIF_ERROR) {
      if (const char* text = GifErrorString(job.gif->Error)) reason = text;
      break;
    }
    there[static_cast<std::size_t>(y)] = 1;
  }
  std::vector<std::uint8_t> row;
  for (int y = 0; y < height; ++y) {
    row.assign(std::size_t{4} * static_cast<std::size_t>(width), 0);
    if (y >= frame.Top && y < frame.Top + frame.Height) {
      if (!there[static_cast<std::size_t>(y - frame.Top)]) break;
      colourRow(line(y - frame.Top), frame.Width, *colours, job.transparent, row.data() + std::size_t{4} * frame.Left);
    }
    sink.add(row.data());
  }
  return sink.finish("GIF", reason);
}

}  // namespace strata
