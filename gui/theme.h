// SPDX-License-Identifier: GPL-3.0-or-later
// Colours, sizes and icons: the tokens of resources/themes/tokens.json, a Fusion palette and one style sheet made from
// them.
#pragma once
#include <QColor>
#include <QFont>
#include <QHash>
#include <QIcon>
#include <QObject>
#include <QPalette>
#include <QString>
#include <QTemporaryDir>
#include <array>

class QApplication;

namespace strata::gui {

enum class ThemeChoice { System, Light, Dark };

/// One per application, owned by main() or a test and outliving every widget; widgets get a reference. Emits changed()
/// after the palette is in place.
class Theme : public QObject {
  Q_OBJECT
 public:
  explicit Theme(QApplication& app);

  void setChoice(ThemeChoice choice);
  ThemeChoice choice() const { return m_choice; }
  bool dark() const { return m_dark; }

  /// A token by name: "accent", "train", "conv" ... An unknown name is a programming error and gives magenta.
  QColor color(const QString& token) const;
  /// The same token as it is in the dark theme: for marks on black images, which stay black in both.
  QColor darkColor(const QString& token) const;
  /// Activation map colour of v in 0..1, and diverging map colour of v in -1..1.
  QRgb sequential(double v) const;
  QRgb diverging(double v) const;
  /// An icon of resources/icons in the colour of a token, with Disabled and Selected forms; a checked button shows it
  /// in accent. It follows the theme by itself.
  QIcon icon(const QString& name, const QString& token = "text2") const;
  QPixmap iconPixmap(const QSize& pixels, const QString& name, const QColor& color) const;
  /// One icon drawn into `rect` by a delegate or a painted widget, on whole pixels.
  void paintIcon(QPainter& painter, const QRectF& rect, const QString& name, const QColor& color) const;

  /// Fonts relative to the application's: caption .85, body 1, title 1.25 semibold, live 1.5 semibold. Numbers are
  /// tabular.
  enum class Text { Caption, Body, BodyStrong, Title, Live, Answer };
  QFont font(Text role) const;

 signals:
  void changed();

 protected:
  bool eventFilter(QObject* watched, QEvent* event) override;

 private:
  using Tokens = QHash<QString, QColor>;
  void apply();
  bool systemIsDark() const;
  QPalette palette() const;
  void writeSheetIcons() const;
  QString sheet() const;

  QApplication& m_app;
  ThemeChoice m_choice = ThemeChoice::System;
  bool m_dark = false, m_applying = false;
  QFont m_base;
  Tokens m_light, m_darkTokens;
  std::array<QColor, 5> m_sequential, m_divergingLight, m_divergingDark;
  QTemporaryDir m_sheetIcons;  ///< the few icons the style sheet names by file, in the theme's colours
};

/// "428,330", with a real minus sign.
QString number(qint64 value);
/// "98.17 %", two decimals.
QString percent(double fraction);
/// "38 s", "1:51", "2 h 05 min".
QString duration(double seconds);

}  // namespace strata::gui
