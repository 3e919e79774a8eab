// SPDX-License-Identifier: Apache-2.0
// The backend that has no ops of its own, so every layer runs by its reference op: plain, readable, the truth for the
// others.
#pragma once
#include "engine/backend/backend.h"

namespace strata {

BackendDef referenceBackendDef();

}  // namespace strata
