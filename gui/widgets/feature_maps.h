// SPDX-License-Identifier: GPL-3.0-or-later
// What every layer makes of one input: maps as small pictures, vectors as rows of cells, in the sequential colour map,
// scaled per layer from 0 (or its lowest value, where it has negative ones) to its highest.
#pragma once
#include <QImage>
#include <QWidget>
#include <vector>

#include "engine/net/network_spec.h"
#include "gui/theme.h"

namespace strata::gui {

class FeatureMaps : public QWidget {
  Q_OBJECT
 public:
  explicit FeatureMaps(const Theme& theme, QWidget* parent = nullptr);

  void setNetwork(const NetworkSpec& network);
  /// Outputs of the graph's nodes in their order, [H,W,C] each; empty clears.
  void setActivations(std::vector<std::vector<float>> activations);
  QSize sizeHint() const override;

 protected:
  void paintEvent(QPaintEvent*) override;
  void resizeEvent(QResizeEvent*) override;

 private:
  struct Layer {
    QString name;  ///< its path: "res1/conv1"
    QString shape;
    Shape out;
    std::size_t index = 0;  ///< of its node in the graph
    double top = 0, height = 0, cell = 1;
    int perRow = 1;
    QImage maps;  ///< all maps of the layer side by side, one pixel a value
  };
  void layOut();
  void colour(Layer& layer);
  const Theme& m_theme;
  std::vector<Layer> m_layers;
  std::vector<std::vector<float>> m_activations;
};

/// The legend beside it: 0, the colour map, max.
class MapLegend : public QWidget {
  Q_OBJECT
 public:
  explicit MapLegend(const Theme& theme, QWidget* parent = nullptr);
  QSize sizeHint() const override;
  QSize minimumSizeHint() const override { return sizeHint(); }

 protected:
  void paintEvent(QPaintEvent*) override;

 private:
  const Theme& m_theme;
};

}  // namespace strata::gui
