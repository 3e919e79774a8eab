// SPDX-License-Identifier: Apache-2.0
#include "engine/cli/command.h"

#include <cmath>
#include <cstdio>

#include "engine/error.h"
#include "engine/train/run_record.h"

namespace strata {

std::string grouped(std::int64_t number) {
  std::string text = std::to_string(number);
  for (std::size_t at = text.size(); at > 3 && text[at - 4] != '-'; at -= 3) text.insert(at - 3, ",");
  return text;
}

std::string fixed(double value, int decimals) {
  if (!std::isfinite(value)) return "nan";
  char text[64];
  std::snprintf(text, sizeof text, "%.*f", decimals, value);
  return text;
}

void addPrecision(CLI::App& sub, std::optional<Precision>& precision) {
  static const std::map<std::string, Precision> names{
      {"float32", Precision::Float32}, {"tf32", Precision::Tf32}, {"bfloat16", Precision::Bfloat16}};
  sub.add_option_function<std::string>(
         "--precision", [&precision](const std::string& name) { precision = names.at(name); },
         "What to train in: float32, tf32 or bfloat16; by default the backend's own choice")
      ->check(CLI::IsMember(names));
}

Path findRun(const std::string& nameOrPath) {
  if (folderAt(nameOrPath)) return nameOrPath;
  const Path named = runsDir() / nameOrPath;
  if (folderAt(named)) return named;
  throw Error(Error::Kind::File, nameOrPath, "there is no such run, neither here nor in " + runsDir().string(),
              "Name a run's folder");
}

}  // namespace strata
