// SPDX-License-Identifier: GPL-3.0-or-later
// Colours, sizes and icons: the tokens of resources/themes/tokens.json, a Fusion palette and one style sheet made from them.
#pragma once
#include <QColor>
#include <QFont>
#include <QIcon>
#include <QObject>
#include <QString>

class QApplication;

namespace strata::gui {

enum class ThemeChoice { System, Light, Dark };

/// One per application, owned by main() or a test; widgets get a reference. Emits changed() after the palette is in place.
class Theme : public QObject {
  Q_OBJECT
 public:
  explicit Theme(QApplication& app);

  void setChoice(ThemeChoice choice);
  ThemeChoice choice() const { return m_choice; }
  bool dark() const { return m_dark; }

  /// A token by name: "accent", "train", "conv" ... An unknown name is a programming error and gives magenta.
  QColor color(const QString& token) const;
  /// Activation map colour of v in 0..1, and diverging map colour of v in -1..1.
  QRgb sequential(double v) const;
  QRgb diverging(double v) const;
  /// An icon of resources/icons in the colour of a token, with Disabled and Selected forms.
  QIcon icon(const QString& name, const QString& token = "text2") const;

  /// Fonts relative to the application's: caption .85, body 1, title 1.25 semibold, live 1.5 semibold. Numbers are tabular.
  enum class Text { Caption, Body, BodyStrong, Title, Live, Answer };
  QFont font(Text role) const;

 signals:
  void changed();

 private:
  void apply();
  QApplication& m_app;
  ThemeChoice m_choice = ThemeChoice::System;
  bool m_dark = false;
  QFont m_base;
};

/// "428,330", with a real minus sign.
QString number(qint64 value);
/// "98.17 %", two decimals.
QString percent(double fraction);
/// "1:51", "2 h 05 min".
QString duration(double seconds);

}  // namespace strata::gui
