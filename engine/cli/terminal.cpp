// SPDX-License-Identifier: Apache-2.0
#include "engine/cli/terminal.h"

#include <iconv.h>
#include <langinfo.h>
#include <locale.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <ostream>
#include <streambuf>
#include <string_view>

namespace strata {
namespace {

bool continuesCharacter(char byte) { return (static_cast<unsigned char>(byte) & 0xC0) == 0x80; }

int countCharacters(std::string_view text) {
  return static_cast<int>(std::count_if(text.begin(), text.end(), [](char c) { return !continuesCharacter(c); }));
}

std::string_view firstCharacters(std::string_view text, int count) {
  std::size_t end = 0;
  for (; end < text.size(); ++end)
    if (!continuesCharacter(text[end]) && count-- == 0) break;
  return text.substr(0, end);
}

/// Of the environment: "UTF-8", "ANSI_X3.4-1968". The program's own locale stays "C".
std::string localeCharset() {
  const locale_t locale = newlocale(LC_CTYPE_MASK, "", nullptr);
  if (!locale) return "ASCII";  // the environment names a locale that is not here
  std::string charset = nl_langinfo_l(CODESET, locale);
  freelocale(locale);
  return charset;
}

}  // namespace

bool canRedraw(int fd) {
  const char* kind = std::getenv("TERM");
  return isatty(fd) && kind && *kind && std::string_view(kind) != "dumb";
}

int terminalColumns(int fd) {
  winsize size{};
  return ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

ProgressLine::ProgressLine(std::ostream& stream, int fd) : m_stream(stream), m_fd(fd), m_possible(canRedraw(fd)) {}

/// Many terminals start a new line as soon as the last column is filled.
int ProgressLine::room() const { return terminalColumns(m_fd) - 1; }

bool ProgressLine::fits(const std::string& text) const { return countCharacters(text) <= room(); }

void ProgressLine::draw(const std::string& text) {
  if (!m_possible) return;
  const std::string_view shown = firstCharacters(text, room());
  const int columns = countCharacters(shown), rest = std::min(m_drawn, room()) - columns;
  m_stream << '\r' << shown << std::string(static_cast<std::size_t>(std::max(0, rest)), ' ') << std::flush;
  m_drawn = columns;
}

void ProgressLine::clear() {
  if (m_drawn == 0) return;
  draw({});
  m_stream << '\r' << std::flush;
}

/// Keeps what is written until it is flushed, so that no character is converted in halves.
class LocaleCharacters::Converter : public std::streambuf {
 public:
  Converter(const std::string& charset, std::streambuf* terminal)
      : m_conversion(iconv_open((charset + "//TRANSLIT").c_str(), "UTF-8")), m_terminal(terminal) {}
  ~Converter() override {
    sync();
    if (m_conversion != kNone) iconv_close(m_conversion);
  }
  std::streambuf* terminal() const { return m_terminal; }

 protected:
  int_type overflow(int_type c) override {
    if (!traits_type::eq_int_type(c, traits_type::eof())) m_waiting += traits_type::to_char_type(c);
    return traits_type::not_eof(c);
  }
  std::streamsize xsputn(const char* text, std::streamsize count) override {
    m_waiting.append(text, static_cast<std::size_t>(count));
    return count;
  }
  int sync() override {
    std::string shown;
    for (std::string_view rest = m_waiting; !rest.empty();) {
      const std::string_view character = firstCharacters(rest, 1);
      shown += converted(character);
      rest.remove_prefix(character.size());
    }
    m_waiting.clear();
    const auto size = static_cast<std::streamsize>(shown.size());
    return m_terminal->sputn(shown.data(), size) == size ? m_terminal->pubsync() : -1;
  }

 private:
  static inline const iconv_t kNone = reinterpret_cast<iconv_t>(-1);

  /// A character that the locale knows neither itself nor in other letters is shown as "?".
  std::string converted(std::string_view character) {
    if (character.size() == 1 && static_cast<unsigned char>(character[0]) < 0x80) return std::string(character);
    if (character == "━") return "=";  // of the progress bar; the C library has no letters for them
    if (character == "─") return "-";
    char from[8], to[16];
    std::size_t fromLeft = std::min(character.size(), sizeof from), toLeft = sizeof to;
    std::copy_n(character.begin(), fromLeft, from);
    char *fromAt = from, *toAt = to;
    if (m_conversion == kNone ||
        iconv(m_conversion, &fromAt, &fromLeft, &toAt, &toLeft) == static_cast<std::size_t>(-1))
      return "?";
    return std::string(to, toAt);
  }

  iconv_t m_conversion;
  std::streambuf* m_terminal;
  std::string m_waiting;
};

LocaleCharacters::LocaleCharacters(std::ostream& stream, int fd) : m_stream(stream) {
  if (!isatty(fd)) return;
  const std::string charset = localeCharset();
  if (charset == "UTF-8") return;
  m_converter = std::make_unique<Converter>(charset, stream.rdbuf());
  stream.rdbuf(m_converter.get());
}

LocaleCharacters::~LocaleCharacters() {
  if (m_converter) m_stream.rdbuf(m_converter->terminal());
}

}  // namespace strata
