// SPDX-License-Identifier: Apache-2.0
// The header is proven against the file's size before a tensor is looked at: every shape, every offset, no hole, no
// overlap.
#include "engine/safetensors.h"

#include <algorithm>

#include "engine/error.h"
#include "engine/json.h"

namespace strata {
namespace {

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
  throw Error(Error::Kind::Input, where, "tensor \"" + name + "\" has type " + dtype + ", needed F32, I64 or U8",
              "Convert the file to float32");
}

std::uint64_t sizeAt(const Json& json, const std::string& where, const std::string& what) {
  if (!json.is_number_unsigned())
    throw damaged(where, what + " must be a whole number, got " + json.dump().substr(0, 40));
  return json.get<std::uint64_t>();
}

struct Entry {
  SafeTensorView tensor;
  std::uint64_t begin = 0, end = 0;
};

Entry readEntry(const std::string& name, const Json& json, const std::string& where) {
  const std::string quoted = "tensor \"" + name + "\"";
  if (!json.is_object() || json.size() != 3 || !json.contains("dtype") || !json.contains("shape") ||
      !json.contains("data_offsets"))
    throw damaged(where, quoted + " must have dtype, shape and data_offsets and nothing else");
  const Json &dtype = json["dtype"], &shape = json["shape"], &offsets = json["data_offsets"];
  if (!dtype.is_string()) throw damaged(where, quoted + ": dtype must be text");
  if (!shape.is_array() || shape.size() > kMaxRank)
    throw damaged(where, quoted + ": shape must be a list of at most " + std::to_string(kMaxRank) + " numbers");
  if (!offsets.is_array() || offsets.size() != 2) throw damaged(where, quoted + ": data_offsets must be two numbers");

  Entry entry;
  entry.tensor.dtype = dtype.get<std::string>();
  std::uint64_t bytes = itemSize(entry.tensor.dtype, where, name);
  for (const Json& dim : shape) {
    const std::uint64_t size = sizeAt(dim, where, quoted + ": a dimension");
    if (size > INT64_MAX) throw damaged(where, quoted + ": dimension " + std::to_string(size) + " is too large");
    entry.tensor.shape.push_back(static_cast<std::int64_t>(size));
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
    if (!value.is_string()) throw damaged(where, "__metadata__ \"" + key + "\" must be text");
    metadata[key] = value.get<std::string>();
  }
  return metadata;
}

}  // namespace

SafeTensorsView parseSafeTensors(std::string_view bytes, const std::string& where) {
  Reader reader({reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size()}, where);
  const std::uint64_t headerSize = reader.u64le();
  if (headerSize > kMaxHeader || headerSize > reader.remaining())
    throw damaged(where, "the header claims " + std::to_string(headerSize) + " bytes, at most " +
                             std::to_string(std::min(kMaxHeader, reader.remaining())) + " are possible");
  const std::string_view text = bytes.substr(8, headerSize);
  if (!text.starts_with('{')) throw damaged(where, "the header must begin with {");
  const Json header = parseJson(text, where + ", header");
  const std::string_view data = bytes.substr(8 + headerSize);

  SafeTensorsView file;
  std::vector<std::pair<std::string, Entry>> entries;
  for (const auto& [name, json] : header.items()) {
    if (name == kMetadata) file.metadata = readMetadata(json, where);
    else entries.emplace_back(name, readEntry(name, json, where));
  }
  std::sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) {
    return std::pair(a.second.begin, a.second.end) < std::pair(b.second.begin, b.second.end);
  });
  std::uint64_t position = 0;
  for (auto& [name, entry] : entries) {
    if (entry.begin != position)
      throw damaged(where, "tensor \"" + name + "\" begins at " + std::to_string(entry.begin) + ", needed " +
                               std::to_string(position) + (entry.begin < position ? " (overlap)" : " (hole)"));
    if (entry.end > data.size())
      throw damaged(where, "tensor \"" + name + "\" ends at " + std::to_string(entry.end) + ", the file holds " +
                               std::to_string(data.size()) + " bytes of data");
    entry.tensor.bytes = data.substr(entry.begin, entry.end - entry.begin);
    position = entry.end;
    file.tensors.emplace(name, std::move(entry.tensor));
  }
  if (position != data.size())
    throw damaged(where, std::to_string(data.size() - position) + " bytes after the last tensor belong to nothing");
  return file;
}

SafeTensorsFile readSafeTensors(const Path& path) {
  const std::string bytes = readFile(path, kMaxSafeTensorsBytes);
  SafeTensorsView view = parseSafeTensors(bytes, path.string());
  SafeTensorsFile file;
  file.metadata = std::move(view.metadata);
  for (auto& [name, tensor] : view.tensors)
    file.tensors[name] = {tensor.dtype, tensor.shape, std::string(tensor.bytes)};
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
