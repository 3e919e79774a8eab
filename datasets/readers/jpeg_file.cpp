// SPDX-License-Identifier: Apache-2.0
// JPEG by libjpeg-turbo, row by row; large pictures are made smaller in the transform already. Warnings are harmless as
// long as there are rows: viewers show such pictures, too.
#include <algorithm>
#include <csetjmp>
#include <cstdio>

#include <jerror.h>
#include <jpeglib.h>

#include "datasets/readers/exif.h"
#include "datasets/readers/picture_sink.h"

namespace strata {

namespace {

constexpr std::uint64_t kScaledFrom = 4'000'000;  // pixels
constexpr int kMaxScans = 100;                    // of a progressive JPEG: each costs a pass over the picture
constexpr std::uint64_t kMaxScanWork = std::uint64_t{1} << 30;  // bytes of coefficients gone over

/// libjpeg leaves a failed call by longjmp. Everything between setjmp and the calls that may fail is plain data, and
/// each of the functions with a setjmp owns nothing.
struct JpegJob {
  jpeg_decompress_struct info;  // first: libjpeg hands out a pointer to it
  jpeg_error_mgr errors;
  jpeg_progress_mgr progress;
  std::jmp_buf escape;
  int maxScans;
  int goodRows;  // of the output; libjpeg makes up those behind the end of the data
  char reason[JMSG_LENGTH_MAX];
};

JpegJob* jobOf(j_common_ptr info) { return reinterpret_cast<JpegJob*>(info); }

void leaveJpeg(j_common_ptr info) {
  info->err->format_message(info, jobOf(info)->reason);
  std::longjmp(jobOf(info)->escape, 1);
}

/// Rows that the data have brought when they end.
int rowsSoFar(const jpeg_decompress_struct& info) {
  if (!info.progressive_mode) return static_cast<int>(info.output_scanline);
  if (info.input_scan_number > 1) return static_cast<int>(info.output_height);  // all there, in less detail
  return static_cast<int>(std::uint64_t{info.input_iMCU_row} * info.output_height / std::max(1u, info.total_iMCU_rows));
}

/// Warnings are of damaged data; the first is kept. Junk between two markers and a missing mark of the end do no harm.
void noteJpeg(j_common_ptr common, int level) {
  if (level >= 0) return;
  JpegJob* job = jobOf(common);
  const int code = common->err->msg_code;
  if (code == JWRN_HIT_MARKER && job->info.unread_marker == JPEG_EOI)
    job->goodRows = std::min(job->goodRows, rowsSoFar(job->info));
  const bool harmless = code == JWRN_EXTRANEOUS_DATA || (code == JWRN_JPEG_EOF && !jpeg_has_multiple_scans(&job->info));
  if (!harmless && common->err->num_warnings++ == 0) common->err->format_message(common, job->reason);
}

void watchScans(j_common_ptr info) {
  JpegJob* job = jobOf(info);
  if (job->info.input_scan_number <= job->maxScans) return;
  std::snprintf(job->reason, sizeof job->reason, "more than %d scans", job->maxScans);
  job->goodRows = 0;
  std::longjmp(job->escape, 1);
}

/// Reads up to the picture's size. False with job.reason.
bool openJpeg(JpegJob& job, const unsigned char* data, unsigned long size) {
  job.info.err = jpeg_std_error(&job.errors);
  job.errors.error_exit = leaveJpeg;
  job.errors.emit_message = noteJpeg;
  job.progress.progress_monitor = watchScans;
  job.maxScans = kMaxScans;
  job.goodRows = JPEG_MAX_DIMENSION;
  if (setjmp(job.escape)) return false;
  jpeg_create_decompress(&job.info);
  job.info.progress = &job.progress;
  jpeg_save_markers(&job.info, JPEG_APP0 + 1, 0xffff);
  jpeg_mem_src(&job.info, data, size);
  jpeg_read_header(&job.info, TRUE);
  const bool inks = job.info.jpeg_color_space == JCS_CMYK || job.info.jpeg_color_space == JCS_YCCK;
  job.info.out_color_space = inks ? JCS_CMYK : JCS_EXT_RGBA;
  const std::uint64_t pixels = std::uint64_t{job.info.image_width} * job.info.image_height;
  while (job.info.scale_denom < 8 && pixels / job.info.scale_denom / job.info.scale_denom > kScaledFrom)
    job.info.scale_denom *= 2;
  jpeg_calc_output_dimensions(&job.info);
  return true;
}

/// Inks in place to RGBA. Adobe's programs store how much paper is left where others store ink.
void inksToRgba(unsigned char* pixel, int width, bool adobe) {
  for (int x = 0; x < width; ++x, pixel += 4) {
    const int flip = adobe ? 0 : 255, paper = pixel[3] ^ flip;
    for (int c = 0; c < 3; ++c) pixel[c] = static_cast<unsigned char>(((pixel[c] ^ flip) * paper + 127) / 255);
    pixel[3] = 255;
  }
}

/// `row` holds one row. False with job.reason when libjpeg gives up.
bool readRows(JpegJob& job, PictureSink& sink, unsigned char* row) {
  if (setjmp(job.escape)) return false;
  jpeg_start_decompress(&job.info);
  while (job.info.output_scanline < job.info.output_height) {
    jpeg_read_scanlines(&job.info, &row, 1);
    if (sink.rows() >= job.goodRows) return false;
    if (job.info.out_color_space == JCS_CMYK) inksToRgba(row, sink.width(), job.info.saw_Adobe_marker);
    sink.add(row);
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

}  // namespace

PictureFile decodeJpeg(std::span<const unsigned char> file, const std::string& where) {
  struct Decoder {
    JpegJob job{};
    ~Decoder() { jpeg_destroy_decompress(&job.info); }
  } decoder;
  JpegJob& job = decoder.job;
  if (!openJpeg(job, file.data(), file.size()))
    refusePicture(where, std::string("is a damaged JPEG (") + job.reason + ")");
  checkPictureSize(job.info.image_width, job.info.image_height, where);
  if (jpeg_has_multiple_scans(&job.info)) {
    const std::uint64_t bytes = coefficientBytes(job.info);
    checkDecoderMemory(bytes, "a progressive JPEG", where);
    job.maxScans = static_cast<int>(std::clamp<std::uint64_t>(kMaxScanWork / (bytes + 1), 1, kMaxScans));
  }
  const int orientation = orientationOf(job.info);  // decoding forgets the markers
  PictureSink sink(job.info.output_width, job.info.output_height, where);
  std::vector<unsigned char> row(std::size_t{4} * job.info.output_width);
  readRows(job, sink, row.data());
  PictureFile read = sink.finish("JPEG", job.reason);
  read.picture = turnedUpright(std::move(read.picture), orientation);
  return read;
}

}  // namespace strata
