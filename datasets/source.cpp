// SPDX-License-Identifier: Apache-2.0
#include "datasets/source.h"

#include <charconv>
#include <cstdlib>

#include "datasets/datasets.h"
#include "engine/base/json.h"

namespace strata {
namespace {

constexpr std::string_view kFileScheme = "file://";

bool isThere(const Path& path) {
  std::error_code ignored;
  return std::filesystem::exists(path, ignored);
}

/// Absolute, without "." and "..", without a slash at the end; as it is where the present folder is gone.
Path plainPath(const Path& path) {
  std::error_code error;
  const Path absolute = std::filesystem::absolute(path, error);
  if (error) return path;
  const Path normal = absolute.lexically_normal();
  return normal.has_filename() || !normal.has_relative_path() ? normal : normal.parent_path();
}

std::string percentEncoded(const std::string& text) {
  static constexpr char kHex[] = "0123456789ABCDEF";
  std::string encoded;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte > 0x20 && byte < 0x7F && c != '%') encoded += c;
    else encoded.append("%").append(1, kHex[byte >> 4]).append(1, kHex[byte & 15]);
  }
  return encoded;
}

std::string percentDecoded(std::string_view text) {
  std::string decoded;
  for (std::size_t i = 0; i < text.size(); ++i) {
    unsigned value = 0;
    const char* digits = text.data() + i + 1;
    const bool coded =
        text[i] == '%' && i + 2 < text.size() && std::from_chars(digits, digits + 2, value, 16).ptr == digits + 2;
    decoded += coded ? static_cast<char>(value) : text[i];
    if (coded) i += 2;
  }
  return decoded;
}

bool isUtf8(const std::string& text) {
  try {
    static_cast<void>(Json(text).dump());
    return true;
  } catch (const Json::type_error&) {
    return false;
  }
}

}  // namespace

std::string sourceText(const Path& folder) {
  const std::string text = folder.string();
  return isUtf8(text) ? text : std::string(kFileScheme) + percentEncoded(text);
}

Path sourceFolder(const std::string& source) {
  if (source.starts_with(kFileScheme)) return percentDecoded(std::string_view(source).substr(kFileScheme.size()));
  const char* home = std::getenv("HOME");
  const bool fromHome = source == "~" || source.starts_with("~/");
  return fromHome && home && *home ? Path(home + source.substr(1)) : Path(source);
}

std::string resolveSource(const std::string& source, const Path& projectFile) {
  if (source.empty() || findCatalogueEntry(source)) return source;
  const Path folder = sourceFolder(source);
  if (folder.is_absolute()) return sourceText(plainPath(folder));
  const Path beside = plainPath(projectFile.parent_path() / folder), here = plainPath(folder);
  if (isThere(beside)) return sourceText(beside);
  if (isThere(here)) return sourceText(here);
  return source.find('/') == std::string::npos ? source : sourceText(beside);
}

}  // namespace strata
