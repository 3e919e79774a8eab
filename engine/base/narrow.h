// SPDX-License-Identifier: Apache-2.0
// Numbers out of files may be anything: they become a smaller type here, or the file is refused.
#pragma once
#include <concepts>
#include <limits>
#include <string>
#include <utility>

#include "engine/base/error.h"

namespace strata {

/// The same number as a `To`. Throws Error::Input naming `where` for one that a `To` cannot hold.
template <std::integral To, std::integral From>
To narrow(From value, const std::string& where) {
  using Limits = std::numeric_limits<To>;
  if (!std::in_range<To>(value))
    throw Error(Error::Kind::Input, where,
                "is " + std::to_string(value) + ", needed " + std::to_string(Limits::min()) + " to " +
                    std::to_string(Limits::max()),
                "The file is damaged or not what it claims to be");
  return static_cast<To>(value);
}

}  // namespace strata
