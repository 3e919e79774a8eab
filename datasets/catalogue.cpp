// SPDX-License-Identifier: Apache-2.0
// catalogue.json, which is compiled into the library, as values.
#include <algorithm>

#include "datasets/datasets.h"
#include "engine/base/json.h"

namespace strata {

extern const char* const kCatalogueJson;

namespace {

CatalogueFile fileFromJson(const Json& json) {
  return {json.at("name").get<std::string>(), json.value("bytes", std::uint64_t{0}), json.value("sha256", "")};
}

CatalogueEntry entryFromJson(const Json& json) {
  CatalogueEntry entry;
  entry.id = json.at("id").get<std::string>();
  entry.title = json.at("title").get<std::string>();
  entry.source = json.at("source").get<std::string>();
  entry.licence = json.at("licence").get<std::string>();
  entry.classes = json.at("classes").get<std::vector<std::string>>();
  entry.framing = json.at("framing") == "mnist" ? Framing::Mnist : Framing::None;
  entry.generated = json.value("generated", false);
  entry.torchvision = json.value("torchvision", "");
  entry.mirrors = json.value("mirrors", std::vector<std::string>{});
  entry.debianPackage = json.value("debian", "");
  if (json.contains("wheel")) {
    entry.wheelPackage = json["wheel"].at("package").get<std::string>();
    entry.wheelFiles = json["wheel"].at("files").get<std::vector<std::string>>();
  }
  for (const Json& file : json.value("files", Json::array())) entry.files.push_back(fileFromJson(file));
  if (json.contains("archive")) entry.archive = fileFromJson(json["archive"]);
  entry.canFetch = !entry.mirrors.empty() || !entry.wheelFiles.empty();
  return entry;
}

}  // namespace

const std::vector<CatalogueEntry>& catalogue() {
  static const std::vector<CatalogueEntry> entries = [] {
    std::vector<CatalogueEntry> read;
    const Json json = parseJson(kCatalogueJson, "catalogue.json");
    for (const Json& entry : json.at("datasets")) read.push_back(entryFromJson(entry));
    return read;
  }();
  return entries;
}

const CatalogueEntry* findCatalogueEntry(const std::string& id) {
  const auto& all = catalogue();
  const auto found = std::find_if(all.begin(), all.end(), [&](const CatalogueEntry& entry) { return entry.id == id; });
  return found == all.end() ? nullptr : &*found;
}

}  // namespace strata
