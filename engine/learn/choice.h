// SPDX-License-Identifier: Apache-2.0
// What a person chooses by its type and sets by its fields: a loss, an optimizer, a schedule. Each is a row of a table;
// form, JSON, `--set` and validation walk the table and know no type by name.
#pragma once
#include <algorithm>
#include <string>
#include <vector>

#include "engine/net/field.h"

namespace strata {

/// What can be chosen: like a LayerDef, its fields drive form, JSON and validation.
struct ChoiceDef {
  std::string type, title, help;
  std::vector<Field> fields;
};

/// The row of that type, or null.
template <class Def>
const Def* findChoice(const std::vector<Def>& table, const std::string& type) {
  const auto found = std::find_if(table.begin(), table.end(), [&](const Def& def) { return def.type == type; });
  return found == table.end() ? nullptr : &*found;
}

/// The rows of any table, without what only its kind of row has.
using ChoiceRows = std::vector<const ChoiceDef*>;
template <class Def>
ChoiceRows rowsOf(const std::vector<Def>& table) {
  ChoiceRows rows;
  for (const Def& def : table) rows.push_back(&def);
  return rows;
}
/// Likewise.
inline const ChoiceDef* findChoice(const ChoiceRows& rows, const std::string& type) {
  const auto found = std::find_if(rows.begin(), rows.end(), [&](const ChoiceDef* def) { return def->type == type; });
  return found == rows.end() ? nullptr : *found;
}

}  // namespace strata
