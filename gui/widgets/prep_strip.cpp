// SPDX-License-Identifier: GPL-3.0-or-later
#include "gui/widgets/prep_strip.h"

#include <QGridLayout>
#include <QPainter>
#include <algorithm>

#include "gui/widgets/label.h"

namespace strata::gui {
namespace {

QString sizeText(int w, int h) { return QString("%1 × %2").arg(w).arg(h); }

}  // namespace

QImage toImage(const GreyImage& grey) {
  QImage image(grey.width, grey.height, QImage::Format_Grayscale8);
  for (int y = 0; y < grey.height; ++y)
    std::copy_n(grey.pixels.data() + std::size_t(y) * grey.width, grey.width, image.scanLine(y));
  return image;
}

GreyImage toGrey(const QImage& image) {
  const auto grey = image.convertToFormat(QImage::Format_Grayscale8);
  GreyImage out{grey.width(), grey.height(), {}};
  out.pixels.reserve(std::size_t(out.width) * out.height);
  for (int y = 0; y < out.height; ++y)
    out.pixels.insert(out.pixels.end(), grey.constScanLine(y), grey.constScanLine(y) + out.width);
  return out;
}

/// One stage, black where there is nothing, with the crop box or the cross of the centre on it.
class PrepStrip::Picture : public QWidget {
 public:
  Picture(const Theme& theme, const QString& name, QWidget* parent) : QWidget(parent), m_theme(theme) {
    setAccessibleName(name);
    setMinimumSize(48, 48);
    setMaximumSize(96, 96);
    QSizePolicy policy(QSizePolicy::Expanding, QSizePolicy::Preferred);
    policy.setHeightForWidth(true);
    setSizePolicy(policy);
    connect(&theme, &Theme::changed, this, qOverload<>(&QWidget::update));
  }
  bool hasHeightForWidth() const override { return true; }
  int heightForWidth(int w) const override { return w; }
  QSize sizeHint() const override { return {76, 76}; }

  void set(const QImage& image, const QRectF& cropBox, bool cross) {
    m_image = image;
    m_crop = cropBox;
    m_cross = cross;
    update();
  }

 protected:
  void paintEvent(QPaintEvent*) override {
    QPainter painter(this);
    const double side = std::min(width(), height()) - 2;
    const QRectF box(1, 1, side, side);
    painter.fillRect(box, Qt::black);
    if (!m_image.isNull()) {
      const double scale = side / std::max(m_image.width(), m_image.height());
      const QSizeF size(m_image.width() * scale, m_image.height() * scale);
      const QRectF target(box.center() - QPointF(size.width() / 2, size.height() / 2), size);
      painter.setRenderHint(QPainter::SmoothPixmapTransform, m_image.width() > side);
      painter.drawImage(target, m_image);
      painter.setPen(QPen(m_theme.darkColor("accent"), 1, Qt::DashLine));  // on black in both themes
      if (!m_crop.isEmpty())
        painter.drawRect(QRectF(target.topLeft() + m_crop.topLeft() * scale, m_crop.size() * scale));
      if (m_cross) {
        painter.drawLine(QPointF(box.center().x(), box.top()), QPointF(box.center().x(), box.bottom()));
        painter.drawLine(QPointF(box.left(), box.center().y()), QPointF(box.right(), box.center().y()));
      }
    }
    painter.setPen(m_theme.color("bstrong"));
    painter.setBrush(Qt::NoBrush);
    painter.drawRect(box.adjusted(-0.5, -0.5, 0.5, 0.5));
  }

 private:
  const Theme& m_theme;
  QImage m_image;
  QRectF m_crop;
  bool m_cross = false;
};

PrepStrip::PrepStrip(const Theme& theme, QWidget* parent) : QWidget(parent), m_theme(theme) {
  auto* grid = new QGridLayout(this);
  grid->setContentsMargins(12, 0, 12, 8);
  grid->setHorizontalSpacing(12);
  grid->setVerticalSpacing(3);
  const QString titles[] = {tr("Ink"), tr("Crop"), tr("Fit"), tr("Centre")};
  const QString helps[] = {{},
                           tr("Cuts the paper away around the ink"),
                           tr("Scales the ink into 20 × 20, keeping its aspect"),
                           tr("Moves the centre of mass to the middle, as in MNIST")};
  for (int i = 0; i <= kSteps; ++i) {
    m_pictures[std::size_t(i)] = new Picture(theme, titles[i], this);
    grid->addWidget(m_pictures[std::size_t(i)], 0, i);
    if (i == 0) {
      grid->addWidget(makeLabel(theme, titles[i], Theme::Text::Caption, "text", this), 1, i);
    } else {
      auto* tick = m_ticks[std::size_t(i - 1)] = new QCheckBox(titles[i], this);
      tick->setFont(theme.font(Theme::Text::Caption));
      tick->setChecked(true);
      tick->setToolTip(helps[i]);
      tick->setObjectName(QString("prepStep%1").arg(i - 1));
      connect(tick, &QCheckBox::toggled, this, &PrepStrip::stepsChanged);
      grid->addWidget(tick, 1, i);
    }
    m_sizes[std::size_t(i)] = makeLabel(theme, {}, Theme::Text::Caption, "text3", this);
    m_answers[std::size_t(i)] = makeLabel(theme, {}, Theme::Text::Caption, "text2", this);
    grid->addWidget(m_sizes[std::size_t(i)], 2, i);
    grid->addWidget(m_answers[std::size_t(i)], 3, i);
    grid->setColumnStretch(i, 1);
  }
}

PrepSteps PrepStrip::steps() const {
  return {m_ticks[0]->isChecked(), m_ticks[1]->isChecked(), m_ticks[2]->isChecked()};
}

void PrepStrip::setPrepared(const PreparedDigit& digit, const Answers& answersWithout) {
  const auto ink = toImage(digit.ink);
  const auto done = steps();
  const QRect crop(digit.cropX, digit.cropY, digit.cropW, digit.cropH);
  const auto cropped = done.crop ? ink.copy(crop) : ink;
  m_pictures[0]->set(ink, done.crop ? QRectF(crop) : QRectF(), false);
  m_pictures[1]->set(cropped, {}, false);
  m_pictures[2]->set(toImage(digit.fitted), {}, false);
  m_pictures[3]->set(toImage(digit.final), {}, true);
  m_sizes[0]->setText(sizeText(ink.width(), ink.height()));
  m_sizes[1]->setText(sizeText(cropped.width(), cropped.height()));
  m_sizes[2]->setText(sizeText(digit.fitted.width, digit.fitted.height));
  m_sizes[3]->setText(sizeText(digit.final.width, digit.final.height));
  m_answers[0]->setText(digit.inverted ? tr("inverted") : QString());
  for (int i = 0; i < kSteps; ++i) m_answers[std::size_t(i + 1)]->setText(answersWithout[std::size_t(i)]);
}

void PrepStrip::clear() {
  for (int i = 0; i <= kSteps; ++i) {
    m_pictures[std::size_t(i)]->set({}, {}, false);
    m_sizes[std::size_t(i)]->clear();
    m_answers[std::size_t(i)]->clear();
  }
}

}  // namespace strata::gui
