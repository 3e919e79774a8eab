// SPDX-License-Identifier: GPL-3.0-or-later
#include "gui/widgets/canvas.h"

#include <QDragEnterEvent>
#include <QKeyEvent>
#include <QMimeData>
#include <QPainter>
#include <QTabletEvent>
#include <QUrl>
#include <algorithm>

#include "gui/widgets/prep_strip.h"

namespace strata::gui {
namespace {

constexpr int kUndoSteps = 200;     ///< of 78 kB each, twice
constexpr int kLargestKept = 1024;  ///< side of a picture that is kept as it came

bool isBlack(const QImage& image) {
  for (int y = 0; y < image.height(); ++y) {
    const auto* line = image.constScanLine(y);
    if (std::any_of(line, line + image.width(), [](uchar v) { return v != 0; })) return false;
  }
  return true;
}

}  // namespace

class SheetCommand : public QUndoCommand {
 public:
  SheetCommand(Canvas& canvas, Canvas::Sheet before, Canvas::Sheet after, const QString& text)
      : QUndoCommand(text), m_canvas(canvas), m_before(std::move(before)), m_after(std::move(after)) {}
  void undo() override { m_canvas.put(m_before); }
  void redo() override { m_canvas.put(m_after); }

 private:
  Canvas& m_canvas;
  Canvas::Sheet m_before, m_after;
};

Canvas::Canvas(const Theme& theme, QWidget* parent)
    : QWidget(parent), m_theme(theme), m_sheet{QImage(kSide, kSide, QImage::Format_Grayscale8), {}} {
  setObjectName("canvas");
  setAccessibleName(tr("Drawing"));
  setFocusPolicy(Qt::StrongFocus);
  setAcceptDrops(true);
  setCursor(Qt::CrossCursor);
  setMinimumSize(140, 96);
  m_sheet.ink.fill(0);
  m_undo.setUndoLimit(kUndoSteps);
  connect(&theme, &Theme::changed, this, qOverload<>(&QWidget::update));
}

QRectF Canvas::sheet() const {
  const int side = std::min(width(), height()) - 6;  // whole pixels: between two the edge would blur
  return QRect((width() - side) / 2, (height() - side) / 2, side, side);
}

QPointF Canvas::toSheet(QPointF position) const { return (position - sheet().topLeft()) * (kSide / sheet().width()); }

void Canvas::put(const Sheet& sheet) {
  m_sheet = sheet;
  m_empty = isBlack(m_sheet.ink);
  setAccessibleDescription(m_empty ? tr("empty") : tr("something is drawn"));
  update();
  emit changed();
}

void Canvas::step(const Sheet& before, const QString& text) {
  if (before != m_sheet) m_undo.push(new SheetCommand(*this, before, m_sheet, text));
}

void Canvas::setPicture(const QImage& picture, const QString& undoText) {
  if (picture.isNull()) return;
  const Sheet before = m_sheet;
  const bool large = std::max(picture.width(), picture.height()) > kLargestKept;
  const auto kept =
      large ? picture.scaled(kLargestKept, kLargestKept, Qt::KeepAspectRatio, Qt::SmoothTransformation) : picture;
  m_sheet.picture = toImage(toPicture(kept));  // transparent parts get their ground
  const auto grey = m_sheet.picture.convertToFormat(QImage::Format_Grayscale8)
                        .scaled(kSide, kSide, Qt::KeepAspectRatio, Qt::SmoothTransformation);
  m_sheet.ink = QImage(kSide, kSide, QImage::Format_Grayscale8);
  m_sheet.ink.fill(grey.pixelColor(0, 0).value());  // paper goes on past the picture's edge
  QPainter painter(&m_sheet.ink);
  painter.drawImage((kSide - grey.width()) / 2, (kSide - grey.height()) / 2, grey);
  painter.end();
  step(before, undoText);
}

void Canvas::clear() {
  if (m_empty) return;
  const Sheet before = m_sheet;
  m_sheet.picture = {};
  m_sheet.ink.fill(0);
  step(before, tr("Clear"));
}

void Canvas::setBrush(int pixels) {
  pixels = std::clamp(pixels, kSmallestBrush, kLargestBrush);
  if (pixels == m_brush) return;
  m_brush = pixels;
  emit brushChanged();
}

void Canvas::setErasing(bool on) {
  if (on == m_erasing) return;
  m_erasing = on;
  emit brushChanged();
}

void Canvas::beginStroke(QPointF position) {
  m_before = m_sheet;
  m_last = toSheet(position);
  m_drawing = true;
  strokeTo(position, 1);
}

void Canvas::strokeTo(QPointF position, double pressure) {
  const auto at = toSheet(position);
  m_sheet.picture = {};
  QPainter painter(&m_sheet.ink);
  painter.setRenderHint(QPainter::Antialiasing);
  painter.setPen(
      QPen(m_erasing ? Qt::black : Qt::white, m_brush * pressure, Qt::SolidLine, Qt::RoundCap, Qt::RoundJoin));
  if (at == m_last) painter.drawPoint(at);
  else painter.drawLine(m_last, at);
  painter.end();
  const double scale = sheet().width() / kSide, reach = (m_brush / 2.0 + 2) * scale;
  const QRectF touched = QRectF(m_last * scale, at * scale).normalized().adjusted(-reach, -reach, reach, reach);
  m_last = at;
  m_empty = m_erasing ? isBlack(m_sheet.ink) : false;
  update(touched.translated(sheet().topLeft()).toAlignedRect());
  emit changed();
}

void Canvas::endStroke() {
  if (!std::exchange(m_drawing, false)) return;
  step(m_before, m_erasing ? tr("Erase") : tr("Draw"));
}

void Canvas::mousePressEvent(QMouseEvent* event) {
  if (event->button() == Qt::LeftButton && sheet().contains(event->position())) beginStroke(event->position());
}

void Canvas::mouseMoveEvent(QMouseEvent* event) {
  if (m_drawing) strokeTo(event->position(), 1);
}

void Canvas::mouseReleaseEvent(QMouseEvent*) { endStroke(); }

void Canvas::tabletEvent(QTabletEvent* event) {
  const double pressure = 0.4 + 0.6 * event->pressure();
  if (event->type() == QEvent::TabletPress) beginStroke(event->position());
  else if (event->type() == QEvent::TabletMove && m_drawing) strokeTo(event->position(), pressure);
  else if (event->type() == QEvent::TabletRelease) endStroke();
  event->accept();
}

/// Undo, redo and paste belong to the sheet while it has the focus, before the window's menus.
bool Canvas::event(QEvent* event) {
  if (event->type() == QEvent::ShortcutOverride) {
    const auto* key = static_cast<QKeyEvent*>(event);
    if (key->matches(QKeySequence::Undo) || key->matches(QKeySequence::Redo) || key->matches(QKeySequence::Paste)) {
      event->accept();
      return true;
    }
  }
  return QWidget::event(event);
}

void Canvas::keyPressEvent(QKeyEvent* event) {
  if (event->matches(QKeySequence::Undo)) return m_undo.undo();
  if (event->matches(QKeySequence::Redo)) return m_undo.redo();
  if (event->matches(QKeySequence::Paste)) return emit pasteWanted();
  if (event->modifiers() & (Qt::ControlModifier | Qt::AltModifier)) return QWidget::keyPressEvent(event);
  switch (event->key()) {
    case Qt::Key_BracketLeft:
      setBrush(m_brush - 2);
      return;
    case Qt::Key_BracketRight:
      setBrush(m_brush + 2);
      return;
    case Qt::Key_X:
      setErasing(!m_erasing);
      return;
    case Qt::Key_Delete:
    case Qt::Key_Backspace:
      clear();
      return;
    default:
      QWidget::keyPressEvent(event);
  }
}

void Canvas::dragEnterEvent(QDragEnterEvent* event) {
  if (event->mimeData()->hasImage() || event->mimeData()->hasUrls()) event->acceptProposedAction();
}

void Canvas::dropEvent(QDropEvent* event) {
  if (event->mimeData()->hasImage()) {
    setPicture(qvariant_cast<QImage>(event->mimeData()->imageData()), tr("Drop picture"));
  } else if (!event->mimeData()->urls().isEmpty()) {
    emit fileDropped(event->mimeData()->urls().first().toLocalFile());
  }
  event->acceptProposedAction();
}

void Canvas::paintEvent(QPaintEvent*) {
  QPainter painter(this);
  painter.setRenderHint(QPainter::SmoothPixmapTransform);
  painter.drawImage(sheet(), m_sheet.ink);
  if (!m_sheet.picture.isNull() && !m_sheet.picture.isGrayscale()) {
    QRectF place(QPointF(), QSizeF(m_sheet.picture.size()).scaled(sheet().size(), Qt::KeepAspectRatio));
    place.moveCenter(sheet().center());
    painter.drawImage(place, m_sheet.picture);
  }
  painter.setRenderHint(QPainter::Antialiasing);
  painter.setPen(hasFocus() ? QPen(m_theme.color("accent"), 2) : QPen(m_theme.color("bstrong"), 1));
  painter.drawRoundedRect(sheet().adjusted(-1, -1, 1, 1), 3, 3);
  if (!m_empty || m_drawing) return;
  painter.setPen(m_theme.darkColor("text3"));
  painter.drawText(sheet(), Qt::AlignCenter, tr("Draw a digit here."));
}

}  // namespace strata::gui
