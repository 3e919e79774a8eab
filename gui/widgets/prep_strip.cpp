// SPDX-License-Identifier: GPL-3.0-or-later
#include "gui/widgets/prep_strip.h"

#include <QGridLayout>
#include <QPainter>
#include <algorithm>

#include "datasets/readers/picture_sink.h"
#include "gui/widgets/label.h"

namespace strata::gui {
namespace {

QString sizeText(int w, int h) { return QString("%1 × %2").arg(w).arg(h); }

}  // namespace

QImage toImage(const Picture& picture) {
  const int rowSize = picture.width * picture.channels;
  QImage image(picture.width, picture.height,
               picture.channels == 3 ? QImage::Format_RGB888 : QImage::Format_Grayscale8);
  for (int y = 0; y < picture.height; ++y)
    std::copy_n(picture.pixels.data() + std::size_t(y) * rowSize, rowSize, image.scanLine(y));
  return image;
}

Picture toPicture(const QImage& image) {
  const auto rgba = image.convertToFormat(QImage::Format_RGBA8888);
  PictureSink sink(std::uint64_t(rgba.width()), std::uint64_t(rgba.height()), "picture");
  for (int y = 0; y < rgba.height(); ++y) sink.add(rgba.constScanLine(y));
  return sink.finish("picture", {}).picture;
}

/// One stage, black where there is nothing, with the crop box or the cross of the centre on it.
class PrepStrip::Stage : public QWidget {
 public:
  Stage(const Theme& theme, const QString& name, QWidget* parent) : QWidget(parent), m_theme(theme) {
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
    m_stages[std::size_t(i)] = new Stage(theme, titles[i], this);
    grid->addWidget(m_stages[std::size_t(i)], 0, i);
    if (i == 0) {
      grid->addWidget(makeLabel(theme, titles[i], Theme::Text::Caption, "text", this), 1, i);
    } else {
      auto* tick = m_ticks[std::size_t(i - 1)] = new QCheckBox(titles[i], this);
      tick->setFont(theme.font(Theme::Text::Caption));
      tick->setChecked(true);
      tick->setProperty("help", helps[i]);
      tick->setObjectName(QString("prepStep%1").arg(i - 1));
      connect(tick, &QCheckBox::toggled, this, &PrepStrip::choiceChanged);
      grid->addWidget(tick, 1, i);
    }
    m_sizes[std::size_t(i)] = makeLabel(theme, {}, Theme::Text::Caption, "text3", this);
    m_answers[std::size_t(i)] = makeLabel(theme, {}, Theme::Text::Caption, "text2", this);
    grid->addWidget(m_sizes[std::size_t(i)], 2, i);
    grid->addWidget(m_answers[std::size_t(i)], 3, i);
    grid->setColumnStretch(i, 1);
  }
  grid->addWidget(makeChoices(), 4, 0, 1, kSteps + 1);
  offerSteps(true);
}

QWidget* PrepStrip::makeChoices() {
  auto* bar = new QWidget(this);
  auto* row = new QHBoxLayout(bar);
  row->setContentsMargins(0, 6, 0, 0);
  row->setSpacing(8);
  const auto add = [&](const char* name, const QString& title, const QString& help, const QStringList& items) {
    auto* box = new QComboBox(bar);
    box->setObjectName(name);
    box->setAccessibleName(title);
    box->setToolTip(help);
    box->addItems(items);
    box->setSizeAdjustPolicy(QComboBox::AdjustToMinimumContentsLengthWithIcon);
    box->setMinimumContentsLength(8);
    row->addWidget(box, 1);
    connect(box, &QComboBox::currentIndexChanged, this, &PrepStrip::choiceChanged);
    return box;
  };
  m_framing = add("framing", tr("Framing"),
                  tr("How the picture is laid before the net: as its data set is, framed as MNIST frames digits, or "
                     "whole, scaled to the net's size"),
                  {tr("As the data"), tr("As MNIST"), tr("Whole picture")});
  m_polarity = add("polarity", tr("Polarity"), tr("What the picture shows: judged by a look at it, or as you say"),
                   {tr("Polarity judged"), tr("Light on dark"), tr("Dark on light")});
  return bar;
}

/// Only a framed picture is cropped, fitted and centred.
void PrepStrip::offerSteps(bool framed) {
  for (auto* tick : m_ticks) {
    tick->setEnabled(framed);
    tick->setToolTip(framed ? tick->property("help").toString() : tr("The picture is not framed: it goes in whole"));
  }
}

void PrepStrip::showStage(int stage, const QImage& image, const QRectF& cropBox, bool cross) {
  m_stages[std::size_t(stage)]->set(image, cropBox, cross);
  m_sizes[std::size_t(stage)]->setText(image.isNull() ? QString() : sizeText(image.width(), image.height()));
}

PrepChoice PrepStrip::choice() const {
  // In the order of the boxes' entries.
  constexpr Framing framings[] = {Framing::Auto, Framing::Mnist, Framing::None};
  constexpr Polarity polarities[] = {Polarity::Auto, Polarity::LightOnDark, Polarity::DarkOnLight};
  return {framings[m_framing->currentIndex()],
          polarities[m_polarity->currentIndex()],
          {m_ticks[0]->isChecked(), m_ticks[1]->isChecked(), m_ticks[2]->isChecked()}};
}

void PrepStrip::setPrepared(const PreparedPicture& prepared, const Answers& answersWithout) {
  const bool framed = prepared.framing == Framing::Mnist;
  const auto ink = toImage(prepared.ink);
  const QRect crop(prepared.crop.x, prepared.crop.y, prepared.crop.w, prepared.crop.h);
  const bool boxed = framed && choice().steps.crop;
  showStage(0, ink, boxed ? QRectF(crop) : QRectF());
  showStage(1, framed ? ink.copy(crop) : QImage());
  showStage(2, framed ? toImage(prepared.fitted) : QImage());
  showStage(3, toImage(prepared.final), {}, framed);
  m_answers[0]->setText(prepared.inverted ? tr("inverted") : prepared.asItIs ? tr("as it is") : QString());
  for (int i = 0; i < kSteps; ++i) m_answers[std::size_t(i + 1)]->setText(answersWithout[std::size_t(i)]);
  offerSteps(framed);
}

void PrepStrip::clear() {
  for (int i = 0; i <= kSteps; ++i) {
    showStage(i, {});
    m_answers[std::size_t(i)]->clear();
  }
  offerSteps(true);
}

}  // namespace strata::gui
