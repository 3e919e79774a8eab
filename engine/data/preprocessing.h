// SPDX-License-Identifier: Apache-2.0
// Preprocessing as described fields: for forms, files and limits.
#pragma once
#include "engine/data/dataset.h"
#include "engine/net/field.h"

namespace strata {

const std::vector<Field>& preprocessingFields();
/// The same as values of preprocessingFields(), and back.
Fields fieldsOf(const Preprocessing& preprocessing);
Preprocessing preprocessingOf(const Fields& fields);

}  // namespace strata
