// SPDX-License-Identifier: Apache-2.0
// The user's folders for those who merely look there; who has to have one asks userDataDir() (file.h).
#pragma once
#include <optional>

#include "engine/base/file.h"

namespace strata {

/// userDataDir(), or nothing where the environment names no home.
std::optional<Path> findUserDataDir();

}  // namespace strata
