// SPDX-License-Identifier: Apache-2.0
// PNG and JPEG files as grey pictures. Which it is tells the magic, never the name; sizes are checked before anything
// is decoded.
#include <csetjmp>
#include <cstdio>
#include <cstring>

#include <jpeglib.h>
#include <png.h>

#include "datasets/digit_prep.h"
#include "datasets/exif.h"
#include "datasets/inflate.h"
#include "engine/error.h"

namespace strata {

namespace {

constexpr std::uint64_t kMaxFile = std::uint64_t{64} << 20;
constexpr std::uint64_t kMaxPixels = 40'000'000;
constexpr std::uint64_t kMaxCoefficientBytes = std::uint64_t{64}
                                               << 20;  // what a progressive JPEG needs beside the pixels
constexpr int kMaxScans = 100;                         // of a progressive JPEG: each costs a pass over the picture

[[noreturn]] void refuse(const std::string& where, const std::string& what,
                         const std::string& wayOut = "Open it in an image editor and save it again.") {
  throw Error(Error::Kind::Input, where, what, wayOut);
}

void checkSize(std::uint64_t width, std::uint64_t height, const std::string& where) {
  if (width == 0 || height == 0) refuse(where, "has no pixels");
  if (width * height > kMaxPixels)
    refuse(where,
           "has " + std::to_string(width) + " x " + std::to_string(height) + " pixels, at most 40 million are read",
           "Save a smaller copy.");
}

/// libpng's simplified interface reports errors by value. Transparent parts lie on white paper.
GreyImage decodePng(std::span<const unsigned char> file, const std::string& where) {
  struct Decoder {
    png_image image{};
    ~Decoder() { png_image_free(&image); }
  } decoder;
  png_image& image = decoder.image;
  image.version = PNG_IMAGE_VERSION;
  const auto failed = [&] { return PNG_IMAGE_FAILED(image); };
  if (!png_image_begin_read_from_memory(&image, file.data(), file.size()) || failed())
    refuse(where, std::string("is a damaged PNG (") + image.message + ")");
  checkSize(image.width, image.height, where);
  // As other programs write 16 bits a channel, unless the file says otherwise.
  image.flags |= PNG_IMAGE_FLAG_16BIT_sRGB;
  GreyImage picture{static_cast<int>(image.width), static_cast<int>(image.height), {}};
  picture.pixels.resize(std::size_t{image.width} * image.height);
  image.format = PNG_FORMAT_GRAY;
  const png_color white{255, 255, 255};
  if (!png_image_finish_read(&image, &white, picture.pixels.data(), static_cast<png_int_32>(image.width), nullptr) ||
      failed())
    refuse(where, std::string("is a damaged PNG (") + image.message + ")");
  return picture;
}

/// libjpeg leaves a failed call by longjmp. Everything between setjmp and the calls that may fail is plain data, and
/// each of the functions with a setjmp owns nothing.
struct JpegJob {
  jpeg_decompress_struct info;  // first: libjpeg hands out a pointer to it
  jpeg_error_mgr errors;
  jpeg_progress_mgr progress;
  std::jmp_buf escape;
  char reason[JMSG_LENGTH_MAX];
};

JpegJob* jobOf(j_common_ptr info) { return reinterpret_cast<JpegJob*>(info); }

void leaveJpeg(j_common_ptr info) {
  info->err->format_message(info, jobOf(info)->reason);
  std::longjmp(jobOf(info)->escape, 1);
}

/// A warning means damaged data, which libjpeg would fill up with grey.
void noteJpeg(j_common_ptr info, int level) {
  if (level < 0) leaveJpeg(info);
}

void watchScans(j_common_ptr info) {
  if (jobOf(info)->info.input_scan_number > kMaxScans) {
    std::snprintf(jobOf(info)->reason, sizeof jobOf(info)->reason, "more than %d scans", kMaxScans);
    std::longjmp(jobOf(info)->escape, 1);
  }
}

/// Reads up to the picture's size. False with job.reason.
bool openJpeg(JpegJob& job, const unsigned char* data, unsigned long size) {
  job.info.err = jpeg_std_error(&job.errors);
  job.errors.error_exit = leaveJpeg;
  job.errors.emit_message = noteJpeg;
  job.progress.progress_monitor = watchScans;
  if (setjmp(job.escape)) return false;
  jpeg_create_decompress(&job.info);
  job.info.progress = &job.progress;
  jpeg_save_markers(&job.info, JPEG_APP0 + 1, 0xffff);
  jpeg_mem_src(&job.info, data, size);
  jpeg_read_header(&job.info, TRUE);
  return true;
}

/// Fills pixels [height,width]. False with job.reason.
bool decodeJpeg(JpegJob& job, unsigned char* pixels) {
  if (setjmp(job.escape)) return false;
  job.info.out_color_space = JCS_GRAYSCALE;
  jpeg_start_decompress(&job.info);
  while (job.info.output_scanline < job.info.output_height) {
    JSAMPROW row = pixels + std::size_t{job.info.output_scanline} * job.info.output_width;
    jpeg_read_scanlines(&job.info, &row, 1);
  }
  jpeg_finish_decompress(&job.info);
  return true;
}

std::uint64_t coefficientBytes(const jpeg_decompress_struct& info) {
  std::uint64_t bytes = 0;
  for (int i = 0; i < info.num_components; ++i)
    bytes += std::uint64_t{info.comp_info[i].width_in_blocks} * info.comp_info[i].height_in_blocks * sizeof(JBLOCK);
  return bytes;
}

int orientationOf(const jpeg_decompress_struct& info) {
  for (const jpeg_marker_struct* marker = info.marker_list; marker; marker = marker->next)
    if (const int orientation = exifOrientation({marker->data, marker->data_length}); orientation != 1)
      return orientation;
  return 1;
}

GreyImage decodeJpegFile(std::span<const unsigned char> file, const std::string& where) {
  struct Decoder {
    JpegJob job{};
    ~Decoder() { jpeg_destroy_decompress(&job.info); }
  } decoder;
  JpegJob& job = decoder.job;
  if (!openJpeg(job, file.data(), file.size())) refuse(where, std::string("is a damaged JPEG (") + job.reason + ")");
  checkSize(job.info.image_width, job.info.image_height, where);
  if (job.info.progressive_mode && coefficientBytes(job.info) > kMaxCoefficientBytes)
    refuse(where, "is a progressive JPEG too large to decode in 64 MiB",
           "Save a smaller copy, or one that is not progressive.");
  GreyImage picture{static_cast<int>(job.info.image_width), static_cast<int>(job.info.image_height), {}};
  picture.pixels.resize(std::size_t{job.info.image_width} * job.info.image_height);
  const int orientation = orientationOf(job.info);  // decoding forgets the markers
  if (!decodeJpeg(job, picture.pixels.data())) refuse(where, std::string("is a damaged JPEG (") + job.reason + ")");
  return turnedUpright(std::move(picture), orientation);
}

}  // namespace

GreyImage readImage(const Path& path) {
  constexpr unsigned char kPng[] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'}, kJpeg[] = {0xff, 0xd8, 0xff};
  const std::string file = readFile(path, kMaxFile);
  const auto bytes = asBytes(file);
  const auto startsWith = [&](std::span<const unsigned char> magic) {
    return bytes.size() >= magic.size() && std::memcmp(bytes.data(), magic.data(), magic.size()) == 0;
  };
  if (startsWith(kPng)) return decodePng(bytes, path.string());
  if (startsWith(kJpeg)) return decodeJpegFile(bytes, path.string());
  refuse(path.string(), "is neither a PNG nor a JPEG picture", "Save it as PNG or JPEG.");
}

}  // namespace strata
