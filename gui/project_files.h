// SPDX-License-Identifier: GPL-3.0-or-later
// The document and its file, as the File menu handles them: asks before anything is lost, notices what other programs
// do to the file, and offers the copies that were kept after an error.
#pragma once
#include <QObject>
#include <QTimer>

#include "gui/document.h"

namespace strata::gui {

class Banner;

class ProjectFiles : public QObject {
  Q_OBJECT
 public:
  /// `window` is what the questions stand in front of, `banner` where failures and offers are shown.
  ProjectFiles(Document& document, Banner& banner, QWidget& window);

  void create();  ///< the lesson's project
  void openWithDialog();
  void open(const QString& path);
  bool save();  ///< false: not saved, as with the next two
  bool saveAs();
  /// Asks what to do with changes that are not saved. False: the document is to stay as it is.
  bool confirmDiscard();
  /// Says once what another program has done to the file.
  void look();

  /// Something has gone wrong that no part of the studio foresaw: says so, and keeps a copy of unsaved work.
  void rescue(const QString& what);
  /// Offers what an earlier rescue() has kept, if there is anything.
  void offerKeptWork();

 signals:
  void opened();  ///< another project is in place
  void saved();

 private:
  void replace(const std::function<void()>& put);
  bool saveTo(const QString& path);
  bool saveChangedFile();
  void reload();
  void openKeptWork(const Path& file);
  void forgetKeptWork();
  QString fileName() const;  ///< without its folder
  void showError(const std::exception& error);

  Document& m_document;
  Banner& m_banner;
  QWidget& m_window;
  QTimer m_timer;  ///< looks at the file
  Document::FileState m_told = Document::FileState::Same;
  Path m_keptWork;      ///< what the document was recovered from; removed once it is saved or given up
  QString m_lastFault;  ///< what rescue() told last, and of which project
  Project m_rescued;
};

/// The lesson's project, out of the program itself.
Project lessonProject();

}  // namespace strata::gui
