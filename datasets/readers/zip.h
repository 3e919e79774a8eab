// SPDX-License-Identifier: Apache-2.0
// Reads members of a zip archive in memory: stored or deflated, sizes and checksums verified, every offset checked. No
// writing to disk by a member's name. Zip64, encryption and split archives are refused (format: PKWARE APPNOTE 4.3).
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace strata {

struct ZipMember {
  std::string name;
  int method = 0;  ///< 0 stored, 8 deflated
  std::uint32_t crc = 0;
  std::uint64_t packedSize = 0, size = 0, headerOffset = 0;
};

class ZipReader {
 public:
  /// Reads the directory. `bytes` must outlive this. Throws Error::Input.
  ZipReader(std::span<const unsigned char> bytes, std::string where);

  const std::vector<ZipMember>& members() const { return m_members; }
  /// The member whose last path component is `basename`, or null. Macintosh resource forks (__MACOSX/) are passed over.
  const ZipMember* find(const std::string& basename) const;
  /// The member's bytes as they lie in the archive. Throws Error::Input.
  std::span<const unsigned char> packed(const ZipMember& member) const;
  /// Proves size and checksum of the content without keeping it. Throws Error::Input.
  void verify(const ZipMember& member) const;
  /// The member's content. Throws Error::Input when it is damaged or larger than `maxBytes`.
  std::string read(const ZipMember& member, std::uint64_t maxBytes) const;

 private:
  [[noreturn]] void refuse(const std::string& what) const;

  std::span<const unsigned char> m_bytes;
  std::string m_where;
  std::vector<ZipMember> m_members;
};

}  // namespace strata
