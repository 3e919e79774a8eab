// SPDX-License-Identifier: Apache-2.0
// IDX files (plain or gzip), the format of MNIST: magic, dimensions, numbers. Every size is proven before anything is
// allocated.
#pragma once
#include <cstdint>
#include <string_view>
#include <vector>

#include "datasets/readers/content.h"
#include "datasets/readers/numbers.h"

namespace strata {

/// A file whose header has been read and whose samples have not. Bytes, big-endian integers and reals in one to four
/// dimensions (the magic's last two bytes: type 08 09 0B 0C 0D 0E, rank). What it throws is Error::File, or
/// Error::Input with file, offset, got and needed.
class IdxReader {
 public:
  explicit IdxReader(const Path& path);

  const std::vector<int>& dims() const { return m_dims; }  ///< [N] labels; [N,D], [N,H,W] or [N,H,W,C] samples
  const NumberType& type() const { return m_type; }
  bool packed() const { return m_content.packed(); }
  /// The samples as they are stored, product(dims) numbers: neither fewer nor more are in the file.
  std::vector<std::uint8_t> read() const;
  /// Proves that they are there without keeping them.
  void verify() const;

 private:
  Content::Stream openBehindHeader() const;
  void readHeader();
  void checkClaim() const;
  std::string where() const { return m_content.path().string(); }
  [[noreturn]] void refuse(const std::string& what) const;
  [[noreturn]] void refuseShort(std::uint64_t got) const;
  [[noreturn]] void refuseLong() const;

  Content m_content;
  NumberType m_type;
  std::vector<int> m_dims;
  std::uint64_t m_claim = 0;  ///< bytes of samples, by the header
};

/// Whether content that starts so is an IDX file's.
bool looksLikeIdx(std::string_view head);

}  // namespace strata
