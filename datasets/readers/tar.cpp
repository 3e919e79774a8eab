// SPDX-License-Identifier: Apache-2.0
#include "datasets/readers/tar.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "datasets/readers/own_data.h"

namespace strata {
namespace {

constexpr std::size_t kBlock = 512;
constexpr char kFreshCopy[] = "The file is damaged; get a fresh copy of it.";

using Block = std::array<std::uint8_t, kBlock>;

std::string_view textAt(const Block& block, std::size_t at, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(block.data() + at), size);
  return text.substr(0, text.find('\0'));
}

/// An octal number, blanks around it; nothing for all else.
std::optional<std::uint64_t> octalAt(const Block& block, std::size_t at, std::size_t size) {
  std::uint64_t value = 0;
  bool digits = false;
  for (const char c : textAt(block, at, size)) {
    if (c == ' ') continue;
    if (c < '0' || c > '7') return std::nullopt;
    value = value << 3 | static_cast<std::uint64_t>(c - '0');
    digits = true;
  }
  return digits ? std::optional(value) : std::nullopt;
}

/// Whether the header's sum, in which its own field counts as blanks, is what it says.
bool sumIsRight(const Block& block) {
  constexpr std::size_t kSumAt = 148, kSumSize = 8;
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < kBlock; ++i) sum += i >= kSumAt && i < kSumAt + kSumSize ? ' ' : block[i];
  return octalAt(block, kSumAt, kSumSize) == sum;
}

}  // namespace

std::optional<TarMember> TarReader::next() {
  for (;;) {
    skip(m_left + m_padding);
    Block block{};
    const std::size_t got = m_stream(block);
    const bool blank = std::all_of(block.begin(), block.end(), [](std::uint8_t byte) { return byte == 0; });
    if (got == 0 || (got == kBlock && blank)) return std::nullopt;
    const auto size = octalAt(block, 124, 12);
    if (got < kBlock || !sumIsRight(block) || !size) refuseData(m_path, "is no sound tar archive", kFreshCopy);
    m_left = *size;
    m_padding = (kBlock - m_left % kBlock) % kBlock;
    const char type = static_cast<char>(block[156]);
    if (type != '0' && type != '\0') continue;
    const std::string_view name = textAt(block, 0, 100);
    return TarMember{std::string(name.substr(name.rfind('/') + 1)), m_left};
  }
}

std::size_t TarReader::read(std::span<std::uint8_t> out) {
  const auto want = static_cast<std::size_t>(std::min<std::uint64_t>(out.size(), m_left));
  const std::size_t got = m_stream(out.first(want));
  m_left -= got;
  if (got < want) refuseData(m_path, "ends inside a file of its archive", kFreshCopy);
  return got;
}

void TarReader::skip(std::uint64_t count) {
  std::vector<std::uint8_t> chunk(std::min<std::uint64_t>(count, kStreamChunk));
  m_left = m_padding = 0;
  while (count > 0) {
    const auto want = static_cast<std::size_t>(std::min<std::uint64_t>(count, chunk.size()));
    if (m_stream(std::span(chunk).first(want)) < want)
      refuseData(m_path, "ends inside a file of its archive", kFreshCopy);
    count -= want;
  }
}

}  // namespace strata
