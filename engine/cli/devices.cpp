// SPDX-License-Identifier: Apache-2.0
// `strata devices`: what can compute here, and why the rest cannot.
#include <iostream>

#include "engine/backend/backend.h"
#include "engine/base/json.h"
#include "engine/cli/command.h"

namespace strata {
namespace {

int devices(bool json) {
  const std::string chosen = defaultBackendId();
  for (const BackendDef& def : allBackends()) {
    const std::string reason = def.unavailableReason();
    if (json) {
      std::cout << compactJson({{"id", def.id},
                                {"title", def.title},
                                {"available", reason.empty()},
                                {"default", def.id == chosen},
                                {"reason", reason}})
                << "\n";
      continue;
    }
    std::cout << def.id << std::string(def.id.size() < 12 ? 12 - def.id.size() : 1, ' ') << def.title << ": "
              << (reason.empty() ? "available" : "not available: " + reason)
              << (def.id == chosen ? " (used unless told otherwise)" : "") << "\n";
  }
  return 0;
}

}  // namespace

void addDevices(CLI::App& app, Command& command) {
  CLI::App* sub = app.add_subcommand("devices", "List the backends and why one cannot be used");
  sub->add_flag("--json", command.json, "Results as JSON lines");
  sub->callback([&command] { command.run = [&command] { return devices(command.json); }; });
}

}  // namespace strata
