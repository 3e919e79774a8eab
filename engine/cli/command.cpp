// SPDX-License-Identifier: Apache-2.0
#include "engine/cli/command.h"

#include <cmath>
#include <cstdio>
#include <iostream>

#include "engine/base/error.h"
#include "engine/base/json.h"
#include "engine/base/user_dirs.h"
#include "engine/run/run_record.h"

namespace strata {
namespace {

struct Failure {
  int exitCode;
  std::string message;
};

Failure failureOf(const std::exception& error) {
  if (const auto* known = dynamic_cast<const Error*>(&error)) return {known->exitCode(), known->what()};
  if (dynamic_cast<const std::bad_alloc*>(&error))
    return {static_cast<int>(Error::Kind::Device), "The memory is exhausted."};
  return {static_cast<int>(Error::Kind::Input), error.what()};
}

}  // namespace

int tellError(bool json, int exitCode, const std::string& message) {
  if (json) std::cerr << compactJson({{"error", message}, {"exit_code", exitCode}}) << std::endl;
  else std::cerr << "strata: " << message << std::endl;
  return exitCode;
}

int tellError(bool json, const std::exception& error) {
  const Failure failure = failureOf(error);
  return tellError(json, failure.exitCode, failure.message);
}

int forEachInput(const std::vector<std::string>& inputs, const std::string& key, bool json,
                 const std::function<void(const std::string&)>& work) {
  int exitCode = 0;
  for (const std::string& input : inputs) {
    try {
      work(input);
    } catch (const std::exception& error) {
      const Failure failure = failureOf(error);
      std::cout << std::flush;  // what came before it stands before it, wherever both streams end up
      tellError(json, failure.exitCode, failure.message);
      if (json)
        std::cout << compactJson({{key, input}, {"error", failure.message}, {"exit_code", failure.exitCode}}) << "\n";
      if (exitCode == 0) exitCode = failure.exitCode;
    }
  }
  return exitCode;
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
  if (!findUserDataDir()) throw Error(Error::Kind::File, nameOrPath, "there is no such run", "Name a run's folder");
  const Path named = runsDir() / nameOrPath;
  if (folderAt(named)) return named;
  throw Error(Error::Kind::File, nameOrPath, "there is no such run, neither here nor in " + runsDir().string(),
              "Name a run's folder");
}

}  // namespace strata
