// SPDX-License-Identifier: GPL-3.0-or-later
// strata-studio [FILE]: opens the file, or the last one, or the lesson.
#include <QApplication>
#include <QCommandLineParser>
#include <QFile>
#include <QSettings>

#include "gui/main_window.h"

using namespace strata::gui;

int main(int argc, char** argv) {
  QApplication app(argc, argv);
  QCoreApplication::setOrganizationName("strata");
  QCoreApplication::setApplicationName("strata-studio");
  QCoreApplication::setApplicationVersion(STRATA_VERSION);
  QGuiApplication::setApplicationDisplayName("Strata");
  QCommandLineParser parser;
  parser.setApplicationDescription(QCoreApplication::translate("main", "Build, train and understand neural networks."));
  parser.addHelpOption();
  parser.addVersionOption();
  parser.addPositionalArgument("file", QCoreApplication::translate("main", "A project to open."), "[file]");
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
  if (!files.isEmpty()) window.openFile(files.front());
  else if (!last.isEmpty() && QFile::exists(last)) window.openFile(last);
  window.show();
  return QApplication::exec();
}
