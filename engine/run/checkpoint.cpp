// SPDX-License-Identifier: Apache-2.0
// The checksum (CRC-32C of the whole file, its own eight characters counted as zeros) stands at a fixed place: it is
// the first thing in the header. It can only be known at the file's end: where getting there is cheap it is looked at
// before all else, so that damage is called damage; a large file must first be accounted for by its header and network.
#include "engine/run/checkpoint.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <span>
#include <stdexcept>

#include "engine/base/crc32c.h"
#include "engine/base/error.h"
#include "engine/base/json.h"
#include "engine/base/memory.h"
#include "engine/base/safetensors.h"
#include "engine/base/text.h"
#include "engine/learn/metric.h"
#include "engine/run/run_record.h"

namespace strata {
namespace {

/// 1 had the optimizer's state in one tensor, kUnnamedState; 2 no loss, and of metrics "epoch_hits" alone.
constexpr int kCheckpointVersion = 3;
constexpr std::string_view kStatePrefix = "optimizer/";  ///< a layer's tensors have a dot, never a slash
constexpr const char* kUnnamedState = "optimizer/state";
static_assert(kMostSlots <= 4);
constexpr std::size_t kMaxSlots = 4;
constexpr std::string_view kBeforeChecksum = R"({"__metadata__":{"checksum":")";
constexpr std::size_t kChecksumAt = 8 + kBeforeChecksum.size(), kChecksumSize = 8;
constexpr std::string_view kZeroChecksum = "00000000";

constexpr std::uint64_t kCheapSize = 64 << 20;  ///< bytes that are summed in a moment

// Limits of a position that a run can have come to.
constexpr int kMaxEpoch = 1'000'000;                        ///< as in a project
constexpr std::uint64_t kMaxStep = std::uint64_t{1} << 53;  ///< what a double counts without gaps
constexpr double kMaxLoss = 1e39;                           ///< of one sample, whose logits are floats
constexpr double kMaxSeconds = 1e9;                         ///< thirty years
constexpr const char* kOtherNetwork = "Use weights that were saved from the same network";

/// CRC-32C of a file's start with the checksum's place counted as zeros.
std::uint32_t startChecksum(std::string_view start) {
  std::uint32_t crc = crc32c(0, start.substr(0, kChecksumAt));
  crc = crc32c(crc, kZeroChecksum);
  return crc32c(crc, start.substr(kChecksumAt + kChecksumSize));
}

/// As eight hexadecimal digits.
std::string checksumText(std::uint32_t crc) {
  std::string text(kZeroChecksum);
  for (std::size_t i = 0; i < kChecksumSize; ++i) text[i] = "0123456789abcdef"[crc >> (28 - 4 * i) & 15];
  return text;
}

Error damaged(const std::string& where, const std::string& what) {
  return {Error::Kind::Input, where, what, "The checkpoint is damaged; use another one of the run"};
}

std::string stateName(const std::string& slot, const std::string& tensor) {
  return std::string(kStatePrefix) + slot + "/" + tensor;
}

template <class Integer>
std::string shapeText(const std::vector<Integer>& shape) {
  std::string text;
  for (const auto size : shape) text += (text.empty() ? "" : " × ") + std::to_string(size);
  return text.empty() ? "one number" : text;
}

void compareChecksums(std::uint32_t computed, std::string_view start, const std::string& where) {
  const std::string text = checksumText(computed);
  if (text != start.substr(kChecksumAt, kChecksumSize))
    throw damaged(where, "its checksum is " + text + ", needed the one written in it");
}

/// That the file begins as a checkpoint does and, where that is cheap, that its checksum is right.
void checkStart(const RegularFile& file, const std::string& where) {
  std::string chunk(1 << 18, '\0');
  chunk.resize(file.readAt(0, chunk));
  if (chunk.size() < kChecksumAt + kChecksumSize || !std::string_view(chunk).substr(8).starts_with(kBeforeChecksum))
    throw Error(Error::Kind::Input, where, "is not a Strata checkpoint, or its start is damaged",
                "A file of weights alone is read by strata train --weights");
  if (file.size() > kCheapSize) return;
  const std::string start = chunk.substr(0, kChecksumAt + kChecksumSize);
  std::uint32_t crc = startChecksum(chunk);
  for (std::uint64_t at = chunk.size(); const std::size_t got = file.readAt(at, chunk); at += got)
    crc = crc32c(crc, std::string_view(chunk).substr(0, got));
  compareChecksums(crc, start, where);
}

// ---- the description

Json lossToJson(const LossSpec& loss) {
  Json json = {{"type", loss.type}};
  fieldsToJson(loss.def().fields, loss.fields, json);
  return json;
}

LossSpec lossFromJson(const Json& json, const std::string& where) {
  LossSpec loss;
  const auto type = json.is_object() ? json.find("type") : json.end();
  if (type == json.end() || !type->is_string() || !findChoice(allLosses(), type->get<std::string>()))
    throw damaged(where, "must be a loss with a type that is known, got " + shownValue(json));
  loss.type = type->get<std::string>();
  loss.fields = fieldsFromJson(loss.def().fields, json, where, {"type"});
  return loss;
}

Json plateauToJson(const PlateauState& plateau) {
  return {{"best", numberOrNull(plateau.best)}, {"waited", plateau.waited}, {"factor", plateau.factor}};
}

std::string stateJson(const Checkpoint& checkpoint) {
  const std::vector<std::string> noSlots;
  Json json = {{"version", kCheckpointVersion},
               {"network", networkToJson(checkpoint.network)},
               {"loss", lossToJson(checkpoint.loss)},
               {"preprocessing", preprocessingToJson(checkpoint.preprocessing)},
               {"classes", checkpoint.classes},
               {"optimizer_slots", checkpoint.optimizerState.empty() ? noSlots : checkpoint.optimizerSlots},
               {"step", checkpoint.step},
               {"epoch", checkpoint.epoch},
               {"epoch_loss_sum", checkpoint.epochLossSum},
               {"epoch_metrics", checkpoint.epochMetrics},
               {"epoch_samples", checkpoint.epochSamples},
               {"epoch_seconds", checkpoint.epochSeconds}};
  if (checkpoint.averageStart) json["average_start"] = *checkpoint.averageStart;
  if (checkpoint.plateau) json["plateau"] = plateauToJson(*checkpoint.plateau);
  if (checkpoint.data) json["data"] = fingerprintToJson(*checkpoint.data);
  if (checkpoint.lastEpoch) json["last_epoch"] = epochToJson(*checkpoint.lastEpoch);
  return compactJson(json);
}

const Json& member(const Json& json, const char* key, const std::string& where) {
  const auto found = json.find(key);
  if (found == json.end()) throw damaged(where, std::string("its description lacks \"") + key + "\"");
  return *found;
}

std::vector<std::string> readNames(const Json& json, std::size_t most, const std::string& where) {
  if (!json.is_array() || json.size() > most)
    throw damaged(where, "must be a list of at most " + std::to_string(most) + " names, got " + shownValue(json));
  std::vector<std::string> names;
  for (const Json& name : json) {
    if (!name.is_string()) throw damaged(where, "must hold texts alone, got " + shownValue(name));
    names.push_back(printable(name.get<std::string>()));
  }
  return names;
}

void readVersion(const Json& json, const std::string& where) {
  if (!json.is_object()) throw damaged(where, "its description is not an object");
  const auto version = wholeNumber<std::uint64_t>(member(json, "version", where), where + ": version", 1);
  if (version > kCheckpointVersion)
    throw Error(Error::Kind::Input, where,
                "was written by a newer Strata (checkpoint version " + std::to_string(version) +
                    ", this one reads up to " + std::to_string(kCheckpointVersion) + ")",
                "Update Strata to open it");
}

/// After the number of samples. A metric that is a share cannot count more than those.
void readMetrics(const Json& json, Checkpoint& checkpoint, const std::string& where) {
  const auto samples = static_cast<double>(checkpoint.epochSamples);
  if (const auto hits = json.find("epoch_hits"); hits != json.end())
    checkpoint.epochMetrics["accuracy"] =
        static_cast<double>(wholeNumber<std::int64_t>(*hits, where + ": epoch_hits", 0, checkpoint.epochSamples));
  const auto metrics = json.find("epoch_metrics");
  if (metrics == json.end()) {
    if (checkpoint.epochMetrics.empty()) throw damaged(where, "its description lacks \"epoch_metrics\"");
    return;
  }
  if (!metrics->is_object()) throw damaged(where, "epoch_metrics must be an object in braces");
  for (const MetricDef& metric : allMetrics())
    if (const auto sum = metrics->find(metric.id); sum != metrics->end()) {
      const bool share = metric.format == MetricDef::Format::Percent;
      checkpoint.epochMetrics[metric.id] =
          realNumber(*sum, where + ": epoch_metrics." + metric.id, share ? 0 : -kMaxLoss * samples,
                     share ? samples : kMaxLoss * samples);
    }
}

void readPosition(const Json& json, Checkpoint& checkpoint, const std::string& where) {
  const auto at = [&](const char* key) -> const Json& { return member(json, key, where); };
  const auto named = [&](const char* key) { return where + ": " + key; };
  checkpoint.step = wholeNumber<std::uint64_t>(at("step"), named("step"), 0, kMaxStep);
  checkpoint.epoch = wholeNumber<int>(at("epoch"), named("epoch"), 0, kMaxEpoch);
  constexpr std::int64_t kMaxSamples = std::numeric_limits<int>::max();  // of a data set
  checkpoint.epochSamples = wholeNumber<std::int64_t>(at("epoch_samples"), named("epoch_samples"), 0, kMaxSamples);
  readMetrics(json, checkpoint, where);
  const double mostLoss = kMaxLoss * static_cast<double>(checkpoint.epochSamples);
  checkpoint.epochLossSum = realNumber(at("epoch_loss_sum"), named("epoch_loss_sum"), -mostLoss, mostLoss);
  checkpoint.epochSeconds = realNumber(at("epoch_seconds"), named("epoch_seconds"), 0, kMaxSeconds);
  // An epoch has at least one batch, and no more than an int counts.
  const auto epochs = static_cast<std::uint64_t>(checkpoint.epoch);
  if (checkpoint.step < epochs || checkpoint.step > (epochs + 1) * kMaxSamples)
    throw damaged(where, "step " + std::to_string(checkpoint.step) + " cannot come after " +
                             std::to_string(checkpoint.epoch) + " epochs");
}

PlateauState plateauFromJson(const Json& json, const std::string& where) {
  if (!json.is_object()) throw damaged(where, "must be an object in braces, got " + shownValue(json));
  PlateauState plateau;
  if (const Json& best = member(json, "best", where); !best.is_null())
    plateau.best = realNumber(best, where + ": best", -kMaxLoss, kMaxLoss);
  plateau.waited = wholeNumber<int>(member(json, "waited", where), where + ": waited", 0, kMaxEpoch);
  plateau.factor = realNumber(member(json, "factor", where), where + ": factor", 0, 1);
  return plateau;
}

void readState(const Json& json, Checkpoint& checkpoint, const std::string& where) {
  readVersion(json, where);
  checkpoint.network = networkFromJson(member(json, "network", where), where + ": network");
  if (const auto loss = json.find("loss"); loss != json.end()) checkpoint.loss = lossFromJson(*loss, where + ": loss");
  checkpoint.preprocessing = preprocessingFromJson(member(json, "preprocessing", where), where + ": preprocessing");
  checkpoint.classes = readNames(member(json, "classes", where), static_cast<std::size_t>(checkpoint.network.classes),
                                 where + ": classes");
  if (const auto slots = json.find("optimizer_slots"); slots != json.end())
    checkpoint.optimizerSlots = readNames(*slots, kMaxSlots, where + ": optimizer_slots");
  readPosition(json, checkpoint, where);
  if (const auto data = json.find("data"); data != json.end())
    checkpoint.data = fingerprintFromJson(*data, where + ": data");
  if (const auto start = json.find("average_start"); start != json.end())
    checkpoint.averageStart = wholeNumber<std::uint64_t>(*start, where + ": average_start", 0, kMaxStep);
  if (const auto plateau = json.find("plateau"); plateau != json.end())
    checkpoint.plateau = plateauFromJson(*plateau, where + ": plateau");
  if (const auto last = json.find("last_epoch"); last != json.end() && checkpoint.epoch > 0) {
    if (!last->is_object()) throw damaged(where, "its last epoch is not an object");
    checkpoint.lastEpoch = epochFromJson(*last, where + ": last_epoch");
    if (checkpoint.lastEpoch->epoch != checkpoint.epoch) throw damaged(where, "its last epoch is not its own");
  }
}

// ---- the tensors

void refuseUnsound(const Checkpoint& checkpoint, const std::string& where) {
  for (const Issue& issue : analyse(checkpoint.network, checkpoint.loss.def().outputRule).issues)
    if (issue.level == Issue::Level::Error)
      throw Error(Error::Kind::Input, where, "the network in it is not sound: " + issue.text);
}

/// Reads a file's tensors to where they belong. All are told first, so that a file that does not fit is refused
/// before anything is allocated for it.
class TensorReader {
 public:
  TensorReader(const RegularFile& file, const SafeTensorsHeader& header) : m_file(file), m_header(header) {}

  /// The tensor of that name and shape is to lie in `arena` from `offset` on.
  template <class Integer>
  void expect(const std::string& name, const std::vector<Integer>& shape, std::vector<float>& arena,
              std::int64_t offset) {
    const auto found = m_header.tensors.find(name);
    if (found == m_header.tensors.end()) throw unfit("has no tensor " + inQuotes(name), kOtherNetwork);
    const SafeTensorPlace& place = found->second;
    if (place.dtype != "F32") throw unfit("tensor " + inQuotes(name) + " has type " + place.dtype + ", needed F32");
    if (!std::equal(shape.begin(), shape.end(), place.shape.begin(), place.shape.end()))
      throw unfit(
          "tensor " + inQuotes(name) + " is " + shapeText(place.shape) + ", the network needs " + shapeText(shape),
          kOtherNetwork);
    m_targets[place.begin] = {name, (place.end - place.begin) / sizeof(float), &arena, offset};
  }

  void refuseOthers() const {
    for (const auto& [name, place] : m_header.tensors)
      if (const auto target = m_targets.find(place.begin); target == m_targets.end() || target->second.name != name)
        throw unfit("tensor " + inQuotes(name) + " belongs to no layer of the network", kOtherNetwork);
  }

  /// Makes the arenas as large as their tensors need, and reads. Returns the checksum, `crc` being that of what stands
  /// before the tensors.
  std::uint32_t read(std::uint32_t crc) {
    refuseOthers();
    requireMemory(narrow<std::int64_t>(m_file.size(), where()), where(), "reading it", "");
    for (auto& [begin, target] : m_targets) {
      const auto end = static_cast<std::size_t>(target.offset) + target.count;
      if (target.arena->size() < end) target.arena->resize(end);
    }
    for (const auto& [begin, target] : m_targets) crc = readTensor(begin, target, crc);
    return crc;
  }

 private:
  struct Target {
    std::string name;
    std::size_t count = 0;
    std::vector<float>* arena = nullptr;
    std::int64_t offset = 0;
  };

  std::string where() const { return m_file.path().string(); }
  Error unfit(const std::string& what, const std::string& wayOut = {}) const {
    return {Error::Kind::Input, where(), what, wayOut};
  }

  std::uint32_t readTensor(std::uint64_t begin, const Target& target, std::uint32_t crc) {
    constexpr std::size_t kChunk = 1 << 18;  // stays in a cache between reading and summing
    const std::span<float> values(target.arena->data() + target.offset, target.count);
    for (std::size_t at = 0; at < values.size(); at += kChunk) {
      const auto part = values.subspan(at, std::min(kChunk, values.size() - at));
      const std::span<char> bytes(reinterpret_cast<char*>(part.data()), part.size_bytes());
      if (m_file.readAt(m_header.end + begin + at * sizeof(float), bytes) != bytes.size())
        throw damaged(where(), "it became shorter while it was read");
      crc = crc32c(crc, {bytes.data(), bytes.size()});
    }
    return crc;
  }

  const RegularFile& m_file;
  const SafeTensorsHeader& m_header;
  std::map<std::uint64_t, Target> m_targets;  ///< in the order of the file
};

void refuseNonFinite(const Weights& weights, const std::string& where) {
  for (const TensorPlace& place : weights.places) {
    const std::span<const float> values(weights.values.data() + place.offset, static_cast<std::size_t>(place.size));
    if (!std::all_of(values.begin(), values.end(), [](float value) { return std::isfinite(value); }))
      throw Error(Error::Kind::Input, where, "tensor " + inQuotes(place.name) + " holds weights that are not finite",
                  "Use weights that were saved before the training went wrong");
  }
}

/// Expects the tensors of `network`, into `weights`.
void expectWeights(TensorReader& reader, const NetworkSpec& network, Weights& weights) {
  weights.places = placesFor(network);
  for (const TensorPlace& place : weights.places) reader.expect(place.name, place.shape, weights.values, place.offset);
}

/// Expects the optimizer's state, by name or, as version 1 wrote it, in one piece.
void expectState(TensorReader& reader, const SafeTensorsHeader& header, Checkpoint& checkpoint,
                 const std::string& where) {
  const std::int64_t weights = analyse(checkpoint.network).parameters;
  std::int64_t offset = 0;
  for (const std::string& slot : checkpoint.optimizerSlots) {
    for (const TensorPlace& place : checkpoint.weights.places)
      reader.expect(stateName(slot, place.name), place.shape, checkpoint.optimizerState, offset + place.offset);
    offset += weights;
  }
  const auto unnamed = header.tensors.find(kUnnamedState);
  if (unnamed == header.tensors.end() || !checkpoint.optimizerSlots.empty()) return;
  const std::vector<std::int64_t>& shape = unnamed->second.shape;
  if (shape.size() != 1 || shape[0] % weights != 0 || shape[0] / weights > static_cast<std::int64_t>(kMaxSlots))
    throw damaged(where, "its optimizer's state is " + shapeText(shape) + ", needed so many times the " +
                             std::to_string(weights) + " weights");
  reader.expect(kUnnamedState, shape, checkpoint.optimizerState, 0);
}

SafeTensor floatTensor(std::vector<std::int64_t> shape, const float* values, std::int64_t count) {
  return {"F32", std::move(shape), std::string(reinterpret_cast<const char*>(values), count * sizeof(float))};
}

}  // namespace

Weights resultWeights(const Checkpoint& checkpoint) {
  const auto slot = std::ranges::find(checkpoint.optimizerSlots, kAverageSlot);
  const auto index = static_cast<std::size_t>(slot - checkpoint.optimizerSlots.begin());
  const std::size_t size = checkpoint.weights.values.size();
  if (slot == checkpoint.optimizerSlots.end() || checkpoint.optimizerState.size() < (index + 1) * size ||
      checkpoint.step <= checkpoint.averageStart.value_or(0))
    return checkpoint.weights;
  const auto mean = std::span(checkpoint.optimizerState).subspan(index * size, size);
  return {checkpoint.weights.places, averagedWeights(lower(checkpoint.network), checkpoint.weights.values, mean)};
}

Checkpoint resultOf(const Checkpoint& checkpoint) {
  Checkpoint result = checkpoint;
  result.weights = resultWeights(checkpoint);
  result.optimizerState.clear();
  return result;
}

std::string checkpointBytes(const Checkpoint& checkpoint) {
  SafeTensorsFile file;
  file.metadata = {{"checksum", std::string(kZeroChecksum)}, {"strata", stateJson(checkpoint)}};
  const auto add = [&](const std::string& name, const TensorPlace& place, const float* arena) {
    file.tensors[name] = floatTensor({place.shape.begin(), place.shape.end()}, arena + place.offset, place.size);
  };
  const float* state = checkpoint.optimizerState.data();
  if (const std::size_t named = checkpoint.optimizerSlots.size() * checkpoint.weights.values.size();
      checkpoint.optimizerState.size() != named && !checkpoint.optimizerState.empty())
    throw std::logic_error("an optimizer's state without the names of its slots");
  for (const TensorPlace& place : checkpoint.weights.places) add(place.name, place, checkpoint.weights.values.data());
  if (!checkpoint.optimizerState.empty())
    for (const std::string& slot : checkpoint.optimizerSlots) {
      for (const TensorPlace& place : checkpoint.weights.places) add(stateName(slot, place.name), place, state);
      state += checkpoint.weights.values.size();
    }
  std::string bytes = safeTensorsBytes(file);
  const std::uint32_t crc = startChecksum(bytes);
  bytes.replace(kChecksumAt, kChecksumSize, checksumText(crc));
  return bytes;
}

Checkpoint readCheckpoint(const Path& path) {
  const std::string where = path.string();
  RegularFile file(path);
  checkStart(file, where);
  std::string start;
  SafeTensorsHeader header = readSafeTensorsHeader(file, &start);
  Checkpoint checkpoint;
  readState(parseJson(header.metadata["strata"], where + ", description"), checkpoint, where);
  refuseUnsound(checkpoint, where);
  TensorReader reader(file, header);
  expectWeights(reader, checkpoint.network, checkpoint.weights);
  expectState(reader, header, checkpoint, where);
  compareChecksums(reader.read(startChecksum(start)), start, where);
  refuseNonFinite(checkpoint.weights, where);
  return checkpoint;
}

void checkOptimizerState(const Checkpoint& checkpoint, const OptimizerSpec& optimizer, const std::string& where) {
  const std::vector<OptimizerSlot> slots = optimizer.stateSlots();
  const auto refuse = [&](const std::string& what) {
    throw Error(Error::Kind::Input, where, what, "Start a new run from its weights, or resume with its own optimizer");
  };
  const auto listed = [](const auto& all, auto name) {
    std::string text;
    for (const auto& each : all) text += (text.empty() ? "" : ", ") + name(each);
    return text.empty() ? "nothing" : text;
  };
  const std::string needed = listed(slots, [](const OptimizerSlot&slot) { return slot.name; }),
                    got = listed(checkpoint.optimizerSlots, [](const std::string&name) { return name; });
  const bool unnamed = checkpoint.optimizerSlots.empty() && !checkpoint.optimizerState.empty();
  if (!unnamed && got != needed)
    refuse("the optimizer needs " + needed + " of earlier steps, the checkpoint holds " + got);
  const std::size_t weights = checkpoint.weights.values.size();
  if (checkpoint.optimizerState.size() != weights * slots.size())
    refuse("the optimizer needs " + std::to_string(weights * slots.size()) + " values of earlier steps, the " +
           "checkpoint holds " + std::to_string(checkpoint.optimizerState.size()));
  for (std::size_t i = 0; i < slots.size(); ++i) {
    const auto values = std::span(checkpoint.optimizerState).subspan(i * weights, weights);
    // Squares of large gradients may well be infinite: such a weight moves no more.
    const auto sound = [&](float v) { return slots[i].mayBeNegative ? std::isfinite(v) : v >= 0; };
    if (!std::all_of(values.begin(), values.end(), sound))
      refuse("the optimizer's " + slots[i].name + " holds values that no training leaves behind");
  }
}

Weights readWeights(const Path& path, const NetworkSpec& network) {
  RegularFile file(path);
  SafeTensorsHeader header = readSafeTensorsHeader(file);
  std::erase_if(header.tensors, [](const auto& tensor) { return tensor.first.starts_with(kStatePrefix); });
  TensorReader reader(file, header);
  Weights weights;
  expectWeights(reader, network, weights);
  reader.read(0);
  refuseNonFinite(weights, path.string());
  return weights;
}

}  // namespace strata
