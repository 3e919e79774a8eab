// SPDX-License-Identifier: Apache-2.0
// The checksum (CRC-32C of the whole file, its own eight characters counted as zeros) stands at a fixed place: it is
// the first thing in the header. So it is checked on the raw bytes, before the header is parsed.
#include "engine/train/checkpoint.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "engine/error.h"
#include "engine/safetensors.h"

namespace strata {
namespace {

constexpr int kCheckpointVersion = 1;
constexpr const char* kState = "optimizer/state";  ///< a layer's tensors have a dot, never a slash
constexpr std::string_view kBeforeChecksum = R"({"__metadata__":{"checksum":")";
constexpr std::size_t kChecksumAt = 8 + kBeforeChecksum.size(), kChecksumSize = 8;
constexpr std::string_view kZeroChecksum = "00000000";

constexpr std::array<std::uint32_t, 256> crcTable() {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t i = 0; i < 256; ++i) {
    std::uint32_t value = i;
    // Castagnoli's polynomial, reflected.
    for (int bit = 0; bit < 8; ++bit) value = value >> 1 ^ (value & 1 ? 0x82f63b78u : 0);
    table[i] = value;
  }
  return table;
}

std::uint32_t crc32c(std::uint32_t crc, std::string_view bytes) {
  static constexpr auto kTable = crcTable();
  crc = ~crc;
  for (const char c : bytes) crc = crc >> 8 ^ kTable[(crc ^ static_cast<unsigned char>(c)) & 0xff];
  return ~crc;
}

/// Of a whole file, as eight hexadecimal digits.
std::string checksum(std::string_view bytes) {
  std::uint32_t crc = crc32c(0, bytes.substr(0, kChecksumAt));
  crc = crc32c(crc, kZeroChecksum);
  crc = crc32c(crc, bytes.substr(kChecksumAt + kChecksumSize));
  std::string text(kZeroChecksum);
  for (std::size_t i = 0; i < kChecksumSize; ++i) text[i] = "0123456789abcdef"[crc >> (28 - 4 * i) & 15];
  return text;
}

SafeTensor floatTensor(std::vector<std::int64_t> shape, const float* values, std::int64_t count) {
  return {"F32", std::move(shape), std::string(reinterpret_cast<const char*>(values), count * sizeof(float))};
}

Error damaged(const std::string& where, const std::string& what) {
  return {Error::Kind::Input, where, what, "The checkpoint is damaged; use another one of the run"};
}

const SafeTensorView& find(const SafeTensorsView& file, const std::string& name, const std::string& where) {
  const auto found = file.tensors.find(name);
  if (found == file.tensors.end())
    throw Error(Error::Kind::Input, where, "has no tensor \"" + name + "\"",
                "Use weights that were saved from the same network");
  if (found->second.dtype != "F32")
    throw Error(Error::Kind::Input, where, "tensor \"" + name + "\" has type " + found->second.dtype + ", needed F32");
  return found->second;
}

template <class Integer>
std::string shapeText(const std::vector<Integer>& shape) {
  std::string text;
  for (const auto size : shape) text += (text.empty() ? "" : " × ") + std::to_string(size);
  return text.empty() ? "one number" : text;
}

/// Fills an arena for `network` from the file. Nothing is allocated that the file does not hold.
Weights weightsFrom(const SafeTensorsView& file, const NetworkSpec& network, std::size_t fileSize,
                    const std::string& where) {
  const Analysis analysis = analyse(network);
  if (!analysis.ok()) {
    for (const Issue& issue : analysis.issues)
      if (issue.level == Issue::Level::Error)
        throw Error(Error::Kind::Input, where, "the network in it is not sound: " + issue.text);
  }
  if (static_cast<std::uint64_t>(analysis.parameters) > fileSize / sizeof(float))
    throw Error(Error::Kind::Input, where,
                "the network has " + std::to_string(analysis.parameters) + " weights, the file holds fewer",
                "Use weights that were saved from the same network");
  Weights weights = layoutFor(network);
  for (const TensorPlace& place : weights.places) {
    const SafeTensorView& tensor = find(file, place.name, where);
    if (!std::equal(place.shape.begin(), place.shape.end(), tensor.shape.begin(), tensor.shape.end()))
      throw Error(Error::Kind::Input, where,
                  "tensor \"" + place.name + "\" is " + shapeText(tensor.shape) + ", the network needs " +
                      shapeText(place.shape),
                  "Use weights that were saved from the same network");
    std::memcpy(weights.values.data() + place.offset, tensor.bytes.data(), tensor.bytes.size());
  }
  for (const auto& [name, tensor] : file.tensors) {
    const bool known = name == kState || std::any_of(weights.places.begin(), weights.places.end(),
                                                     [&](const TensorPlace& place) { return place.name == name; });
    if (!known)
      throw Error(Error::Kind::Input, where, "tensor \"" + name + "\" belongs to no layer of the network",
                  "Use weights that were saved from the same network");
  }
  return weights;
}

std::string stateJson(const Checkpoint& checkpoint) {
  return compactJson({{"version", kCheckpointVersion},
                      {"network", networkToJson(checkpoint.network)},
                      {"preprocessing", preprocessingToJson(checkpoint.preprocessing)},
                      {"classes", checkpoint.classes},
                      {"step", checkpoint.step},
                      {"epoch", checkpoint.epoch},
                      {"epoch_loss_sum", checkpoint.epochLossSum},
                      {"epoch_hits", checkpoint.epochHits},
                      {"epoch_samples", checkpoint.epochSamples},
                      {"epoch_seconds", checkpoint.epochSeconds}});
}

template <class T>
void readNumber(const Json& json, const char* key, T& value, const std::string& where) {
  const auto found = json.find(key);
  const bool right =
      found != json.end() && (std::is_floating_point_v<T> ? found->is_number() : found->is_number_unsigned());
  if (!right) throw damaged(where, std::string("\"") + key + "\" is missing or not a number");
  value = found->get<T>();
}

void readState(const Json& json, Checkpoint& checkpoint, const std::string& where) {
  int version = 0;
  if (!json.is_object()) throw damaged(where, "its description is not an object");
  readNumber(json, "version", version, where);
  if (version > kCheckpointVersion)
    throw Error(Error::Kind::Input, where,
                "was written by a newer Strata (checkpoint version " + std::to_string(version) +
                    ", this one reads up to " + std::to_string(kCheckpointVersion) + ")",
                "Update Strata to open it");
  if (!json.contains("network") || !json.contains("preprocessing") || !json.contains("classes") ||
      !json["classes"].is_array())
    throw damaged(where, "its description lacks network, preprocessing or classes");
  checkpoint.network = networkFromJson(json["network"], where);
  checkpoint.preprocessing = preprocessingFromJson(json["preprocessing"], where);
  for (const Json& name : json["classes"]) {
    if (!name.is_string()) throw damaged(where, "a class name is not text");
    checkpoint.classes.push_back(name.get<std::string>());
  }
  readNumber(json, "step", checkpoint.step, where);
  readNumber(json, "epoch", checkpoint.epoch, where);
  readNumber(json, "epoch_loss_sum", checkpoint.epochLossSum, where);
  readNumber(json, "epoch_hits", checkpoint.epochHits, where);
  readNumber(json, "epoch_samples", checkpoint.epochSamples, where);
  readNumber(json, "epoch_seconds", checkpoint.epochSeconds, where);
}

}  // namespace

std::string checkpointBytes(const Checkpoint& checkpoint) {
  SafeTensorsFile file;
  file.metadata = {{"checksum", std::string(kZeroChecksum)}, {"strata", stateJson(checkpoint)}};
  for (const TensorPlace& place : checkpoint.weights.places)
    file.tensors[place.name] = floatTensor({place.shape.begin(), place.shape.end()},
                                           checkpoint.weights.values.data() + place.offset, place.size);
  if (!checkpoint.optimizerState.empty()) {
    const auto count = static_cast<std::int64_t>(checkpoint.optimizerState.size());
    file.tensors[kState] = floatTensor({count}, checkpoint.optimizerState.data(), count);
  }
  std::string bytes = safeTensorsBytes(file);
  bytes.replace(kChecksumAt, kChecksumSize, checksum(bytes));
  return bytes;
}

Checkpoint readCheckpoint(const Path& path) {
  const std::string where = path.string(), bytes = readFile(path, kMaxSafeTensorsBytes);
  const std::string_view raw = bytes;
  if (raw.size() < kChecksumAt + kChecksumSize || raw.substr(8, kBeforeChecksum.size()) != kBeforeChecksum)
    throw Error(Error::Kind::Input, where, "is not a Strata checkpoint, or its start is damaged",
                "A file of weights alone is read by strata train --weights");
  const std::string_view written = raw.substr(kChecksumAt, kChecksumSize);
  if (const std::string computed = checksum(raw); computed != written)
    throw damaged(where, "its checksum is " + computed + ", needed the one written in it");

  SafeTensorsView file = parseSafeTensors(raw, where);
  Checkpoint checkpoint;
  readState(parseJson(file.metadata["strata"], where + ", description"), checkpoint, where);
  checkpoint.weights = weightsFrom(file, checkpoint.network, bytes.size(), where);
  if (file.tensors.contains(kState)) {
    const SafeTensorView& state = find(file, kState, where);
    checkpoint.optimizerState.resize(state.bytes.size() / sizeof(float));
    std::memcpy(checkpoint.optimizerState.data(), state.bytes.data(), state.bytes.size());
  }
  return checkpoint;
}

Weights readWeights(const Path& path, const NetworkSpec& network) {
  const std::string bytes = readFile(path, kMaxSafeTensorsBytes);
  return weightsFrom(parseSafeTensors(bytes, path.string()), network, bytes.size(), path.string());
}

}  // namespace strata
