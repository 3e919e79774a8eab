// SPDX-License-Identifier: Apache-2.0
#include "datasets/readers/content.h"

#include <algorithm>
#include <array>
#include <memory>

#include "datasets/readers/inflate.h"
#include "engine/base/error.h"
#include "engine/base/memory.h"
#include "engine/base/narrow.h"
#include "engine/base/text.h"

namespace strata {
namespace {

std::span<char> asChars(std::span<std::uint8_t> bytes) { return {reinterpret_cast<char*>(bytes.data()), bytes.size()}; }
std::span<std::uint8_t> asUnsigned(std::span<char> bytes) {
  return {reinterpret_cast<std::uint8_t*>(bytes.data()), bytes.size()};
}

/// The file's bytes, a chunk at a time. `file` must outlive it.
Inflater::Source chunksOf(const RegularFile& file) {
  return [&file, offset = std::uint64_t{0}, chunk = std::vector<std::uint8_t>(kStreamChunk)]() mutable {
    const std::size_t got = file.readAt(offset, asChars(chunk));
    offset += got;
    return std::span<const unsigned char>(chunk).first(got);
  };
}

}  // namespace

Content::Content(const Path& path) : m_file(path) {
  std::array<std::uint8_t, 2> start{};
  m_file.readAt(0, asChars(start));
  m_packed = isGzip(start);
}

Content::Stream Content::open() const {
  if (m_packed) {
    const auto inflater = std::make_shared<Inflater>(chunksOf(m_file), Inflater::Packing::Gzip, path().string());
    return [inflater](std::span<std::uint8_t> out) { return inflater->read(out); };
  }
  return [this, offset = std::uint64_t{0}](std::span<std::uint8_t> out) mutable {
    const std::size_t got = m_file.readAt(offset, asChars(out));
    offset += got;
    return got;
  };
}

// Grows with what has come, so that no claim is believed: at most twice what is needed is asked for.
std::string Content::readAll(std::uint64_t most) const {
  const Stream stream = open();
  std::string content;
  for (;;) {
    const std::size_t had = content.size();
    if (content.capacity() < had + kStreamChunk) {
      const std::uint64_t room = std::max<std::uint64_t>(2 * std::uint64_t{had}, m_file.size() + kStreamChunk);
      requireMemory(narrow<std::int64_t>(room, path().string()), path().string(), "reading it", "Use a smaller file");
      content.reserve(room);
    }
    content.resize(had + kStreamChunk);
    const std::size_t got = stream(asUnsigned({content.data() + had, kStreamChunk}));
    content.resize(had + got);
    if (content.size() > most)
      throw Error(Error::Kind::Input, path().string(),
                  "holds more than " + grouped(static_cast<std::int64_t>(most >> 20)) + " MiB", "Use a smaller file.");
    if (got < kStreamChunk) return content;
  }
}

std::string Content::head(std::size_t count) const {
  std::string bytes(count, '\0');
  try {
    bytes.resize(open()(asUnsigned(bytes)));
  } catch (const Error&) {
    bytes.clear();
  }
  return bytes;
}

std::string headOf(const Path& path, std::size_t count) {
  try {
    return Content(path).head(count);
  } catch (const Error&) {
    return {};
  }
}

}  // namespace strata
