// SPDX-License-Identifier: Apache-2.0
#include "datasets/readers/idx.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <limits>
#include <memory>

#include "datasets/readers/inflate.h"
#include "engine/base/error.h"
#include "engine/base/memory.h"
#include "engine/base/narrow.h"

namespace strata {

namespace {

constexpr std::uint64_t kMaxContent = std::uint64_t{1}
                                      << 30;  // bytes of samples in one file: 1.3 million pictures of 28 x 28
// A packed file may claim this much more than twice its size before its content has been counted.
constexpr std::uint64_t kUnprovenAllowance = std::uint64_t{64} << 20;
constexpr std::size_t kChunk = std::size_t{1} << 18;
constexpr char kFreshCopy[] = "Get a fresh copy of the file, for MNIST with \"strata data get mnist\".";

std::span<char> asChars(std::span<std::uint8_t> bytes) { return {reinterpret_cast<char*>(bytes.data()), bytes.size()}; }

/// The file's bytes, a chunk at a time. `file` must outlive it.
Inflater::Source chunksOf(const RegularFile& file) {
  return [&file, offset = std::uint64_t{0}, chunk = std::vector<std::uint8_t>(kChunk)]() mutable {
    const std::size_t got = file.readAt(offset, asChars(chunk));
    offset += got;
    return std::span<const unsigned char>(chunk).first(got);
  };
}

}  // namespace

IdxReader::IdxReader(const Path& path) : m_file(path) {
  std::array<std::uint8_t, 2> start{};
  m_file.readAt(0, asChars(start));
  m_packed = isGzip(start);
  readHeader();
  checkClaim();
}

IdxReader::Stream IdxReader::open() const {
  if (m_packed) {
    const auto inflater = std::make_shared<Inflater>(chunksOf(m_file), Inflater::Packing::Gzip, m_file.path().string());
    return [inflater](std::span<std::uint8_t> out) { return inflater->read(out); };
  }
  return [this, offset = std::uint64_t{0}](std::span<std::uint8_t> out) mutable {
    const std::size_t got = m_file.readAt(offset, asChars(out));
    offset += got;
    return got;
  };
}

IdxReader::Stream IdxReader::openBehindHeader() const {
  Stream stream = open();
  std::vector<std::uint8_t> header(4 + 4 * m_dims.size());
  stream(header);
  return stream;
}

/// Magic and dimensions: 0 0 type rank, then `rank` big-endian counts.
void IdxReader::readHeader() {
  const Stream stream = open();
  std::uint64_t offset = 0;
  const auto u32 = [&] {
    std::array<std::uint8_t, 4> b{};
    const std::size_t got = stream(b);
    if (got < b.size())
      refuse("ends at byte " + std::to_string(offset + got) + " inside its header, which needs at least " +
             std::to_string(offset + b.size()) + " bytes");
    offset += b.size();
    return std::uint32_t{b[0]} << 24 | std::uint32_t{b[1]} << 16 | std::uint32_t{b[2]} << 8 | b[3];
  };
  const std::uint32_t magic = u32(), rank = magic & 0xff;
  if (magic >> 8 != 8 || (rank != 1 && rank != 3 && rank != 4)) {
    char got[16];
    std::snprintf(got, sizeof got, "0x%08X", magic);
    refuse(std::string("is not an IDX file of bytes: got ") + got +
           " at byte 0, needed 0x00000801 (labels), 0x00000803 or 0x00000804 (images)");
  }
  for (std::uint32_t i = 0; i < rank; ++i) {
    const std::uint32_t dim = u32();
    if (dim == 0 || dim > static_cast<std::uint32_t>(std::numeric_limits<int>::max()))
      refuse("has a dimension of " + std::to_string(dim) + " at byte " + std::to_string(4 + 4 * i) +
             ", needed 1 to 2147483647");
    m_dims.push_back(narrow<int>(dim, m_file.path().string()));
  }
  m_claim = 1;
  for (const int dim : m_dims) m_claim = checkedMul(m_claim, static_cast<std::uint64_t>(dim), m_file.path().string());
}

/// The samples that the header promises are few enough to be read, and the file is as large as they make it.
void IdxReader::checkClaim() const {
  if (m_claim > kMaxContent)
    refuse("claims " + std::to_string(m_claim) + " bytes of samples, more than the 1 GiB that is read");
  const std::uint64_t header = 4 + 4 * m_dims.size();
  if (!m_packed) {
    if (m_file.size() < header + m_claim) refuseShort(m_file.size() - header);
    if (m_file.size() > header + m_claim) refuseLong();
  } else if (m_claim / kMaxDeflateRatio > m_file.size()) {
    refuse("promises " + std::to_string(m_claim) + " bytes of samples, more than " + std::to_string(m_file.size()) +
           " compressed bytes can hold");
  }
}

std::vector<std::uint8_t> IdxReader::read() const {
  if (m_packed && m_claim > 2 * m_file.size() + kUnprovenAllowance) verify();
  requireMemory(narrow<std::int64_t>(m_claim, m_file.path().string()), m_file.path().string(), "reading its samples",
                "Use a smaller data set");
  std::vector<std::uint8_t> bytes(m_claim);
  const Stream stream = openBehindHeader();
  if (const std::size_t got = stream(bytes); got < m_claim) refuseShort(got);
  std::uint8_t extra = 0;
  if (stream({&extra, 1}) != 0) refuseLong();
  return bytes;
}

void IdxReader::verify() const {
  const Stream stream = openBehindHeader();
  std::vector<std::uint8_t> chunk(kChunk);
  std::uint64_t count = 0;
  while (count <= m_claim) {
    const std::size_t got = stream(std::span(chunk).first(std::min<std::uint64_t>(kChunk, m_claim + 1 - count)));
    if (got == 0) break;
    count += got;
  }
  if (count < m_claim) refuseShort(count);
  if (count > m_claim) refuseLong();
}

void IdxReader::refuse(const std::string& what) const {
  throw Error(Error::Kind::Input, m_file.path().string(), what, kFreshCopy);
}

void IdxReader::refuseShort(std::uint64_t got) const {
  refuse("is cut off: its header promises " + std::to_string(m_claim) + " bytes of samples, got " +
         std::to_string(got));
}

void IdxReader::refuseLong() const {
  refuse("goes on after the " + std::to_string(m_claim) + " bytes of samples that its header promises");
}

}  // namespace strata
