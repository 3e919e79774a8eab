// SPDX-License-Identifier: GPL-3.0-or-later
#include "gui/widgets/typing_watch.h"

#include <QApplication>
#include <QEvent>
#include <QWidget>

namespace strata::gui {
namespace {

/// Through windows too: a context menu is a window of its own, and a child of its field.
bool belongsTo(const QObject* object, const QWidget* editor) {
  while (object && object != editor) object = object->parent();
  return object != nullptr;
}

}  // namespace

TypingWatch::TypingWatch(QWidget* editor, std::function<void()> finish)
    : QObject(editor), m_editor(editor), m_finish(std::move(finish)) {}

void TypingWatch::begin() {
  if (std::exchange(m_typing, true)) return;
  qApp->installEventFilter(this);
}

void TypingWatch::end() {
  if (!std::exchange(m_typing, false)) return;
  qApp->removeEventFilter(this);
}

bool TypingWatch::isElsewhere(const QObject* watched) const {
  return watched->isWidgetType() && !belongsTo(watched, m_editor);
}

bool TypingWatch::eventFilter(QObject* watched, QEvent* event) {
  const bool acts =
      event->type() == QEvent::Shortcut || (event->type() == QEvent::Close && watched == m_editor->window()) ||
      ((event->type() == QEvent::MouseButtonPress || event->type() == QEvent::Drop) && isElsewhere(watched));
  if (acts && m_typing) m_finish();
  return false;
}

bool leavesField(const QWidget* editor, Qt::FocusReason reason) {
  if (reason == Qt::ActiveWindowFocusReason) return false;
  return reason != Qt::PopupFocusReason || !belongsTo(QApplication::activePopupWidget(), editor);
}

}  // namespace strata::gui
