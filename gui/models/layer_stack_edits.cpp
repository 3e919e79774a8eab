// SPDX-License-Identifier: GPL-3.0-or-later
// What the stack's model does to the document: each edit is one undoable step.
#include <QMimeData>

#include "gui/models/layer_stack_model.h"
#include "gui/models/palette_model.h"

namespace strata::gui {

/// Runs the change on a copy first: one that does nothing is no step.
int LayerStackModel::edit(const QString& text, const Edit& change) {
  int result = -1;
  const bool done = m_document.edit(text, [&](Project& project) { result = change(project.network); });
  return done ? result : -1;
}

int LayerStackModel::insertLayer(const QString& type, const StackPlace& place) {
  const LayerDef* def = findLayer(type.toStdString());
  if (!def || def->hidden) return -1;
  return edit(tr("Add %1").arg(QString::fromStdString(def->title)),
              [&](NetworkSpec& net) { return putLayer(net, newLayer(net, *def), place); });
}

int LayerStackModel::duplicateLayer(int layer) {
  if (!has(layer)) return -1;
  StackPlace place = placeOf(m_document.project().network, layer);
  ++place.at;
  return copyLayer(layer, place);
}

int LayerStackModel::copyLayer(int layer, const StackPlace& place) {
  if (!has(layer)) return -1;
  return edit(tr("Duplicate %1").arg(nameOf(layer)),
              [&](NetworkSpec& net) { return gui::copyLayer(net, layer, place); });
}

int LayerStackModel::moveLayer(int layer, const StackPlace& place) {
  if (!has(layer)) return -1;
  return edit(tr("Move %1").arg(nameOf(layer)), [&](NetworkSpec& net) { return gui::moveLayer(net, layer, place); });
}

int LayerStackModel::moveAlong(int layer, int step, const std::function<bool(int)>& isOpen) {
  if (!has(layer)) return -1;
  return edit(tr("Move %1").arg(nameOf(layer)),
              [&](NetworkSpec& net) { return gui::moveAlong(net, layer, step, isOpen); });
}

int LayerStackModel::removeLayer(int layer) {
  if (!has(layer)) return -1;
  return edit(tr("Delete %1").arg(nameOf(layer)), [&](NetworkSpec& net) { return gui::removeLayer(net, layer); });
}

int LayerStackModel::wrapLayer(int layer, const QString& containerType) {
  const LayerDef* def = findLayer(containerType.toStdString());
  if (!has(layer) || !def) return -1;
  return edit(tr("Put %1 into a %2").arg(nameOf(layer), QString::fromStdString(def->title)),
              [&](NetworkSpec& net) { return gui::wrapLayer(net, layer, *def); });
}

int LayerStackModel::takeApart(int layer) {
  if (!has(layer)) return -1;
  return edit(tr("Take %1 apart").arg(nameOf(layer)), [&](NetworkSpec& net) { return gui::takeApart(net, layer); });
}

int LayerStackModel::addStack(int container) {
  if (!has(container)) return -1;
  return edit(tr("Add a branch to %1").arg(nameOf(container)), [&](NetworkSpec& net) {
    LayerSpec& layer = strata::layerAt(net, container);
    const LayerDef* def = findLayer(layer.type);
    if (!def || !def->anyStacks || layer.stacks.size() >= static_cast<std::size_t>(kMaxStacks)) return -1;
    layer.stacks.emplace_back();
    return container;
  });
}

int LayerStackModel::removeStack(int container, int stack) {
  if (!has(container)) return -1;
  return edit(tr("Remove a branch of %1").arg(nameOf(container)), [&](NetworkSpec& net) {
    LayerSpec& layer = strata::layerAt(net, container);
    const LayerDef* def = findLayer(layer.type);
    if (!def || !def->anyStacks || stack < 0 || stack >= std::ssize(layer.stacks) || layer.stacks.size() < 2) return -1;
    layer.stacks.erase(layer.stacks.begin() + stack);
    return container;
  });
}

int LayerStackModel::emptyStack(int container, int stack) {
  if (!has(container)) return -1;
  return edit(tr("Empty the shortcut of %1").arg(nameOf(container)), [&](NetworkSpec& net) {
    strata::layerAt(net, container).stacks.at(static_cast<std::size_t>(stack)).clear();
    return container;
  });
}

int LayerStackModel::setTrainable(int layer, bool trainable) {
  if (!has(layer)) return -1;
  return edit((trainable ? tr("Train %1") : tr("Freeze %1")).arg(nameOf(layer)), [&](NetworkSpec& net) {
    gui::setTrainable(net, layer, trainable);
    return layer;
  });
}

void LayerStackModel::setField(int layer, const QString& field, const Value& value) {
  if (!has(layer)) return;
  m_document.edit(
      tr("Change %1").arg(nameOf(layer)),
      [&](Project& project) { strata::layerAt(project.network, layer).fields.set(field.toStdString(), value); },
      QString("%1.%2").arg(idOf(layer)).arg(field));
}

void LayerStackModel::renameLayer(int layer, const QString& name) {
  if (!has(layer)) return;
  m_document.edit(tr("Rename layer"),
                  [&](Project& project) { strata::layerAt(project.network, layer).name = name.toStdString(); });
}

void LayerStackModel::applyFix(const Issue& issue, const Fix& fix) {
  m_document.edit(QString::fromStdString(fix.title),
                  [&](Project& project) { strata::applyFix(project.network, issue, fix); });
}

QStringList LayerStackModel::mimeTypes() const {
  return {QString::fromLatin1(kCardMime), QString::fromLatin1(kLayerMime)};
}

QMimeData* LayerStackModel::mimeData(const QModelIndexList& indexes) const {
  const int layer = indexes.isEmpty() ? -1 : layerAt(indexes.front());
  if (layer < 0) return nullptr;
  auto* mime = new QMimeData;
  mime->setData(kCardMime, m_id + QByteArray::number(layer));
  return mime;
}

int LayerStackModel::draggedLayer(const QMimeData* data) const {
  const QByteArray bytes = data->data(kCardMime);
  if (!bytes.startsWith(m_id)) return -1;
  bool isNumber = false;
  const int layer = bytes.mid(m_id.size()).toInt(&isNumber);
  return isNumber && has(layer) ? layer : -1;
}

QString LayerStackModel::draggedTitle(const QMimeData* data) const {
  if (const int layer = draggedLayer(data); layer >= 0) return nameOf(layer);
  const LayerDef* def = findLayer(data->data(kLayerMime).toStdString());
  return def ? QString::fromStdString(def->title) : QString();
}

bool LayerStackModel::canDropMimeData(const QMimeData* data, Qt::DropAction action, int row, int,
                                      const QModelIndex& parent) const {
  const NetworkSpec& net = m_document.project().network;
  const StackPlace place = placeAt(row, parent);
  if (!isPlace(net, place)) return false;
  if (data->hasFormat(kLayerMime)) return true;
  const int layer = draggedLayer(data);
  if (layer < 0) return data->data(kCardMime).startsWith(m_id) && !data->data(kCardMime).isEmpty();
  return action == Qt::CopyAction || place.container < 0 || !isWithin(net, layer, place.container);
}

bool LayerStackModel::dropMimeData(const QMimeData* data, Qt::DropAction action, int row, int column,
                                   const QModelIndex& parent) {
  if (!canDropMimeData(data, action, row, column, parent)) return false;
  const StackPlace place = placeAt(row, parent);
  int placed = -1;
  if (data->hasFormat(kLayerMime)) placed = insertLayer(QString::fromUtf8(data->data(kLayerMime)), place);
  else if (const int layer = draggedLayer(data); layer >= 0)
    placed = action == Qt::CopyAction ? copyLayer(layer, place) : moveLayer(layer, place);
  if (placed >= 0) emit layerPlaced(placed);
  return placed >= 0;
}

QString LayerStackModel::placeText(const StackPlace& place) const {
  const NetworkSpec& net = m_document.project().network;
  if (!isPlace(net, place)) return {};
  QString text;
  if (place.container >= 0) {
    const LayerDef* def = findLayer(strata::layerAt(net, place.container).type);
    const QString name = nameOf(place.container);
    if (def && def->anyStacks) text = tr("into branch %1 of %2").arg(place.stack + 1).arg(name);
    else if (place.stack > 0) text = tr("into the shortcut of %1").arg(name);
    else text = tr("into %1").arg(name);
  }
  QString where;
  if (place.at > 0) where = tr("after %1").arg(nameOf(numberAt(net, {place.container, place.stack, place.at - 1})));
  else if (place.container < 0) where = tr("right after the input");
  return text.isEmpty() ? where : where.isEmpty() ? text : text + ", " + where;
}

}  // namespace strata::gui
