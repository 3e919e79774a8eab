// SPDX-License-Identifier: Apache-2.0
// Deflated bytes read as a stream: nothing is allocated but zlib's window and a chunk, so the caller decides how much
// may come out.
#pragma once
#include <zlib.h>

#include <cstdint>
#include <functional>
#include <span>
#include <string>

namespace strata {

class Inflater {
 public:
  /// Gzip: one or more members, nothing else after them. Raw: bare deflate data, as in a zip.
  enum class Packing { Gzip, Raw };

  /// The next packed bytes, valid until the next call; none at their end.
  using Source = std::function<std::span<const unsigned char>()>;

  Inflater(Source source, Packing packing, std::string where);
  Inflater(std::span<const unsigned char> packed, Packing packing, std::string where);  ///< which must outlive this
  ~Inflater();
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;

  /// Fills `out` as far as the data reach and returns the count: less than asked for only at the end, where the
  /// checksum has been verified. Throws Error::Input for damaged or cut data and for anything behind the last member.
  std::size_t read(std::span<std::uint8_t> out);

 private:
  bool refill();
  bool startNextMember();
  [[noreturn]] void fail(const std::string& what) const;

  z_stream m_stream{};
  Packing m_packing;
  std::string m_where;
  Source m_source;
  std::span<const unsigned char> m_rest;  ///< of what the source gave last
  std::uint64_t m_taken = 0;              ///< packed bytes given to zlib
  bool m_finished = false;
};

/// Deflate cannot pack better than about 1030:1 (RFC 1951: 258 bytes from 2 bits); a larger claim is a lie.
inline constexpr std::uint64_t kMaxDeflateRatio = 1040;

/// True for the two bytes that every gzip file starts with.
bool isGzip(std::span<const unsigned char> bytes);

/// All of a gzip file, which must hold exactly `size` bytes. `where` names it in errors.
std::string gunzip(std::span<const unsigned char> packed, std::uint64_t size, const std::string& where);

/// The bytes of a string or a vector, as parsers take them.
template <class Container>
std::span<const unsigned char> asBytes(const Container& container) {
  return {reinterpret_cast<const unsigned char*>(container.data()), container.size()};
}

}  // namespace strata
