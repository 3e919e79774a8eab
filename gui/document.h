// SPDX-License-Identifier: GPL-3.0-or-later
// The open project and its undo stack. The project is one small value; every edit swaps before and after.
#pragma once
#include <QObject>
#include <QUndoStack>
#include <functional>

#include "engine/network_spec.h"
#include "engine/project.h"

namespace strata::gui {

class Document : public QObject {
  Q_OBJECT
 public:
  explicit Document(QObject* parent = nullptr);

  const Project& project() const { return m_project; }
  /// Shapes, costs and issues of the present network; kept up to date.
  const Analysis& analysis() const { return m_analysis; }

  /// Runs `change` on a copy and puts it in place as one undoable step named `text`. Edits with the same non-empty
  /// `mergeKey` in a row become one step (typing in one field). No step when nothing changed.
  void edit(const QString& text, const std::function<void(Project&)>& change, const QString& mergeKey = {});
  /// Ends merging: the next edit is a step of its own.
  void endMerge();

  QUndoStack& undoStack() { return m_undo; }
  bool dirty() const { return !(m_project == m_saved); }
  const QString& path() const { return m_path; }  ///< empty: never saved

  void reset(Project project, const QString& path);  ///< New and Open: clears undo
  void open(const QString& path);                    ///< throws strata::Error; the open document is unchanged then
  void save(const QString& path);                    ///< throws strata::Error

 signals:
  void changed();  ///< project and analysis are new
  void pathChanged();

 private:
  friend class EditCommand;
  void put(const Project& project);
  Project m_project, m_saved;
  Analysis m_analysis;
  QUndoStack m_undo;
  QString m_path;
  int m_mergeGeneration = 0;
};

}  // namespace strata::gui
