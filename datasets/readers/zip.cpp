// SPDX-License-Identifier: Apache-2.0
#include "datasets/readers/zip.h"

#include <zlib.h>

#include <algorithm>

#include "datasets/readers/inflate.h"
#include "engine/base/error.h"
#include "engine/base/file.h"

namespace strata {

namespace {

constexpr std::size_t kEndSize = 22, kMaxComment = 65535;
constexpr std::uint32_t kEndMagic = 0x06054b50, kEntryMagic = 0x02014b50, kLocalMagic = 0x04034b50;

std::uint32_t little(std::span<const unsigned char> bytes) {
  std::uint32_t value = 0;
  for (std::size_t i = bytes.size(); i-- > 0;) value = value << 8 | bytes[i];
  return value;
}
std::uint32_t u16(Reader& reader) { return little(reader.take(2)); }
std::uint32_t u32(Reader& reader) { return little(reader.take(4)); }

/// Offset of the end record, which a comment may follow; the archive's size when there is none.
std::size_t findEnd(std::span<const unsigned char> bytes) {
  if (bytes.size() < kEndSize) return bytes.size();
  const std::size_t last = bytes.size() - kEndSize, first = last > kMaxComment ? last - kMaxComment : 0;
  for (std::size_t at = last + 1; at-- > first;)
    if (little(bytes.subspan(at, 4)) == kEndMagic && little(bytes.subspan(at + 20, 2)) == bytes.size() - at - kEndSize)
      return at;
  return bytes.size();
}

}  // namespace

ZipReader::ZipReader(std::span<const unsigned char> bytes, std::string where)
    : m_bytes(bytes), m_where(std::move(where)) {
  const std::size_t end = findEnd(bytes);
  if (end == bytes.size()) refuse("is not a whole zip archive: its end record is missing");
  Reader tail(bytes.subspan(end), m_where);
  tail.take(10);
  const std::uint32_t count = u16(tail), directorySize = u32(tail), directoryOffset = u32(tail);
  if (directoryOffset > end || directorySize > end - directoryOffset)
    refuse("has a directory that lies outside the archive");
  Reader directory(bytes.subspan(directoryOffset, directorySize), m_where);
  for (std::uint32_t i = 0; i < count; ++i) {
    if (u32(directory) != kEntryMagic) refuse("has a damaged directory at entry " + std::to_string(i));
    directory.take(4);
    const std::uint32_t flags = u16(directory);
    ZipMember member;
    member.method = static_cast<int>(u16(directory));
    directory.take(4);
    member.crc = u32(directory);
    member.packedSize = u32(directory);
    member.size = u32(directory);
    const std::uint32_t nameLength = u16(directory), extraLength = u16(directory), commentLength = u16(directory);
    directory.take(8);
    member.headerOffset = u32(directory);
    const auto name = directory.take(nameLength);
    member.name.assign(name.begin(), name.end());
    directory.take(extraLength + commentLength);
    if (flags & 1) member.method = -1;  // encrypted: refused when read
    m_members.push_back(std::move(member));
  }
}

const ZipMember* ZipReader::find(const std::string& basename) const {
  const auto it = std::find_if(m_members.begin(), m_members.end(), [&](const ZipMember& member) {
    return !member.name.starts_with("__MACOSX/") && member.name.substr(member.name.rfind('/') + 1) == basename;
  });
  return it == m_members.end() ? nullptr : &*it;
}

std::span<const unsigned char> ZipReader::packed(const ZipMember& member) const {
  const std::string& name = member.name;
  if (member.method != 0 && member.method != 8)
    refuse("packs " + name + " by a method that is not read; needed stored or deflated");
  if (member.headerOffset > m_bytes.size()) refuse("has " + name + " outside the archive");
  Reader local(m_bytes.subspan(member.headerOffset), m_where);
  if (u32(local) != kLocalMagic) refuse("has a damaged header before " + name);
  local.take(22);
  const std::uint32_t nameLength = u16(local), extraLength = u16(local);
  local.take(nameLength + extraLength);
  return local.take(member.packedSize);
}

void ZipReader::verify(const ZipMember& member) const {
  constexpr std::size_t kChunk = std::size_t{1} << 18;
  const auto bytes = packed(member);
  std::uint64_t size = 0;
  uLong crc = 0;
  const auto add = [&](std::span<const unsigned char> part) {
    crc = crc32_z(crc, part.data(), part.size());
    size += part.size();
  };
  if (member.method == 0) {
    add(bytes);
  } else {
    Inflater inflater(bytes, Inflater::Packing::Raw, m_where + ", " + member.name);
    std::vector<std::uint8_t> chunk(kChunk);
    while (size <= member.size) {
      const std::size_t got = inflater.read(chunk);
      add(std::span(chunk).first(got));
      if (got < kChunk) break;
    }
  }
  if (size != member.size) refuse("has another size for " + member.name + " than its directory says");
  if (crc != member.crc) refuse("has a wrong checksum for " + member.name);
}

std::string ZipReader::read(const ZipMember& member, std::uint64_t maxBytes) const {
  const std::string& name = member.name;
  if (member.size > maxBytes)
    refuse("holds " + name + " with " + std::to_string(member.size) + " bytes, at most " + std::to_string(maxBytes) +
           " were expected");
  const auto packed = this->packed(member);
  if (member.size / kMaxDeflateRatio > packed.size())
    refuse("promises more for " + name + " than its packed bytes can hold");

  std::string content(member.size, '\0');
  if (member.method == 0) {
    if (packed.size() != content.size()) refuse("has two different sizes for " + name);
    std::copy(packed.begin(), packed.end(), content.begin());
  } else {
    Inflater inflater(packed, Inflater::Packing::Raw, m_where + ", " + name);
    std::uint8_t extra = 0;
    if (inflater.read({reinterpret_cast<std::uint8_t*>(content.data()), content.size()}) != content.size() ||
        inflater.read({&extra, 1}) != 0)
      refuse("has another size for " + name + " than its directory says");
  }
  if (crc32_z(0, reinterpret_cast<const Bytef*>(content.data()), content.size()) != member.crc)
    refuse("has a wrong checksum for " + name);
  return content;
}

void ZipReader::refuse(const std::string& what) const {
  throw Error(Error::Kind::Input, m_where, what, "The file is damaged; get a fresh copy of it.");
}

}  // namespace strata
