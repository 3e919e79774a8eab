// SPDX-License-Identifier: GPL-3.0-or-later
#include "gui/document.h"

#include <QUndoCommand>

#include "datasets/source.h"

namespace strata::gui {
/// Swaps whole projects: a project is small, and no edit can forget a part of itself.
class EditCommand : public QUndoCommand {
 public:
  EditCommand(Document& document, const QString& text, Project after, QString mergeKey)
      : QUndoCommand(text), m_document(document), m_before(document.m_project), m_after(std::move(after)),
        m_mergeKey(std::move(mergeKey)) {}

  void undo() override { m_document.put(m_before); }
  void redo() override { m_document.put(m_after); }
  int id() const override { return m_mergeKey.isEmpty() ? -1 : 1; }
  bool mergeWith(const QUndoCommand* next) override {
    const auto* other = static_cast<const EditCommand*>(next);
    if (other->m_mergeKey != m_mergeKey) return false;
    m_after = other->m_after;
    setObsolete(m_after == m_before);
    return true;
  }

 private:
  Document& m_document;
  Project m_before, m_after;
  QString m_mergeKey;
};

Document::Document(QObject* parent) : QObject(parent), m_analysis(analyse(m_project.network)) {}

void Document::edit(const QString& text, const std::function<void(Project&)>& change, const QString& mergeKey) {
  Project after = m_project;
  change(after);
  if (after == m_project) return;
  const QString key = mergeKey.isEmpty() ? QString() : QString("%1/%2").arg(mergeKey).arg(m_mergeGeneration);
  m_undo.push(new EditCommand(*this, text, std::move(after), key));
}

void Document::endMerge() { ++m_mergeGeneration; }

void Document::reset(Project project, const QString& path) {
  m_undo.clear();
  m_saved = project;
  m_path = path;
  put(project);
  emit pathChanged();
}

void Document::open(const QString& path) { reset(readProject(path.toStdString()), path); }

void Document::save(const QString& path) {
  Project project = m_project;
  const std::string source = resolveSource(project.data.source, m_path.toStdString());
  if (resolveSource(project.data.source, path.toStdString()) != source) project.data.source = source;  // the same data
  writeProject(path.toStdString(), project);
  edit(tr("Keep the data"), [&](Project& kept) { kept = project; });
  m_saved = m_project;
  m_path = path;
  endMerge();
  emit pathChanged();
}

void Document::put(const Project& project) {
  m_project = project;
  m_analysis = analyse(m_project.network);
  emit changed();
}

}  // namespace strata::gui
