// SPDX-License-Identifier: GPL-3.0-or-later
#include "gui/project_files.h"

#include <QDateTime>
#include <QFile>
#include <QFileDialog>
#include <QFileInfo>
#include <QMessageBox>
#include <QPushButton>
#include <filesystem>
#include <utility>

#include "datasets/source.h"
#include "engine/base/error.h"
#include "engine/base/json.h"
#include "gui/recovery.h"
#include "gui/widgets/banner.h"
#include "gui/widgets/elided_text.h"

namespace strata::gui {
namespace {

constexpr char kFileFilter[] = "Strata (*.strata)";
constexpr int kLookMs = 3000;  ///< between two looks at the file

}  // namespace

ProjectFiles::ProjectFiles(Document& document, Banner& banner, QWidget& window)
    : QObject(&window), m_document(document), m_banner(banner), m_window(window) {
  connect(&m_document, &Document::pathChanged, this, [this] { m_told = Document::FileState::Same; });
  connect(&m_timer, &QTimer::timeout, this, &ProjectFiles::look);
  m_timer.start(kLookMs);
}

void ProjectFiles::create() {
  if (confirmDiscard()) replace([this] { m_document.reset(lessonProject(), {}); });
}

void ProjectFiles::openWithDialog() {
  const QString path =
      QFileDialog::getOpenFileName(&m_window, tr("Open a project"), QFileInfo(m_document.path()).path(), kFileFilter);
  if (!path.isEmpty()) open(path);
}

void ProjectFiles::open(const QString& path) {
  if (confirmDiscard()) replace([&] { m_document.open(path); });
}

void ProjectFiles::replace(const std::function<void()>& put) {
  try {
    put();
  } catch (const std::exception& error) {
    return showError(error);
  }
  m_banner.hide();
  emit opened();
}

bool ProjectFiles::save() {
  if (m_document.path().isEmpty()) return saveAs();
  return m_document.fileState() == Document::FileState::Changed ? saveChangedFile() : saveTo(m_document.path());
}

/// What another program has written is not replaced unasked.
bool ProjectFiles::saveChangedFile() {
  QMessageBox box(QMessageBox::Warning, tr("Strata"),
                  tr("“%1” was changed by another program since it was opened or saved here.").arg(fileName()),
                  QMessageBox::Cancel, &m_window);
  box.setObjectName("fileChanged");
  box.setTextFormat(Qt::PlainText);  // names of files and projects are no HTML
  box.setInformativeText(tr("Saving replaces what the other program has written."));
  const auto* anyway = box.addButton(tr("Save anyway"), QMessageBox::DestructiveRole);
  const auto* again = box.addButton(tr("Reload"), QMessageBox::ActionRole);
  const auto* elsewhere = box.addButton(tr("Save as…"), QMessageBox::AcceptRole);
  box.setDefaultButton(QMessageBox::Cancel);
  box.exec();
  if (box.clickedButton() == again) reload();
  if (box.clickedButton() == elsewhere) return saveAs();
  return box.clickedButton() == anyway && saveTo(m_document.path());
}

bool ProjectFiles::saveAs() {
  const QString proposal = m_document.path().isEmpty()
                               ? titleText(m_document.project().name).replace('/', '-') + ".strata"
                               : m_document.path();
  QFileDialog dialog(&m_window, tr("Save the project"), QFileInfo(proposal).path(), kFileFilter);
  dialog.setObjectName("saveAs");
  dialog.setAcceptMode(QFileDialog::AcceptSave);
  dialog.setDefaultSuffix("strata");  // by the dialog, so that it asks about the file that is really written
  dialog.selectFile(proposal);
  return dialog.exec() == QDialog::Accepted && saveTo(dialog.selectedFiles().front());
}

bool ProjectFiles::saveTo(const QString& path) {
  try {
    m_document.save(path);
  } catch (const std::exception& error) {
    showError(error);
    return false;
  }
  forgetKeptWork();
  emit saved();
  return true;
}

void ProjectFiles::reload() {
  try {
    m_document.reload();
    m_banner.hide();
  } catch (const std::exception& error) {
    showError(error);
  }
}

bool ProjectFiles::confirmDiscard() {
  if (!m_document.dirty()) return true;
  QMessageBox box(QMessageBox::Question, tr("Strata"),
                  tr("Save the changes to “%1”?").arg(titleText(m_document.project().name)),
                  QMessageBox::Save | QMessageBox::Discard | QMessageBox::Cancel, &m_window);
  box.setObjectName("unsavedChanges");
  box.setTextFormat(Qt::PlainText);
  box.setInformativeText(tr("They are lost otherwise. Runs are kept either way."));
  box.setDefaultButton(QMessageBox::Save);
  const int answer = box.exec();
  if (answer == QMessageBox::Discard) forgetKeptWork();
  return answer == QMessageBox::Discard || (answer == QMessageBox::Save && save());
}

void ProjectFiles::look() {
  const auto state = m_document.fileState();
  if (state == std::exchange(m_told, state)) return;
  if (state == Document::FileState::Gone)
    m_banner.showText(tr("“%1” is no longer where it was; saving writes it again.").arg(fileName()));
  if (state == Document::FileState::Changed)
    m_banner.showOffer(tr("“%1” was changed by another program.").arg(fileName()), tr("Reload"), [this] { reload(); });
}

void ProjectFiles::rescue(const QString& what) {
  if (what == m_lastFault && m_rescued == m_document.project()) return;  // the same again, as from every repaint
  m_lastFault = what;
  m_rescued = m_document.project();
  QString text = tr("Strata has met an error of its own (%1).").arg(what) + ' ';
  if (m_document.dirty()) {
    try {
      Project copy = m_document.project();  // which lies elsewhere, and still means the same data
      copy.data.source = resolveSource(copy.data.source, m_document.path().toStdString());
      const Path kept = keepForRecovery(copy);
      text += tr("A copy of your project is in %1; save it, and start the studio anew if it behaves oddly.")
                  .arg(QString::fromStdString(kept.string()));
    } catch (const std::exception& error) {
      text += tr("Save your project now: no copy could be kept (%1)").arg(QString::fromUtf8(error.what()));
    }
  } else {
    text += tr("Your project is as it was saved; start the studio anew if it behaves oddly.");
  }
  m_banner.showText(text);
}

void ProjectFiles::offerKeptWork() {
  const auto kept = newestKept();
  if (!kept) return;
  const auto when = QFileInfo(QString::fromStdString(kept->string())).lastModified();
  m_banner.showOffer(tr("The studio met an error on %1 and kept a copy of work that was not saved.")
                         .arg(when.toString("yyyy-MM-dd HH:mm")),
                     tr("Open the copy"), [this, file = *kept] { openKeptWork(file); });
}

void ProjectFiles::openKeptWork(const Path& file) {
  if (!confirmDiscard()) return;
  replace([&] {
    m_document.recover(readProject(file));
    m_keptWork = file;
  });
}

void ProjectFiles::forgetKeptWork() {
  std::error_code gone;
  if (!m_keptWork.empty()) std::filesystem::remove(std::exchange(m_keptWork, {}), gone);
}

QString ProjectFiles::fileName() const { return QFileInfo(m_document.path()).fileName(); }

void ProjectFiles::showError(const std::exception& error) { m_banner.showText(QString::fromUtf8(error.what())); }

Project lessonProject() {
  QFile file(":/projects/mnist-lesson.strata");
  if (!file.open(QIODevice::ReadOnly)) return {};
  return projectFromJson(parseJson(file.readAll().toStdString(), "mnist-lesson"), "mnist-lesson");
}

}  // namespace strata::gui
