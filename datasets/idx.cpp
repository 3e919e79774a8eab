// SPDX-License-Identifier: Apache-2.0
#include "datasets/idx.h"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <functional>
#include <limits>

#include "datasets/inflate.h"
#include "engine/error.h"

namespace strata {

namespace {

constexpr std::uint64_t kMaxContent = std::uint64_t{1}
                                      << 30;  // bytes of samples in one file: 1.3 million pictures of 28 x 28
constexpr std::uint64_t kHeaderRoom = 64;     // more than the longest header
// A packed file may claim this much more than twice its size before its content has been counted.
constexpr std::uint64_t kUnprovenAllowance = std::uint64_t{64} << 20;
constexpr char kFreshCopy[] = "Get a fresh copy of the file, for MNIST with \"strata data get mnist\".";

/// Fills the span as far as the content reaches; returns the count.
using ReadFn = std::function<std::size_t(std::span<std::uint8_t>)>;

[[noreturn]] void refuse(const std::string& where, const std::string& what) {
  throw Error(Error::Kind::Input, where, what, kFreshCopy);
}

std::uint32_t readU32(const ReadFn& read, const std::string& where, std::uint64_t offset) {
  std::uint8_t b[4];
  const std::size_t got = read(b);
  if (got < 4)
    refuse(where, "ends at byte " + std::to_string(offset + got) + " inside its header, which needs at least " +
                      std::to_string(offset + 4) + " bytes");
  return std::uint32_t{b[0]} << 24 | std::uint32_t{b[1]} << 16 | std::uint32_t{b[2]} << 8 | b[3];
}

/// Magic and dimensions: 0 0 type rank, then `rank` big-endian counts.
std::vector<int> readHeader(const ReadFn& read, const std::string& where) {
  const std::uint32_t magic = readU32(read, where, 0);
  const std::uint32_t rank = magic & 0xff;
  if (magic >> 8 != 8 || (rank != 1 && rank != 3 && rank != 4)) {
    char got[16];
    std::snprintf(got, sizeof got, "0x%08X", magic);
    refuse(where, std::string("is not an IDX file of bytes: got ") + got +
                      " at byte 0, needed 0x00000801 (labels), 0x00000803 or 0x00000804 (images)");
  }
  std::vector<int> dims;
  for (std::uint32_t i = 0; i < rank; ++i) {
    const std::uint32_t dim = readU32(read, where, 4 + 4 * i);
    if (dim == 0 || dim > static_cast<std::uint32_t>(std::numeric_limits<int>::max()))
      refuse(where, "has a dimension of " + std::to_string(dim) + " at byte " + std::to_string(4 + 4 * i) +
                        ", needed 1 to 2147483647");
    dims.push_back(static_cast<int>(dim));
  }
  return dims;
}

std::uint64_t contentSize(const std::vector<int>& dims, const std::string& where) {
  std::uint64_t size = 1;
  for (const int dim : dims) size = checkedMul(size, static_cast<std::uint64_t>(dim), where);
  if (size > kMaxContent)
    refuse(where, "claims " + std::to_string(size) + " bytes of samples, more than the 1 GiB that is read");
  return size;
}

[[noreturn]] void refuseShort(const std::string& where, std::uint64_t got, std::uint64_t claim) {
  refuse(where,
         "is cut off: its header promises " + std::to_string(claim) + " bytes of samples, got " + std::to_string(got));
}

[[noreturn]] void refuseLong(const std::string& where, std::uint64_t claim) {
  refuse(where, "goes on after the " + std::to_string(claim) + " bytes of samples that its header promises");
}

IdxFile readPlain(std::span<const unsigned char> file, const std::string& where) {
  std::size_t offset = 0;
  const ReadFn read = [&](std::span<std::uint8_t> out) {
    const std::size_t count = std::min(out.size(), file.size() - offset);
    std::copy_n(file.begin() + static_cast<std::ptrdiff_t>(offset), count, out.begin());
    offset += count;
    return count;
  };
  IdxFile idx{readHeader(read, where), {}};
  const std::uint64_t claim = contentSize(idx.dims, where), there = file.size() - offset;
  if (there < claim) refuseShort(where, there, claim);
  if (there > claim) refuseLong(where, claim);
  idx.bytes.assign(file.begin() + static_cast<std::ptrdiff_t>(offset), file.end());
  return idx;
}

/// What a gzip file holds, counted without keeping it; stops one byte after `limit`.
std::uint64_t countInflated(std::span<const unsigned char> packed, std::uint64_t limit, const std::string& where) {
  Inflater inflater(packed, Inflater::Packing::Gzip, where);
  std::vector<std::uint8_t> chunk(1 << 18);
  std::uint64_t count = 0;
  while (count <= limit) {
    const std::size_t got =
        inflater.read(std::span(chunk).first(std::min<std::uint64_t>(chunk.size(), limit + 1 - count)));
    if (got == 0) break;
    count += got;
  }
  return count;
}

IdxFile readGzip(std::span<const unsigned char> packed, const std::string& where) {
  Inflater inflater(packed, Inflater::Packing::Gzip, where);
  const ReadFn read = [&](std::span<std::uint8_t> out) { return inflater.read(out); };
  IdxFile idx{readHeader(read, where), {}};
  const std::uint64_t claim = contentSize(idx.dims, where), header = 4 + 4 * idx.dims.size();
  if (claim / kMaxDeflateRatio > packed.size())
    refuse(where, "promises " + std::to_string(claim) + " bytes of samples, more than " +
                      std::to_string(packed.size()) + " compressed bytes can hold");
  if (claim > 2 * packed.size() + kUnprovenAllowance) {
    const std::uint64_t count = countInflated(packed, header + claim, where);
    if (count < header + claim) refuseShort(where, count - header, claim);
    if (count > header + claim) refuseLong(where, claim);
  }
  idx.bytes.resize(claim);
  const std::size_t got = inflater.read(idx.bytes);
  if (got < claim) refuseShort(where, got, claim);
  std::uint8_t extra = 0;
  if (inflater.read({&extra, 1}) != 0) refuseLong(where, claim);
  return idx;
}

}  // namespace

IdxFile readIdx(const Path& path) {
  const std::string file = readFile(path, kMaxContent + kHeaderRoom);
  const auto bytes = asBytes(file);
  return isGzip(bytes) ? readGzip(bytes, path.string()) : readPlain(bytes, path.string());
}

}  // namespace strata
