// SPDX-License-Identifier: Apache-2.0
// PNG by libpng, row by row. Values stay as they are stored: no gamma, so that a test picture of a data set comes back
// byte for byte.
#include <csetjmp>
#include <cstdio>
#include <cstring>

#include <png.h>

#include "datasets/readers/exif.h"
#include "datasets/readers/picture_sink.h"

namespace strata {

namespace {

/// libpng leaves a failed call by longjmp: the functions with a setjmp own nothing, and what they change lies here.
struct PngJob {
  png_structp png = nullptr;
  png_infop info = nullptr;
  std::span<const unsigned char> rest;
  char reason[128] = "";

  ~PngJob() { png_destroy_read_struct(&png, &info, nullptr); }
};

void leavePng(png_structp png, png_const_charp message) {
  auto* job = static_cast<PngJob*>(png_get_error_ptr(png));
  std::snprintf(job->reason, sizeof job->reason, "%s", message);
  png_longjmp(png, 1);
}

void readPng(png_structp png, png_bytep into, std::size_t size) {
  auto* job = static_cast<PngJob*>(png_get_io_ptr(png));
  if (size > job->rest.size()) png_error(png, "the file ends too early");
  std::memcpy(into, job->rest.data(), size);
  job->rest = job->rest.subspan(size);
}

/// Reads up to the pixels, which are then asked for as RGBA with 8 bits each. False with job.reason.
bool openPng(PngJob& job) {
  if (setjmp(png_jmpbuf(job.png))) return false;
  png_set_read_fn(job.png, &job, readPng);
  png_read_info(job.png, job.info);
  png_set_expand(job.png);
  png_set_scale_16(job.png);
  png_set_gray_to_rgb(job.png);
  png_set_add_alpha(job.png, 0xff, PNG_FILLER_AFTER);
  png_set_interlace_handling(job.png);
  png_read_update_info(job.png, job.info);
  return true;
}

/// `row` holds one row. False with job.reason when the rows end early.
bool readRows(PngJob& job, PictureSink& sink, unsigned char* row) {
  if (setjmp(png_jmpbuf(job.png))) return false;
  while (sink.rows() < sink.height()) {
    png_read_row(job.png, row, nullptr);
    sink.add(row);
  }
  return true;
}

/// An interlaced picture comes in seven passes over `rows`. False with job.reason.
bool readPasses(PngJob& job, unsigned char** rows) {
  if (setjmp(png_jmpbuf(job.png))) return false;
  png_read_image(job.png, rows);
  return true;
}

/// EXIF may stand behind the pixels, too; what is damaged there does no harm.
int orientationOf(PngJob& job, bool toTheEnd) {
  png_uint_32 size = 0;
  png_bytep exif = nullptr;
  if (!setjmp(png_jmpbuf(job.png)) && toTheEnd) png_read_end(job.png, job.info);
  return png_get_eXIf_1(job.png, job.info, &size, &exif) ? exifOrientation({exif, size}) : 1;
}

}  // namespace

PictureFile decodePng(std::span<const unsigned char> file, const std::string& where) {
  PngJob job;
  job.rest = file;
  job.png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &job, leavePng, [](png_structp, png_const_charp) {});
  if (!job.png || !(job.info = png_create_info_struct(job.png))) throw std::bad_alloc();
  if (!openPng(job)) refusePicture(where, std::string("is a damaged PNG (") + job.reason + ")");
  PictureSink sink(png_get_image_width(job.png, job.info), png_get_image_height(job.png, job.info), where);
  const std::size_t rowSize = std::size_t{4} * static_cast<std::size_t>(sink.width());
  bool whole = false;
  if (png_get_interlace_type(job.png, job.info) == PNG_INTERLACE_NONE) {
    std::vector<unsigned char> row(rowSize);
    whole = readRows(job, sink, row.data());
  } else {
    checkDecoderMemory(rowSize * static_cast<std::size_t>(sink.height()), "an interlaced PNG", where);
    std::vector<unsigned char> pixels(rowSize * static_cast<std::size_t>(sink.height()));
    std::vector<unsigned char*> rows;
    for (int y = 0; y < sink.height(); ++y) rows.push_back(pixels.data() + rowSize * static_cast<std::size_t>(y));
    whole = readPasses(job, rows.data());
    if (!whole) refusePicture(where, std::string("is a damaged PNG (") + job.reason + ")");
    for (const unsigned char* row : rows) sink.add(row);
  }
  const std::string reason = job.reason;
  const int orientation = orientationOf(job, whole);
  PictureFile read = sink.finish("PNG", reason);
  read.picture = turnedUpright(std::move(read.picture), orientation);
  return read;
}

}  // namespace strata
