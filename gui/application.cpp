// SPDX-License-Identifier: GPL-3.0-or-later
#include "gui/application.h"

#include <QEvent>
#include <QLabel>
#include <new>
#include <utility>

namespace strata::gui {
namespace {

/// The exception being handled, in words.
QString present() {
  try {
    throw;
  } catch (const std::bad_alloc&) {
    return Application::tr("the memory is exhausted");
  } catch (const std::exception& error) {
    return QString::fromUtf8(error.what());
  } catch (...) {
    return Application::tr("an error of an unknown kind");
  }
}

}  // namespace

bool Application::notify(QObject* receiver, QEvent* event) {
  try {
    // A label that shows a tooltip is polished before it gets its text. Names come out of files: none is markup.
    if (event->type() == QEvent::Polish && receiver->inherits("QTipLabel"))
      static_cast<QLabel*>(receiver)->setTextFormat(Qt::PlainText);
    return QApplication::notify(receiver, event);
  } catch (...) {
    rescue();
    return false;
  }
}

void Application::rescue() noexcept {
  try {
    const QString what = present();
    qCritical("An exception has left a slot: %s", qPrintable(what));
    // Taken away while it runs: what it shows may fail for the same reason.
    Rescue rescue = std::exchange(m_rescue, {});
    if (!rescue) return;
    try {
      rescue(what);
    } catch (...) {
      qCritical("Nor could it be told in the window: %s", qPrintable(present()));
    }
    m_rescue = std::move(rescue);
  } catch (...) {
    qCritical("An exception has left a slot, and the memory is exhausted.");
  }
}

}  // namespace strata::gui
