// SPDX-License-Identifier: GPL-3.0-or-later
#include "gui/pages/test/drawing_panel.h"

#include <QApplication>
#include <QClipboard>
#include <QFileDialog>
#include <QMimeData>
#include <QPushButton>
#include <QVBoxLayout>

#include "engine/base/error.h"
#include "gui/widgets/label.h"
#include "gui/widgets/panel_header.h"

namespace strata::gui {
namespace {

constexpr int kNarrow = 370;

}  // namespace

const QStringList& pictureSuffixes() {
  static const QStringList suffixes{"png", "jpg", "jpeg", "gif", "bmp", "webp", "tif", "tiff"};
  return suffixes;
}

DrawingPanel::DrawingPanel(const Theme& theme, QWidget* parent) : QWidget(parent) {
  auto* header = new PanelHeader(theme, tr("Draw a digit"), this);
  auto* random = new QPushButton(theme.icon("dice"), tr("Random test image"), this);
  random->setObjectName("randomImage");
  header->addWidget(random);
  m_canvas = new Canvas(theme, this);
  m_strip = new PrepStrip(theme, this);
  m_message = makeLabel(theme, {}, Theme::Text::Caption, "text2", this);
  m_message->setObjectName("drawingMessage");
  m_message->setWordWrap(true);
  m_message->setContentsMargins(12, 0, 12, 4);
  m_message->setTextInteractionFlags(Qt::TextSelectableByMouse);
  m_message->hide();
  auto* sees = new PanelHeader(theme, tr("What the net sees"), this);
  sees->addWidget(makeLabel(theme, tr("off: answer without the step"), Theme::Text::Caption, "text2", this));
  auto* sheet = new QHBoxLayout;
  sheet->setContentsMargins(9, 8, 9, 4);
  sheet->addWidget(m_canvas);
  auto* column = new QVBoxLayout(this);
  column->setContentsMargins(0, 0, 0, 0);
  column->setSpacing(0);
  column->addWidget(header);
  column->addWidget(makeLine(this));
  column->addLayout(sheet, 1);
  column->addWidget(makeTools(theme));
  column->addWidget(m_message);
  column->addWidget(makeLine(this));
  column->addWidget(sees);
  column->addWidget(m_strip);
  column->addStretch(0);
  connect(random, &QPushButton::clicked, this, &DrawingPanel::randomWanted);
  connect(m_canvas, &Canvas::fileDropped, this, &DrawingPanel::openFile);
  connect(m_canvas, &Canvas::changed, this, [this] {
    if (m_canvas->picture().isNull()) setMessage({});
    if (m_canvas->empty()) setFinding({});
  });
  connect(m_canvas, &Canvas::pasteWanted, this, &DrawingPanel::paste);
}

/// The sheet is square: height it cannot use goes to the bottom. In a narrow panel the two tools are their icons alone.
void DrawingPanel::resizeEvent(QResizeEvent* event) {
  QWidget::resizeEvent(event);
  m_canvas->setMaximumHeight(std::max(140, width() - 18));
  for (int i = 0; i < 2; ++i) {
    m_tool->button(i)->setToolButtonStyle(width() < kNarrow ? Qt::ToolButtonIconOnly : Qt::ToolButtonTextBesideIcon);
    m_tool->button(i)->setToolTip(m_tool->button(i)->text());
  }
}

QWidget* DrawingPanel::makeTools(const Theme& theme) {
  auto* bar = new QWidget(this);
  m_tool = new Segment({tr("Draw"), tr("Erase")}, bar);
  m_tool->setObjectName("drawTool");
  m_tool->button(0)->setIcon(theme.icon("test"));
  m_tool->button(1)->setIcon(theme.icon("eraser"));
  m_brush = new QSlider(Qt::Horizontal, bar);
  m_brush->setRange(Canvas::kSmallestBrush, Canvas::kLargestBrush);
  m_brush->setValue(m_canvas->brush());
  m_brush->setAccessibleName(tr("Brush size"));
  m_brush->setToolTip(tr("Brush size ([ and ])"));
  m_brush->setMinimumWidth(40);
  m_brushText = makeLabel(theme, tr("%1 px").arg(m_canvas->brush()), Theme::Text::Caption, "text2", bar);
  m_brushText->setMinimumWidth(m_brushText->fontMetrics().horizontalAdvance(tr("%1 px").arg(48)) + 4);
  auto* row = new QHBoxLayout(bar);
  row->setContentsMargins(12, 2, 12, 8);
  row->setSpacing(6);
  row->addWidget(m_tool);
  row->addWidget(m_brush, 1);
  row->addWidget(m_brushText);
  const auto button = [&](const char* icon, const QString& tip, const char* name, auto slot) {
    auto* b = new QToolButton(bar);
    b->setObjectName(name);
    b->setProperty("button", true);
    b->setIcon(theme.icon(icon));
    b->setToolTip(tip);
    b->setAccessibleName(tip);
    connect(b, &QToolButton::clicked, this, slot);
    row->addWidget(b);
    return b;
  };
  button("image", tr("Open a picture"), "openPicture", [this] { chooseFile(); });
  auto* undo = button("undo", tr("Undo the last stroke"), "undoStroke", [this] { m_canvas->undoStack().undo(); });
  auto* clear = button("trash", tr("Clear (Del)"), "clearCanvas", [this] { m_canvas->clear(); });
  const auto offer = [](QToolButton* b, bool can, const QString& tip, const QString& reason) {
    b->setEnabled(can);
    b->setToolTip(can ? tip : reason);
  };
  const auto offerUndo = [undo, offer](bool can) {
    offer(undo, can, tr("Undo the last stroke"), tr("Nothing to undo"));
  };
  const auto offerClear = [this, clear, offer] {
    offer(clear, !m_canvas->empty(), tr("Clear (Del)"), tr("Nothing is drawn"));
  };
  offerUndo(false);
  offerClear();
  connect(&m_canvas->undoStack(), &QUndoStack::canUndoChanged, undo, offerUndo);
  connect(m_canvas, &Canvas::changed, clear, offerClear);
  connect(m_tool, &Segment::currentChanged, this, [this](int index) { m_canvas->setErasing(index == 1); });
  connect(m_brush, &QSlider::valueChanged, m_canvas, &Canvas::setBrush);
  connect(m_canvas, &Canvas::brushChanged, this, [this] {
    m_brush->setValue(m_canvas->brush());
    m_brushText->setText(tr("%1 px").arg(m_canvas->brush()));
    m_tool->setCurrent(m_canvas->erasing() ? 1 : 0);
  });
  return bar;
}

void DrawingPanel::setMessage(const QString& text, bool bad) {
  m_said = text;
  setTone(m_message, bad ? "bad" : "text2");
  showMessages();
}

void DrawingPanel::setFinding(const QString& text) {
  m_found = text;
  showMessages();
}

void DrawingPanel::showMessages() {
  const QString text = m_said + (m_said.isEmpty() || m_found.isEmpty() ? "" : " ") + m_found;
  m_message->setText(text);
  m_message->setVisible(!text.isEmpty());
}

void DrawingPanel::openFile(const QString& path) {
  try {
    const auto file = readPicture(path.toStdString());
    m_canvas->setPicture(toImage(file.picture), tr("Open picture"));
    setMessage(file.remark.empty() ? QString() : tr("The picture %1.").arg(QString::fromStdString(file.remark)));
  } catch (const Error& error) {
    setMessage(QString::fromUtf8(error.what()), true);
  }
}

void DrawingPanel::chooseFile() {
  const auto path = QFileDialog::getOpenFileName(
      this, tr("Open a picture"), {},
      tr("Pictures (%1)").arg("*." + pictureSuffixes().join(" *.")) + ";;" + tr("All files (*)"));
  if (!path.isEmpty()) openFile(path);
}

void DrawingPanel::paste() {
  const auto image = QApplication::clipboard()->image();
  if (image.isNull()) setMessage(tr("There is no picture on the clipboard."));
  else m_canvas->setPicture(image, tr("Paste"));
}

}  // namespace strata::gui
