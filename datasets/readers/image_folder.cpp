// SPDX-License-Identifier: Apache-2.0
// A folder of pictures as a data set: each class a folder, in train and test (or val) folders or not. Links, pipes and
// hidden files are passed over; files that are no pictures are named and left out. All pictures get one size.
#include <algorithm>
#include <atomic>
#include <cctype>
#include <exception>
#include <map>
#include <mutex>
#include <thread>

#include "datasets/readers/fit_picture.h"
#include "datasets/readers/own_data.h"
#include "datasets/readers/picture.h"
#include "datasets/readers/reader.h"
#include "engine/base/error.h"
#include "engine/base/text.h"

namespace strata {
namespace {

namespace fs = std::filesystem;

constexpr int kMostDepth = 4;                  ///< of folders in a class's folder
constexpr std::size_t kMostFiles = 5'000'000;  ///< in all
constexpr std::size_t kSurveyed = 128;         ///< pictures whose size is looked at before all are read
constexpr int kLargestUnasked = 64;            ///< pixels a side
constexpr std::size_t kMostNamed = 3;          ///< files in a warning
constexpr std::size_t kGlance = 16;            ///< files and folders that recognising looks at
constexpr double kCommon = 0.25;               ///< share of the pictures from which on a size is "most frequent"

std::string lowered(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return std::tolower(c); });
  return text;
}

bool isHidden(const Path& path) {
  const std::string name = path.filename().string();
  return name.starts_with('.') || name == "__MACOSX";
}

bool mayBePicture(const Path& file) {
  static const std::vector<std::string> endings{"",     ".png", ".jpg",  ".jpeg", ".jpe", ".jfif",
                                                ".bmp", ".gif", ".webp", ".tif",  ".tiff"};
  return std::find(endings.begin(), endings.end(), lowered(file.extension().string())) != endings.end();
}

/// What lies directly in a folder and is neither hidden nor a link, in the order of names' bytes.
struct Listing {
  std::vector<Path> folders, files;
  std::size_t links = 0, others = 0;  ///< passed over; others are pipes, devices, files with another ending
};

Listing listingOf(const Path& folder, std::size_t most = kMostFiles) {
  Listing listing;
  std::error_code error;
  std::size_t seen = 0;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end && seen < most;
       entry.increment(error)) {
    if (isHidden(entry->path())) continue;
    ++seen;
    std::error_code ignored;
    const fs::file_status status = entry->symlink_status(ignored);
    if (fs::is_directory(status)) listing.folders.push_back(entry->path());
    else if (fs::is_symlink(status)) ++listing.links;
    else if (fs::is_regular_file(status) && mayBePicture(entry->path())) listing.files.push_back(entry->path());
    else ++listing.others;
  }
  if (error)
    throw Error(Error::Kind::File, folder.string(), "cannot be read (" + error.message() + ")",
                "Check its permissions");
  std::sort(listing.folders.begin(), listing.folders.end());
  std::sort(listing.files.begin(), listing.files.end());
  return listing;
}

bool isPart(const Path& folder, std::initializer_list<const char*> names) {
  const std::string name = lowered(folder.filename().string());
  return std::find(names.begin(), names.end(), name) != names.end();
}

struct Parts {
  Path train, test, unread;  ///< the last is a third part, which there is no use for
};

/// The folders that hold the classes. A folder with nothing but one folder in it is looked into, as archives make them.
Parts partsOf(Path root) {
  for (int depth = 0; depth < kMostDepth; ++depth) {
    const Listing listing = listingOf(root, kMostFiles);
    Parts parts;
    Path validation;
    for (const Path& folder : listing.folders) {
      if (isPart(folder, {"train", "training"})) parts.train = folder;
      else if (isPart(folder, {"test", "testing"})) parts.test = folder;
      else if (isPart(folder, {"val", "valid", "validation"})) validation = folder;
    }
    if (!parts.train.empty()) {
      (parts.test.empty() ? parts.test : parts.unread) = validation;
      return parts;
    }
    if (listing.folders.size() != 1 || !listing.files.empty()) break;
    const Listing inner = listingOf(listing.folders.front(), kGlance);
    if (inner.folders.empty() || !inner.files.empty()) break;
    root = listing.folders.front();
  }
  return {root, {}, {}};
}

struct Entry {
  Path path;
  std::string className;
};

struct Scan {
  std::vector<Entry> entries;
  std::size_t links = 0, others = 0;
  std::vector<std::string> empty;  ///< folders of classes without pictures
};

void scanClass(const Path& folder, const std::string& name, int depth, Scan& scan) {
  const Listing listing = listingOf(folder);
  scan.links += listing.links;
  scan.others += listing.others;
  if (scan.entries.size() + listing.files.size() > kMostFiles)
    refuseData(folder, "holds more than " + grouped(kMostFiles) + " files with those before it", "Use fewer pictures.");
  for (const Path& file : listing.files) scan.entries.push_back({file, name});
  for (const Path& inner : listing.folders)
    if (depth < kMostDepth) scanClass(inner, name, depth + 1, scan);
}

Scan scanPart(const Path& folder) {
  Scan scan;
  if (folder.empty()) return scan;
  const Listing listing = listingOf(folder);
  scan.links = listing.links;
  scan.others = listing.others + listing.files.size();  // a picture beside the classes belongs to none
  for (const Path& each : listing.folders) {
    const std::size_t before = scan.entries.size();
    scanClass(each, each.filename().string(), 1, scan);
    if (scan.entries.size() == before) scan.empty.push_back(each.filename().string());
  }
  return scan;
}

/// Calls work(i) for 0 to count - 1 on all processors; `progress` is told by the calling thread alone. What `work`
/// throws ends it.
template <class Work>
void inParallel(std::size_t count, const ReadProgress& progress, const std::string& what, Work work) {
  std::atomic<std::size_t> next = 0;
  std::exception_ptr failure;
  std::mutex mutex;
  const auto drain = [&](bool telling) {
    try {
      for (std::size_t i = next++; i < count; i = next++) {
        work(i);
        if (telling) tell(progress, what, double(i) / double(count));
      }
    } catch (...) {
      next = count;
      const std::lock_guard lock(mutex);
      if (!failure) failure = std::current_exception();
    }
  };
  {
    std::vector<std::jthread> others;
    for (unsigned i = 1; i < std::thread::hardware_concurrency() && i < count; ++i)
      others.emplace_back([&] { drain(false); });
    drain(true);
  }
  if (failure) std::rethrow_exception(failure);
}

struct Size {
  int height = 0, width = 0;
  auto operator<=>(const Size&) const = default;
};

/// The size that most of the pictures have, shrunk to what is read unasked; a square of a middling side where nearly
/// all differ.
Size commonSize(const std::vector<Entry>& entries, const ReadProgress& progress) {
  const std::size_t looks = std::min(entries.size(), kSurveyed);
  std::vector<Size> sizes(looks);
  inParallel(looks, progress, "Looking at the sizes of the pictures", [&](std::size_t i) {
    try {
      const Picture picture = readPicture(entries[i * entries.size() / looks].path).picture;
      sizes[i] = {picture.height, picture.width};
    } catch (const Error&) {  // told when all are read
    }
  });
  std::erase(sizes, Size());
  if (sizes.empty()) return {kLargestUnasked, kLargestUnasked};
  std::map<Size, std::size_t> counts;
  for (const Size& size : sizes) ++counts[size];
  const auto most =
      std::max_element(counts.begin(), counts.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
  Size size = most->first;
  if (double(most->second) < kCommon * double(sizes.size())) {
    std::vector<int> sides;
    for (const Size& each : sizes) sides.push_back(std::min(each.height, each.width));
    std::nth_element(sides.begin(), sides.begin() + std::ptrdiff_t(sides.size() / 2), sides.end());
    size.height = size.width = sides[sides.size() / 2];
  }
  if (const int longer = std::max(size.height, size.width); longer > kLargestUnasked) {
    size.height = std::max(1, size.height * kLargestUnasked / longer);
    size.width = std::max(1, size.width * kLargestUnasked / longer);
  }
  return size;
}

/// The pictures of one part in one size, in colour.
struct Decoded {
  std::vector<std::uint8_t> pixels;   ///< [N,H,W,3]
  std::vector<std::string> names;     ///< of the classes
  std::vector<std::string> problems;  ///< of files that are left out
  std::vector<std::string> remarks;   ///< of files that are read in part
  std::size_t fitted = 0;             ///< had another size
  bool grey = true;
};

std::string shownFile(const Path& path) {
  return printable((path.parent_path().filename() / path.filename()).string());
}

/// "what is wrong" out of "path: What is wrong. A way out."
std::string reasonOf(const Error& error, const Path& path) {
  std::string text = error.what();
  if (const auto at = text.find(": "); text.starts_with(path.string().substr(0, 1)) && at != std::string::npos)
    text = text.substr(at + 2);
  return text.substr(0, text.find(". "));
}

Decoded decode(const std::vector<Entry>& entries, const Size& size, Fit fit, const Path& root,
               const ReadProgress& progress, const std::string& what) {
  Decoded decoded;
  const auto each = static_cast<std::size_t>(size.height) * static_cast<std::size_t>(size.width) * 3;
  checkRoom(entries.size(), each, 1, root);
  decoded.pixels.resize(entries.size() * each);
  std::vector<std::string> problems(entries.size()), remarks(entries.size());
  std::atomic<std::size_t> fitted = 0;
  std::atomic<bool> grey = true;
  inParallel(entries.size(), progress, what, [&](std::size_t i) {
    try {
      PictureFile file = readPicture(entries[i].path);
      remarks[i] = file.remark;
      if (file.picture.height != size.height || file.picture.width != size.width) ++fitted;
      const Picture picture = fitPicture(file.picture, size.height, size.width, fit);
      bool isGrey = true;
      for (std::size_t p = 0; p < picture.pixels.size(); p += 3)
        isGrey = isGrey && picture.pixels[p] == picture.pixels[p + 1] && picture.pixels[p] == picture.pixels[p + 2];
      if (!isGrey) grey = false;
      std::copy(picture.pixels.begin(), picture.pixels.end(), decoded.pixels.begin() + std::ptrdiff_t(i * each));
    } catch (const Error& error) {
      problems[i] = reasonOf(error, entries[i].path);
    }
  });
  std::size_t kept = 0;
  for (std::size_t i = 0; i < entries.size(); ++i) {
    if (!problems[i].empty()) {
      decoded.problems.push_back(shownFile(entries[i].path) + " (" + problems[i] + ")");
      continue;
    }
    if (!remarks[i].empty()) decoded.remarks.push_back(shownFile(entries[i].path) + " (" + remarks[i] + ")");
    if (kept != i)
      std::copy_n(decoded.pixels.begin() + std::ptrdiff_t(i * each), each,
                  decoded.pixels.begin() + std::ptrdiff_t(kept * each));
    decoded.names.push_back(entries[i].className);
    ++kept;
  }
  decoded.pixels.resize(kept * each);
  decoded.fitted = fitted;
  decoded.grey = grey;
  return decoded;
}

std::string firstOf(const std::vector<std::string>& all) {
  std::string text;
  for (std::size_t i = 0; i < std::min(all.size(), kMostNamed); ++i) text += (i ? ", " : "") + all[i];
  return text + (all.size() > kMostNamed ? ", ..." : "");
}

void addSentences(Dataset& dataset, const Decoded& train, const Decoded& test, const Scan& scan, const Scan& testScan,
                  const Size& size, const std::string& fit) {
  const auto join = [](std::vector<std::string> a, const std::vector<std::string>& b) {
    a.insert(a.end(), b.begin(), b.end());
    return a;
  };
  const auto number = [](std::size_t count, const char* noun) {
    return counted(static_cast<std::int64_t>(count), noun);
  };
  const auto wasOr = [](std::size_t count) { return count == 1 ? std::string(" was ") : std::string(" were "); };
  if (const std::size_t fitted = train.fitted + test.fitted; fitted > 0) {
    const std::string done = fit == "crop" ? "cropped" : fit == "pad" ? "padded" : "resized";
    dataset.understood.push_back(number(fitted, "picture") + " of another size" + wasOr(fitted) + done + " to " +
                                 std::to_string(size.height) + " × " + std::to_string(size.width) + ".");
  }
  if (const auto bad = join(train.problems, test.problems); !bad.empty())
    dataset.warnings.push_back(number(bad.size(), "file") + " could not be read and" + wasOr(bad.size()) +
                               "left out: " + firstOf(bad) + ".");
  if (const auto part = join(train.remarks, test.remarks); !part.empty())
    dataset.warnings.push_back(number(part.size(), "picture") + wasOr(part.size()) + "read in part: " + firstOf(part) +
                               ".");
  if (const std::size_t links = scan.links + testScan.links; links > 0)
    dataset.warnings.push_back(number(links, "link") + wasOr(links) + "passed over: a link may lead anywhere.");
  if (const std::size_t others = scan.others + testScan.others; others > 0)
    dataset.understood.push_back(number(others, "file") + " that" + (others == 1 ? " is" : " are") +
                                 " no picture of a class" + wasOr(others) + "passed over.");
  if (const auto empty = join(scan.empty, testScan.empty); !empty.empty())
    dataset.warnings.push_back(number(empty.size(), "folder") + (empty.size() == 1 ? " holds" : " hold") +
                               " no pictures and make" + (empty.size() == 1 ? "s" : "") +
                               " no class: " + firstOf(empty) + ".");
}

void take(Samples& samples, Decoded& decoded, bool grey) {
  samples.count = static_cast<int>(decoded.names.size());
  if (!grey) {
    samples.pixels = std::move(decoded.pixels);
    return;
  }
  samples.pixels.reserve(decoded.pixels.size() / 3);
  for (std::size_t p = 0; p < decoded.pixels.size(); p += 3)  // as toGrey(), which leaves grey as it is
    samples.pixels.push_back(static_cast<std::uint8_t>(
        (decoded.pixels[p] * 299 + decoded.pixels[p + 1] * 587 + decoded.pixels[p + 2] * 114 + 500) / 1000));
  decoded.pixels = {};
}

std::shared_ptr<Dataset> read(const Path& path, const Reading& reading, const ReadProgress& progress) {
  tell(progress, "Looking through the folders", -1);
  const Parts parts = partsOf(path);
  const Scan train = scanPart(parts.train), test = scanPart(parts.test);
  if (train.entries.empty())
    refuseData(parts.train, "holds no pictures in folders of their classes",
               "Make a folder for each class and put its PNG, JPEG, GIF, BMP, WebP or TIFF files into it.");
  const Pair asked = reading.fields.pair("size");
  const Size size = asked.h > 0 && asked.w > 0 ? Size{asked.h, asked.w} : commonSize(train.entries, progress);
  const std::string &fitName = reading.fields.text("fit"), &colour = reading.fields.text("colour");
  const Fit fit = fitName == "crop" ? Fit::Crop : fitName == "pad" ? Fit::Pad : Fit::Resize;
  Decoded trained = decode(train.entries, size, fit, parts.train, progress, "Reading the training pictures"),
          tested = decode(test.entries, size, fit, parts.train, progress, "Reading the test pictures");
  if (trained.names.empty())
    refuseData(parts.train, "holds no picture that can be read: " + firstOf(trained.problems),
               "Save the pictures as PNG or JPEG.");
  auto dataset = std::make_shared<Dataset>();
  dataset->title = titleOf(path);
  dataset->origin = path.string();
  const bool grey = colour == "grey" || (colour == "auto" && trained.grey && tested.grey);
  dataset->shape = Shape::image(size.height, size.width, grey ? 1 : 3);
  addSentences(*dataset, trained, tested, train, test, size, fitName);
  if (!parts.unread.empty())
    dataset->understood.push_back("The folder " + inQuotes(parts.unread.filename().string()) +
                                  " was passed over: the test set is what a net is tested on.");
  takeClasses(*dataset, std::span<const std::string>(trained.names), std::span<const std::string>(tested.names), path);
  take(dataset->train, trained, grey);
  take(dataset->test, tested, grey);
  return dataset;
}

/// A picture in one of the first folders, or in one of theirs.
bool holdsPicture(const Path& folder, int depth) {
  const Listing listing = listingOf(folder, kGlance * kGlance);
  for (std::size_t i = 0; i < std::min(listing.files.size(), kGlance); ++i) {
    try {
      if (looksLikePicture(RegularFile(listing.files[i]).read(kGlance))) return true;
    } catch (const Error&) {  // then another
    }
  }
  for (std::size_t i = 0; depth > 0 && i < std::min(listing.folders.size(), kGlance); ++i)
    if (holdsPicture(listing.folders[i], depth - 1)) return true;
  return false;
}

bool recognises(const Path& path) {
  std::error_code ignored;
  if (!fs::is_directory(path, ignored)) return false;
  try {
    const Listing listing = listingOf(path, kGlance * kGlance);
    return std::any_of(listing.folders.begin(), listing.folders.end(),
                       [](const Path& folder) { return holdsPicture(folder, kMostDepth - 1); });
  } catch (const Error&) {
    return false;
  }
}

}  // namespace

const ReaderDef& imageFolderReader() {
  static const ReaderDef def{"image_folder", "folders of pictures",
                             "A folder for each class with PNG, JPEG, GIF, BMP, WebP or TIFF files, in folders called "
                             "train and test or not. All pictures get one size.",
                             recognises, read};
  return def;
}

}  // namespace strata
