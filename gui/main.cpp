// SPDX-License-Identifier: GPL-3.0-or-later
// strata-studio [FILE]: opens the file, or the last one, or the lesson.
#include <QCommandLineParser>
#include <QFile>
#include <QSettings>
#include <QSocketNotifier>

#include <sys/socket.h>
#include <unistd.h>
#include <csignal>

#include "gui/application.h"
#include "gui/main_window.h"

using namespace strata::gui;

namespace {

int signalSockets[2];  // a signal handler may do nothing but write

/// SIGINT and SIGTERM close the window as a person would: unsaved work is asked for, the training stops and is saved.
void closeOnSignals(MainWindow& window) {
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, signalSockets) != 0) return;
  auto* notifier = new QSocketNotifier(signalSockets[1], QSocketNotifier::Read, &window);
  QObject::connect(notifier, &QSocketNotifier::activated, &window, [&window] {
    char byte;
    if (read(signalSockets[1], &byte, 1) == 1) window.close();
  });
  for (const int signal : {SIGINT, SIGTERM})
    std::signal(signal, [](int) {
      const char byte = 0;
      [[maybe_unused]] const auto written = write(signalSockets[0], &byte, 1);
    });
}

}  // namespace

int main(int argc, char** argv) {
  Application app(argc, argv);
  QCoreApplication::setOrganizationName("strata");
  QCoreApplication::setApplicationName("strata-studio");
  QCoreApplication::setApplicationVersion(STRATA_VERSION);
  QGuiApplication::setApplicationDisplayName("Strata");
  QCommandLineParser parser;
  parser.setApplicationDescription(QCoreApplication::translate("main", "Build, train and understand neural networks."));
  parser.addHelpOption();
  parser.addVersionOption();
  parser.addPositionalArgument("file", QCoreApplication::translate("main", "Projects, pictures or data to open."),
                               "[file...]");
  parser.process(app);

  const QSettings settings;
  Theme theme(app);
  theme.setChoice(static_cast<ThemeChoice>(settings.value("theme").toInt()));
  Document document;
  document.reset(lessonProject(), {});
  TrainingSession session(document);
  MainWindow window(theme, document, session);
  const QStringList files = parser.positionalArguments();
  const QString last = settings.value("lastFile").toString();
  for (const QString& file : files) window.openFile(file);
  if (files.isEmpty() && !last.isEmpty() && QFile::exists(last)) window.openFile(last);
  app.setRescue([&window](const QString& what) { window.files().rescue(what); });
  window.files().offerKeptWork();
  window.show();
  closeOnSignals(window);
  const int code = QApplication::exec();
  app.setRescue({});
  return code;
}
