// SPDX-License-Identifier: Apache-2.0
// What a person may say of how their own data are to be read, where the data leave it open. Each reader follows what
// concerns it. To add a choice: a field in reading.cpp.
#pragma once
#include <string>

#include "engine/net/field.h"

namespace strata {

struct Reading {
  Fields fields;      ///< of readingFields()
  std::string label;  ///< the column of a table that names the class; empty: found by its name
  Reading();
  bool operator==(const Reading&) const = default;
};
const std::vector<Field>& readingFields();
Json readingToJson(const Reading& reading);
Reading readingFromJson(const Json& json, const std::string& where);  ///< Error::Input
/// Every value, whether it differs from the initial one or not.
Json wholeReadingToJson(const Reading& reading);

}  // namespace strata
