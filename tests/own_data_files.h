// SPDX-License-Identifier: GPL-3.0-or-later
// Making files such as people have: NumPy arrays, CIFAR's records, tar archives, folders of pictures.
#pragma once
#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include "data_files.h"

/// A NumPy array of format 1; `shape` as Python writes it: "(2, 3)".
inline std::string npyFile(const std::string& type, const std::string& shape, const std::string& numbers,
                           bool fortran = false) {
  std::string header =
      "{'descr': '" + type + "', 'fortran_order': " + (fortran ? "True" : "False") + ", 'shape': " + shape + ", }";
  header += std::string((64 - (header.size() + 11) % 64) % 64, ' ') + "\n";
  return "\x93NUMPY" + std::string("\1\0", 2) + littleEndian(static_cast<std::uint32_t>(header.size()), 2) + header +
         numbers;
}

/// Numbers in this machine's order, or the other.
template <class Number>
std::string numbersAs(const std::vector<double>& values, bool turned = false) {
  std::string bytes;
  for (const double value : values) {
    const auto number = static_cast<Number>(value);
    std::string one(sizeof number, '\0');
    std::memcpy(one.data(), &number, sizeof number);
    if (turned) std::reverse(one.begin(), one.end());
    bytes += one;
  }
  return bytes;
}

/// A record of CIFAR: its labels, and pixels that count up from `first`, by planes.
inline std::string cifarRecord(const std::string& labels, int first) {
  std::string bytes = labels;
  for (int i = 0; i < 3072; ++i) bytes += static_cast<char>(first + i / 1024 * 50 + i % 1024 % 7);
  return bytes;
}

inline std::string tarFile(const std::vector<std::pair<std::string, std::string>>& members, char type = '0') {
  std::string archive;
  const auto octal = [](std::size_t value, std::size_t digits) {
    std::string text(digits, '0');
    for (std::size_t i = digits; i-- > 0; value /= 8) text[i] = static_cast<char>('0' + value % 8);
    return text + std::string(1, '\0');
  };
  for (const auto& [name, content] : members) {
    std::string header(512, '\0');
    header.replace(0, name.size(), name);
    header.replace(100, 8, octal(0644, 7));
    header.replace(124, 12, octal(content.size(), 11));
    header.replace(136, 12, octal(0, 11));
    header[156] = type;
    header.replace(257, 8, std::string("ustar\0", 6) + "00");
    std::size_t sum = 8 * ' ';
    for (const char c : header) sum += static_cast<unsigned char>(c);
    header.replace(148, 8, octal(sum, 6) + " ");
    archive += header + content + std::string((512 - content.size() % 512) % 512, '\0');
  }
  return archive + std::string(1024, '\0');
}
