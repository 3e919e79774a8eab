// SPDX-License-Identifier: Apache-2.0
// The name of the JSON type, for headers: nlohmann's own header takes a compiler as long as all else together.
#pragma once
#include <nlohmann/json_fwd.hpp>

namespace strata {

using Json = nlohmann::ordered_json;

}  // namespace strata
