// SPDX-License-Identifier: Apache-2.0
// The first page of a TIFF, by libtiff's own conversion to RGBA, a band of rows at a time: a strip or a row of tiles.
#include <algorithm>
#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <memory>

#include <tiffio.h>

#include "datasets/readers/exif.h"
#include "datasets/readers/picture_sink.h"

namespace strata {

namespace {

struct TiffJob {
  std::span<const unsigned char> file;
  std::uint64_t at = 0;
  char reason[160] = "";  ///< the first error's text
};

TiffJob* jobOf(thandle_t handle) { return static_cast<TiffJob*>(handle); }

tmsize_t readTiff(thandle_t handle, void* into, tmsize_t size) {
  TiffJob* job = jobOf(handle);
  if (size <= 0 || job->at >= job->file.size()) return 0;
  const auto count = std::min<std::uint64_t>(static_cast<std::uint64_t>(size), job->file.size() - job->at);
  std::memcpy(into, job->file.data() + job->at, count);
  job->at += count;
  return static_cast<tmsize_t>(count);
}

toff_t seekTiff(thandle_t handle, toff_t offset, int whence) {
  TiffJob* job = jobOf(handle);
  const std::uint64_t base = whence == SEEK_CUR ? job->at : whence == SEEK_END ? job->file.size() : 0;
  return job->at = base + offset;
}

int keepReason(TIFF*, void* data, const char*, const char* format, va_list arguments) {
  auto* job = static_cast<TiffJob*>(data);
  if (job->reason[0] == '\0') std::vsnprintf(job->reason, sizeof job->reason, format, arguments);
  return 1;  // handled: nothing is printed
}

int ignoreWarning(TIFF*, void*, const char*, const char*, va_list) { return 1; }

using TiffHandle = std::unique_ptr<TIFF, decltype(&TIFFClose)>;

TiffHandle openTiff(TiffJob& job) {
  const std::unique_ptr<TIFFOpenOptions, decltype(&TIFFOpenOptionsFree)> options(TIFFOpenOptionsAlloc(),
                                                                                 &TIFFOpenOptionsFree);
  if (!options) throw std::bad_alloc();
  TIFFOpenOptionsSetMaxSingleMemAlloc(options.get(), static_cast<tmsize_t>(kMaxDecoderBytes));
  TIFFOpenOptionsSetErrorHandlerExtR(options.get(), keepReason, &job);
  TIFFOpenOptionsSetWarningHandlerExtR(options.get(), ignoreWarning, nullptr);
  const auto noWrite = [](thandle_t, void*, tmsize_t) -> tmsize_t { return 0; };
  const auto noClose = [](thandle_t) { return 0; };
  const auto sizeOf = [](thandle_t handle) -> toff_t { return jobOf(handle)->file.size(); };
  // "m": not mapped; the file lies in memory already.
  return {
      TIFFClientOpenExt("", "rm", &job, readTiff, noWrite, seekTiff, noClose, sizeOf, nullptr, nullptr, options.get()),
      &TIFFClose};
}

/// libtiff's conversion, which has to be ended.
struct Converter {
  TIFFRGBAImage image{};
  bool begun = false;
  ~Converter() {
    if (begun) TIFFRGBAImageEnd(&image);
  }
};

/// libtiff multiplies colours by alpha; here they come without.
void unpackRow(const std::uint32_t* raster, int width, std::uint8_t* rgba) {
  for (int x = 0; x < width; ++x, rgba += 4) {
    const std::uint32_t pixel = raster[x], alpha = TIFFGetA(pixel);
    const std::uint32_t colour[3] = {TIFFGetR(pixel), TIFFGetG(pixel), TIFFGetB(pixel)};
    for (int c = 0; c < 3; ++c)
      rgba[c] =
          static_cast<std::uint8_t>(alpha ? std::min<std::uint32_t>(255, (colour[c] * 255 + alpha / 2) / alpha) : 0);
    rgba[3] = static_cast<std::uint8_t>(alpha);
  }
}

std::uint32_t bandHeight(TIFF* tiff, std::uint32_t height) {
  std::uint32_t rows = 0;
  TIFFGetFieldDefaulted(tiff, TIFFIsTiled(tiff) ? TIFFTAG_TILELENGTH : TIFFTAG_ROWSPERSTRIP, &rows);
  return std::clamp<std::uint32_t>(rows, 1, height);
}

}  // namespace

PictureFile decodeTiff(std::span<const unsigned char> file, const std::string& where) {
  TiffJob job;
  job.file = file;
  const auto refuse = [&](const char* reason) {
    refusePicture(where, std::string("is a TIFF that cannot be read (") + reason + ")");
  };
  const TiffHandle tiff = openTiff(job);
  if (!tiff) refuse(job.reason);
  std::uint32_t width = 0, height = 0;
  TIFFGetField(tiff.get(), TIFFTAG_IMAGEWIDTH, &width);
  TIFFGetField(tiff.get(), TIFFTAG_IMAGELENGTH, &height);
  PictureSink sink(width, height, where);
  const std::uint32_t band = bandHeight(tiff.get(), height);
  checkDecoderMemory(std::uint64_t{4} * width * band, "a TIFF of strips", where);
  char message[1024] = "";
  Converter converter;
  TIFFRGBAImage& image = converter.image;
  converter.begun = TIFFRGBAImageOK(tiff.get(), message) && TIFFRGBAImageBegin(&image, tiff.get(), 1, message);
  if (!converter.begun) refuse(message);
  const int orientation = image.orientation;
  image.req_orientation = image.orientation;  // rows as they are stored; they are turned at the end
  std::vector<std::uint32_t> raster(std::size_t{width} * band);
  std::vector<std::uint8_t> row(std::size_t{4} * width);
  for (std::uint32_t y = 0; y < height; y += band) {
    const std::uint32_t rows = std::min(band, height - y);
    image.row_offset = static_cast<int>(y);
    if (!TIFFRGBAImageGet(&image, raster.data(), width, rows)) break;
    for (std::uint32_t r = 0; r < rows; ++r) {
      unpackRow(raster.data() + std::size_t{r} * width, sink.width(), row.data());
      sink.add(row.data());
    }
  }
  PictureFile read = sink.finish("TIFF", job.reason);
  read.picture = turnedUpright(std::move(read.picture), orientation);
  return read;
}

}  // namespace strata
