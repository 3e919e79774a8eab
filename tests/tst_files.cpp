// SPDX-License-Identifier: GPL-3.0-or-later
// Reading files that are not what they seem, and replacing files without ever losing the old one.
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <QTest>
#include <csignal>
#include <cstdlib>
#include <functional>

#include "test_files.h"

using namespace strata;

class TestFiles : public QObject {
  Q_OBJECT
 private slots:
  void readsWhole();
  void refusesWhatIsNoFile_data();
  void refusesWhatIsNoFile();
  void whatCannotBeLookedAtIsToldInWords();
  void refusesTooLarge();
  void replaces();
  void keepsModeAndLink();
  void aFailedReplaceKeepsTheOldFile();
  void refusesToReplaceWhatIsNoFile();
  void readerStaysInBounds();
  void productsDoNotWrap_data();
  void productsDoNotWrap();
  void userDataFollowTheEnvironment();
};

void TestFiles::readsWhole() {
  const ScratchFolder folder;
  const std::string content("a\0b\n", 4);
  writeText(folder / "file", content);
  QCOMPARE(readFile(folder / "file", 4), content);
}

void TestFiles::refusesWhatIsNoFile_data() {
  QTest::addColumn<QString>("kind");
  QTest::addColumn<QString>("says");
  QTest::newRow("absent") << "absent"
                          << "there is no such file";
  QTest::newRow("folder") << "folder"
                          << "is a folder";
  QTest::newRow("pipe") << "pipe"
                        << "is not a regular file";  // a plain open would wait for a writer for ever
  QTest::newRow("link in a circle") << "circle"
                                    << "cannot open the file";
  QTest::newRow("device") << "device"
                          << "is not a regular file";
  QTest::newRow("socket") << "socket"
                          << "is not a regular file";
}

void TestFiles::refusesWhatIsNoFile() {
  QFETCH(QString, kind);
  QFETCH(QString, says);
  const ScratchFolder folder;
  Path path = folder / "it";
  if (kind == "folder") std::filesystem::create_directory(path);
  if (kind == "pipe") QCOMPARE(::mkfifo(path.c_str(), 0600), 0);
  if (kind == "circle") std::filesystem::create_symlink(path, path);
  if (kind == "device") path = "/dev/zero";
  if (kind == "socket") {
    sockaddr_un address{AF_UNIX, {}};
    path.string().copy(address.sun_path, sizeof address.sun_path - 1);
    const int socket = ::socket(AF_UNIX, SOCK_STREAM, 0);
    QCOMPARE(::bind(socket, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    ::close(socket);
  }
  const QString message = refusedWith(Error::Kind::File, [&] { readFile(path, 100); });
  QVERIFY2(message.contains(says), qPrintable(message));
}

/// A loop of links and a folder that may not be entered: one sentence with the system's reason, whatever is asked.
void TestFiles::whatCannotBeLookedAtIsToldInWords() {
  const ScratchFolder folder;
  const Path loop = folder / "loop";
  std::filesystem::create_symlink("loop", loop);
  const std::vector<std::function<void()>> calls{[&] { somethingAt(loop); }, [&] { folderAt(loop); },
                                                 [&] { entriesOf(loop); }, [&] { RegularFile file(loop); },
                                                 [&] { durableReplace(loop, "x"); }};
  for (const auto& call : calls) {
    const QString message = refusedWith(Error::Kind::File, call);
    QVERIFY2(message.startsWith(QString::fromStdString(loop.string()) + ": ") && message.contains("levels of symbolic"),
             qPrintable(message));
  }
  QVERIFY(!somethingAt(folder / "absent") && !folderAt(folder / "absent") && entriesOf(folder / "absent").empty());
  writeText(folder / "file", "x");
  QVERIFY(somethingAt(folder / "file") && !folderAt(folder / "file") && !somethingAt(folder / "file/below"));
  QVERIFY(folderAt(folder.path()));
  QCOMPARE(entriesOf(folder.path()).size(), std::size_t{2});
  QVERIFY(refusedWith(Error::Kind::File, [&] { entriesOf(folder / "file"); }).contains("cannot read the folder"));
}

void TestFiles::refusesTooLarge() {
  const ScratchFolder folder;
  writeText(folder / "file", "12345");
  const QString message = refusedWith(Error::Kind::Input, [&] { readFile(folder / "file", 4); });
  QVERIFY2(message.contains("holds 5 bytes, at most 4"), qPrintable(message));
}

void TestFiles::replaces() {
  const ScratchFolder folder;
  durableReplace(folder / "file", "old");
  durableReplace(folder / "file", "new and longer");
  QCOMPARE(readText(folder / "file"), std::string("new and longer"));
  QCOMPARE(std::distance(std::filesystem::directory_iterator(folder.path()), {}), 1);  // no temporary is left
}

void TestFiles::keepsModeAndLink() {
  const ScratchFolder folder;
  writeText(folder / "file", "old");
  ::chmod((folder / "file").c_str(), 0640);
  std::filesystem::create_symlink(folder / "file", folder / "link");
  durableReplace(folder / "link", "new");
  QVERIFY(std::filesystem::is_symlink(folder / "link"));
  QCOMPARE(readText(folder / "file"), std::string("new"));
  struct stat status {};
  QCOMPARE(::stat((folder / "file").c_str(), &status), 0);
  QCOMPARE(status.st_mode & 0777u, 0640u);
}

void TestFiles::aFailedReplaceKeepsTheOldFile() {
  const ScratchFolder folder;
  durableReplace(folder / "file", "old");
  // As on a full disk: no file may grow beyond 1000 bytes.
  std::signal(SIGXFSZ, SIG_IGN);
  rlimit before{};
  getrlimit(RLIMIT_FSIZE, &before);
  const rlimit small{1000, before.rlim_max};
  setrlimit(RLIMIT_FSIZE, &small);
  const QString message =
      refusedWith(Error::Kind::File, [&] { durableReplace(folder / "file", std::string(5000, 'x')); });
  setrlimit(RLIMIT_FSIZE, &before);
  QVERIFY2(message.contains("cannot write the file"), qPrintable(message));
  QCOMPARE(readText(folder / "file"), std::string("old"));
  QCOMPARE(std::distance(std::filesystem::directory_iterator(folder.path()), {}), 1);
}

void TestFiles::refusesToReplaceWhatIsNoFile() {
  const ScratchFolder folder;
  std::filesystem::create_directory(folder / "sub");
  QVERIFY(refusedWith(Error::Kind::File, [&] { durableReplace(folder / "sub", "x"); }).contains("not a regular file"));
  QVERIFY(refusedWith(Error::Kind::File, [&] {
            durableReplace(folder / "nowhere/file", "x");
          }).contains("cannot create the file"));
}

void TestFiles::readerStaysInBounds() {
  const unsigned char bytes[] = {1, 0, 0, 0, 2, 3, 0, 0, 0, 0, 0, 0, 0};
  Reader reader(bytes, "bytes");
  QCOMPARE(reader.u8(), std::uint8_t{1});
  QCOMPARE(reader.u32be(), 2u);
  QCOMPARE(reader.u64le(), std::uint64_t{3});
  QCOMPARE(reader.remaining(), std::uint64_t{0});
  const QString message = refusedWith(Error::Kind::Input, [&] { reader.take(UINT64_MAX); });
  QVERIFY2(message.contains("needed at offset 13, 0 are left"), qPrintable(message));
  QCOMPARE(reader.offset(), std::uint64_t{13});
}

void TestFiles::productsDoNotWrap_data() {
  QTest::addColumn<quint64>("a");
  QTest::addColumn<quint64>("b");
  const quint64 sizes[] = {0,          1,          (1ull << 31) - 1, 1ull << 31, (1ull << 32) - 1,
                           1ull << 32, 1ull << 62, 1ull << 63,       ~0ull};
  for (const quint64 a : sizes)
    for (const quint64 b : sizes) QTest::addRow("%llu x %llu", a, b) << a << b;
}

void TestFiles::productsDoNotWrap() {
  QFETCH(quint64, a);
  QFETCH(quint64, b);
  quint64 product = 0;
  if (!__builtin_mul_overflow(a, b, &product)) {
    QCOMPARE(checkedMul(a, b, "size"), product);
    return;
  }
  const QString message = refusedWith(Error::Kind::Input, [&] { checkedMul(a, b, "size"); });
  QVERIFY2(message.contains("is too large"), qPrintable(message));
}

void TestFiles::userDataFollowTheEnvironment() {
  qputenv("XDG_DATA_HOME", "/elsewhere");
  QCOMPARE(userDataDir(), Path("/elsewhere/strata"));
  qputenv("XDG_DATA_HOME", "relative");  // to be ignored, says the specification
  qputenv("HOME", "/home/somebody");
  QCOMPARE(userDataDir(), Path("/home/somebody/.local/share/strata"));
  qunsetenv("XDG_CACHE_HOME");
  QCOMPARE(userCacheDir(), Path("/home/somebody/.cache/strata"));
  qputenv("XDG_CACHE_HOME", "/elsewhere");
  QCOMPARE(userCacheDir(), Path("/elsewhere/strata"));
  qunsetenv("HOME");
  QVERIFY(refusedWith(Error::Kind::File, [] { userDataDir(); }).contains("is not set"));
}

QTEST_APPLESS_MAIN(TestFiles)
#include "tst_files.moc"
