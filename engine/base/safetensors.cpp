// SPDX-License-Identifier: Apache-2.0
// The header is proven against the file's size before a tensor is looked at: every shape, every offset, no hole, no
// overlap.
#include "engine/base/safetensors.h"

#include <algorithm>

#include "engine/base/error.h"
#include "engine/base/json.h"
#include "engine/base/memory.h"
#include "engine/base/saturating.h"
#include "engine/base/text.h"

namespace strata {
namespace {

constexpr std::uint64_t kLengthSize = 8;  ///< of the header's length, at the start of a file
constexpr std::uint64_t kMaxHeader = 25'000'000;
constexpr std::size_t kMaxRank = 8;
constexpr const char* kMetadata = "__metadata__";

Error damaged(const std::string& where, const std::string& what) {
  return {Error::Kind::Input, where, what, "The file is damaged or not a safetensors file; use another copy"};
}

std::uint64_t itemSize(const std::string& dtype, const std::string& where, const std::string& name) {
  if (dtype == "F32") return 4;
  if (dtype == "I64") return 8;
  if (dtype == "U8") return 1;
  throw Error(Error::Kind::Input, where,
              "tensor " + inQuotes(name) + " has type " + inQuotes(dtype) + ", needed F32, I64 or U8",
              "Convert the file to float32");
}

std::uint64_t sizeAt(const Json& json, const std::string& where, const std::string& what) {
  if (!json.is_number_unsigned()) throw damaged(where, what + " must be a whole number, got " + shownValue(json));
  return json.get<std::uint64_t>();
}

SafeTensorPlace readEntry(const std::string& name, const Json& json, const std::string& where) {
  const std::string quoted = "tensor " + inQuotes(name);
  if (!json.is_object() || json.size() != 3 || !json.contains("dtype") || !json.contains("shape") ||
      !json.contains("data_offsets"))
    throw damaged(where, quoted + " must have dtype, shape and data_offsets and nothing else");
  const Json &dtype = json["dtype"], &shape = json["shape"], &offsets = json["data_offsets"];
  if (!dtype.is_string()) throw damaged(where, quoted + ": dtype must be text");
  if (!shape.is_array() || shape.size() > kMaxRank)
    throw damaged(where, quoted + ": shape must be a list of at most " + std::to_string(kMaxRank) + " numbers");
  if (!offsets.is_array() || offsets.size() != 2) throw damaged(where, quoted + ": data_offsets must be two numbers");

  SafeTensorPlace entry;
  entry.dtype = dtype.get<std::string>();
  std::uint64_t bytes = itemSize(entry.dtype, where, name);
  for (const Json& dim : shape) {
    const std::uint64_t size = sizeAt(dim, where, quoted + ": a dimension");
    entry.shape.push_back(narrow<std::int64_t>(size, where + ": " + quoted + ": a dimension"));
    bytes = checkedMul(bytes, size, where + ": " + quoted);
  }
  entry.begin = sizeAt(offsets[0], where, quoted + ": an offset");
  entry.end = sizeAt(offsets[1], where, quoted + ": an offset");
  if (entry.end < entry.begin || entry.end - entry.begin != bytes)
    throw damaged(where, quoted + " needs " + std::to_string(bytes) + " bytes, its offsets are " +
                             std::to_string(entry.begin) + " and " + std::to_string(entry.end));
  return entry;
}

std::map<std::string, std::string> readMetadata(const Json& json, const std::string& where) {
  if (!json.is_object()) throw damaged(where, "__metadata__ must be an object");
  std::map<std::string, std::string> metadata;
  for (const auto& [key, value] : json.items()) {
    if (!value.is_string()) throw damaged(where, "__metadata__ " + inQuotes(key) + " must be text");
    metadata[key] = value.get<std::string>();
  }
  return metadata;
}

/// What the first eight bytes say, believed only as far as the file goes.
std::uint64_t headerSizeOf(std::string_view start, std::uint64_t fileSize, const std::string& where) {
  Reader reader({reinterpret_cast<const unsigned char*>(start.data()), start.size()}, where);
  const std::uint64_t size = reader.u64le();
  const std::uint64_t most = std::min(kMaxHeader, fileSize - kLengthSize);
  if (size > most)
    throw damaged(where, "the header claims " + std::to_string(size) + " bytes, at most " + std::to_string(most) +
                             " are possible");
  return size;
}

/// One after the other they fill the data of `size` bytes.
void checkPlaces(const std::map<std::string, SafeTensorPlace>& tensors, std::uint64_t size, const std::string& where) {
  std::vector<std::pair<std::string, const SafeTensorPlace*>> inOrder;
  for (const auto& [name, place] : tensors) inOrder.emplace_back(name, &place);
  std::sort(inOrder.begin(), inOrder.end(), [](const auto& a, const auto& b) {
    return std::pair(a.second->begin, a.second->end) < std::pair(b.second->begin, b.second->end);
  });
  std::uint64_t position = 0;
  for (const auto& [name, place] : inOrder) {
    if (place->begin != position)
      throw damaged(where, "tensor " + inQuotes(name) + " begins at " + std::to_string(place->begin) + ", needed " +
                               std::to_string(position) + (place->begin < position ? " (overlap)" : " (hole)"));
    if (place->end > size)
      throw damaged(where, "tensor " + inQuotes(name) + " ends at " + std::to_string(place->end) + ", the file holds " +
                               std::to_string(size) + " bytes of data");
    position = place->end;
  }
  if (position != size)
    throw damaged(where, std::to_string(size - position) + " bytes after the last tensor belong to nothing");
}

}  // namespace

SafeTensorsHeader parseSafeTensorsHeader(std::string_view start, std::uint64_t fileSize, const std::string& where) {
  const std::uint64_t size = headerSizeOf(start, fileSize, where);
  const std::string_view text = start.substr(kLengthSize, size);
  if (text.size() < size) throw damaged(where, "the header is cut off");
  if (!text.starts_with('{')) throw damaged(where, "the header must begin with {");
  SafeTensorsHeader header;
  header.end = kLengthSize + size;
  const Json json = parseJson(text, where + ", header");
  for (const auto& [name, value] : json.items()) {
    if (name == kMetadata) header.metadata = readMetadata(value, where);
    else header.tensors.emplace(name, readEntry(name, value, where));
  }
  checkPlaces(header.tensors, fileSize - header.end, where);
  return header;
}

SafeTensorsHeader readSafeTensorsHeader(RegularFile& file, std::string* start) {
  const std::string where = file.path().string();
  std::string bytes = file.read(kLengthSize);
  bytes += file.read(headerSizeOf(bytes, file.size(), where));
  SafeTensorsHeader header = parseSafeTensorsHeader(bytes, file.size(), where);
  if (start) *start = std::move(bytes);
  return header;
}

SafeTensorsFile readSafeTensors(const Path& path) {
  const std::string where = path.string();
  RegularFile source(path);
  SafeTensorsHeader header = readSafeTensorsHeader(source);
  requireMemory(saturatingMul(narrow<std::int64_t>(source.size(), where), 2), where, "reading it", "");
  const std::string data = source.read(source.size());  // all that follows the header
  SafeTensorsFile file;
  file.metadata = std::move(header.metadata);
  for (auto& [name, place] : header.tensors) {
    if (place.end > data.size()) throw damaged(where, "it became shorter while it was read");
    file.tensors[name] = {place.dtype, place.shape, data.substr(place.begin, place.end - place.begin)};
  }
  return file;
}

std::string safeTensorsBytes(const SafeTensorsFile& file) {
  Json header = Json::object();
  if (!file.metadata.empty()) header[kMetadata] = file.metadata;
  std::uint64_t offset = 0;
  for (const auto& [name, tensor] : file.tensors) {
    header[name] = {
        {"dtype", tensor.dtype}, {"shape", tensor.shape}, {"data_offsets", {offset, offset + tensor.bytes.size()}}};
    offset += tensor.bytes.size();
  }
  std::string text = compactJson(header);
  text.resize((text.size() + 7) / 8 * 8, ' ');  // data aligned to 8 bytes, as the format asks of writers

  std::string bytes;
  bytes.reserve(8 + text.size() + offset);
  for (int i = 0; i < 8; ++i) bytes += static_cast<char>(text.size() >> (8 * i) & 0xff);
  bytes += text;
  for (const auto& [name, tensor] : file.tensors) bytes += tensor.bytes;
  return bytes;
}

}  // namespace strata
