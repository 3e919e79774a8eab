// SPDX-License-Identifier: GPL-3.0-or-later
// Making files for the data sets' tests: IDX, gzip and zip bytes, and the sentence with which something was refused.
#pragma once
#include <zlib.h>

#include <QtTest>
#include <cstdint>
#include <fstream>
#include <initializer_list>
#include <string>
#include <vector>

#include "engine/base/error.h"
#include "engine/base/file.h"

inline std::string bigEndian(std::uint32_t value) {
  return {static_cast<char>(value >> 24), static_cast<char>(value >> 16), static_cast<char>(value >> 8),
          static_cast<char>(value)};
}

/// Magic and dimensions alone.
inline std::string idxHeader(const std::vector<std::uint32_t>& dims) {
  std::string bytes = bigEndian(0x0800 + static_cast<std::uint32_t>(dims.size()));
  for (const std::uint32_t dim : dims) bytes += bigEndian(dim);
  return bytes;
}

/// `count` pictures of side x side, or labels when side is 0; values 0..9 in turn.
inline std::string idxFile(std::uint32_t count, std::uint32_t side) {
  std::string bytes = side ? idxHeader({count, side, side}) : idxHeader({count});
  const std::uint32_t values = count * (side ? side * side : 1);
  for (std::uint32_t i = 0; i < values; ++i) bytes += static_cast<char>(i % 10);
  return bytes;
}

/// Deflated: windowBits 31 makes gzip, -15 bare deflate data.
inline std::string packed(const std::string& bytes, int windowBits = 31) {
  z_stream stream{};
  deflateInit2(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, windowBits, 8, Z_DEFAULT_STRATEGY);
  std::string out(deflateBound(&stream, bytes.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  deflate(&stream, Z_FINISH);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

inline std::string littleEndian(std::uint32_t value, int size) {
  std::string bytes;
  for (int i = 0; i < size; ++i) bytes += i < 4 ? static_cast<char>(value >> 8 * i) : '\0';
  return bytes;
}

/// A zip archive of the given names and contents, deflated or stored.
inline std::string zipFile(const std::vector<std::pair<std::string, std::string>>& members, bool deflated) {
  std::string bytes, directory;
  for (const auto& [name, content] : members) {
    const std::string body = deflated ? packed(content, -15) : content;
    const auto crc = crc32_z(0, reinterpret_cast<const Bytef*>(content.data()), content.size());
    const std::string common = littleEndian(20, 2) + littleEndian(0, 2) + littleEndian(deflated ? 8 : 0, 2) +
                               littleEndian(0, 4) + littleEndian(static_cast<std::uint32_t>(crc), 4) +
                               littleEndian(static_cast<std::uint32_t>(body.size()), 4) +
                               littleEndian(static_cast<std::uint32_t>(content.size()), 4) +
                               littleEndian(static_cast<std::uint32_t>(name.size()), 2) + littleEndian(0, 2);
    directory += littleEndian(0x02014b50, 4) + littleEndian(20, 2) + common + littleEndian(0, 10) +
                 littleEndian(static_cast<std::uint32_t>(bytes.size()), 4) + name;
    bytes += littleEndian(0x04034b50, 4) + common + name + body;
  }
  const auto count = static_cast<std::uint32_t>(members.size());
  return bytes + directory + littleEndian(0x06054b50, 4) + littleEndian(0, 4) + littleEndian(count, 2) +
         littleEndian(count, 2) + littleEndian(static_cast<std::uint32_t>(directory.size()), 4) +
         littleEndian(static_cast<std::uint32_t>(bytes.size()), 4) + littleEndian(0, 2);
}

inline void writeBytes(const strata::Path& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

/// The four files of a small data set.
inline void writeDataset(const strata::Path& folder, std::uint32_t train = 20, std::uint32_t test = 10,
                         std::uint32_t side = 4) {
  std::filesystem::create_directories(folder);
  writeBytes(folder / "train-images-idx3-ubyte", idxFile(train, side));
  writeBytes(folder / "train-labels-idx1-ubyte", idxFile(train, 0));
  writeBytes(folder / "t10k-images-idx3-ubyte", idxFile(test, side));
  writeBytes(folder / "t10k-labels-idx1-ubyte", idxFile(test, 0));
}

/// What `call` was refused with; empty when it was not refused, or with another kind of error than `kind`.
template <class Call>
QString refusal(strata::Error::Kind kind, Call call) {
  try {
    call();
  } catch (const strata::Error& error) {
    return error.kind() == kind ? QString::fromUtf8(error.what()) : QString();
  }
  return {};
}
