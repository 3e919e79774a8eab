// SPDX-License-Identifier: GPL-3.0-or-later
// Bringing a data set, from mirrors made here: all four files verified, or nothing; zip archives; what pip answers.
#include <QSemaphore>
#include <QTcpServer>
#include <QTcpSocket>
#include <QTemporaryDir>
#include <QThread>
#include <map>

#include "data_files.h"
#include "datasets/fetch/download.h"
#include "datasets/fetch/fetch.h"
#include "datasets/readers/idx_names.h"
#include "datasets/readers/inflate.h"
#include "datasets/readers/zip.h"

using namespace strata;
namespace fs = std::filesystem;

namespace {

/// Answers HTTP on this computer alone, on a thread of its own. What it does not have is 404; "stall" gets half an
/// answer and no more.
class Server : public QThread {
 public:
  explicit Server(std::map<std::string, std::string> files) : m_files(std::move(files)) {
    start();
    m_ready.acquire();
  }
  ~Server() override {
    quit();
    wait();
  }
  std::string address() const { return "http://127.0.0.1:" + std::to_string(m_port) + "/"; }

 protected:
  void run() override {
    QTcpServer server;
    server.listen(QHostAddress::LocalHost);
    m_port = server.serverPort();
    QObject::connect(&server, &QTcpServer::newConnection, &server, [&] {
      QTcpSocket* socket = server.nextPendingConnection();
      QObject::connect(socket, &QTcpSocket::readyRead, socket, [this, socket] { answer(*socket); });
    });
    m_ready.release();
    exec();
  }

 private:
  void answer(QTcpSocket& socket) const {
    const std::string path = socket.readAll().split(' ').value(1).mid(1).toStdString();
    if (path.ends_with("stall")) {
      socket.write("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nhalf");
      return;
    }
    const auto file = m_files.find(path);
    const bool found = file != m_files.end();
    const std::string body = found ? file->second : "";
    socket.write(QByteArray::fromStdString(std::string("HTTP/1.1 ") + (found ? "200 OK" : "404 Not Found") +
                                           "\r\nConnection: close\r\nContent-Length: " + std::to_string(body.size()) +
                                           "\r\n\r\n" + body));
    socket.disconnectFromHost();
  }
  const std::map<std::string, std::string> m_files;
  QSemaphore m_ready;
  int m_port = 0;
};

/// The four small files' contents, by name.
std::map<std::string, std::string> contents() {
  return {{kIdxNames[0], idxFile(20, 4)},
          {kIdxNames[1], idxFile(20, 0)},
          {kIdxNames[2], idxFile(10, 4)},
          {kIdxNames[3], idxFile(10, 0)}};
}

std::map<std::string, std::string> packedContents() {
  std::map<std::string, std::string> files;
  for (const auto& [name, content] : contents()) files[name + ".gz"] = packed(content);
  return files;
}

/// A program of that name in `folder`, in front of all others, for as long as this lives.
class FakeProgram {
 public:
  FakeProgram(const Path& folder, const std::string& name, const std::string& script) : m_path(qgetenv("PATH")) {
    writeBytes(folder / name, "#!/bin/sh\n" + script + "\n");
    fs::permissions(folder / name, fs::perms::owner_all);
    qputenv("PATH", QByteArray::fromStdString(folder.string()) + ":" + m_path);
  }
  ~FakeProgram() { qputenv("PATH", m_path); }

 private:
  QByteArray m_path;
};

}  // namespace

class TestFetch : public QObject {
  Q_OBJECT

 private slots:
  void init() { m_folder = std::make_unique<QTemporaryDir>(); }
  void bringsAllFiles();
  void keepsWhatIsPublishedPacked();
  void takesFilesOutOfAnArchive();
  void goesOnToTheNextMirror();
  void leavesNothingBehind_data();
  void leavesNothingBehind();
  void canBeCancelledAnywhere();
  void canBeCancelledWhenStalled();
  void keepsWhatWasThere();
  void cleansUpAfterAKill();
  void verifiesWhatIsThere();
  void refusesUnknownOnes();
  void saysWhyItFailed();
  void saysWhatBringsCertificates();
  void unpacksWheels_data();
  void unpacksWheels();
  void refusesBadZips_data();
  void refusesBadZips();
  void findsTheWheelsAddress();
  void asksPip_data();
  void asksPip();
  void stopsAskingPip();
  void hashes();

 private:
  Path root() const { return m_folder->path().toStdString(); }
  Path into() const { return root() / "into"; }
  CatalogueEntry entry(const std::vector<std::string>& mirrors) const {
    CatalogueEntry entry;
    entry.id = "small";
    entry.title = "Small";
    entry.mirrors = mirrors;
    for (const char* name : kIdxNames) {
      const std::string content = contents()[name];
      entry.files.push_back({name, content.size(), sha256Hex(asBytes(content))});
    }
    return entry;
  }
  /// What lies in the folder that is fetched into, hidden files included.
  QStringList present() const {
    return QDir(QString::fromStdString(into().string()))
        .entryList(QDir::AllEntries | QDir::Hidden | QDir::NoDotAndDotDot);
  }
  std::unique_ptr<QTemporaryDir> m_folder;
};

void TestFetch::bringsAllFiles() {
  const Server server(packedContents());
  QStringList said;
  double last = -1;
  const Path folder = fetchFiles(entry({server.address()}), into(), [&](const std::string& what, double fraction) {
    if (said.isEmpty() || said.back() != QString::fromStdString(what)) said << QString::fromStdString(what);
    if (fraction < last || fraction > 1) said << "backwards";
    last = fraction;
    return true;
  });
  QCOMPARE(folder, into() / "small");
  QCOMPARE(present(), QStringList("small"));
  for (const auto& [name, content] : contents()) QCOMPARE(readFile(folder / name, 10000), content);
  QCOMPARE(said.size(), 4);
  QCOMPARE(said[0], "Downloading train-images-idx3-ubyte.gz from " +
                        QString::fromStdString(server.address().substr(7)).chopped(1));
  QCOMPARE(differenceFrom(entry({}), folder), std::string());
}

// What is published under a packed name is kept and verified as it comes.
void TestFetch::keepsWhatIsPublishedPacked() {
  const std::string archive = packed("an archive"), other = packed("another one");
  CatalogueEntry packedEntry;
  packedEntry.id = "packed";
  packedEntry.files = {{"all.tar.gz", archive.size(), sha256Hex(asBytes(archive))}};
  for (const std::string& served : {other, archive}) {
    const Server server({{"all.tar.gz", served}});
    packedEntry.mirrors = {server.address()};
    if (served == other) {
      const QString sentence = refusal(Error::Kind::File, [&] { fetchFiles(packedEntry, into(), nullptr); });
      QVERIFY2(sentence.contains("SHA-256 differs") && sentence.contains("put its 1 file into"), qPrintable(sentence));
      continue;
    }
    const Path folder = fetchFiles(packedEntry, into(), nullptr);
    QCOMPARE(readFile(folder / "all.tar.gz", 10000), archive);
    QCOMPARE(differenceFrom(packedEntry, folder), std::string());
    writeBytes(folder / "all.tar.gz", other);
    QVERIFY(!differenceFrom(packedEntry, folder).empty());
  }
}

// The files of some data sets come in a zip whose hash alone is published.
void TestFetch::takesFilesOutOfAnArchive() {
  CatalogueEntry archived;
  archived.id = "archived";
  for (const char* name : {"a-images.gz", "a-labels.gz"}) archived.files.push_back({name, 0, ""});
  const std::string good =
      zipFile({{"gzip/a-images.gz", packed(idxFile(9, 3))}, {"gzip/a-labels.gz", packed(idxFile(9, 0))}}, false);
  const std::string less = zipFile({{"gzip/a-images.gz", packed(idxFile(9, 3))}}, true);
  const auto served = [&](const std::string& zip, const std::string& published) {
    const Server server({{"all.zip", zip}});
    archived.mirrors = {server.address()};
    archived.archive = {"all.zip", published.size(), sha256Hex(asBytes(published))};
    return refusal(Error::Kind::File, [&] { fetchFiles(archived, into(), nullptr); });
  };
  QVERIFY(served(less, less).contains("does not hold a-labels.gz"));
  QVERIFY(served(good.substr(0, good.size() - 1) + "x", good).contains("SHA-256 differs"));
  QCOMPARE(present(), QStringList());
  QCOMPARE(served(good, good), QString());
  const Path folder = into() / "archived";
  QCOMPARE(readFile(folder / "a-labels.gz", 10000), packed(idxFile(9, 0)));
  QCOMPARE(differenceFrom(archived, folder), std::string());
  writeBytes(folder / "a-labels.gz", packed(idxFile(9, 0)).substr(0, 20));
  QVERIFY(!differenceFrom(archived, folder).empty());
}

void TestFetch::goesOnToTheNextMirror() {
  auto half = packedContents(), wrong = packedContents();
  half.erase("t10k-images-idx3-ubyte.gz");
  wrong["train-images-idx3-ubyte.gz"] = packed(idxFile(20, 4) + "x");
  const Server first(half), second(wrong);
  // The second mirror's damaged file is not asked for: the first one had it.
  const Path folder = fetchFiles(entry({"http://127.0.0.1:1/", first.address(), second.address()}), into(), nullptr);
  QCOMPARE(differenceFrom(entry({}), folder), std::string());
}

void TestFetch::leavesNothingBehind_data() {
  QTest::addColumn<QString>("file");
  QTest::addColumn<QByteArray>("bytes");
  QTest::addColumn<QString>("reason");
  std::string flipped = contents()[kIdxNames[0]];
  flipped[100] ^= 1;
  const auto row = [](const char* name, const char* file, const std::string& bytes, const char* reason) {
    QTest::newRow(name) << file << QByteArray::fromStdString(bytes) << reason;
  };
  row("one bit differs", "train-images-idx3-ubyte.gz", packed(flipped), "SHA-256 differs");
  row("another file", "t10k-labels-idx1-ubyte.gz", packed(idxFile(20, 0)), "holds more than the 18 bytes");
  row("too short", "t10k-labels-idx1-ubyte.gz", packed("x"), "holds 1 bytes, needed 18");
  row("cut off", "t10k-images-idx3-ubyte.gz", packed(idxFile(10, 4)).substr(0, 40), "ends in the middle");
  row("no gzip", "t10k-images-idx3-ubyte.gz", "<html>log in to the network first</html>", "damaged compressed data");
  row("far too large", "train-labels-idx1-ubyte.gz", std::string(200000, 'x'), "sent more than");
}

void TestFetch::leavesNothingBehind() {
  QFETCH(QString, file);
  QFETCH(QByteArray, bytes);
  QFETCH(QString, reason);
  auto files = packedContents();
  files[file.toStdString()] = bytes.toStdString();
  const Server server(files);
  const QString sentence = refusal(Error::Kind::File, [&] { fetchFiles(entry({server.address()}), into(), nullptr); });
  QVERIFY2(sentence.contains(reason), qPrintable(sentence));
  QCOMPARE(present(), QStringList());
  // Trying again is all it takes.
  const Server good(packedContents());
  QCOMPARE(fetchFiles(entry({good.address()}), into(), nullptr), into() / "small");
}

void TestFetch::canBeCancelledAnywhere() {
  const Server server(packedContents());
  int calls = 0;
  fetchFiles(entry({server.address()}), into(), [&](const std::string&, double) { return ++calls > 0; });
  QVERIFY(calls >= 4);
  fs::remove_all(into());
  for (const int stopAt : {1, 2, calls / 2}) {
    int left = stopAt;
    QVERIFY_THROWS_EXCEPTION(Cancelled, fetchFiles(entry({server.address()}), into(),
                                                   [&](const std::string&, double) { return --left > 0; }));
    QCOMPARE(present(), QStringList());
  }
}

void TestFetch::canBeCancelledWhenStalled() {
  const Server server({});
  bool half = false;
  QVERIFY_THROWS_EXCEPTION(Cancelled,
                           download(server.address() + "stall", 10000,
                                    [&](std::uint64_t done, std::uint64_t) { return !(half = half || done == 4); }));
  QVERIFY(half);
}

void TestFetch::keepsWhatWasThere() {
  const Server server(packedContents());
  for (const char* kept : {"small.replaced", "small.replaced-2"}) {
    writeDataset(into() / "small", 3, 3);
    writeBytes(into() / "small/notes.txt", kept);
    fetchFiles(entry({server.address()}), into(), nullptr);
    QCOMPARE(differenceFrom(entry({}), into() / "small"), std::string());
    QCOMPARE(readFile(into() / kept / "notes.txt", 100), std::string(kept));
  }
  QCOMPARE(present(), QStringList({"small", "small.replaced", "small.replaced-2"}));
}

void TestFetch::cleansUpAfterAKill() {
  fs::create_directories(into() / ".fetching-old0");
  fs::create_directories(into() / ".fetching-new0");
  fs::create_directories(into() / "other");
  for (const char* folder : {".fetching-old0", "other"})
    fs::last_write_time(into() / folder, fs::file_time_type::clock::now() - std::chrono::hours(2));
  const Server server(packedContents());
  fetchFiles(entry({server.address()}), into(), nullptr);
  QCOMPARE(present(), QStringList({".fetching-new0", "other", "small"}));
}

void TestFetch::verifiesWhatIsThere() {
  const CatalogueEntry small = entry({});
  const Path folder = root() / "small";
  writeDataset(folder);
  QCOMPARE(differenceFrom(small, folder), std::string());
  fs::remove(folder / kIdxNames[0]);
  QVERIFY(differenceFrom(small, folder).find("has no train-images") == 0);
  writeBytes(folder / "train-images.idx3-ubyte.gz", packed(idxFile(20, 4)));
  QCOMPARE(differenceFrom(small, folder), std::string());
  writeBytes(folder / "train-images.idx3-ubyte.gz", packed(idxFile(20, 4)).substr(0, 30));
  QVERIFY(differenceFrom(small, folder).find("ends in the middle") != std::string::npos);

  // A damaged copy in a folder that is not ours to mend.
  const QByteArray before = qgetenv("STRATA_DATA_DIR");
  qputenv("STRATA_DATA_DIR", root().c_str());
  writeDataset(root() / "mnist");
  const QString sentence = refusal(Error::Kind::Input, [&] { fetchDataset("mnist", {}, nullptr); });
  before.isNull() ? qunsetenv("STRATA_DATA_DIR") : qputenv("STRATA_DATA_DIR", before);
  QVERIFY2(
      sentence.contains("/mnist: ") && sentence.contains("SHA-256 differs") && sentence.contains("Remove or rename"),
      qPrintable(sentence));
}

void TestFetch::refusesUnknownOnes() {
  QVERIFY(refusal(Error::Kind::Usage, [&] { fetchDataset("nothing", into(), nullptr); }).contains("strata data list"));
  QVERIFY(
      refusal(Error::Kind::Usage, [&] { fetchDataset("synthetic-digits", into(), nullptr); }).contains("generated"));
}

void TestFetch::saysWhyItFailed() {
  const Server server({});
  CatalogueEntry small = entry({server.address(), "http://127.0.0.1:1/", "file:///absent/"});
  small.debianPackage = "dataset-small";
  const QString sentence = refusal(Error::Kind::File, [&] { fetchFiles(small, into(), nullptr); });
  for (const char* part : {"Small: could not be fetched", "404", "127.0.0.1:1", "file:///absent",
                           "apt-get install dataset-small", "put its 4 files into"})
    QVERIFY2(sentence.contains(part), qPrintable(sentence));
  // A folder that cannot be written to is said at once, before anything is downloaded.
  writeBytes(root() / "a file", "");
  QVERIFY(
      refusal(Error::Kind::File, [&] { fetchFiles(small, root() / "a file", nullptr); }).contains("cannot be created"));
}

// A bare system trusts no server at all.
void TestFetch::saysWhatBringsCertificates() {
  const Server server({});
  std::string address = server.address();
  address.replace(0, 4, "https");
  const QByteArray before = qgetenv("CURL_CA_BUNDLE");
  qputenv("CURL_CA_BUNDLE", "/nowhere/certificates.crt");
  const QString sentence =
      refusal(Error::Kind::File, [&] { download(address, 100, [](std::uint64_t, std::uint64_t) { return true; }); });
  if (before.isNull()) qunsetenv("CURL_CA_BUNDLE");
  else qputenv("CURL_CA_BUNDLE", before);
  QVERIFY2(sentence.contains("/nowhere/certificates.crt, the package ca-certificates brings"), qPrintable(sentence));
}

void TestFetch::unpacksWheels_data() {
  QTest::addColumn<bool>("deflated");
  QTest::addColumn<bool>("gzip");
  QTest::addColumn<QString>("prefix");
  QTest::newRow("stored") << false << false << "";
  QTest::newRow("deflated, in a folder") << true << false << "top/data/";
  QTest::newRow("gzip inside") << false << true << "../../data/";
}

void TestFetch::unpacksWheels() {
  QFETCH(bool, deflated);
  QFETCH(bool, gzip);
  QFETCH(QString, prefix);
  std::vector<std::pair<std::string, std::string>> members = {
      {"__MACOSX/train-images.idx3-ubyte", "fork"}, {"top/", ""}, {"top/README", "text"}};
  for (const auto& [name, content] : contents()) {
    std::string dotted = name;
    dotted[dotted.find("-idx")] = '.';
    members.emplace_back(prefix.toStdString() + dotted + (gzip ? ".gz" : ""), gzip ? packed(content) : content);
  }
  const std::string wheel = zipFile(members, deflated);
  unpackFiles(entry({}), asBytes(wheel), "a wheel", root());
  QCOMPARE(differenceFrom(entry({}), root()), std::string());
  // The archive's own paths are not used.
  QCOMPARE(QDir(m_folder->path()).entryList(QDir::AllEntries | QDir::NoDotAndDotDot).size(), 4);

  members.pop_back();
  const std::string incomplete = zipFile(members, deflated);
  QVERIFY(refusal(Error::Kind::Input, [&] {
            unpackFiles(entry({}), asBytes(incomplete), "a wheel", root());
          }).contains("does not hold t"));
}

void TestFetch::refusesBadZips_data() {
  QTest::addColumn<QByteArray>("bytes");
  const std::string good = zipFile({{"a", "some text, some text, some text"}}, true);
  const std::size_t directory = good.find("PK\1\2");
  const auto changed = [&](std::size_t at, const std::string& bytes) {
    return QByteArray::fromStdString(std::string(good).replace(at, bytes.size(), bytes));
  };
  for (std::size_t length = 0; length < good.size(); ++length)
    QTest::addRow("cut after %d", int(length)) << QByteArray::fromStdString(good.substr(0, length));
  QTest::newRow("stray byte behind") << QByteArray::fromStdString(good + "x");
  QTest::newRow("another size") << changed(directory + 24, littleEndian(30, 4));
  QTest::newRow("4 GB") << changed(directory + 24, littleEndian(0xffffffff, 4));
  QTest::newRow("packed size outside") << changed(directory + 20, littleEndian(5000, 4));
  QTest::newRow("wrong checksum") << changed(directory + 16, littleEndian(1, 4));
  QTest::newRow("unknown method") << changed(directory + 10, littleEndian(14, 2));
  QTest::newRow("encrypted") << changed(directory + 8, littleEndian(1, 2));
  QTest::newRow("header outside") << changed(directory + 42, littleEndian(0xfffffff0, 4));
  QTest::newRow("no header there") << changed(directory + 42, littleEndian(3, 4));
  QTest::newRow("long name") << changed(directory + 28, littleEndian(0xffff, 2));
  QTest::newRow("directory outside") << changed(good.size() - 6, littleEndian(0x7fffffff, 4));
  QTest::newRow("more entries than there are") << changed(good.size() - 12, littleEndian(9, 2));
  QTest::newRow("damaged data") << changed(32, "\xff\xff");
}

void TestFetch::refusesBadZips() {
  QFETCH(QByteArray, bytes);
  const std::string zip = bytes.toStdString();
  const QString sentence = refusal(Error::Kind::Input, [&] {
    const ZipReader reader(asBytes(zip), "a zip");
    reader.read(reader.members().at(0), 10000);
  });
  QVERIFY(sentence.startsWith("a zip"));
}

void TestFetch::findsTheWheelsAddress() {
  const std::string output = "Getting page\n  Found link http://insecure/x/good-1.whl (from here)\n  Found link "
                             "https://host/a/other-1.whl (from here)\n"
                             "  Found link https://host/b/good-1.whl#sha256=00 (from here), version: 1\n  Found link "
                             "https://host/c/good-1.whl (from here)";
  QCOMPARE(findWheelLink(output, {"good-1.whl", "good-2.whl"}), std::string("https://host/b/good-1.whl"));
  QCOMPARE(findWheelLink(output, {"good-2.whl"}), std::string());
  QCOMPARE(findWheelLink("Found link https://host/good-2.whl", {"good-2.whl"}), std::string("https://host/good-2.whl"));
  QCOMPARE(findWheelLink("", {"good-1.whl"}), std::string());
}

void TestFetch::asksPip_data() {
  QTest::addColumn<QString>("script");
  QTest::addColumn<QString>("answer");
  QTest::newRow("found") << "echo \"$@\"; echo ' Found link https://host/small-1.whl (from x)' >&2; exit 1"
                         << "https://host/small-1.whl";
  QTest::newRow("no pip") << "echo '/usr/bin/python3: No module named pip' >&2; exit 1"
                          << "needs pip, which is not installed (on Debian: apt-get install python3-pip).";
  QTest::newRow("no network") << "echo 'ERROR: No matching distribution found'; exit 1"
                              << "pip does not reach it.";
}

void TestFetch::asksPip() {
  QFETCH(QString, script);
  QFETCH(QString, answer);
  const FakeProgram python(root(), "python3", script.toStdString());
  std::string got;
  const QString sentence =
      refusal(Error::Kind::File, [&] { got = wheelAddress("small", {"small-1.whl"}, [] { return true; }); });
  QCOMPARE(sentence + QString::fromStdString(got), answer);
}

void TestFetch::stopsAskingPip() {
  const FakeProgram python(root(), "python3", "exec sleep 1000");
  int left = 3;
  QVERIFY_THROWS_EXCEPTION(Cancelled, wheelAddress("small", {"small-1.whl"}, [&] { return --left > 0; }));
}

void TestFetch::hashes() {
  QCOMPARE(sha256Hex(asBytes(std::string("abc"))),
           std::string("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"));  // FIPS 180-4
}

QTEST_GUILESS_MAIN(TestFetch)
#include "tst_fetch.moc"
