// SPDX-License-Identifier: GPL-3.0-or-later
// The open project and its undo stack. The project is one small value; every edit swaps before and after. What is
// derived from the project is computed before the swap, so that opening and editing succeed whole or change nothing.
#pragma once
#include <QObject>
#include <QUndoStack>
#include <functional>
#include <memory>

#include "engine/net/analysis.h"
#include "engine/run/project.h"

namespace strata::gui {

class Document : public QObject {
  Q_OBJECT
 public:
  explicit Document(QObject* parent = nullptr);

  const Project& project() const { return m_state->project; }
  /// Shapes, costs and issues of the present network; kept up to date.
  const Analysis& analysis() const { return m_state->analysis; }

  /// Runs `change` on a copy and puts it in place as one undoable step named `text`. Edits with the same non-empty
  /// `mergeKey` in a row become one step (typing in one field). True when the document has changed: an edit that
  /// changes nothing is no step, and one whose result no file could hold is refused.
  bool edit(const QString& text, const std::function<void(Project&)>& change, const QString& mergeKey = {});
  /// Ends merging: the next edit is a step of its own.
  void endMerge();

  QUndoStack& undoStack() { return m_undo; }
  bool dirty() const { return !(project() == m_saved); }
  const QString& path() const { return m_path; }  ///< empty: never saved

  void reset(Project project, const QString& path);  ///< New and Open: clears undo
  void open(const QString& path);                    ///< throws strata::Error; the open document is unchanged then
  void recover(Project project);                     ///< work of an earlier session: in place, but saved nowhere
  void save(const QString& path);                    ///< throws strata::Error, also for a write-protected file

  /// What other programs have made of the file at path() since it was opened or saved here.
  enum class FileState { Same, Changed, Gone };
  FileState fileState() const;
  /// Takes over the file as it is now, as an undoable step. Throws strata::Error; the document is unchanged then.
  void reload();

 signals:
  void changed();  ///< project and analysis are new
  void pathChanged();
  void refused(const QString& reason);  ///< by edit(): a sentence; the document is as it was

 private:
  friend class EditCommand;
  /// A project with what follows from it; never changed once made, so undo steps share it.
  struct State {
    Project project;
    Analysis analysis;
  };
  static std::shared_ptr<const State> stateOf(Project project);
  std::shared_ptr<const State> m_state;
  Project m_saved;
  std::string m_file;  ///< the bytes at m_path when they were last read or written here
  QUndoStack m_undo;
  QString m_path;
  int m_mergeGeneration = 0;
};

}  // namespace strata::gui
