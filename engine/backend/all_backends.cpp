// SPDX-License-Identifier: Apache-2.0
// The table of backends, and how one is made by its id. The one file of this folder that knows the folders below.
#include "engine/backend/backend.h"
#include "engine/backend/check/check_backend.h"
#include "engine/backend/cpu/cpu_backend.h"
#include "engine/backend/cuda/cuda_loader.h"
#include "engine/backend/reference/network.h"
#include "engine/backend/reference/reference_backend.h"
#include "engine/base/error.h"

namespace strata {

std::unique_ptr<CompiledNetwork> Backend::compile(const CompileRequest& request) {
  return std::make_unique<Network>(*this, request);
}

const std::vector<BackendDef>& allBackends() {
  static const std::vector<BackendDef> backends{referenceBackendDef(), cpuBackendDef(), cudaBackendDef()};
  return backends;
}

std::unique_ptr<Backend> createBackend(const std::string& id, int threads) {
  if (id.starts_with("check:")) {
    const std::size_t comma = id.find(',');
    if (comma == std::string::npos)
      throw Error(Error::Kind::Usage, id, "needs two backends", "Write check:reference,cpu.");
    return makeCheckBackend(createBackend(id.substr(6, comma - 6), threads),
                            createBackend(id.substr(comma + 1), threads));
  }
  std::string known;
  for (const BackendDef& def : allBackends()) {
    if (def.id == id) {
      if (const std::string reason = def.unavailableReason(); !reason.empty())
        throw Error(Error::Kind::Device, "backend " + id, reason,
                    "Choose another device; \"strata devices\" lists them.");
      return def.create(threads);
    }
    known += (known.empty() ? "" : ", ") + def.id;
  }
  throw Error(Error::Kind::Usage, "backend " + id, "there is no such backend; known: " + known + " and check:a,b");
}

std::string defaultBackendId() {
  for (const BackendDef& def : allBackends())
    if (def.id == "cuda" && def.unavailableReason().empty()) return "cuda";
  return "cpu";
}

}  // namespace strata
