// SPDX-License-Identifier: Apache-2.0
// One file from the network into memory (libcurl), and the address of a wheel as pip knows it. Both give up soon when
// there is no route, and stop when told to. What comes back is not to be trusted before its SHA-256 has been checked.
#pragma once
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace strata {

/// Thrown when the caller's progress function says stop.
struct Cancelled {};

/// Bytes so far and in all (0: unknown). False stops.
using DownloadProgress = std::function<bool(std::uint64_t done, std::uint64_t total)>;

/// Throws Error::File (why not, without the address) and Cancelled. http, https and file addresses.
std::string download(const std::string& url, std::uint64_t maxBytes, const DownloadProgress& progress);

/// Asks pip where one of the wheels `files` of `package` lies; nothing is installed or downloaded. Throws Error::File,
/// Cancelled.
std::string wheelAddress(const std::string& package, const std::vector<std::string>& files,
                         const std::function<bool()>& goOn);
/// The first https address in pip's verbose output that ends in one of `files`; empty when there is none.
std::string findWheelLink(std::string_view pipOutput, const std::vector<std::string>& files);

/// Lower-case hex.
std::string sha256Hex(std::span<const unsigned char> bytes);

}  // namespace strata
