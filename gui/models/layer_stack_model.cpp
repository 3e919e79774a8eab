// SPDX-License-Identifier: GPL-3.0-or-later
#include "gui/models/layer_stack_model.h"

#include <QMimeData>
#include <algorithm>

#include "gui/models/palette_model.h"
#include "gui/theme.h"
#include "gui/words.h"

namespace strata::gui {
namespace {

/// A copy's name is that of a new layer of its type.
LayerSpec copyOf(const NetworkSpec& network, const LayerSpec& layer) {
  LayerSpec copy = layer;
  if (const LayerDef* def = findLayer(layer.type)) copy.name = newLayer(network, *def).name;
  return copy;
}

/// How a card prints the value of a field, so that a blamed value can be found in its summary.
QString printed(const Value& value) {
  if (const auto* pair = std::get_if<Pair>(&value)) return QString("%1 × %2").arg(pair->h).arg(pair->w);
  if (const auto* whole = std::get_if<std::int64_t>(&value)) return QString::number(*whole);
  return {};
}

/// How the card prints the value that the issue blames; empty when that is no field of the layer's, as with its name.
QString blamedValue(const LayerSpec& layer, const LayerDef* def, const Issue& issue) {
  if (!def) return {};
  for (const Field& field : def->fields)
    if (field.id == issue.field) return printed(layer.fields.at(field.id));
  return {};
}

int largestSide(const Analysis& analysis, Shape input) {
  int side = std::max({1, input.h, input.w});
  for (const LayerAnalysis& layer : analysis.layers) side = std::max({side, layer.out.h, layer.out.w});
  return side;
}

}  // namespace

bool LayerCard::hasError() const {
  return std::any_of(issues.begin(), issues.end(),
                     [](const Issue& issue) { return issue.level == Issue::Level::Error; });
}

LayerStackModel::LayerStackModel(Document& document, QObject* parent)
    : QAbstractListModel(parent), m_document(document), m_cards(makeCards()) {
  connect(&m_document, &Document::changed, this, &LayerStackModel::followDocument);
}

int LayerStackModel::rowCount(const QModelIndex& parent) const {
  return parent.isValid() ? 0 : static_cast<int>(m_cards.size());
}

LayerCard LayerStackModel::inputCard() const {
  const Project& project = m_document.project();
  LayerCard card;
  card.kind = LayerCard::Kind::Input;
  card.title = tr("Input");
  card.icon = "image";
  card.category = "io";
  card.out = project.network.input;
  const QString channels = counted(card.out.c, tr("1 channel"), tr("%1 channels"));
  card.summary =
      tr("%1, %2").arg(m_dataTitle.isEmpty() ? QString::fromStdString(project.data.source) : m_dataTitle, channels);
  return card;
}

LayerCard LayerStackModel::outputCard() const {
  LayerCard card;
  card.kind = LayerCard::Kind::Output;
  card.title = tr("Output");
  card.icon = "target";
  card.category = "io";
  const auto& project = m_document.project();
  const auto& loss = project.training.loss.def();
  card.summary = QString::fromStdString(loss.answer);
  card.out = loss.target == TargetKind::ClassIndex ? Shape::vector(project.network.classes) : project.network.input;
  return card;
}

LayerCard LayerStackModel::layerCard(std::size_t layer) const {
  const LayerSpec& spec = m_document.project().network.layers[layer];
  const Analysis& analysis = m_document.analysis();
  const LayerAnalysis& found = analysis.layers[layer];
  LayerCard card;
  card.name = QString::fromStdString(spec.name);
  card.title = found.def ? QString::fromStdString(found.def->title) : QString::fromStdString(spec.type);
  card.icon = found.def ? QString::fromStdString(found.def->icon) : "error";
  card.category = found.def ? QString::fromStdString(found.def->category) : "shape";
  card.summary = found.def && found.def->summary ? QString::fromStdString(found.def->summary(spec.fields)) : QString();
  card.help = found.def ? QString::fromStdString(found.def->help) : QString();
  card.out = found.out;
  if (found.out.known()) card.parameters = found.parameters;
  if (analysis.ok()) card.share = analysis.macs > 0 ? double(found.macs) / double(analysis.macs) : 0;
  return card;
}

void LayerStackModel::setDataTitle(const QString& title) {
  m_dataTitle = title;
  m_cards.front() = inputCard();
  m_cards.front().largestSide = m_cards.back().largestSide;
  emit dataChanged(index(0), index(0));
}

std::vector<LayerCard> LayerStackModel::makeCards() const {
  const NetworkSpec& network = m_document.project().network;
  const Analysis& analysis = m_document.analysis();
  std::vector<LayerCard> cards{inputCard()};
  for (std::size_t layer = 0; layer < network.layers.size(); ++layer) cards.push_back(layerCard(layer));
  cards.push_back(outputCard());
  for (const Issue& issue : analysis.issues) {
    if (issue.layer < 0 || issue.layer >= static_cast<int>(network.layers.size())) continue;
    LayerCard& card = cards[static_cast<std::size_t>(rowOf(issue.layer))];
    card.issues.push_back(issue);
    const auto layer = static_cast<std::size_t>(issue.layer);
    const QString blamed = blamedValue(network.layers[layer], analysis.layers[layer].def, issue);
    if (!blamed.isEmpty()) card.blamed = blamed;
  }
  double dearest = 0;
  for (const LayerCard& card : cards) dearest = std::max(dearest, card.share);
  const int side = largestSide(analysis, network.input);
  for (LayerCard& card : cards) {
    if (dearest > 0) card.relativeCost = card.share / dearest;
    card.largestSide = side;
  }
  return cards;
}

QString LayerStackModel::spoken(const LayerCard& card) const {
  QString text = card.name.isEmpty() ? card.title : card.title + ' ' + card.name;
  if (card.out.known()) text += ", " + QString::fromStdString(card.out.text()).replace("×", tr("by"));
  if (card.parameters >= 0) text += ", " + counted(card.parameters, tr("1 parameter"), tr("%1 parameters"));
  for (const Issue& issue : card.issues)
    text += (issue.level == Issue::Level::Error ? tr(", error: %1") : tr(", warning: %1"))
                .arg(QString::fromStdString(issue.text));
  return text;
}

QVariant LayerStackModel::data(const QModelIndex& index, int role) const {
  if (!index.isValid()) return {};
  const LayerCard& card = m_cards[static_cast<std::size_t>(index.row())];
  switch (role) {
    case CardRole:
      return QVariant::fromValue(card);
    case Qt::DisplayRole:
      return card.name.isEmpty() ? card.title : card.title + ' ' + card.name;
    case Qt::AccessibleTextRole:
      return spoken(card);
    case Qt::WhatsThisRole:
      return card.help;
    default:
      return {};
  }
}

Qt::ItemFlags LayerStackModel::flags(const QModelIndex& index) const {
  if (!index.isValid()) return Qt::ItemIsDropEnabled;
  const Qt::ItemFlags all = Qt::ItemIsEnabled | Qt::ItemIsSelectable | Qt::ItemNeverHasChildren;
  return layerAt(index.row()) < 0 ? all : all | Qt::ItemIsDragEnabled;
}

QStringList LayerStackModel::mimeTypes() const {
  return {QString::fromLatin1(kCardMime), QString::fromLatin1(kLayerMime)};
}

QMimeData* LayerStackModel::mimeData(const QModelIndexList& indexes) const {
  const int layer = indexes.isEmpty() ? -1 : layerAt(indexes.front().row());
  if (layer < 0) return nullptr;
  auto* mime = new QMimeData;
  mime->setData(kCardMime, m_id + QByteArray::number(layer));
  return mime;
}

bool LayerStackModel::canDropMimeData(const QMimeData* data, Qt::DropAction, int row, int, const QModelIndex&) const {
  const bool known = data->data(kCardMime).startsWith(m_id) || data->hasFormat(kLayerMime);
  return known && row >= 1 && row <= layerCount() + 1;
}

bool LayerStackModel::dropMimeData(const QMimeData* data, Qt::DropAction action, int row, int column,
                                   const QModelIndex& parent) {
  if (!canDropMimeData(data, action, row, column, parent)) return false;
  const int before = row - 1;
  int placed = -1;
  if (data->hasFormat(kCardMime)) {
    bool ok = false;
    const int layer = data->data(kCardMime).mid(m_id.size()).toInt(&ok);
    if (!ok || layer < 0 || layer >= layerCount()) return false;
    placed = action == Qt::CopyAction ? copyLayer(layer, before) : moveLayer(layer, before);
  } else {
    placed = insertLayer(QString::fromUtf8(data->data(mimeTypes()[1])), before);
  }
  if (placed >= 0) emit layerPlaced(placed);
  return placed >= 0;
}

int LayerStackModel::insertLayer(const QString& type, int before) {
  const LayerDef* def = findLayer(type.toStdString());
  if (!def || before < 0 || before > layerCount()) return -1;
  const bool done = m_document.edit(tr("Add %1").arg(QString::fromStdString(def->title)), [&](Project& project) {
    auto& layers = project.network.layers;
    layers.insert(layers.begin() + before, newLayer(project.network, *def));
  });
  return done ? before : -1;
}

int LayerStackModel::duplicateLayer(int layer) { return copyLayer(layer, layer + 1); }

int LayerStackModel::copyLayer(int layer, int before) {
  if (layer < 0 || layer >= layerCount() || before < 0 || before > layerCount()) return -1;
  const bool done = m_document.edit(tr("Duplicate %1").arg(nameOf(layer)), [&](Project& project) {
    auto& layers = project.network.layers;
    layers.insert(layers.begin() + before, copyOf(project.network, layers[static_cast<std::size_t>(layer)]));
  });
  return done ? before : -1;
}

int LayerStackModel::moveLayer(int layer, int before) {
  if (layer < 0 || layer >= layerCount() || before < 0 || before > layerCount()) return -1;
  const int to = before > layer ? before - 1 : before;
  if (to == layer) return -1;
  m_document.edit(tr("Move %1").arg(nameOf(layer)), [&](Project& project) {
    const auto at = project.network.layers.begin();
    if (to > layer) std::rotate(at + layer, at + layer + 1, at + to + 1);
    else std::rotate(at + to, at + layer, at + layer + 1);
  });
  return to;
}

int LayerStackModel::removeLayer(int layer) {
  if (layer < 0 || layer >= layerCount()) return -1;
  m_document.edit(tr("Delete %1").arg(nameOf(layer)),
                  [&](Project& project) { project.network.layers.erase(project.network.layers.begin() + layer); });
  return std::min(layer, layerCount() - 1);
}

void LayerStackModel::setField(int layer, const QString& field, const Value& value) {
  if (layer < 0 || layer >= layerCount()) return;
  const QString name = nameOf(layer);
  m_document.edit(
      tr("Change %1").arg(name),
      [&](Project& project) {
        project.network.layers[static_cast<std::size_t>(layer)].fields.set(field.toStdString(), value);
      },
      name + '.' + field);
}

void LayerStackModel::applyFix(const Issue& issue, const Fix& fix) {
  m_document.edit(QString::fromStdString(fix.title),
                  [&](Project& project) { strata::applyFix(project.network, issue, fix); });
}

void LayerStackModel::followDocument() {
  std::vector<LayerCard> cards = makeCards();
  followRows(cards);
  m_cards = std::move(cards);
  emit dataChanged(index(0), index(rowCount() - 1));
}

/// Tells the change between the old and the new rows as one move, or as a removal and an insertion between what both
/// ends share. A new name alone is neither.
void LayerStackModel::followRows(const std::vector<LayerCard>& cards) {
  const auto same = [](const LayerCard& a, const LayerCard& b) { return a.name == b.name; };
  const auto olds = static_cast<int>(m_cards.size()), news = static_cast<int>(cards.size());
  int front = 1, back = 1;  // input and output are always there
  while (front < std::min(olds, news) - 1 && same(m_cards[front], cards[front])) ++front;
  while (back < std::min(olds, news) - front && same(m_cards[olds - 1 - back], cards[news - 1 - back])) ++back;
  const int removed = olds - front - back, added = news - front - back;
  if (removed == added && removed <= 1) return;
  const auto first = m_cards.begin() + front, last = m_cards.end() - back;
  const auto target = cards.begin() + front;
  if (removed == added) {
    const bool down = std::equal(first + 1, last, target, same) && same(*first, *(target + removed - 1));
    const bool up = std::equal(first, last - 1, target + 1, same) && same(*(last - 1), *target);
    if (down || up) {
      const int from = down ? front : front + removed - 1;
      beginMoveRows({}, from, from, {}, down ? front + removed : front);
      std::rotate(first, down ? first + 1 : last - 1, last);
      endMoveRows();
      return;
    }
  }
  if (removed > 0) {
    beginRemoveRows({}, front, front + removed - 1);
    m_cards.erase(first, last);
    endRemoveRows();
  }
  if (added > 0) {
    beginInsertRows({}, front, front + added - 1);
    m_cards.insert(m_cards.begin() + front, target, target + added);
    endInsertRows();
  }
}

}  // namespace strata::gui
