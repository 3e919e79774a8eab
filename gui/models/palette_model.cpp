// SPDX-License-Identifier: GPL-3.0-or-later
#include "gui/models/palette_model.h"

#include <QCoreApplication>
#include <QMimeData>
#include <algorithm>

namespace strata::gui {
namespace {

constexpr quintptr kTopLevel = 0;  // a layer's internal id is its category's row + 1

struct CategoryDef {
  const char *id, *title;
};
/// In the order of the palette.
constexpr CategoryDef kCategories[] = {
    {"conv", QT_TRANSLATE_NOOP("Palette", "Convolution")}, {"pool", QT_TRANSLATE_NOOP("Palette", "Pooling")},
    {"norm", QT_TRANSLATE_NOOP("Palette", "Normalise")},   {"dense", QT_TRANSLATE_NOOP("Palette", "Dense")},
    {"seq", QT_TRANSLATE_NOOP("Palette", "Sequence")},     {"shape", QT_TRANSLATE_NOOP("Palette", "Shape")},
    {"act", QT_TRANSLATE_NOOP("Palette", "Activation")},   {"reg", QT_TRANSLATE_NOOP("Palette", "Regularise")},
    {"combine", QT_TRANSLATE_NOOP("Palette", "Combine")}};

/// Where a layer stands: its category, or "combine" for the containers.
QString categoryOf(const LayerDef& def) {
  return def.isContainer() ? QStringLiteral("combine") : QString::fromStdString(def.category);
}

}  // namespace

PaletteModel::PaletteModel(const std::vector<LayerDef>& layers, QObject* parent) : QAbstractItemModel(parent) {
  for (const CategoryDef& category : kCategories)
    m_categories.push_back({category.id, QCoreApplication::translate("Palette", category.title), {}});
  for (const LayerDef& def : layers) {
    if (def.hidden) continue;
    const QString id = categoryOf(def);
    auto found = std::find_if(m_categories.begin(), m_categories.end(),
                              [&](const Category& category) { return category.id == id; });
    if (found == m_categories.end()) found = m_categories.insert(m_categories.end(), {id, id, {}});
    found->layers.push_back(&def);
  }
  std::erase_if(m_categories, [](const Category& category) { return category.layers.empty(); });
}

QModelIndex PaletteModel::index(int row, int column, const QModelIndex& parent) const {
  if (!hasIndex(row, column, parent)) return {};
  return createIndex(row, column, parent.isValid() ? static_cast<quintptr>(parent.row()) + 1 : kTopLevel);
}

QModelIndex PaletteModel::parent(const QModelIndex& child) const {
  if (!child.isValid() || child.internalId() == kTopLevel) return {};
  return createIndex(static_cast<int>(child.internalId()) - 1, 0, kTopLevel);
}

int PaletteModel::rowCount(const QModelIndex& parent) const {
  if (!parent.isValid()) return static_cast<int>(m_categories.size());
  if (parent.internalId() != kTopLevel || parent.column() != 0) return 0;
  return static_cast<int>(m_categories[parent.row()].layers.size());
}

const LayerDef* PaletteModel::layerAt(const QModelIndex& index) const {
  if (!index.isValid() || index.internalId() == kTopLevel) return nullptr;
  return m_categories[index.internalId() - 1].layers[index.row()];
}

QVariant PaletteModel::data(const QModelIndex& index, int role) const {
  if (!index.isValid()) return {};
  const LayerDef* layer = layerAt(index);
  if (!layer) {
    const Category& category = m_categories[index.row()];
    if (role == Qt::DisplayRole) return category.title;
    if (role == CountRole) return static_cast<int>(category.layers.size());
    return role == CategoryRole ? QVariant(QString::fromStdString(category.layers.front()->category)) : QVariant();
  }
  switch (role) {
    case Qt::DisplayRole:
      return QString::fromStdString(layer->title);
    case Qt::ToolTipRole:
    case Qt::WhatsThisRole:
      return QString::fromStdString(layer->help);
    case TypeRole:
      return QString::fromStdString(layer->type);
    case CategoryRole:
      return QString::fromStdString(layer->category);
    case IconRole:
      return QString::fromStdString(layer->icon);
    default:
      return {};
  }
}

Qt::ItemFlags PaletteModel::flags(const QModelIndex& index) const {
  if (!index.isValid()) return Qt::NoItemFlags;
  if (!layerAt(index)) return Qt::ItemIsEnabled;
  return Qt::ItemIsEnabled | Qt::ItemIsSelectable | Qt::ItemIsDragEnabled | Qt::ItemNeverHasChildren;
}

QMimeData* PaletteModel::mimeData(const QModelIndexList& indexes) const {
  const LayerDef* layer = indexes.isEmpty() ? nullptr : layerAt(indexes.front());
  if (!layer) return nullptr;
  auto* mime = new QMimeData;
  mime->setData(kLayerMime, QByteArray::fromStdString(layer->type));
  return mime;
}

}  // namespace strata::gui
