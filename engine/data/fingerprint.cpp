// SPDX-License-Identifier: Apache-2.0
// The hash is quick (MNIST in about ten milliseconds) and tells mistakes apart; against intent it is no proof.
#include "engine/data/fingerprint.h"

#include <bit>
#include <cstring>
#include <span>

#include "engine/base/error.h"
#include "engine/base/json.h"
#include "engine/base/text.h"
#include "engine/net/field.h"

namespace strata {
namespace {

/// Four lanes of multiply-and-rotate over eight bytes each; constants and steps as xxHash64's rounds.
class Hash {
 public:
  template <class T>
  void add(std::span<const T> values) {
    const auto bytes = std::as_bytes(values);
    std::size_t at = 0;
    for (int lane = 0; at + 8 <= bytes.size(); at += 8, lane = (lane + 1) % 4) mix(m_lanes[lane], word(&bytes[at], 8));
    mix(m_lanes[0], word(bytes.data() + at, bytes.size() - at));
    mix(m_lanes[1], bytes.size());
  }
  void add(std::uint64_t value) { add(std::span<const std::uint64_t>(&value, 1)); }

  std::string digits() const {
    std::uint64_t all = kSecond;
    for (const std::uint64_t lane : m_lanes) mix(all, lane);
    all = (all ^ all >> 33) * kSecond;
    all ^= all >> 29;
    std::string text(16, '0');
    for (int i = 0; i < 16; ++i) text[static_cast<std::size_t>(i)] = "0123456789abcdef"[all >> (60 - 4 * i) & 15];
    return text;
  }

 private:
  static constexpr std::uint64_t kFirst = 0x9e3779b185ebca87u, kSecond = 0xc2b2ae3d27d4eb4fu;

  static std::uint64_t word(const std::byte* bytes, std::size_t count) {
    std::uint64_t value = 0;
    if (count > 0) std::memcpy(&value, bytes, count);
    return value;
  }
  static void mix(std::uint64_t& lane, std::uint64_t value) {
    lane = std::rotl(lane + value * kSecond, 31) * kFirst + kSecond;
  }

  std::uint64_t m_lanes[4] = {kFirst, kSecond, kFirst ^ kSecond, kFirst + kSecond};
};

void addSamples(Hash& hash, const Samples& samples) {
  hash.add(static_cast<std::uint64_t>(samples.count));
  hash.add(std::span<const std::uint8_t>(samples.pixels));
  hash.add(std::span<const std::int32_t>(samples.labels));
  if (samples.areFloats()) hash.add(std::span<const float>(samples.floats));
}

const char* validationName(ValidationSource source) { return source == ValidationSource::TestSet ? "test" : "split"; }

std::string validationText(const DataFingerprint& fingerprint) {
  return fingerprint.validation == ValidationSource::TestSet
             ? "the test set"
             : numberText(fingerprint.validationFraction) + " of the training set, held out";
}

}  // namespace

DataFingerprint fingerprintOf(const DataView& data, double validationFraction, std::uint64_t seed, bool shuffle) {
  const Dataset& dataset = *data.dataset;
  const bool onTestSet = data.validationSource == ValidationSource::TestSet;
  Hash hash;
  for (const int size : {dataset.shape.h, dataset.shape.w, dataset.shape.c}) hash.add(static_cast<std::uint64_t>(size));
  addSamples(hash, dataset.train);
  if (onTestSet) addSamples(hash, dataset.test);
  hash.add(std::span<const int>(data.train));
  hash.add(std::span<const int>(data.validation));
  return {dataset.title, hash.digits(), data.validationSource, onTestSet ? 0 : validationFraction, seed, shuffle};
}

std::string differenceBetween(const DataFingerprint& began, const DataFingerprint& now) {
  // What a person has set comes first: another split makes other samples too.
  if (began.validation != now.validation || began.validationFraction != now.validationFraction)
    return "it validated on " + validationText(began) + ", not on " + validationText(now);
  if (began.seed != now.seed) return "its seed is " + std::to_string(began.seed) + ", got " + std::to_string(now.seed);
  if (began.shuffle != now.shuffle)
    return began.shuffle ? "it shuffled its samples" : "it took its samples in their order, without shuffling";
  if (began.samples == now.samples) return {};
  if (began.title == now.title) return "these samples of " + inQuotes(now.title) + " are not those it was trained on";
  return "it was trained on " + inQuotes(began.title) + ", these data are " + inQuotes(now.title);
}

Json fingerprintToJson(const DataFingerprint& fingerprint) {
  return {{"title", fingerprint.title},
          {"samples", fingerprint.samples},
          {"validation", validationName(fingerprint.validation)},
          {"validation_fraction", fingerprint.validationFraction},
          {"seed", fingerprint.seed},
          {"shuffle", fingerprint.shuffle}};
}

DataFingerprint fingerprintFromJson(const Json& json, const std::string& where) {
  const auto has = [&](const char* key, bool (Json::*is)() const noexcept) {
    return json.is_object() && json.contains(key) && (json[key].*is)();
  };
  if (!has("title", &Json::is_string) || !has("samples", &Json::is_string) || !has("validation", &Json::is_string) ||
      !has("validation_fraction", &Json::is_number) || !has("seed", &Json::is_number_unsigned) ||
      !has("shuffle", &Json::is_boolean))
    throw Error(Error::Kind::Input, where, "what it says of its data is damaged", "Use another checkpoint of the run");
  return {json["title"].get<std::string>(),
          json["samples"].get<std::string>(),
          json["validation"] == "test" ? ValidationSource::TestSet : ValidationSource::Split,
          json["validation_fraction"].get<double>(),
          json["seed"].get<std::uint64_t>(),
          json["shuffle"].get<bool>()};
}

}  // namespace strata
