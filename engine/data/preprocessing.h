// SPDX-License-Identifier: Apache-2.0
// Preprocessing as described fields: for forms, files and limits.
#pragma once
#include "engine/data/dataset.h"
#include "engine/net/field.h"

namespace strata {

const std::vector<Field>& preprocessingFields();
/// What of it are values of preprocessingFields(), and back; mean and deviation are left alone.
Fields fieldsOf(const Preprocessing& preprocessing);
void takeFields(Preprocessing& preprocessing, const Fields& fields);

}  // namespace strata
