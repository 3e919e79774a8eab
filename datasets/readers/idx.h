// SPDX-License-Identifier: Apache-2.0
// IDX files (plain or gzip), the format of MNIST: magic, dimensions, bytes. Every size is proven before anything is
// allocated.
#pragma once
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "engine/base/file.h"

namespace strata {

/// A file whose header has been read and whose samples have not. Unsigned bytes alone (magic 0x0801, 0x0803, 0x0804).
/// What it throws is Error::File, or Error::Input with file, offset, got and needed.
class IdxReader {
 public:
  explicit IdxReader(const Path& path);

  const std::vector<int>& dims() const { return m_dims; }  ///< [N,H,W] or [N,H,W,C] images, [N] labels
  bool packed() const { return m_packed; }                 ///< gzip, whatever the file's name says
  /// The samples, product(dims) of them: neither fewer nor more are in the file.
  std::vector<std::uint8_t> read() const;
  /// Proves that they are there without keeping them.
  void verify() const;

 private:
  /// Fills the span as far as the content reaches; returns the count.
  using Stream = std::function<std::size_t(std::span<std::uint8_t>)>;

  Stream open() const;  ///< the content, unpacked, from its start
  Stream openBehindHeader() const;
  void readHeader();
  void checkClaim() const;
  [[noreturn]] void refuse(const std::string& what) const;
  [[noreturn]] void refuseShort(std::uint64_t got) const;
  [[noreturn]] void refuseLong() const;

  RegularFile m_file;
  bool m_packed = false;
  std::vector<int> m_dims;
  std::uint64_t m_claim = 0;  ///< bytes of samples, by the header
};

}  // namespace strata
