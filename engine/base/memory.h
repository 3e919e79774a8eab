// SPDX-License-Identifier: Apache-2.0
// How much memory may still be taken, asked before it is: what fails inside an allocation fails without a reason.
#pragma once
#include <cstdint>
#include <string>

namespace strata {

/// Bytes that this process can still take without pushing anything out: what the machine has free, less where a
/// control group or a limit of the process (ulimit -v, -d) allows less.
std::int64_t availableMemory();

/// Throws Error::Input when `bytes` are more than that: "<where>: <what> needs 13,312 MiB of memory, ... are free".
void requireMemory(std::int64_t bytes, const std::string& where, const std::string& what, const std::string& wayOut);

}  // namespace strata
