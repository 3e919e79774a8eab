// SPDX-License-Identifier: GPL-3.0-or-later
#include "gui/widgets/feature_maps.h"

#include <QPaintEvent>
#include <QPainter>
#include <algorithm>
#include <cmath>

#include "engine/net/analysis.h"

namespace strata::gui {
namespace {

constexpr int kLabel = 82, kGap = 3, kLayerGap = 12, kVectorCell = 8;
constexpr int kMostMaps = 256;  ///< of one layer; more are not told apart anyway

}  // namespace

FeatureMaps::FeatureMaps(const Theme& theme, QWidget* parent) : QWidget(parent), m_theme(theme) {
  setObjectName("featureMaps");
  setAccessibleName(tr("Feature maps"));
  setMinimumSize(200, 60);
  connect(&theme, &Theme::changed, this, qOverload<>(&QWidget::update));
}

void FeatureMaps::setNetwork(const NetworkSpec& network) {
  m_layers.clear();
  m_activations.clear();
  const auto analysis = analyse(network);
  const int answer = static_cast<int>(analysis.graph.values.size()) - 1;
  for (const LayerAnalysis& layer : analysis.layers) {
    // The answer is shown as bars; what only moves values shows nothing new.
    if (!layer.out.known() || !layer.def || layer.value <= 0 || layer.value == answer || layer.def->reshapes) continue;
    m_layers.push_back({QString::fromStdString(layer.path),
                        QString::fromStdString(layer.out.text()),
                        layer.out,
                        static_cast<std::size_t>(layer.value - 1),
                        0,
                        0,
                        1,
                        1,
                        {}});
  }
  layOut();
  update();
}

void FeatureMaps::setActivations(std::vector<std::vector<float>> activations) {
  const bool shown = !activations.empty(), was = !m_activations.empty();
  m_activations = std::move(activations);
  if (shown != was) layOut();
  QStringList words;
  for (auto& layer : m_layers) {
    colour(layer);
    words << tr("%1, %2").arg(layer.name, layer.shape);
  }
  setAccessibleDescription(m_activations.empty() ? tr("nothing to show") : words.join("; "));
  update();
}

/// Maps at a whole multiple of their pixels that fills the width in few rows.
void FeatureMaps::layOut() {
  double y = 0;
  const int room = std::max(60, width() - kLabel);
  for (auto& layer : m_layers) {
    layer.top = y;
    if (layer.out.isImage() && layer.out.h * layer.out.w > 1) {
      const int maps = std::min(layer.out.c, kMostMaps);
      const int rows = maps <= 16 ? 1 : maps <= 40 ? 2 : 3;
      const int wanted = (maps + rows - 1) / rows;
      const double fit = double(room) / wanted - kGap;
      layer.cell = std::clamp(fit, 14.0, 56.0);
      layer.perRow = std::max(1, int((room + kGap) / (layer.cell + kGap)));
      const int lines = (maps + layer.perRow - 1) / layer.perRow;
      layer.height = std::max(34.0, lines * (layer.cell * layer.out.h / std::max(1, layer.out.w) + kGap));
    } else {
      layer.cell = kVectorCell;
      layer.perRow = std::max(1, room / kVectorCell);
      const int values = int(std::min<std::int64_t>(layer.out.size(), 4096));
      layer.height = std::max(34, (values + layer.perRow - 1) / layer.perRow * kVectorCell);
    }
    y += layer.height + kLayerGap;
  }
  // The sentence for none is in the middle of what is seen.
  setMinimumHeight(m_activations.empty() ? 60 : std::max(60, int(y)));
  updateGeometry();
}

QSize FeatureMaps::sizeHint() const { return {480, minimumHeight()}; }

void FeatureMaps::resizeEvent(QResizeEvent* event) {
  if (event->oldSize().width() != width()) layOut();
}

/// Maps one under another in one image of the layer's width: map c begins at line c * h.
void FeatureMaps::colour(Layer& layer) {
  layer.maps = {};
  if (layer.index >= m_activations.size() || std::int64_t(m_activations[layer.index].size()) < layer.out.size()) return;
  const auto& values = m_activations[layer.index];
  const auto [low, high] = std::minmax_element(values.begin(), values.end());
  const float from = std::min(0.0f, *low), span = std::max(1e-12f, *high - from);
  const int maps = layer.out.isImage() ? std::min(layer.out.c, kMostMaps) : layer.out.c;
  layer.maps = QImage(layer.out.isImage() ? layer.out.w : maps, layer.out.isImage() ? layer.out.h * maps : 1,
                      QImage::Format_RGB32);
  for (int c = 0; c < maps; ++c) {
    for (int y = 0; y < layer.out.h; ++y) {
      for (int x = 0; x < layer.out.w; ++x) {
        const float v = values[(std::size_t(y) * layer.out.w + x) * layer.out.c + c];
        const auto rgb = m_theme.sequential(std::isfinite(v) ? (v - from) / span : 0);
        if (layer.out.isImage()) layer.maps.setPixel(x, c * layer.out.h + y, rgb);
        else layer.maps.setPixel(c, 0, rgb);
      }
    }
  }
}

void FeatureMaps::paintEvent(QPaintEvent* event) {
  QPainter painter(this);
  if (m_activations.empty()) {
    painter.setPen(m_theme.color("text2"));
    painter.drawText(rect().adjusted(12, 0, -12, 0), Qt::AlignCenter | Qt::TextWordWrap,
                     tr("What each layer makes of a drawing appears here."));
    return;
  }
  for (const auto& layer : m_layers) {
    if (layer.top > event->rect().bottom() || layer.top + layer.height < event->rect().top()) continue;
    painter.setFont(m_theme.font(Theme::Text::BodyStrong));
    painter.setPen(m_theme.color("text"));
    const auto name = painter.fontMetrics().elidedText(layer.name, Qt::ElideLeft, kLabel - 8);
    painter.drawText(QRectF(0, layer.top, kLabel - 8, 18), Qt::AlignLeft | Qt::AlignVCenter, name);
    painter.setFont(m_theme.font(Theme::Text::Caption));
    painter.setPen(m_theme.color("text2"));
    painter.drawText(QRectF(0, layer.top + 17, kLabel - 4, 16), Qt::AlignLeft | Qt::AlignVCenter, layer.shape);
    if (layer.maps.isNull()) continue;
    if (layer.out.isImage()) {
      const int maps = layer.maps.height() / layer.out.h;
      const double h = layer.cell * layer.out.h / std::max(1, layer.out.w);
      for (int c = 0; c < maps; ++c) {
        const QPointF at(kLabel + (c % layer.perRow) * (layer.cell + kGap),
                         layer.top + (c / layer.perRow) * (h + kGap));
        painter.drawImage(QRectF(at, QSizeF(layer.cell, h)), layer.maps,
                          QRectF(0, c * layer.out.h, layer.out.w, layer.out.h));
      }
    } else {
      for (int i = 0; i < layer.maps.width(); ++i) {
        const QRectF cell(kLabel + (i % layer.perRow) * kVectorCell, layer.top + (i / layer.perRow) * kVectorCell,
                          kVectorCell - 1, kVectorCell - 1);
        painter.fillRect(cell, QColor(layer.maps.pixel(i, 0)));
      }
    }
  }
}

MapLegend::MapLegend(const Theme& theme, QWidget* parent) : QWidget(parent), m_theme(theme) {
  setAccessibleName(tr("Colours: from 0 to the layer's highest value"));
  connect(&theme, &Theme::changed, this, qOverload<>(&QWidget::update));
}

QSize MapLegend::sizeHint() const {
  const QFontMetrics metrics(m_theme.font(Theme::Text::Caption));
  return {metrics.horizontalAdvance("0max") + 96 + 16, metrics.height() + 4};
}

void MapLegend::paintEvent(QPaintEvent*) {
  QPainter painter(this);
  painter.setFont(m_theme.font(Theme::Text::Caption));
  painter.setPen(m_theme.color("text2"));
  const int zero = painter.fontMetrics().horizontalAdvance("0");
  painter.drawText(rect(), Qt::AlignLeft | Qt::AlignVCenter, "0");
  painter.drawText(rect(), Qt::AlignRight | Qt::AlignVCenter, tr("max"));
  for (int x = 0; x < 96; ++x)
    painter.fillRect(zero + 8 + x, height() / 2 - 4, 1, 8, QColor(m_theme.sequential(x / 95.0)));
}

}  // namespace strata::gui
