// SPDX-License-Identifier: GPL-3.0-or-later
// The layers there are, as a tree: categories, and under each its layers. Made from allLayers(); nothing is listed
// twice, and what only containers make is left out.
#pragma once
#include <QAbstractItemModel>
#include <QStringList>
#include <vector>

#include "engine/net/layer.h"

namespace strata::gui {

/// What a dragged layer of the palette is called; its bytes are the LayerDef's type.
inline constexpr char kLayerMime[] = "application/x-strata-layer";

class PaletteModel : public QAbstractItemModel {
  Q_OBJECT
 public:
  /// CategoryRole is the colour of a category and of its layers, CountRole the number of layers in a category.
  enum Role { TypeRole = Qt::UserRole, CategoryRole, IconRole, CountRole };

  explicit PaletteModel(const std::vector<LayerDef>& layers = allLayers(), QObject* parent = nullptr);

  QModelIndex index(int row, int column, const QModelIndex& parent = {}) const override;
  QModelIndex parent(const QModelIndex& child) const override;
  int rowCount(const QModelIndex& parent = {}) const override;
  int columnCount(const QModelIndex& = {}) const override { return 1; }
  QVariant data(const QModelIndex& index, int role = Qt::DisplayRole) const override;
  Qt::ItemFlags flags(const QModelIndex& index) const override;
  QStringList mimeTypes() const override { return {QString::fromLatin1(kLayerMime)}; }
  QMimeData* mimeData(const QModelIndexList& indexes) const override;

 private:
  struct Category {
    QString id, title;
    std::vector<const LayerDef*> layers;
  };
  const LayerDef* layerAt(const QModelIndex& index) const;
  std::vector<Category> m_categories;
};

}  // namespace strata::gui
