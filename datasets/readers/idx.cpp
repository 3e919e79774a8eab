// SPDX-License-Identifier: Apache-2.0
#include "datasets/readers/idx.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <limits>
#include <optional>

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
constexpr char kFreshCopy[] = "Get a fresh copy of the file, for MNIST with \"strata data get mnist\".";

/// What the magic's third byte says; nothing for what it cannot.
std::optional<NumberType> typeOf(std::uint32_t code) {
  using Kind = NumberType::Kind;
  switch (code) {
    case 0x08:
      return NumberType{Kind::Unsigned, 1, true};
    case 0x09:
      return NumberType{Kind::Signed, 1, true};
    case 0x0B:
      return NumberType{Kind::Signed, 2, true};
    case 0x0C:
      return NumberType{Kind::Signed, 4, true};
    case 0x0D:
      return NumberType{Kind::Real, 4, true};
    case 0x0E:
      return NumberType{Kind::Real, 8, true};
    default:
      return std::nullopt;
  }
}

constexpr std::uint32_t kMostRank = 4;

}  // namespace

bool looksLikeIdx(std::string_view head) {
  return head.size() >= 4 && head[0] == 0 && head[1] == 0 && typeOf(static_cast<unsigned char>(head[2])) &&
         head[3] >= 1 && head[3] <= static_cast<char>(kMostRank);
}

IdxReader::IdxReader(const Path& path) : m_content(path) {
  readHeader();
  checkClaim();
}

Content::Stream IdxReader::openBehindHeader() const {
  Content::Stream stream = m_content.open();
  std::vector<std::uint8_t> header(4 + 4 * m_dims.size());
  stream(header);
  return stream;
}

/// Magic and dimensions: 0 0 type rank, then `rank` big-endian counts.
void IdxReader::readHeader() {
  const Content::Stream stream = m_content.open();
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
  const std::optional<NumberType> type = typeOf(magic >> 8);
  if (!type || rank < 1 || rank > kMostRank) {
    char got[16];
    std::snprintf(got, sizeof got, "0x%08X", magic);
    refuse(std::string("is not an IDX file of samples or labels: got ") + got +
           " at byte 0, needed 0x000008 for bytes, 09, 0B or 0C for integers, 0D or 0E for reals, and 01 to 04 "
           "dimensions");
  }
  m_type = *type;
  for (std::uint32_t i = 0; i < rank; ++i) {
    const std::uint32_t dim = u32();
    if (dim == 0 || dim > static_cast<std::uint32_t>(std::numeric_limits<int>::max()))
      refuse("has a dimension of " + std::to_string(dim) + " at byte " + std::to_string(4 + 4 * i) +
             ", needed 1 to 2147483647");
    m_dims.push_back(narrow<int>(dim, where()));
  }
  m_claim = static_cast<std::uint64_t>(m_type.size);
  for (const int dim : m_dims) m_claim = checkedMul(m_claim, static_cast<std::uint64_t>(dim), where());
}

/// The samples that the header promises are few enough to be read, and the file is as large as they make it.
void IdxReader::checkClaim() const {
  if (m_claim > kMaxContent)
    refuse("claims " + std::to_string(m_claim) + " bytes of samples, more than the 1 GiB that is read");
  const std::uint64_t header = 4 + 4 * m_dims.size();
  if (!packed()) {
    if (m_content.fileSize() < header + m_claim) refuseShort(m_content.fileSize() - header);
    if (m_content.fileSize() > header + m_claim) refuseLong();
  } else if (m_claim / kMaxDeflateRatio > m_content.fileSize()) {
    refuse("promises " + std::to_string(m_claim) + " bytes of samples, more than " +
           std::to_string(m_content.fileSize()) + " compressed bytes can hold");
  }
}

std::vector<std::uint8_t> IdxReader::read() const {
  if (packed() && m_claim > 2 * m_content.fileSize() + kUnprovenAllowance) verify();
  requireMemory(narrow<std::int64_t>(m_claim, where()), where(), "reading its samples", "Use a smaller data set");
  std::vector<std::uint8_t> bytes(m_claim);
  const Content::Stream stream = openBehindHeader();
  if (const std::size_t got = stream(bytes); got < m_claim) refuseShort(got);
  std::uint8_t extra = 0;
  if (stream({&extra, 1}) != 0) refuseLong();
  return bytes;
}

void IdxReader::verify() const {
  const Content::Stream stream = openBehindHeader();
  std::vector<std::uint8_t> chunk(kStreamChunk);
  std::uint64_t count = 0;
  while (count <= m_claim) {
    const std::size_t got = stream(std::span(chunk).first(std::min<std::uint64_t>(kStreamChunk, m_claim + 1 - count)));
    if (got == 0) break;
    count += got;
  }
  if (count < m_claim) refuseShort(count);
  if (count > m_claim) refuseLong();
}

void IdxReader::refuse(const std::string& what) const { throw Error(Error::Kind::Input, where(), what, kFreshCopy); }

void IdxReader::refuseShort(std::uint64_t got) const {
  refuse("is cut off: its header promises " + std::to_string(m_claim) + " bytes of samples, got " +
         std::to_string(got));
}

void IdxReader::refuseLong() const {
  refuse("goes on after the " + std::to_string(m_claim) + " bytes of samples that its header promises");
}

}  // namespace strata
