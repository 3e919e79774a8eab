// SPDX-License-Identifier: Apache-2.0
// A table in a CSV or TSV file as a data set: a column names the class, the numbers of the others are the sample. A
// table of pixels becomes pictures.
#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>
#include <optional>
#include <set>

#include "datasets/readers/content.h"
#include "datasets/readers/delimited.h"
#include "datasets/readers/own_data.h"
#include "datasets/readers/reader.h"
#include "engine/base/error.h"
#include "engine/base/text.h"

namespace strata {
namespace {

constexpr std::uint64_t kMostText = std::uint64_t{2} << 30;
constexpr std::size_t kMostClasses = 1000;    ///< of a table: more are no classes but names or measurements
constexpr double kMostlyNumbers = 0.9;        ///< share of a column's values from which on the others count as missing
constexpr std::size_t kMostNamed = 3;         ///< columns in a sentence
constexpr int kLeastSide = 8, kChannels = 3;  ///< of pictures in a table
constexpr double kFaint = 64;                 ///< pixels that are never lighter are no bytes of a picture

std::string lowered(std::string_view text) {
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(), [](unsigned char c) { return std::tolower(c); });
  return lower;
}

struct Column {
  std::string name;  ///< empty without a header
  std::size_t numbers = 0, texts = 0, missing = 0;
  double low = INFINITY, high = -INFINITY;
  bool whole = true;
  bool isNumeric() const { return numbers > 0 && double(numbers) >= kMostlyNumbers * double(numbers + texts); }
};

std::string columnName(const std::vector<Column>& columns, std::size_t at) {
  return columns[at].name.empty() ? "column " + std::to_string(at + 1) : inQuotes(columns[at].name);
}

/// A file whose text is in memory and whose columns have been looked through.
struct Table {
  Path path;
  std::string text;
  std::string_view body;  ///< the text behind a byte-order mark
  Dialect dialect;
  std::vector<Column> columns;
  std::size_t rows = 0;    ///< with as many fields as there are columns
  std::size_t ragged = 0;  ///< others

  Records records() const {
    Records all(body, dialect.separator, path.string());
    std::vector<std::string_view> header;
    if (dialect.header) all.next(header);
    return all;
  }
};

void refuseOtherEncodings(const Table& table) {
  const auto starts = [&](std::string_view mark) { return std::string_view(table.text).starts_with(mark); };
  if (starts("\xFF\xFE") || starts("\xFE\xFF"))
    refuseData(table.path, "is text in UTF-16, needed UTF-8", "Save it as CSV in UTF-8.");
  if (table.text.find('\0') != std::string::npos)
    refuseData(table.path, "is no text: byte " + std::to_string(table.text.find('\0')) + " is 0",
               "Save it as CSV in UTF-8.");
}

void survey(Table& table) {
  std::vector<std::string_view> fields;
  Records first(table.body, table.dialect.separator, table.path.string());
  first.next(fields);
  table.columns.resize(fields.size());
  if (table.dialect.header)
    for (std::size_t c = 0; c < fields.size(); ++c) table.columns[c].name = std::string(trimmed(fields[c]));
  Records records = table.records();
  while (records.next(fields)) {
    if (fields.size() != table.columns.size()) {
      ++table.ragged;
      continue;
    }
    ++table.rows;
    for (std::size_t c = 0; c < fields.size(); ++c) {
      Column& column = table.columns[c];
      if (const auto value = numberIn(fields[c], table.dialect.decimalComma)) {
        ++column.numbers;
        column.low = std::min(column.low, *value);
        column.high = std::max(column.high, *value);
        column.whole = column.whole && *value == std::floor(*value);
      } else {
        ++(isMissing(fields[c]) ? column.missing : column.texts);
      }
    }
  }
  if (table.rows == 0) refuseData(table.path, "has no rows under its header", "Put a line for each sample into it.");
}

Table readTable(const Path& path, const ReadProgress& progress) {
  tell(progress, "Reading " + path.filename().string(), -1);
  Table table{path, Content(path).readAll(kMostText), {}, {}, {}};
  refuseOtherEncodings(table);
  table.body = table.text;
  if (table.body.starts_with("\xEF\xBB\xBF")) table.body.remove_prefix(3);
  table.dialect = dialectOf(table.body, path.string());
  survey(table);
  return table;
}

std::string columnsText(const std::vector<Column>& columns) {
  std::string text;
  constexpr std::size_t kMost = 8;
  for (std::size_t c = 0; c < std::min(columns.size(), kMost); ++c) text += (c ? ", " : "") + columnName(columns, c);
  return text + (columns.size() > kMost ? ", ..." : "");
}

std::optional<std::size_t> findColumn(const std::vector<Column>& columns, const std::string& name) {
  for (std::size_t c = 0; c < columns.size(); ++c)
    if (lowered(columns[c].name) == lowered(name)) return c;
  return std::nullopt;
}

/// As asked for, by name or by number from 1; else a column that is called so, else the last of text, else the last.
std::size_t labelColumn(const Table& table, const std::string& asked) {
  const std::vector<Column>& columns = table.columns;
  if (!asked.empty()) {
    if (const auto named = findColumn(columns, asked)) return *named;
    const auto number = numberIn(asked, false);
    if (number && *number >= 1 && *number <= double(columns.size()) && *number == std::floor(*number))
      return static_cast<std::size_t>(*number) - 1;
    refuseData(table.path, "has no column " + inQuotes(asked) + " for the labels; it has " + columnsText(columns),
               "Name one of these as data.reading.label.");
  }
  for (const char* name : {"label", "class", "target", "y", "species"})
    if (const auto found = findColumn(columns, name)) return *found;
  for (std::size_t c = columns.size(); c-- > 0;)
    if (!columns[c].isNumeric() && columns[c].texts > 0) return c;
  return columns.size() - 1;
}

/// Which columns are what.
struct Roles {
  std::size_t label = 0;
  std::vector<std::size_t> numbers;
};

Roles rolesOf(const Table& table, const std::string& asked, Dataset& dataset) {
  Roles roles{labelColumn(table, asked), {}};
  std::vector<std::string> text;
  for (std::size_t c = 0; c < table.columns.size(); ++c) {
    if (c == roles.label) continue;
    if (table.columns[c].isNumeric()) roles.numbers.push_back(c);
    else text.push_back(columnName(table.columns, c));
  }
  if (roles.numbers.empty())
    refuseData(table.path, "has no column of numbers beside its labels, " + columnName(table.columns, roles.label),
               "Name the column that holds the labels as data.reading.label, or turn the texts into numbers.");
  dataset.understood.push_back("The labels are in " + columnName(table.columns, roles.label) + ".");
  if (!text.empty()) {
    std::string names;
    for (std::size_t i = 0; i < std::min(text.size(), kMostNamed); ++i) names += (i ? ", " : "") + text[i];
    dataset.understood.push_back(counted(std::ssize(text), "column") + " of text " + (text.size() == 1 ? "is" : "are") +
                                 " left out: " + names + (text.size() > kMostNamed ? ", ..." : "") + ".");
  }
  return roles;
}

struct Rows {
  std::vector<float> values;
  std::vector<std::string> labels;
  std::size_t dropped = 0;
};

Rows takeRows(const Table& table, const Roles& roles) {
  Rows rows;
  checkRoom(table.rows, roles.numbers.size(), sizeof(float), table.path);
  rows.values.reserve(table.rows * roles.numbers.size());
  Records records = table.records();
  std::vector<std::string_view> fields;
  std::set<std::string, std::less<>> names;
  while (records.next(fields)) {
    if (fields.size() != table.columns.size()) continue;
    const std::size_t before = rows.values.size();
    bool whole = !isMissing(fields[roles.label]);
    for (const std::size_t c : roles.numbers) {
      const auto value = whole ? numberIn(fields[c], table.dialect.decimalComma) : std::nullopt;
      whole = value && std::isfinite(static_cast<float>(*value));
      if (!whole) break;
      rows.values.push_back(static_cast<float>(*value));
    }
    if (!whole) {
      rows.values.resize(before);
      ++rows.dropped;
      continue;
    }
    rows.labels.emplace_back(trimmed(fields[roles.label]));
    names.insert(rows.labels.back());
    if (names.size() > kMostClasses)
      refuseData(table.path,
                 "has more than " + grouped(kMostClasses) + " different labels in " +
                     columnName(table.columns, roles.label) + ", so it names no classes",
                 "Name the column that does as data.reading.label.");
  }
  if (rows.labels.empty())
    refuseData(table.path, "has a missing value in every row",
               "Fill them in, or leave out columns that are mostly empty.");
  return rows;
}

bool isPixelName(const std::string& name) {
  const std::string lower = lowered(name);
  const auto digit = lower.find_first_of("0123456789");
  return digit != std::string::npos && (lower.starts_with("pixel") || lower.starts_with("px"));
}

int sideOf(std::size_t count) {
  const auto side = static_cast<int>(std::lround(std::sqrt(double(count))));
  return static_cast<std::size_t>(side) * static_cast<std::size_t>(side) == count ? side : 0;
}

/// The shape of the pictures that the columns are, or nothing.
std::optional<Shape> pictureShape(const Table& table, const std::vector<std::size_t>& numbers) {
  const auto all = [&](auto holds) {
    return std::all_of(numbers.begin(), numbers.end(), [&](std::size_t c) { return holds(table.columns[c]); });
  };
  if (!all([](const Column& c) { return c.whole && c.low >= 0 && c.high <= 255; })) return std::nullopt;
  const bool named = all([](const Column& c) { return isPixelName(c.name); });
  const std::size_t count = numbers.size();
  const int grey = sideOf(count), colour = count % kChannels == 0 ? sideOf(count / kChannels) : 0;
  const int least = named ? 2 : kLeastSide;
  if (grey >= least) return Shape::image(grey, grey, 1);
  if (colour >= least) return Shape::image(colour, colour, kChannels);
  return std::nullopt;
}

/// Whether the colours of a row stand one after the other, all red first: then neighbours are more alike than values
/// three apart.
bool byPlanes(const std::vector<float>& values) {
  double near = 0, apart = 0;
  for (std::size_t i = 0; i + kChannels < std::min<std::size_t>(values.size(), 1'000'000); ++i) {
    near += std::abs(values[i + 1] - values[i]);
    apart += std::abs(values[i + kChannels] - values[i]);
  }
  return near < apart;
}

void interleave(std::vector<float>& values, const Shape& shape) {
  const auto places = static_cast<std::size_t>(shape.places());
  std::vector<float> sample(places * kChannels);
  for (std::size_t at = 0; at < values.size(); at += sample.size()) {
    for (std::size_t c = 0; c < kChannels; ++c)
      for (std::size_t p = 0; p < places; ++p) sample[p * kChannels + c] = values[at + c * places + p];
    std::copy(sample.begin(), sample.end(), values.begin() + std::ptrdiff_t(at));
  }
}

void takePictures(Dataset& dataset, Rows& rows, Samples& samples, bool planes, bool bytes) {
  if (planes) interleave(rows.values, dataset.shape);
  samples.count = static_cast<int>(rows.labels.size());
  if (bytes) samples.pixels.assign(rows.values.begin(), rows.values.end());
  else samples.floats = std::move(rows.values);
}

std::string dialectText(const Dialect& dialect) {
  const char* separator = dialect.separator == '\t'  ? "tabs"
                          : dialect.separator == ';' ? "semicolons"
                          : dialect.separator == '|' ? "bars"
                                                     : "commas";
  return std::string("The columns are separated by ") + separator + ", " +
         (dialect.header ? "the first line names them" : "no line names them") +
         (dialect.decimalComma ? ", and numbers have a decimal comma." : ".");
}

void warnOfRows(Dataset& dataset, const Table& table, const Rows& rows) {
  const auto say = [&](std::size_t count, const std::string& why) {
    if (count > 0)
      dataset.warnings.push_back(counted(std::int64_t(count), "row") + " of " + table.path.filename().string() +
                                 (count == 1 ? " was" : " were") + " left out: " + why);
  };
  say(rows.dropped, "a value is missing or is no number.");
  say(table.ragged,
      "they have another number of columns than the first, which has " + std::to_string(table.columns.size()) + ".");
}

/// The test's columns by the training's names, or by their places. Nothing when it has no labels.
std::optional<Roles> matched(const Table& test, const Table& train, const Roles& roles, Dataset& dataset) {
  const auto place = [&](std::size_t c) {
    if (train.dialect.header && test.dialect.header) return findColumn(test.columns, train.columns[c].name);
    return c < test.columns.size() && train.columns.size() == test.columns.size() ? std::optional(c) : std::nullopt;
  };
  const auto label = place(roles.label);
  if (!label) {
    dataset.warnings.push_back(test.path.filename().string() + " has no labels (" +
                               columnName(train.columns, roles.label) +
                               "), so it cannot be tested with and was passed over.");
    return std::nullopt;
  }
  Roles same{*label, {}};
  for (const std::size_t c : roles.numbers) {
    const auto found = place(c);
    if (!found)
      refuseData(test.path, "has no " + columnName(train.columns, c) + ", needed the columns of the training table",
                 "Give both tables the same columns.");
    same.numbers.push_back(*found);
  }
  return same;
}

bool isTable(const Path& file) {
  Path name = lowered(file.filename().string());
  if (name.extension() == ".gz") name = name.stem();
  std::error_code ignored;
  return (name.extension() == ".csv" || name.extension() == ".tsv" || name.extension() == ".tab" ||
          name.extension() == ".txt") &&
         std::filesystem::is_regular_file(file, ignored);
}

/// The tables of a folder, or the one that was named.
struct Found {
  std::vector<Path> train, test;
};

Found findTables(const Path& path) {
  if (isTable(path)) return {{path}, {}};
  Found found;
  std::error_code error;
  for (std::filesystem::directory_iterator entry(path, error), end; !error && entry != end; entry.increment(error)) {
    const std::string name = lowered(entry->path().filename().string());
    if (name.starts_with('.') || name.ends_with(".txt") || name.ends_with(".txt.gz") || !isTable(entry->path()))
      continue;
    const bool test = name.find("test") != std::string::npos || name.find("val") != std::string::npos;
    (test ? found.test : found.train).push_back(entry->path());
  }
  return found;
}

std::shared_ptr<Dataset> read(const Path& path, const Reading& reading, const ReadProgress& progress) {
  const Found found = findTables(path);
  if (found.train.size() != 1 || found.test.size() > 1)
    refuseData(path,
               "holds " + counted(std::ssize(found.train), "table") + " to train on and " +
                   std::to_string(found.test.size()) + " to test with, needed one and at most one",
               "Name the file itself, or call the two train.csv and test.csv.");
  auto dataset = std::make_shared<Dataset>();
  dataset->title = titleOf(path);
  dataset->origin = path.string();
  const Table table = readTable(found.train.front(), progress);
  dataset->understood.push_back(dialectText(table.dialect));
  const Roles roles = rolesOf(table, reading.label, *dataset);
  Rows train = takeRows(table, roles), test;
  warnOfRows(*dataset, table, train);
  std::optional<Shape> picture = pictureShape(table, roles.numbers);
  double brightest = 0;
  for (const std::size_t c : roles.numbers) brightest = std::max(brightest, table.columns[c].high);
  if (!found.test.empty()) {
    const Table other = readTable(found.test.front(), progress);
    if (const auto same = matched(other, table, roles, *dataset)) {
      test = takeRows(other, *same);
      warnOfRows(*dataset, other, test);
      if (!pictureShape(other, same->numbers)) picture.reset();
    }
  }
  dataset->shape = picture.value_or(Shape::vector(static_cast<int>(roles.numbers.size())));
  checkShape(dataset->shape, path);
  const bool planes = picture && picture->c == kChannels && byPlanes(train.values);
  if (picture)
    dataset->understood.push_back("The columns are the pixels of pictures, " + dataset->shape.text() +
                                  (planes ? ", stored colour after colour." : "."));
  takeClasses(*dataset, std::span<const std::string>(train.labels), std::span<const std::string>(test.labels), path);
  for (auto [rows, samples] : {std::pair(&train, &dataset->train), std::pair(&test, &dataset->test)})
    takePictures(*dataset, *rows, *samples, planes, picture && brightest > kFaint);
  return dataset;
}

bool recognises(const Path& path) {
  if (isTable(path)) return true;
  std::error_code ignored;
  return std::filesystem::is_directory(path, ignored) && !findTables(path).train.empty();
}

}  // namespace

const ReaderDef& tableReader() {
  static const ReaderDef def{"table", "tables (CSV, TSV)",
                             "A line for each sample, a column for its class (data.reading.label says which), numbers "
                             "in the others; a second file called test is the test set.",
                             recognises, read};
  return def;
}

}  // namespace strata
