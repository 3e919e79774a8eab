// SPDX-License-Identifier: GPL-3.0-or-later
// The rows and how they follow the document; the edits are in layer_stack_edits.cpp.
#include "gui/models/layer_stack_model.h"

#include <QMimeData>
#include <algorithm>

#include "gui/models/palette_model.h"

namespace strata::gui {
namespace {

using Kind = StackNode::Kind;

void collectIds(const StackNode& node, std::set<int>& ids) {
  if (node.id != 0) ids.insert(node.id);
  for (const auto& child : node.children) collectIds(*child, ids);
}

bool anyOf(const StackNode& node, const std::set<int>& ids) {
  return ids.contains(node.id) ||
         std::any_of(node.children.begin(), node.children.end(), [&](const auto& each) { return anyOf(*each, ids); });
}

}  // namespace

LayerStackModel::LayerStackModel(Document& document, QObject* parent)
    : QAbstractItemModel(parent), m_document(document) {
  m_byId[0] = &m_root;
  followDocument();
  connect(&m_document, &Document::changed, this, &LayerStackModel::followDocument);
}

const StackNode& LayerStackModel::nodeOf(const QModelIndex& index) const {
  const auto found = m_byId.find(index.isValid() ? static_cast<int>(index.internalId()) : 0);
  return found == m_byId.end() ? m_root : *found->second;
}

QModelIndex LayerStackModel::indexOf(const StackNode& node) const {
  return node.kind == Kind::Root ? QModelIndex() : createIndex(node.row(), 0, static_cast<quintptr>(node.id));
}

QModelIndex LayerStackModel::index(int row, int column, const QModelIndex& parent) const {
  const StackNode& node = nodeOf(parent);
  if (row < 0 || column != 0 || row >= static_cast<int>(node.children.size())) return {};
  return createIndex(row, 0, static_cast<quintptr>(node.children[static_cast<std::size_t>(row)]->id));
}

QModelIndex LayerStackModel::parent(const QModelIndex& child) const {
  const StackNode& node = nodeOf(child);
  return node.parent ? indexOf(*node.parent) : QModelIndex();
}

int LayerStackModel::rowCount(const QModelIndex& parent) const {
  return parent.column() > 0 ? 0 : static_cast<int>(nodeOf(parent).children.size());
}

QVariant LayerStackModel::data(const QModelIndex& index, int role) const {
  if (!index.isValid()) return {};
  const StackNode& node = nodeOf(index);
  if (node.kind == Kind::Lane) {
    if (role != Qt::DisplayRole && role != Qt::AccessibleTextRole) return {};
    const LayerDef* def = findLayer(node.parent->card.type.toStdString());
    if (!def || def->stacks.empty()) return {};
    if (!def->anyStacks) return QString::fromStdString(def->stacks[static_cast<std::size_t>(node.stack)].title);
    return tr("%1 %2").arg(QString::fromStdString(def->stacks.front().title)).arg(node.stack + 1);
  }
  const LayerCard& card = node.card;
  switch (role) {
    case CardRole:
      return QVariant::fromValue(card);
    case Qt::DisplayRole:
      return card.name.isEmpty() ? card.title : card.title + ' ' + card.name;
    case Qt::AccessibleTextRole:
      return spokenName(card);
    case Qt::AccessibleDescriptionRole:
      return card.out.known() ? tr("%1; puts out %2").arg(card.summary, QString::fromStdString(card.out.text()))
                              : card.summary;
    case Qt::WhatsThisRole:
      return card.help;
    default:
      return {};
  }
}

Qt::ItemFlags LayerStackModel::flags(const QModelIndex& index) const {
  if (!index.isValid()) return Qt::ItemIsDropEnabled;
  const StackNode& node = nodeOf(index);
  if (node.kind == Kind::Lane) return Qt::ItemIsDropEnabled;  // never the current one
  Qt::ItemFlags flags = Qt::ItemIsEnabled | Qt::ItemIsSelectable;
  if (!node.card.isContainer) flags |= Qt::ItemNeverHasChildren;
  return node.kind == Kind::Layer ? flags | Qt::ItemIsDragEnabled : flags;
}

void LayerStackModel::setDataTitle(const QString& title) {
  m_dataTitle = title;
  m_root.children.front()->card = makeCards(m_document.project(), m_document.analysis(), title).front();
  emit dataChanged(index(0), index(0));
}

int LayerStackModel::layerAt(const QModelIndex& index) const { return index.isValid() ? nodeOf(index).number : -1; }
QModelIndex LayerStackModel::indexOf(int layer) const {
  return has(layer) ? indexOf(*m_byNumber[static_cast<std::size_t>(layer)]) : QModelIndex();
}
const LayerCard& LayerStackModel::cardOf(int layer) const {
  if (has(layer)) return m_byNumber[static_cast<std::size_t>(layer)]->card;
  return (layer == kOutputCard ? m_root.children.back() : m_root.children.front())->card;
}
int LayerStackModel::idOf(int layer) const { return has(layer) ? m_byNumber[static_cast<std::size_t>(layer)]->id : 0; }
int LayerStackModel::layerOfId(int id) const {
  const auto found = m_byId.find(id);
  return found == m_byId.end() ? -1 : found->second->number;
}

StackPlace LayerStackModel::placeAt(int row, const QModelIndex& parent) const {
  const StackNode& node = nodeOf(parent);
  if (node.kind == Kind::Root) return {-1, 0, row - 1};
  if (node.kind == Kind::Lane) return {node.parent->number, node.stack, row};
  return {-1, 0, -1};
}

QModelIndex LayerStackModel::parentOf(const StackPlace& place) const {
  return place.container < 0 ? QModelIndex() : index(place.stack, 0, indexOf(place.container));
}

/// The rows become those of the document: first what is gone goes, then what is new comes and what is elsewhere moves,
/// then goes what had to be kept for what was in it.
void LayerStackModel::followDocument() {
  const auto cards = makeCards(m_document.project(), m_document.analysis(), m_dataTitle);
  const auto wanted = wantedTree(m_document.project().network, cards);
  recognise(m_root, *wanted);
  std::set<int> ids;
  collectIds(*wanted, ids);
  const std::function<void(StackNode&)> name = [&](StackNode& node) {
    if (node.id == 0 && node.kind != Kind::Root) node.id = m_nextId++;
    for (const auto& child : node.children) name(*child);
  };
  name(*wanted);
  m_following = true;
  prune(m_root, ids);
  arrange(m_root, *wanted);
  ids.clear();
  collectIds(*wanted, ids);
  prune(m_root, ids);
  takeOver(m_root, *wanted);
  m_byNumber.clear();
  collectNumbers(m_root);
  m_following = false;
  tellCards(m_root);
}

/// Removes what is not wanted and holds nothing that is.
void LayerStackModel::prune(StackNode& here, const std::set<int>& wanted) {
  const std::function<void(const StackNode&)> forget = [&](const StackNode& node) {
    m_byId.erase(node.id);
    for (const auto& child : node.children) forget(*child);
  };
  auto& all = here.children;
  const auto gone = [&](const auto& child) { return !anyOf(*child, wanted); };
  for (std::size_t behind = all.size(); behind > 0;) {
    if (!gone(all[behind - 1])) {
      prune(*all[--behind], wanted);
      continue;
    }
    std::size_t first = behind - 1;
    while (first > 0 && gone(all[first - 1])) --first;
    beginRemoveRows(indexOf(here), static_cast<int>(first), static_cast<int>(behind) - 1);
    for (std::size_t i = first; i < behind; ++i) forget(*all[i]);
    all.erase(all.begin() + static_cast<std::ptrdiff_t>(first), all.begin() + static_cast<std::ptrdiff_t>(behind));
    endRemoveRows();
    behind = first;
  }
}

void LayerStackModel::arrange(StackNode& here, const StackNode& wanted) {
  const std::vector<int> fixed = staying(here, wanted);
  const std::set<int> stay(fixed.begin(), fixed.end());
  int row = 0;  // behind what is in its place
  for (std::size_t i = 0; i < wanted.children.size();) {
    const auto found = m_byId.find(wanted.children[i]->id);
    if (found == m_byId.end()) {
      std::size_t behind = i + 1;
      while (behind < wanted.children.size() && !m_byId.contains(wanted.children[behind]->id)) ++behind;
      insertRun(here, row, wanted, i, behind);
      row += static_cast<int>(behind - i);
      i = behind;
      continue;
    }
    if (!stay.contains(found->first)) moveTo(*found->second, here, row);
    row = found->second->row() + 1;
    ++i;
  }
  for (const auto& child : wanted.children) arrange(*m_byId.at(child->id), *child);
}

/// New rows come without what they hold, some of which may be there already, elsewhere.
void LayerStackModel::insertRun(StackNode& here, int row, const StackNode& wanted, std::size_t first,
                                std::size_t behind) {
  beginInsertRows(indexOf(here), row, row + static_cast<int>(behind - first) - 1);
  for (std::size_t i = first; i < behind; ++i) {
    const StackNode& source = *wanted.children[i];
    auto node = std::make_unique<StackNode>();
    node->kind = source.kind;
    node->id = source.id;
    node->stack = source.stack;
    node->card = source.card;
    node->parent = &here;
    m_byId[node->id] = node.get();
    here.children.insert(here.children.begin() + row + static_cast<std::ptrdiff_t>(i - first), std::move(node));
  }
  endInsertRows();
}

void LayerStackModel::moveTo(StackNode& node, StackNode& here, int row) {
  StackNode& from = *node.parent;
  const int old = node.row();
  if (!beginMoveRows(indexOf(from), old, old, indexOf(here), row)) return;  // it is there already
  auto taken = std::move(from.children[static_cast<std::size_t>(old)]);
  from.children.erase(from.children.begin() + old);
  const int at = &from == &here && old < row ? row - 1 : row;
  taken->parent = &here;
  here.children.insert(here.children.begin() + at, std::move(taken));
  endMoveRows();
}

void LayerStackModel::takeOver(StackNode& here, const StackNode& wanted) {
  here.card = wanted.card;
  here.number = wanted.number;
  here.stack = wanted.stack;
  for (std::size_t i = 0; i < here.children.size(); ++i) takeOver(*here.children[i], *wanted.children[i]);
}

void LayerStackModel::collectNumbers(StackNode& here) {
  if (here.kind == Kind::Layer) m_byNumber.push_back(&here);
  for (const auto& child : here.children) collectNumbers(*child);
}

void LayerStackModel::tellCards(const StackNode& here) {
  if (here.children.empty()) return;
  emit dataChanged(indexOf(*here.children.front()), indexOf(*here.children.back()));
  for (const auto& child : here.children) tellCards(*child);
}

}  // namespace strata::gui
