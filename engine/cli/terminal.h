// SPDX-License-Identifier: Apache-2.0
// What a terminal can show: lines drawn over one another, so many columns, the characters of its locale. Pipes and
// files are no terminals: they get plain lines in UTF-8.
#pragma once
#include <iosfwd>
#include <memory>
#include <string>

namespace strata {

/// Whether the cursor of the terminal behind `fd` can go back to the start of its line. False for a "dumb" terminal or
/// one of no known kind, and where there is none.
bool canRedraw(int fd);

/// As the terminal says now, for it may be resized at any time; 80 when it does not say.
int terminalColumns(int fd);

/// A line that is drawn again and again in the same place, without escape codes and never past the terminal's edge.
/// Draws nothing where canRedraw() is false. Its characters are taken to be one column wide.
class ProgressLine {
 public:
  ProgressLine(std::ostream& stream, int fd);
  void draw(const std::string& text);
  void clear();  ///< leaves an empty line for what is printed next
  bool fits(const std::string& text) const;

 private:
  int room() const;
  std::ostream& m_stream;
  int m_fd;
  bool m_possible;
  int m_drawn = 0;  ///< columns on the line that are not blank
};

/// While it lives, text for `stream` reaches the terminal behind `fd` in the characters of the locale: "×" becomes "x"
/// where only ASCII can be shown. Changes nothing for UTF-8, and nothing where `fd` is no terminal.
class LocaleCharacters {
 public:
  LocaleCharacters(std::ostream& stream, int fd);
  ~LocaleCharacters();
  LocaleCharacters(const LocaleCharacters&) = delete;
  LocaleCharacters& operator=(const LocaleCharacters&) = delete;

 private:
  class Converter;
  std::ostream& m_stream;
  std::unique_ptr<Converter> m_converter;
};

}  // namespace strata
