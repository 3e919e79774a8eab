// SPDX-License-Identifier: Apache-2.0
// NumPy's arrays as a data set: an .npz, or a folder of .npy files. Pickles are never opened: they can run code.
// Format: numpy.lib.format, versions 1 to 3.
#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <map>
#include <optional>
#include <string_view>

#include "datasets/readers/content.h"
#include "datasets/readers/inflate.h"
#include "datasets/readers/numbers.h"
#include "datasets/readers/own_data.h"
#include "datasets/readers/reader.h"
#include "datasets/readers/zip.h"
#include "engine/base/error.h"
#include "engine/base/narrow.h"
#include "engine/base/text.h"

namespace strata {
namespace {

constexpr std::string_view kMagic = "\x93NUMPY", kZip = "PK\x03\x04";
constexpr std::size_t kMostHeader = 1 << 16, kMostRank = 8, kMostFiles = 64;
constexpr std::uint64_t kMostFile = std::uint64_t{2} << 30;
constexpr char kSaveAgain[] = "Save it again with numpy.save or numpy.savez, of plain numbers.";

std::string lowered(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return std::tolower(c); });
  return text;
}

/// What stands in the header, a Python dictionary of three keys: {'descr': '<f4', 'fortran_order': False, 'shape': (2,
/// 3), }.
class Header {
 public:
  Header(std::string_view text, const Path& path) : m_text(text), m_path(path) { parse(); }

  NumberType type;
  bool fortran = false;
  std::vector<std::uint64_t> dims;

 private:
  [[noreturn]] void refuse(const std::string& what) const { refuseData(m_path, what, kSaveAgain); }

  void skipBlanks() {
    while (m_at < m_text.size() && (m_text[m_at] == ' ' || m_text[m_at] == '\n')) ++m_at;
  }
  bool take(std::string_view token) {
    skipBlanks();
    if (!m_text.substr(m_at).starts_with(token)) return false;
    m_at += token.size();
    return true;
  }
  void need(std::string_view token) {
    if (!take(token))
      refuse("has a damaged header: needed " + std::string(token) + " at its byte " + std::to_string(m_at));
  }
  std::string_view quoted() {
    need("'");
    const auto end = m_text.find('\'', m_at);
    if (end == std::string_view::npos) refuse("has a damaged header: a text that never ends");
    const std::string_view text = m_text.substr(m_at, end - m_at);
    m_at = end + 1;
    return text;
  }

  void parse() {
    bool hasType = false, hasOrder = false, hasShape = false;
    need("{");
    while (!take("}")) {
      const std::string_view key = quoted();
      need(":");
      if (key == "descr") readType(), hasType = true;
      else if (key == "fortran_order") readOrder(), hasOrder = true;
      else if (key == "shape") readShape(), hasShape = true;
      else refuse("has a damaged header: the key " + inQuotes(key));
      if (!take(",")) {
        need("}");
        break;
      }
    }
    if (!hasType || !hasOrder || !hasShape) refuse("has a damaged header: descr, fortran_order or shape is missing");
  }

  void readType() {
    if (take("[")) refuse("holds records of several fields, needed plain numbers");
    const std::string_view name = quoted();
    if (name.find('O') != std::string_view::npos)
      refuse("holds Python objects (a pickle), which is never opened since it can run code; needed plain numbers");
    const auto size = name.size() == 3 ? name[2] - '0' : 0;
    const char order = name.empty() ? ' ' : name[0], kind = name.size() > 1 ? name[1] : ' ';
    const bool knownOrder = order == '<' || order == '>' || order == '|' || order == '=';
    const bool whole = (kind == 'u' || kind == 'i') && (size == 1 || size == 2 || size == 4 || size == 8);
    const bool real = kind == 'f' && (size == 2 || size == 4 || size == 8), truth = kind == 'b' && size == 1;
    if (!knownOrder || (!whole && !real && !truth))
      refuse("holds values of the type " + inQuotes(name) +
             ", needed whole numbers or reals (u1 i1 u2 i2 u4 i4 u8 i8 f2 f4 f8)");
    type.kind = real ? NumberType::Kind::Real : kind == 'i' ? NumberType::Kind::Signed : NumberType::Kind::Unsigned;
    type.size = size;
    type.bigEndian = order == '>';
  }

  void readOrder() {
    fortran = take("True");
    if (!fortran) need("False");
  }

  void readShape() {
    need("(");
    while (!take(")")) {
      skipBlanks();
      std::uint64_t dim = 0;
      const char *begin = m_text.data() + m_at, *end = m_text.data() + m_text.size();
      const auto [after, error] = std::from_chars(begin, end, dim);
      if (error != std::errc() || dims.size() >= kMostRank) refuse("has a damaged header: its shape");
      m_at += static_cast<std::size_t>(after - begin);
      take("L");  // as Python 2 wrote long numbers
      dims.push_back(dim);
      if (!take(",")) {
        need(")");
        break;
      }
    }
  }

  std::string_view m_text;
  const Path& m_path;
  std::size_t m_at = 0;
};

/// A numpy array before its numbers are read, and those numbers as a stream.
class NpyReader {
 public:
  /// `stream` opens the content anew each time; `packedSize` bytes of the file hold it. `prove` refuses what is
  /// damaged.
  NpyReader(Path path, std::string name, std::function<Content::Stream()> stream, std::uint64_t packedSize,
            std::function<void()> prove = {})
      : m_path(std::move(path)), m_name(std::move(name)), m_open(std::move(stream)), m_prove(std::move(prove)),
        m_packedSize(packedSize) {
    readHeader(m_open());
  }

  Array read() const {
    if (m_prove) m_prove();
    else if (m_claim > 2 * m_packedSize + kUnprovenAllowance) prove();
    checkRoom(static_cast<std::uint64_t>(m_dims.empty() ? 1 : m_dims[0]), perRow(), 1, m_path);
    Array array{m_path, m_name, m_dims, m_type, std::vector<std::uint8_t>(m_claim)};
    const Content::Stream stream = openBehindHeader();
    if (const std::size_t got = stream(array.bytes); got < m_claim) refuseShort(got);
    std::uint8_t extra = 0;
    if (stream({&extra, 1}) != 0)
      refuse("goes on after the " + std::to_string(m_claim) + " bytes that its header promises");
    if (m_fortran) array.bytes = inOrderOfC(array);
    return array;
  }

  const std::string& name() const { return m_name; }
  const std::vector<int>& dims() const { return m_dims; }

 private:
  static constexpr std::uint64_t kUnprovenAllowance = std::uint64_t{64} << 20;

  [[noreturn]] void refuse(const std::string& what) const {
    refuseData(m_path, (m_name.empty() ? "" : "its array " + inQuotes(m_name) + " ") + what, kSaveAgain);
  }
  [[noreturn]] void refuseShort(std::uint64_t got) const {
    refuse("is cut off: its header promises " + std::to_string(m_claim) + " bytes of numbers, got " +
           std::to_string(got));
  }
  std::uint64_t perRow() const { return m_claim / static_cast<std::uint64_t>(m_dims.empty() ? 1 : m_dims[0]); }

  std::string take(const Content::Stream& stream, std::size_t count) {
    std::string bytes(count, '\0');
    const std::size_t got = stream({reinterpret_cast<std::uint8_t*>(bytes.data()), count});
    if (got < count) refuse("ends inside its header");
    m_headerSize += count;
    return bytes;
  }

  void readHeader(const Content::Stream& stream) {
    const std::string start = take(stream, 8);
    if (start.starts_with('\x80'))
      refuse("is a pickle, which is never opened since it can run code; needed plain numbers");
    if (!start.starts_with(kMagic)) refuse("is no NumPy array: it does not begin with \\x93NUMPY");
    const int version = start[6];
    if (version < 1 || version > 3) refuse("is of NumPy's format " + std::to_string(version) + ", needed 1 to 3");
    const std::string size = take(stream, version == 1 ? 2 : 4);
    std::size_t length = 0;
    for (std::size_t i = size.size(); i-- > 0;) length = length << 8 | static_cast<unsigned char>(size[i]);
    if (length > kMostHeader) refuse("has a header of " + std::to_string(length) + " bytes, needed at most 65536");
    const std::string text = take(stream, length);
    const Header header(text, m_path);
    m_type = header.type;
    m_fortran = header.fortran;
    m_claim = static_cast<std::uint64_t>(m_type.size);
    for (const std::uint64_t dim : header.dims) {
      if (dim == 0) refuse("is empty: one of its dimensions is 0");
      m_dims.push_back(narrow<int>(dim, m_path.string()));
      m_claim = checkedMul(m_claim, dim, m_path.string());
    }
    if (m_claim > kMostSampleBytes)
      refuse("claims " + std::to_string(m_claim) + " bytes of numbers, more than the 4 GiB that are read");
    if (m_claim / kMaxDeflateRatio > m_packedSize)
      refuse("promises " + std::to_string(m_claim) + " bytes of numbers, more than " + std::to_string(m_packedSize) +
             " bytes can hold");
  }

  Content::Stream openBehindHeader() const {
    Content::Stream stream = m_open();
    std::vector<std::uint8_t> header(m_headerSize);
    stream(header);
    return stream;
  }

  /// That as many numbers are there as the header says, before there is room for them.
  void prove() const {
    const Content::Stream stream = openBehindHeader();
    std::vector<std::uint8_t> chunk(kStreamChunk);
    std::uint64_t count = 0;
    while (count < m_claim) {
      const std::size_t got = stream(std::span(chunk).first(std::min<std::uint64_t>(kStreamChunk, m_claim - count)));
      if (got == 0) refuseShort(count);
      count += got;
    }
  }

  /// Fortran lets the first dimension run fastest.
  static std::vector<std::uint8_t> inOrderOfC(const Array& array) {
    const auto size = static_cast<std::size_t>(array.type.size);
    const std::size_t rank = array.dims.size();
    std::vector<std::size_t> stride(rank, size), index(rank, 0);
    for (std::size_t d = 1; d < rank; ++d) stride[d] = stride[d - 1] * static_cast<std::size_t>(array.dims[d - 1]);
    std::vector<std::uint8_t> ordered(array.bytes.size());
    std::size_t from = 0;
    for (std::size_t to = 0; to < ordered.size(); to += size) {
      std::copy_n(array.bytes.begin() + std::ptrdiff_t(from), size, ordered.begin() + std::ptrdiff_t(to));
      for (std::size_t d = rank; d-- > 0;) {
        from += stride[d];
        if (++index[d] < static_cast<std::size_t>(array.dims[d])) break;
        from -= stride[d] * index[d];
        index[d] = 0;
      }
    }
    return ordered;
  }

  Path m_path;
  std::string m_name;
  std::function<Content::Stream()> m_open;
  std::function<void()> m_prove;
  std::uint64_t m_packedSize, m_claim = 0;
  std::size_t m_headerSize = 0;
  NumberType m_type;
  bool m_fortran = false;
  std::vector<int> m_dims;
};

/// The arrays of an archive or a folder, by their names in small letters, and what keeps their bytes alive.
struct Arrays {
  std::string archive;
  std::optional<ZipReader> zip;
  std::vector<std::shared_ptr<Content>> files;
  std::map<std::string, NpyReader> byName;
};

void addFromArchive(Arrays& arrays, const Path& path, const ReadProgress& progress) {
  tell(progress, "Reading " + path.filename().string(), -1);
  RegularFile file(path);
  if (file.size() > kMostFile) refuseData(path, "is larger than the 2 GiB that are read", "Use fewer samples.");
  checkRoom(1, file.size(), 1, path);
  arrays.archive = file.read(file.size());
  const ZipReader& zip = arrays.zip.emplace(asBytes(arrays.archive), path.string());
  for (const ZipMember& member : zip.members()) {
    if (!member.name.ends_with(".npy")) continue;
    const std::string name = member.name.substr(0, member.name.size() - 4);
    if (arrays.byName.size() >= kMostFiles)
      refuseData(path, "holds more than 64 arrays", "Save those of one data set.");
    const auto bytes = zip.packed(member);
    const bool stored = member.method == 0;
    const auto open = [bytes, stored, where = path.string() + ", " + name]() -> Content::Stream {
      if (!stored) {
        const auto inflater = std::make_shared<Inflater>(bytes, Inflater::Packing::Raw, where);
        return [inflater](std::span<std::uint8_t> out) { return inflater->read(out); };
      }
      return [bytes, at = std::size_t{0}](std::span<std::uint8_t> out) mutable {
        const auto part = bytes.subspan(at, std::min(out.size(), bytes.size() - at));
        std::copy(part.begin(), part.end(), out.begin());
        at += part.size();
        return part.size();
      };
    };
    arrays.byName.emplace(lowered(name),
                          NpyReader(path, name, open, bytes.size(), [&zip, &member] { zip.verify(member); }));
  }
}

void addFromFolder(Arrays& arrays, const Path& folder) {
  std::vector<Path> paths;
  std::error_code error;
  for (std::filesystem::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error))
    if (lowered(entry->path().extension().string()) == ".npy" && paths.size() < kMostFiles)
      paths.push_back(entry->path());
  std::sort(paths.begin(), paths.end());
  for (const Path& path : paths) {
    const auto file = std::make_shared<Content>(path);
    arrays.files.push_back(file);
    arrays.byName.emplace(lowered(path.stem().string()),
                          NpyReader(
                              path, {}, [file] { return file->open(); }, file->fileSize()));
  }
}

/// How the four arrays are called; without a test set the last two are not there.
struct Names {
  const char *train, *trainLabels, *test, *testLabels;
};
constexpr std::array kNames{Names{"x_train", "y_train", "x_test", "y_test"},
                            Names{"train_images", "train_labels", "test_images", "test_labels"},
                            Names{"x", "y", "x_test", "y_test"},
                            Names{"images", "labels", "test_images", "test_labels"},
                            Names{"data", "labels", "test_data", "test_labels"},
                            Names{"data", "target", "test_data", "test_target"},
                            Names{"arr_0", "arr_1", "arr_2", "arr_3"}};

struct Chosen {
  const NpyReader *train = nullptr, *trainLabels = nullptr, *test = nullptr, *testLabels = nullptr;
};

Chosen chooseArrays(const Arrays& arrays, const Path& path) {
  const auto find = [&](const char* name) {
    const auto found = arrays.byName.find(name);
    return found == arrays.byName.end() ? nullptr : &found->second;
  };
  for (const Names& names : kNames) {
    Chosen chosen{find(names.train), find(names.trainLabels), find(names.test), find(names.testLabels)};
    if (!chosen.train || !chosen.trainLabels) continue;
    // Saved without names, both samples may come before both labels.
    if (chosen.test && chosen.trainLabels->dims().size() > chosen.test->dims().size())
      std::swap(chosen.trainLabels, chosen.test);
    if (!chosen.test != !chosen.testLabels)
      refuseData(path,
                 std::string("has ") + (chosen.test ? names.test : names.testLabels) + " without " +
                     (chosen.test ? names.testLabels : names.test),
                 "Save samples and labels of the test set, or neither.");
    return chosen;
  }
  std::string held;
  for (const auto& [name, array] : arrays.byName) held += (held.empty() ? "" : ", ") + printable(name);
  refuseData(path, "holds the arrays " + (held.empty() ? "of nothing" : held) + ", needed samples and their labels",
             "Save them as x_train, y_train and, for a test set, x_test, y_test.");
}

void checkCounts(const NpyReader& samples, const NpyReader& labels, const Path& path) {
  const auto count = [](const NpyReader& array) { return array.dims().empty() ? 0 : array.dims()[0]; };
  if (count(samples) != count(labels))
    refuseData(path,
               "holds " + counted(count(labels), "label") + ", needed one for each of the " +
                   counted(count(samples), "sample"),
               "Save samples and labels of the same length.");
}

std::shared_ptr<Dataset> read(const Path& path, const Reading&, const ReadProgress& progress) {
  Arrays arrays;
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored)) addFromFolder(arrays, path);
  else if (headOf(path, 4) == kZip) addFromArchive(arrays, path, progress);
  else {
    const auto file = std::make_shared<Content>(path);
    NpyReader(
        path, {}, [file] { return file->open(); }, file->fileSize());  // what is no array is refused as such
    refuseData(path, "is a single array, needed samples and labels",
               "Name the folder that holds x_train.npy and y_train.npy, or save both into one .npz.");
  }
  const Chosen chosen = chooseArrays(arrays, path);
  checkCounts(*chosen.train, *chosen.trainLabels, path);
  if (chosen.test) checkCounts(*chosen.test, *chosen.testLabels, path);
  auto dataset = std::make_shared<Dataset>();
  dataset->title = titleOf(path);
  dataset->origin = path.string();
  const std::vector<std::int64_t> train = labelsOf(chosen.trainLabels->read()),
                                  test =
                                      chosen.test ? labelsOf(chosen.testLabels->read()) : std::vector<std::int64_t>{};
  takeSamples(*dataset, chosen.train->read(), chosen.test ? std::optional(chosen.test->read()) : std::nullopt);
  takeClasses(*dataset, train, test, path);
  return dataset;
}

bool recognises(const Path& path) {
  std::error_code error;
  if (std::filesystem::is_directory(path, error)) {
    for (std::filesystem::directory_iterator entry(path, error), end; !error && entry != end; entry.increment(error))
      if (lowered(entry->path().extension().string()) == ".npy") return true;
    return false;
  }
  const std::string ending = lowered(path.extension().string());
  return ending == ".npy" || ending == ".npz" || headOf(path, kMagic.size()) == kMagic;
}

}  // namespace

const ReaderDef& numpyReader() {
  static const ReaderDef def{
      "numpy", "NumPy arrays (.npz, .npy)",
      "Samples and labels called x_train, y_train, x_test, y_test, or as usual otherwise; in one "
      ".npz or a folder of .npy files.",
      recognises, read};
  return def;
}

}  // namespace strata
