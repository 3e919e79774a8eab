// SPDX-License-Identifier: Apache-2.0
#include "engine/backend/reference/reference_backend.h"

namespace strata {
namespace {

class ReferenceBackend : public Backend {
 public:
  const std::string& id() const override { return m_id; }
  std::unique_ptr<Op> makeOp(const LayerDef&, const Site&) override { return nullptr; }

 private:
  std::string m_id = "reference";
};

}  // namespace

BackendDef referenceBackendDef() {
  return {"reference", "Reference (slow, one thread)", [] { return std::string(); },
          [](int) { return std::make_unique<ReferenceBackend>(); }};
}

}  // namespace strata
