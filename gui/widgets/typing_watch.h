// SPDX-License-Identifier: GPL-3.0-or-later
// What was typed into a field counts once it is finished: by Return, by leaving the field, or by doing something else.
// The last is what this watches for. A shortcut, a click on what takes no focus, a drop or the closing of the window
// would otherwise act on a value that the person no longer sees.
#pragma once
#include <QObject>
#include <functional>

class QWidget;

namespace strata::gui {

class TypingWatch : public QObject {
 public:
  /// `finish` is called before the act takes its course.
  TypingWatch(QWidget* editor, std::function<void()> finish);

  void begin();  ///< typing has begun; does nothing when it has already
  void end();
  bool typing() const { return m_typing; }

 protected:
  bool eventFilter(QObject* watched, QEvent* event) override;

 private:
  bool isElsewhere(const QObject* watched) const;
  QWidget* m_editor;
  std::function<void()> m_finish;
  bool m_typing = false;
};

/// Whether the focus has left for good: not for another window, and not for the field's own context menu.
bool leavesField(const QWidget* editor, Qt::FocusReason reason);

}  // namespace strata::gui
