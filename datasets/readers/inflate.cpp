// SPDX-License-Identifier: Apache-2.0
#include "datasets/readers/inflate.h"

#include <algorithm>
#include <utility>

#include "engine/base/error.h"

namespace strata {

namespace {
constexpr int kWindowBits = 15;
constexpr int kGzipHeader = 16;  // added to the window bits: zlib expects and checks a gzip header and trailer
constexpr unsigned char kGzipMagic[] = {0x1f, 0x8b};
// zlib counts in 32 bits.
constexpr std::size_t kMaxChunk = std::size_t{1} << 30;
}  // namespace

Inflater::Inflater(Source source, Packing packing, std::string where)
    : m_packing(packing), m_where(std::move(where)), m_source(std::move(source)) {
  if (inflateInit2(&m_stream, packing == Packing::Gzip ? kWindowBits + kGzipHeader : -kWindowBits) != Z_OK)
    throw std::bad_alloc();
}

Inflater::Inflater(std::span<const unsigned char> packed, Packing packing, std::string where)
    : Inflater([packed]() mutable { return std::exchange(packed, {}); }, packing, std::move(where)) {}

Inflater::~Inflater() { inflateEnd(&m_stream); }

/// Gives zlib more to read when it has read all. False at the end of the packed bytes.
bool Inflater::refill() {
  if (m_stream.avail_in > 0) return true;
  if (m_rest.empty()) m_rest = m_source();
  const auto part = m_rest.first(std::min(m_rest.size(), kMaxChunk));
  m_rest = m_rest.subspan(part.size());
  m_stream.next_in = const_cast<Bytef*>(part.data());  // zlib reads only
  m_stream.avail_in = static_cast<uInt>(part.size());
  m_taken += part.size();
  return !part.empty();
}

std::size_t Inflater::read(std::span<std::uint8_t> out) {
  std::size_t filled = 0;
  while (filled < out.size() && !m_finished) {
    const bool ended = !refill();
    const std::size_t want = std::min(out.size() - filled, kMaxChunk);
    m_stream.next_out = out.data() + filled;
    m_stream.avail_out = static_cast<uInt>(want);
    const int status = inflate(&m_stream, Z_NO_FLUSH);
    filled += want - m_stream.avail_out;
    if (status == Z_STREAM_END) {
      m_finished = !startNextMember();
    } else if (status == Z_MEM_ERROR) {
      throw std::bad_alloc();
    } else if (ended && m_stream.avail_out > 0) {
      fail("ends in the middle of its compressed data, after " + std::to_string(m_taken) + " bytes");
    } else if (status != Z_OK && status != Z_BUF_ERROR) {
      fail("has damaged compressed data at byte " + std::to_string(m_taken - m_stream.avail_in) +
           (m_stream.msg ? std::string(" (") + m_stream.msg + ")" : ""));
    }
  }
  return filled;
}

/// After the end of a member: false at the end of the data; another member may follow, anything else may not.
bool Inflater::startNextMember() {
  if (!refill()) return false;
  // A member's two first bytes may lie in two chunks: zlib itself refuses what follows a wrong first one.
  const bool member =
      m_stream.next_in[0] == kGzipMagic[0] && (m_stream.avail_in == 1 || m_stream.next_in[1] == kGzipMagic[1]);
  if (m_packing == Packing::Gzip && member) {
    inflateReset(&m_stream);
    return true;
  }
  fail("has stray bytes after its compressed data, from byte " + std::to_string(m_taken - m_stream.avail_in) + " on");
}

void Inflater::fail(const std::string& what) const {
  throw Error(Error::Kind::Input, m_where, what, "The file is damaged; get a fresh copy of it.");
}

bool isGzip(std::span<const unsigned char> bytes) {
  return bytes.size() >= 2 && bytes[0] == kGzipMagic[0] && bytes[1] == kGzipMagic[1];
}

std::string gunzip(std::span<const unsigned char> packed, std::uint64_t size, const std::string& where) {
  const auto refuse = [&](const std::string& what) {
    throw Error(Error::Kind::Input, where, what, "The file is damaged; get a fresh copy of it.");
  };
  if (size / kMaxDeflateRatio > packed.size())
    refuse("cannot hold " + std::to_string(size) + " bytes in " + std::to_string(packed.size()));
  Inflater inflater(packed, Inflater::Packing::Gzip, where);
  std::string out(size, '\0');
  const std::size_t got = inflater.read({reinterpret_cast<std::uint8_t*>(out.data()), out.size()});
  if (got < size) refuse("holds " + std::to_string(got) + " bytes, needed " + std::to_string(size));
  std::uint8_t extra = 0;
  if (inflater.read({&extra, 1}) != 0) refuse("holds more than the " + std::to_string(size) + " bytes it should");
  return out;
}

}  // namespace strata
