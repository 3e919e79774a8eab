// SPDX-License-Identifier: GPL-3.0-or-later
// The application, whose event loop no exception leaves: Qt's own code does not expect any, and would end the program.
// Nothing in the studio should throw out of a slot; what does all the same is caught here, told, and the work saved.
// Tooltips are plain text.
#pragma once
#include <QApplication>
#include <functional>

namespace strata::gui {

class Application : public QApplication {
  Q_OBJECT
 public:
  using QApplication::QApplication;

  /// Told what escaped, in words, from within the event that it escaped from. May throw itself: that is only logged.
  using Rescue = std::function<void(const QString& what)>;
  void setRescue(Rescue rescue) { m_rescue = std::move(rescue); }

  bool notify(QObject* receiver, QEvent* event) override;

 private:
  void rescue() noexcept;
  Rescue m_rescue;
};

}  // namespace strata::gui
