// SPDX-License-Identifier: GPL-3.0-or-later
#include "gui/models/layer_card.h"

#include <QCoreApplication>
#include <QStringList>
#include <algorithm>

#include "gui/models/stack_edits.h"
#include "gui/theme.h"
#include "gui/words.h"

namespace strata::gui {
namespace {

QString tr(const char* text) { return QCoreApplication::translate("LayerCard", text); }
QString text(const std::string& words) { return QString::fromStdString(words); }

/// How a card prints the value of a field, so that a blamed value can be found in its summary.
QString printed(const Value& value) {
  if (const auto* pair = std::get_if<Pair>(&value)) return QString("%1 × %2").arg(pair->h).arg(pair->w);
  if (const auto* whole = std::get_if<std::int64_t>(&value)) return QString::number(*whole);
  if (const auto* sizes = std::get_if<Sizes>(&value)) return text(sizesText(*sizes));
  return {};
}

/// How the card prints the value that the issue blames; empty when that is no field of the layer's, as with its name.
QString blamedValue(const LayerSpec& layer, const LayerDef* def, const Issue& issue) {
  if (!def) return {};
  for (const Field& field : def->fields)
    if (field.id == issue.field) return printed(layer.fields.at(field.id));
  return {};
}

/// The title of a choice that a field has, empty where the layer has no such field.
QString choiceTitle(const LayerDef& def, const Fields& fields, const char* id) {
  for (const Field& field : def.fields) {
    if (field.id != id || field.kind != Field::Kind::Choice) continue;
    for (const Choice& choice : field.choices)
      if (choice.id == fields.text(id)) return text(choice.title);
  }
  return {};
}

QString choiceId(const LayerDef& def, const Fields& fields, const char* id) {
  return choiceTitle(def, fields, id).isEmpty() ? QString() : text(fields.text(id));
}

/// ", then ReLU" or nothing.
QString thenText(const LayerDef& def, const Fields& fields) {
  const QString id = choiceId(def, fields, "activation");
  return id.isEmpty() || id == "linear" ? QString() : tr(", then %1").arg(choiceTitle(def, fields, "activation"));
}

/// The summary without what goes without saying.
QString briefOf(const QString& summary) {
  QStringList told;
  for (const QString& part : summary.split(" · "))
    if (part != "stride 1" && part != "same" && part != "valid" && part != "Linear") told << part;
  return told.join(" · ");
}

int largestSide(const Analysis& analysis, Shape input) {
  int side = std::max({1, input.h, input.w});
  for (const LayerAnalysis& layer : analysis.layers) side = std::max({side, layer.out.h, layer.out.w});
  return side;
}

int sizeOfStack(const std::vector<LayerSpec>& stack) {
  int size = 0;
  for (const LayerSpec& layer : stack) size += sizeOf(layer);
  return size;
}

/// "1 × 1 shortcut", "shortcut of 3 layers".
QString shortcutText(const std::vector<LayerSpec>& shortcut) {
  if (shortcut.empty()) return tr("identity shortcut");
  if (shortcut.size() > 1 || !shortcut.front().stacks.empty())
    return tr("shortcut of %1").arg(counted(sizeOfStack(shortcut), tr("1 layer"), tr("%1 layers")));
  const LayerDef* def = findLayer(shortcut.front().type);
  for (const Field& field : def ? def->fields : std::vector<Field>())
    if (field.id == "kernel_size") return tr("%1 shortcut").arg(printed(shortcut.front().fields.at("kernel_size")));
  return tr("%1 shortcut").arg(def ? text(def->title).toLower() : text(shortcut.front().type));
}

/// Makes the cards in one walk down the net.
class CardMaker {
 public:
  CardMaker(const Project& project, const Analysis& analysis)
      : m_network(project.network), m_analysis(analysis), m_side(largestSide(analysis, project.network.input)) {}

  std::vector<LayerCard> run() {
    walk(m_network.layers, {}, false);
    for (const Issue& issue : m_analysis.issues) blame(issue);
    double dearest = 0;
    for (std::size_t i = 0; i < m_cards.size(); ++i)
      if (m_analysis.layers[i].depth == 0) dearest = std::max(dearest, m_cards[i].share);
    for (LayerCard& card : m_cards)
      if (dearest > 0) card.relativeCost = card.share / dearest;
    return std::move(m_cards);
  }

 private:
  void walk(const std::vector<LayerSpec>& stack, QString container, bool frozen) {
    int place = 1;
    for (const LayerSpec& layer : stack) {
      const std::size_t own = m_cards.size();
      m_cards.push_back(plainCard(layer, m_analysis.layers[own]));
      m_around.push_back(m_open);
      m_cards[own].container = container;
      m_cards[own].place = place++;
      m_cards[own].places = static_cast<int>(stack.size());
      m_cards[own].frozen = frozen || !layer.trainable;
      m_open.push_back(own);
      for (const auto& inner : layer.stacks) walk(inner, m_cards[own].name, m_cards[own].frozen);
      m_open.pop_back();
      if (m_cards[own].isContainer) describe(m_cards[own], layer, own);
    }
  }

  LayerCard plainCard(const LayerSpec& layer, const LayerAnalysis& found) const {
    LayerCard card;
    const LayerDef* def = found.def;
    card.type = text(layer.type);
    card.name = text(layer.name);
    card.title = def ? text(def->title) : text(layer.type);
    card.icon = def ? text(def->icon) : "error";
    card.category = def ? text(def->category) : "shape";
    card.help = def ? text(def->help) : QString();
    card.summary = def && def->summary ? text(def->summary(layer.fields)) : QString();
    card.brief = briefOf(card.summary);
    card.in = found.in;
    card.out = found.out;
    card.isContainer = def && def->isContainer();
    card.columns = def && def->anyStacks;
    card.largestSide = m_side;
    if (found.out.known()) card.parameters = found.parameters;
    if (m_analysis.ok()) card.share = m_analysis.macs > 0 ? double(found.macs) / double(m_analysis.macs) : 0;
    return card;
  }

  void describe(LayerCard& card, const LayerSpec& layer, std::size_t own) const {
    const LayerDef& def = *m_analysis.layers[own].def;
    card.inside = sizeOf(layer) - 1;
    const QString then = thenText(def, layer.fields);
    if (card.columns) return describeColumns(card, layer, own);
    const int body = layer.stacks.empty() ? 0 : sizeOfStack(layer.stacks.front());
    card.brief = body == 0 ? tr("empty") : counted(body, tr("1 layer"), tr("%1 layers"));
    if (layer.stacks.size() < 2) return;
    card.sign = LayerCard::Sign::Plus;
    card.summary = card.brief + " · " + shortcutText(layer.stacks[1]);
    if (!then.isEmpty()) card.summary += " · " + choiceTitle(def, layer.fields, "activation");
    card.foot = (layer.stacks[1].empty() ? tr("adds its own input, unchanged%1") : tr("adds the shortcut%1")).arg(then);
    card.footBrief = layer.stacks[1].empty() ? tr("adds its input%1").arg(then) : card.foot;
  }

  void describeColumns(LayerCard& card, const LayerSpec& layer, std::size_t own) const {
    const LayerDef& def = *m_analysis.layers[own].def;
    const QString merge = choiceId(def, layer.fields, "merge");
    const QString columns = counted(std::ssize(layer.stacks), tr("1 column"), tr("%1 columns"));
    card.brief = merge;
    card.summary = columns + " · " + counted(card.inside, tr("1 layer"), tr("%1 layers")) + " · " + merge;
    using Sign = LayerCard::Sign;
    card.sign = merge == "concat"     ? Sign::Bars
                : merge == "multiply" ? Sign::Times
                : merge == "average"  ? Sign::Mean
                : merge == "max"      ? Sign::Max
                                      : Sign::Plus;
    card.foot = merge == "concat"     ? tr("channels side by side")
                : merge == "multiply" ? tr("the product, value by value")
                : merge == "average"  ? tr("the mean, value by value")
                : merge == "max"      ? tr("the largest, value by value")
                                      : tr("the sum, value by value");
    card.footBrief = merge;
    if (merge != "concat" || !card.out.known()) return;
    QStringList parts;
    int number = static_cast<int>(own) + 1;
    for (const auto& stack : layer.stacks) {
      int last = -1;
      for (const LayerSpec& inner : stack) {
        last = number;
        number += sizeOf(inner);
      }
      parts << ::strata::gui::number(last < 0 ? card.in.c : m_analysis.layers[static_cast<std::size_t>(last)].out.c);
    }
    card.footBrief = tr("%1 = %2").arg(parts.join(" + "), ::strata::gui::number(card.out.c));
    card.foot += ", " + card.footBrief;
  }

  void blame(const Issue& issue) {
    if (issue.layer < 0 || issue.layer >= static_cast<int>(m_cards.size())) return;
    const auto own = static_cast<std::size_t>(issue.layer);
    LayerCard& card = m_cards[own];
    card.issues.push_back(issue);
    const QString blamed = blamedValue(layerAt(m_network, issue.layer), m_analysis.layers[own].def, issue);
    if (!blamed.isEmpty()) card.blamed = blamed;
    for (const std::size_t around : m_around[own])
      ++(issue.level == Issue::Level::Error ? m_cards[around].errorsInside : m_cards[around].warningsInside);
  }

  const NetworkSpec& m_network;
  const Analysis& m_analysis;
  const int m_side;
  std::vector<LayerCard> m_cards;
  std::vector<std::size_t> m_open;                 ///< containers around what is walked
  std::vector<std::vector<std::size_t>> m_around;  ///< containers around each layer
};

LayerCard inputCard(const Project& project, const QString& dataTitle) {
  LayerCard card;
  card.kind = LayerCard::Kind::Input;
  card.title = tr("Input");
  card.icon = "image";
  card.category = "io";
  card.out = project.network.input;
  card.brief = dataTitle.isEmpty() ? text(project.data.source) : dataTitle;
  card.summary = tr("%1, %2").arg(card.brief, counted(card.out.c, tr("1 channel"), tr("%1 channels")));
  return card;
}

LayerCard outputCard(const Project& project) {
  LayerCard card;
  card.kind = LayerCard::Kind::Output;
  card.title = tr("Output");
  card.icon = "target";
  card.category = "io";
  const LossDef& loss = project.training.loss.def();
  card.summary = card.brief = text(loss.answer);
  card.out = loss.target == TargetKind::ClassIndex ? Shape::vector(project.network.classes) : project.network.input;
  return card;
}

}  // namespace

bool LayerCard::hasError() const {
  return std::any_of(issues.begin(), issues.end(),
                     [](const Issue& issue) { return issue.level == Issue::Level::Error; });
}

std::vector<LayerCard> makeCards(const Project& project, const Analysis& analysis, const QString& dataTitle) {
  std::vector<LayerCard> cards = CardMaker(project, analysis).run();
  cards.insert(cards.begin(), inputCard(project, dataTitle));
  cards.push_back(outputCard(project));
  cards.front().largestSide = cards.back().largestSide = largestSide(analysis, project.network.input);
  return cards;
}

QString spokenName(const LayerCard& card) {
  QString words = card.name.isEmpty() ? card.title : card.title + ' ' + card.name;
  if (!card.container.isEmpty())
    words += ", " + tr("in %1, %2 of %3").arg(card.container).arg(card.place).arg(card.places);
  if (card.isContainer) words += ", " + tr("block of %1").arg(counted(card.inside, tr("1 layer"), tr("%1 layers")));
  if (card.out.known() && card.container.isEmpty()) words += ", " + text(card.out.text()).replace("×", tr("by"));
  if (card.parameters >= 0) words += ", " + counted(card.parameters, tr("1 parameter"), tr("%1 parameters"));
  if (card.frozen) words += ", " + tr("frozen");
  for (const Issue& issue : card.issues)
    words += (issue.level == Issue::Level::Error ? tr(", error: %1") : tr(", warning: %1")).arg(text(issue.text));
  if (card.errorsInside > 0) words += ", " + counted(card.errorsInside, tr("1 error inside"), tr("%1 errors inside"));
  return words;
}

}  // namespace strata::gui
