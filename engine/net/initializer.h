// SPDX-License-Identifier: Apache-2.0
// The ways to draw the first values of a tensor, a table: form, JSON, validation and drawing read its rows. To add one:
// a row in initializer.cpp.
#pragma once
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "engine/base/rng.h"
#include "engine/net/layer.h"

namespace strata {

struct InitializerDef {
  Choice choice;                     ///< id as in files: "he_normal"
  std::optional<Field> number = {};  ///< of the one number that it takes: "limit", "stddev"; a Real
  /// Fills `values`, param.size() of them, as Keras would; dirac as PyTorch would.
  void (*fill)(const ParamInfo& param, double number, Rng& rng, std::span<float> values) = nullptr;
};
const std::vector<InitializerDef>& allInitializers();
/// The row of that id, or "unit_forget", which is an LSTM's and no choice for a person; or null.
const InitializerDef* findInitializer(const std::string& id);
/// That type with its row's own number; an unknown one as it is.
Initializer makeInitializer(const std::string& type);

/// Fills `values` (param.size() of them) by the variable's initializer, which must be one of the table.
void initialize(const ParamInfo& param, Rng& rng, std::span<float> values);

}  // namespace strata
