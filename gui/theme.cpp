// SPDX-License-Identifier: GPL-3.0-or-later
#include "gui/theme.h"

#include <QApplication>
#include <QDir>
#include <QEvent>
#include <QFile>
#include <QFileInfo>
#include <QFontDatabase>
#include <QFontMetricsF>
#include <QIconEngine>
#include <QJsonArray>
#include <QJsonDocument>
#include <QJsonObject>
#include <QLocale>
#include <QPainter>
#include <QPixmapCache>
#include <QStandardPaths>
#include <QStyleFactory>
#include <QSvgRenderer>
#include <algorithm>
#include <cmath>

namespace strata::gui {
namespace {

QByteArray resource(const QString& path) {
  QFile file(":/" + path);
  return file.open(QIODevice::ReadOnly) ? file.readAll() : QByteArray();
}

QByteArray colouredSvg(const QString& name, const QColor& color) {
  return resource("icons/" + name + ".svg").replace("#000", color.name().toLatin1());
}

/// Draws an SVG in a token's present colour, so that icons need not be made again when the theme changes.
class TokenIconEngine : public QIconEngine {
 public:
  TokenIconEngine(const Theme& theme, QString name, QString token)
      : m_theme(theme), m_name(std::move(name)), m_token(std::move(token)) {}

  void paint(QPainter* painter, const QRect& rect, QIcon::Mode mode, QIcon::State state) override {
    m_theme.paintIcon(*painter, rect, m_name, colour(mode, state));
  }
  QPixmap pixmap(const QSize& size, QIcon::Mode mode, QIcon::State state) override {
    return m_theme.iconPixmap(size, m_name, colour(mode, state));
  }
  QIconEngine* clone() const override { return new TokenIconEngine(m_theme, m_name, m_token); }

 private:
  QColor colour(QIcon::Mode mode, QIcon::State state) const {
    if (mode == QIcon::Disabled) return m_theme.color("bbutton");
    if (state == QIcon::On) return m_theme.color("accent");
    if (mode == QIcon::Selected && m_token.startsWith("text")) return m_theme.color("text");
    return m_theme.color(m_token);
  }
  const Theme& m_theme;
  QString m_name, m_token;
};

/// Piecewise linear through five stops, t in 0..1.
QRgb mapColour(const std::array<QColor, 5>& stops, double t) {
  const double at = std::clamp(std::isnan(t) ? 0.0 : t, 0.0, 1.0) * 4;
  const int low = std::min(3, static_cast<int>(at));
  const double part = at - low;
  const auto mix = [&](int a, int b) { return static_cast<int>(std::lround(a + (b - a) * part)); };
  const QColor &a = stops[low], &b = stops[low + 1];
  return qRgb(mix(a.red(), b.red()), mix(a.green(), b.green()), mix(a.blue(), b.blue()));
}

bool digitsAreTabular(const QFont& font) {
  const QFontMetricsF metrics(font);
  const double first = metrics.horizontalAdvance('0');
  for (char digit = '1'; digit <= '9'; ++digit)
    if (std::abs(metrics.horizontalAdvance(digit) - first) > 0.01) return false;
  return true;
}

/// The application's font, or, when its digits dance, one of the common families whose digits do not.
/// (QFont::setFeature could ask for "tnum", but came with Qt 6.7.)
QFont tabularFont(QFont font) {
  if (digitsAreTabular(font)) return font;
  const QStringList families = QFontDatabase::families();
  for (const char* family : {"Noto Sans", "DejaVu Sans", "Liberation Sans"}) {
    if (!families.contains(family)) continue;
    font.setFamilies({family});
    if (digitsAreTabular(font)) break;
  }
  return font;
}

constexpr int kFinestScreen = 3;  // device pixels a pixel, up to which the style sheet's icons are drawn sharp

/// Where the style sheet's icons may lie, the best place first.
QStringList iconFolders() {
  return {QDir::tempPath(), QStandardPaths::writableLocation(QStandardPaths::CacheLocation)};
}

/// A folder to be made in the first of iconFolders() that takes one, as QTemporaryDir wants it.
QString iconFolder() {
  const QStringList folders = iconFolders();
  const auto takes = [](const QString& folder) { return QDir().mkpath(folder) && QFileInfo(folder).isWritable(); };
  const auto found = std::find_if(folders.begin(), folders.end(), takes);
  return (found == folders.end() ? folders.front() : *found) + "/strata-icons-XXXXXX";
}

}  // namespace

Theme::Theme(QApplication& app)
    : QObject(nullptr), m_app(app), m_base(tabularFont(app.font())), m_sheetIcons(iconFolder()) {
  const QJsonObject root = QJsonDocument::fromJson(resource("themes/tokens.json")).object();
  const auto read = [&](const char* name, Tokens& tokens) {
    const QJsonObject object = root[name].toObject();
    for (auto it = object.begin(); it != object.end(); ++it) tokens[it.key()] = QColor(it.value().toString());
  };
  read("light", m_light);
  read("dark", m_darkTokens);
  const auto stops = [](const QJsonArray& from, std::array<QColor, 5>& to) {
    for (int i = 0; i < 5; ++i) to[i] = QColor(from[i].toString());
  };
  stops(root["sequential"].toArray(), m_sequential);
  stops(root["diverging"].toObject()["light"].toArray(), m_divergingLight);
  stops(root["diverging"].toObject()["dark"].toArray(), m_divergingDark);
  m_app.setStyle(QStyleFactory::create("Fusion"));
  m_app.setFont(m_base);
  m_app.installEventFilter(this);
  apply();
}

void Theme::setChoice(ThemeChoice choice) {
  if (choice == m_choice) return;
  m_choice = choice;
  apply();
}

void Theme::apply() {
  m_applying = true;
  m_dark = m_choice == ThemeChoice::Dark || (m_choice == ThemeChoice::System && systemIsDark());
  writeSheetIcons();
  m_app.setPalette(palette());
  m_app.setStyleSheet(sheet());
  m_applying = false;
  emit changed();
}

/// Qt 6.4 cannot say which scheme the desktop uses; its palette can.
bool Theme::systemIsDark() const {
  m_app.setPalette(QPalette());
  const QPalette system = m_app.palette();
  return system.color(QPalette::WindowText).lightness() > system.color(QPalette::Window).lightness();
}

bool Theme::eventFilter(QObject* watched, QEvent* event) {
  if (event->type() == QEvent::ApplicationPaletteChange && watched == &m_app && !m_applying &&
      m_choice == ThemeChoice::System) {
    m_applying = true;  // one re-read, however many objects tell of the change
    QMetaObject::invokeMethod(
        this, [this] { apply(); }, Qt::QueuedConnection);
  }
  return QObject::eventFilter(watched, event);
}

QColor Theme::color(const QString& token) const { return (m_dark ? m_darkTokens : m_light).value(token, Qt::magenta); }
QColor Theme::darkColor(const QString& token) const { return m_darkTokens.value(token, Qt::magenta); }
QRgb Theme::sequential(double v) const { return mapColour(m_sequential, v); }
QRgb Theme::diverging(double v) const { return mapColour(m_dark ? m_divergingDark : m_divergingLight, (v + 1) / 2); }
QIcon Theme::icon(const QString& name, const QString& token) const {
  return QIcon(new TokenIconEngine(*this, name, token));
}

QPixmap Theme::iconPixmap(const QSize& pixels, const QString& name, const QColor& color) const {
  const auto key =
      QString("strata/%1/%2/%3x%4").arg(name, color.name(QColor::HexArgb)).arg(pixels.width()).arg(pixels.height());
  QPixmap pixmap;
  if (QPixmapCache::find(key, &pixmap)) return pixmap;
  pixmap = QPixmap(pixels);
  pixmap.fill(Qt::transparent);
  QSvgRenderer renderer(colouredSvg(name, color));
  QPainter painter(&pixmap);
  painter.setRenderHint(QPainter::Antialiasing);
  painter.setOpacity(color.alphaF());
  renderer.render(&painter, QRectF(QPointF(), QSizeF(pixels)));
  painter.end();
  QPixmapCache::insert(key, pixmap);
  return pixmap;
}

void Theme::paintIcon(QPainter& painter, const QRectF& rect, const QString& name, const QColor& color) const {
  const auto pixmap = iconPixmap((rect.size() * painter.device()->devicePixelRatioF()).toSize(), name, color);
  painter.drawPixmap(QRectF(rect.toRect().topLeft(), rect.size()), pixmap, QRectF(pixmap.rect()));
}

QFont Theme::font(Text role) const {
  const double size = m_base.pointSizeF() > 0 ? m_base.pointSizeF() : m_base.pixelSize();
  static constexpr struct {
    double factor;
    QFont::Weight weight;
  } kRoles[] = {{0.85, QFont::Normal},   {1, QFont::Normal},     {1, QFont::DemiBold},
                {1.25, QFont::DemiBold}, {1.5, QFont::DemiBold}, {5.5, QFont::DemiBold}};
  const auto& found = kRoles[static_cast<int>(role)];
  QFont font = m_base;
  if (m_base.pointSizeF() > 0) font.setPointSizeF(size * found.factor);
  else font.setPixelSize(static_cast<int>(std::lround(size * found.factor)));
  font.setWeight(found.weight);
  return font;
}

QPalette Theme::palette() const {
  QPalette palette;
  const auto all = [&](QPalette::ColorRole role, const char* token) { palette.setColor(role, color(token)); };
  all(QPalette::Window, "surface");
  all(QPalette::WindowText, "text");
  all(QPalette::Base, "raised");
  all(QPalette::AlternateBase, "hover");
  all(QPalette::Text, "text");
  all(QPalette::PlaceholderText, "text3");
  all(QPalette::Button, "raised");
  all(QPalette::ButtonText, "text");
  all(QPalette::BrightText, "bad");
  all(QPalette::ToolTipBase, "raised");
  all(QPalette::ToolTipText, "text");
  all(QPalette::Highlight, "accent");
  all(QPalette::HighlightedText, "onaccent");
  all(QPalette::Link, "accent");
  all(QPalette::LinkVisited, "accent");
  all(QPalette::Light, "surface");
  all(QPalette::Midlight, "hover");
  all(QPalette::Mid, "border");
  all(QPalette::Dark, "bbutton");
  all(QPalette::Shadow, "bstrong");
  for (const QPalette::ColorRole role : {QPalette::WindowText, QPalette::Text, QPalette::ButtonText})
    palette.setColor(QPalette::Disabled, role, color("text3"));
  return palette;
}

/// A style sheet takes pictures from files alone, so the few it needs are written in the theme's colours: as PNG, which
/// Qt always reads (SVG it reads only through a plugin that may not be installed), and larger for finer screens.
void Theme::writeSheetIcons() const {
  static constexpr struct {
    const char *file, *icon, *token;
    int size;  // as strata.qss draws it
  } kFiles[] = {
      {"down", "chev", "text2", 14},       {"down-off", "chev", "bbutton", 14}, {"check", "check", "onaccent", 14},
      {"check-off", "check", "text3", 14}, {"spin-up", "spin-up", "text2", 12}, {"spin-down", "spin-down", "text2", 12},
  };
  bool written = true;
  for (const auto& entry : kFiles)
    for (int scale = 1; scale <= kFinestScreen; ++scale) {
      const QString finer = scale > 1 ? QString("@%1x").arg(scale) : QString();
      const QString file = QString("%1-%2%3.png").arg(entry.file, m_dark ? "dark" : "light", finer);
      const QSize pixels = QSize(entry.size, entry.size) * scale;
      written &= m_sheetIcons.isValid() &&
                 iconPixmap(pixels, entry.icon, color(entry.token)).save(m_sheetIcons.filePath(file), "PNG");
    }
  if (!written)
    qWarning("%s", qPrintable(tr("The ticks and arrows of boxes cannot be shown: no folder for temporary files takes "
                                 "them (tried %1).")
                                  .arg(iconFolders().join(", "))));
}

QString Theme::sheet() const {
  QString text = QString::fromUtf8(resource("themes/strata.qss"));
  const Tokens& tokens = m_dark ? m_darkTokens : m_light;
  for (auto it = tokens.begin(); it != tokens.end(); ++it) text.replace('@' + it.key() + '@', it.value().name());
  text.replace("@icons@", m_sheetIcons.path());
  text.replace("@theme@", m_dark ? "dark" : "light");
  return text;
}

QString number(qint64 value) {
  static const QLocale english(QLocale::English, QLocale::UnitedStates);
  return english.toString(value).replace('-', QChar(0x2212));
}

QString percent(double fraction) {
  if (!std::isfinite(fraction)) return QStringLiteral("—");
  return QString::number(fraction * 100, 'f', 2).replace('-', QChar(0x2212)) + " %";
}

QString duration(double seconds) {
  if (!std::isfinite(seconds) || seconds < 0) return QStringLiteral("—");
  const qint64 whole = std::llround(seconds);
  if (whole < 60) return QObject::tr("%1 s").arg(whole);
  if (whole < 3600) return QString("%1:%2").arg(whole / 60).arg(whole % 60, 2, 10, QChar('0'));
  return QObject::tr("%1 h %2 min").arg(whole / 3600).arg(whole / 60 % 60, 2, 10, QChar('0'));
}

}  // namespace strata::gui
