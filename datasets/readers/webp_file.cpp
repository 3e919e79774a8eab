// SPDX-License-Identifier: Apache-2.0
// WebP by libwebp, lossy and lossless; of an animation the first frame.
#include <algorithm>
#include <memory>

#include <webp/decode.h>
#include <webp/demux.h>

#include "datasets/readers/exif.h"
#include "datasets/readers/picture_sink.h"

namespace strata {

namespace {

int orientationOf(const WebPDemuxer* demuxer) {
  int orientation = 1;
  WebPChunkIterator chunk;
  if (WebPDemuxGetChunk(demuxer, "EXIF", 1, &chunk))
    orientation = exifOrientation({chunk.chunk.bytes, chunk.chunk.size});
  WebPDemuxReleaseChunkIterator(&chunk);
  return orientation;
}

/// A frame's pixels as far as the file holds them.
class Frame {
 public:
  explicit Frame(const WebPDemuxer* demuxer) {
    m_found = WebPDemuxGetFrame(demuxer, 1, &m_frame) != 0;
    if (!m_found || !WebPInitDecoderConfig(&m_config)) return;
    m_config.output.colorspace = MODE_RGBA;
    m_decoder.reset(WebPIDecode(nullptr, 0, &m_config));
    if (!m_decoder) return;
    m_status = WebPIAppend(m_decoder.get(), m_frame.fragment.bytes, m_frame.fragment.size);
    int width = 0, height = 0;
    m_pixels = WebPIDecGetRGB(m_decoder.get(), &m_rows, &width, &height, &m_stride);
    if (!m_pixels) m_rows = 0;
  }
  ~Frame() {
    m_decoder.reset();
    WebPFreeDecBuffer(&m_config.output);
    WebPDemuxReleaseIterator(&m_frame);
  }
  Frame(const Frame&) = delete;
  Frame& operator=(const Frame&) = delete;

  bool found() const { return m_found; }
  bool whole() const { return m_status == VP8_STATUS_OK; }
  const WebPIterator& place() const { return m_frame; }
  /// Row `y` of the frame, or null where the file has ended.
  const std::uint8_t* row(int y) const { return y < m_rows ? m_pixels + std::ptrdiff_t{y} * m_stride : nullptr; }

 private:
  struct Deleter {
    void operator()(WebPIDecoder* decoder) const { WebPIDelete(decoder); }
  };
  WebPIterator m_frame{};
  WebPDecoderConfig m_config{};
  std::unique_ptr<WebPIDecoder, Deleter> m_decoder;
  VP8StatusCode m_status = VP8_STATUS_BITSTREAM_ERROR;
  const std::uint8_t* m_pixels = nullptr;
  int m_rows = 0, m_stride = 0;
  bool m_found = false;
};

}  // namespace

PictureFile decodeWebp(std::span<const unsigned char> file, const std::string& where) {
  const WebPData data{file.data(), file.size()};
  const std::unique_ptr<WebPDemuxer, decltype(&WebPDemuxDelete)> demuxer(WebPDemuxPartial(&data, nullptr),
                                                                         &WebPDemuxDelete);
  if (!demuxer) refusePicture(where, "is a damaged WebP");
  PictureSink sink(WebPDemuxGetI(demuxer.get(), WEBP_FF_CANVAS_WIDTH),
                   WebPDemuxGetI(demuxer.get(), WEBP_FF_CANVAS_HEIGHT), where);
  const std::size_t width = static_cast<std::size_t>(sink.width());
  checkDecoderMemory(std::uint64_t{4} * width * static_cast<std::uint64_t>(sink.height()), "a WebP", where);
  const Frame frame(demuxer.get());
  if (!frame.found()) refusePicture(where, "is a damaged WebP (it has no frame)");
  const WebPIterator& place = frame.place();
  if (place.x_offset < 0 || place.y_offset < 0 || place.x_offset + place.width > sink.width() ||
      place.y_offset + place.height > sink.height())
    refusePicture(where, "is a damaged WebP (a frame outside the picture)");
  std::vector<std::uint8_t> line;
  for (int y = 0; y < sink.height(); ++y) {
    line.assign(4 * width, 0);
    if (y >= place.y_offset && y < place.y_offset + place.height) {
      const std::uint8_t* row = frame.row(y - place.y_offset);
      if (!row) break;
      std::copy_n(row, std::size_t{4} * place.width, line.data() + std::size_t{4} * place.x_offset);
    }
    sink.add(line.data());
  }
  PictureFile read = sink.finish("WebP", frame.whole() ? "" : "its data end too early");
  read.picture = turnedUpright(std::move(read.picture), orientationOf(demuxer.get()));
  return read;
}

}  // namespace strata
