// SPDX-License-Identifier: GPL-3.0-or-later
#include "gui/widgets/stack_layout.h"

#include <algorithm>

namespace strata::gui {
namespace {

constexpr int kGap = StackMetrics::kGap, kInset = StackMetrics::kInset;
constexpr int kIdentityLane = 36, kNarrowIdentity = 20, kShortcutLane = 124, kWidestShortcut = 188,
              kNarrowShortcut = 52, kColumnGap = 8;
constexpr int kLeastOpen = 110;   ///< a container that has less room is shown closed
constexpr int kLeastRoomy = 360;  ///< of a container's inside, for the words of its shortcut
constexpr int kLeastColumn = 176, kLeastNarrowColumn = 132, kClosedHint = 3, kTabWidth = 28;
constexpr int kDeep = 2;  ///< the depth from which on there is no air to spare

using Stack = std::vector<LayerSpec>;
using Form = PlacedCard::Form;

int sizeOf(const Stack& stack) {
  int size = 0;
  for (const LayerSpec& layer : stack) {
    ++size;
    for (const Stack& inner : layer.stacks) size += sizeOf(inner);
  }
  return size;
}

int depthOf(const Analysis& analysis) {
  int deepest = 0;
  for (const LayerAnalysis& layer : analysis.layers) deepest = std::max(deepest, layer.depth);
  return deepest;
}

int rightInset(int depth) { return depth < kDeep ? 8 : 3; }

/// Lays the cards out from top to bottom in one walk.
class Layouter {
 public:
  Layouter(const NetworkSpec& net, const Analysis& analysis, int width, const StackMetrics& metrics,
           const StackState& state)
      : m_net(net), m_analysis(analysis), m_metrics(metrics), m_state(state) {
    m_layout.width = width;
    placeColumns();
  }

  StackLayout run() {
    const int left = m_layout.gutter, right = m_layout.width;
    fixedCard(StackLayout::kInput, left, right);
    stack(m_net.layers, {-1, 0, 0}, {left, right, 0, Form::Row, m_layout.wire});
    m_layout.lanes.front().area = QRect(left, 0, right - left, m_y + m_metrics.cardHeight());
    fixedCard(StackLayout::kOutput, left, right);
    m_layout.height = m_y;
    return std::move(m_layout);
  }

 private:
  /// Where a stack has to fit.
  struct Room {
    int left, right, depth;
    Form form;
    int wire;  ///< x of its blocks; negative: none
  };

  void placeColumns() {
    const int em = m_metrics.em, width = m_layout.width;
    const int deepest = depthOf(m_analysis);
    m_layout.narrow = isNarrowStack(m_analysis, width, m_metrics);
    const bool roomy = !m_layout.narrow;
    m_layout.gutter = roomy ? 88 : 60;
    m_layout.wire = m_layout.gutter / 2 - 6;
    int inset = kInset;
    for (int depth = 0; depth < deepest; ++depth) inset += rightInset(depth);
    StackColumns& at = m_layout.columns;
    at.bar = roomy;
    at.costRight = width - 1 - (deepest > 0 ? std::max(inset, 20) : kInset);
    at.costLeft = at.costRight - (roomy ? (m_metrics.compact ? 16 : 18) : deepest > 0 ? 6 : 8) * em;
    at.parametersRight = at.costLeft - (roomy ? 3 : 1) * em;
    at.outputLeft = at.parametersRight - (roomy ? 24 : 17) * em;
  }

  bool compactAt(int depth) const { return m_metrics.compact || depth > 0; }
  int gapAt(int depth) const { return depth > 0 ? kGap : m_metrics.gap(); }

  void fixedCard(int which, int left, int right) {
    PlacedCard card;
    card.layer = which;
    card.compact = m_metrics.compact;
    card.head = card.frame = QRect(left, m_y, right - left, m_metrics.cardHeight());
    m_layout.cards.push_back(card);
    addBlock(which, card.head, m_layout.wire);
    m_y += card.frame.height() + m_metrics.gap();
  }

  void addBlock(int layer, const QRect& head, int x) {
    if (x >= 0) m_layout.blocks.push_back({layer, QPoint(x, head.center().y()), head.height()});
  }

  /// Puts the cards of a stack from m_y on; m_number is that of its first.
  void stack(const Stack& layers, const StackPlace& place, const Room& room) {
    const std::size_t own = m_layout.lanes.size();
    m_layout.lanes.push_back({place.container, place.stack, false, {}, {}, {}});
    const int top = m_y, gap = gapAt(room.depth);
    std::vector<int> gaps;
    for (const LayerSpec& layer : layers) {
      gaps.push_back(m_y - gap / 2);
      oneCard(layer, room);
    }
    if (layers.empty() && place.container >= 0) {
      m_layout.lanes[own].slot = QRect(room.left, m_y, room.right - room.left, m_metrics.compactHeight());
      m_y += m_metrics.compactHeight() + gap;
    }
    gaps.push_back(layers.empty() ? (place.container < 0 ? m_y - gap / 2 : (top + m_y - gap) / 2) : m_y - gap / 2);
    m_layout.lanes[own].gaps = std::move(gaps);
    m_layout.lanes[own].area = QRect(room.left, top - gap / 2, room.right - room.left, m_y - top);
  }

  void oneCard(const LayerSpec& layer, const Room& room) {
    PlacedCard card;
    card.layer = m_number++;
    card.depth = room.depth;
    card.form = room.form;
    card.compact = compactAt(room.depth);
    const LayerDef* def = m_analysis.layers[static_cast<std::size_t>(card.layer)].def;
    card.container = def && def->isContainer();
    const int width = room.right - room.left;
    card.open = card.container && !m_state.closed.contains(card.layer) && width >= kLeastOpen;
    const int height = card.open || card.compact ? m_metrics.compactHeight() : m_metrics.cardHeight();
    card.head = QRect(room.left, m_y, width, room.form == Form::Chip ? m_metrics.chipHeight() : height);
    if (card.open) return openContainer(layer, *def, room, card);
    const int strip = m_state.strips.contains(card.layer) ? m_metrics.stripHeight(width) : 0;
    card.frame = card.head.adjusted(0, 0, 0, strip);
    if (strip > 0) card.strip = QRect(room.left, card.head.bottom() + 1, width, strip);
    m_layout.cards.push_back(card);
    addBlock(card.layer, card.head, room.wire);
    for (const Stack& inner : layer.stacks) m_number += sizeOf(inner);
    m_y += card.frame.height() + (card.container ? kClosedHint : 0) + gapAt(room.depth);
  }

  void openContainer(const LayerSpec& layer, const LayerDef& def, const Room& room, PlacedCard card) {
    const std::size_t own = m_layout.cards.size();
    const int layerNumber = card.layer, top = m_y, width = room.right - room.left;
    m_layout.cards.push_back(card);
    m_y = card.head.bottom() + 1 + kGap;
    const Room inside{room.left + kInset, room.right - rightInset(room.depth), room.depth + 1, room.form, room.wire};
    if (def.anyStacks) columns(layer, layerNumber, own, inside);
    else bodyAndShortcut(layer, layerNumber, own, inside);
    PlacedCard& placed = m_layout.cards[own];
    if (def.anyStacks || layer.stacks.size() > 1) {
      placed.foot = QRect(room.left, m_y - kGap, width, m_metrics.footHeight() + kGap);
      m_y += m_metrics.footHeight();
    }
    if (m_state.strips.contains(layerNumber)) {
      placed.strip = QRect(room.left, m_y, width, m_metrics.stripHeight(width));
      m_y += placed.strip.height();
    }
    placed.frame = QRect(room.left, top, width, m_y - top + 1);
    m_y += 1 + gapAt(room.depth);
  }

  int laneWidth(const Stack& shortcut, const Room& inside) const {
    const int width = inside.right - inside.left;
    const bool tight = m_layout.narrow || width < kLeastRoomy;
    if (shortcut.empty())
      return width < kLeastColumn || (tight && inside.depth > kDeep) ? kNarrowIdentity : kIdentityLane;
    const bool holdsMore =
        std::any_of(shortcut.begin(), shortcut.end(), [](const LayerSpec& layer) { return !layer.stacks.empty(); });
    if (holdsMore) return std::max(kNarrowShortcut, width / 2);
    return tight ? kNarrowShortcut : roomyLane(shortcut);
  }

  /// So wide that the bold titles of its cards are not cut, beside their icons.
  int roomyLane(const Stack& shortcut) const {
    constexpr int kBesideTitle = 50;
    int widest = kShortcutLane;
    for (const LayerSpec& layer : shortcut)
      if (const LayerDef* def = findLayer(layer.type))
        widest = std::max(widest, kBesideTitle + static_cast<int>(def->title.size()) * m_metrics.em * 23 / 20);
    return std::min(widest, kWidestShortcut);
  }

  void bodyAndShortcut(const LayerSpec& layer, int container, std::size_t own, const Room& inside) {
    const bool beside = layer.stacks.size() > 1;
    const int lane = beside ? laneWidth(layer.stacks[1], inside) : 0, top = m_y;
    Room body = inside;
    body.left += lane;
    m_layout.cards[own].body = body.left;
    if (!layer.stacks.empty()) stack(layer.stacks[0], {container, 0, 0}, body);
    if (!beside) return;
    const int bodyBottom = m_y;
    m_y = top;
    const std::size_t firstCard = m_layout.cards.size(), firstLane = m_layout.lanes.size();
    const Stack& shortcut = layer.stacks[1];
    const bool wide =
        std::any_of(shortcut.begin(), shortcut.end(), [](const LayerSpec& each) { return !each.stacks.empty(); });
    const Room side{inside.left,
                    body.left - (shortcut.empty() ? 2
                                 : wide           ? kColumnGap
                                                  : 10),
                    inside.depth, wide ? Form::Column : Form::Chip, -1};
    stack(shortcut, {container, 1, 0}, side);
    PlacedLane& placed = m_layout.lanes[firstLane];
    placed.beside = true;
    if (shortcut.empty()) {  // the line of the identity is its place
      placed.slot = {};
      placed.gaps = {(top + bodyBottom - kGap) / 2};
      m_y = bodyBottom;
    } else if (m_y < bodyBottom) {
      shift(firstCard, firstLane, (bodyBottom - m_y) / 2);
      m_y = bodyBottom;
    }
    placed.area.setTop(top - kGap / 2);
    placed.area.setBottom(std::max(m_y, bodyBottom) - 1);
    m_y = std::max(m_y, bodyBottom);
  }

  void shift(std::size_t firstCard, std::size_t firstLane, int dy) {
    for (std::size_t i = firstCard; i < m_layout.cards.size(); ++i)
      for (QRect* rect : {&m_layout.cards[i].frame, &m_layout.cards[i].head, &m_layout.cards[i].strip,
                          &m_layout.cards[i].foot, &m_layout.cards[i].tabs})
        if (!rect->isNull()) rect->translate(0, dy);
    for (std::size_t i = firstLane; i < m_layout.lanes.size(); ++i) {
      m_layout.lanes[i].area.translate(0, dy);
      for (int& gap : m_layout.lanes[i].gaps) gap += dy;
      if (!m_layout.lanes[i].slot.isNull()) m_layout.lanes[i].slot.translate(0, dy);
    }
  }

  void columns(const LayerSpec& layer, int container, std::size_t own, const Room& inside) {
    const auto count = static_cast<int>(layer.stacks.size());
    m_layout.cards[own].body = inside.left;
    if (count == 0) return;
    const int all = inside.right - inside.left, each = (all - kColumnGap * (count - 1)) / count;
    if (count > 1 && each < (m_layout.narrow ? kLeastNarrowColumn : kLeastColumn))
      return oneColumn(layer, container, own, inside);
    const int top = m_y, forkTop = m_layout.cards[own].head.center().y();
    std::vector<int> xs;
    int bottom = top;
    const bool split = count > 1 && inside.wire == m_layout.wire;
    for (int i = 0; i < count; ++i) {
      m_y = top;
      Room column = inside;
      column.left += i * (each + kColumnGap);
      column.right = i + 1 == count ? inside.right : column.left + each;
      column.form = count > 1 ? Form::Column : inside.form;
      if (split) {
        const int spread = std::min(28, (m_layout.gutter - 24) / (count - 1));
        column.wire = inside.wire + (2 * i - count + 1) * spread / 2;
        xs.push_back(column.wire);
      } else if (count > 1) {
        column.wire = -1;
      }
      stack(layer.stacks[static_cast<std::size_t>(i)], {container, i, 0}, column);
      bottom = std::max(bottom, m_y);
    }
    for (PlacedLane& lane : m_layout.lanes)
      if (lane.container == container) lane.area.setBottom(bottom - 1);
    m_y = bottom;
    if (split) m_layout.forks.push_back({forkTop, bottom + m_metrics.footHeight() / 2, std::move(xs)});
  }

  /// Too many to stand side by side: a row of tabs, and the stack of one.
  void oneColumn(const LayerSpec& layer, int container, std::size_t own, const Room& inside) {
    const auto count = static_cast<int>(layer.stacks.size());
    const auto found = m_state.shown.find(container);
    const int shown = found == m_state.shown.end() ? 0 : std::clamp(found->second, 0, count - 1);
    m_layout.cards[own].tabs =
        QRect(inside.left, m_y, std::min(count * kTabWidth, inside.right - inside.left), m_metrics.tabsHeight());
    m_y += m_metrics.tabsHeight() + kGap;
    for (int i = 0; i < count; ++i) {
      const Stack& one = layer.stacks[static_cast<std::size_t>(i)];
      if (i == shown) stack(one, {container, i, 0}, inside);
      else m_number += sizeOf(one);
    }
  }

  const NetworkSpec& m_net;
  const Analysis& m_analysis;
  const StackMetrics& m_metrics;
  const StackState& m_state;
  StackLayout m_layout;
  int m_y = 0, m_number = 0;
};

}  // namespace

StackMetrics StackMetrics::of(const QFontMetrics& body, bool compact) {
  return {body.horizontalAdvance('0'), body.height(), compact};
}

int StackMetrics::stripHeight(int width) const {
  const int row = std::max(34, line + 16);
  return width < 75 * em ? 2 * row - 8 : row;
}

const PlacedCard* StackLayout::card(int layer) const {
  const auto found =
      std::find_if(cards.begin(), cards.end(), [&](const PlacedCard& each) { return each.layer == layer; });
  return found == cards.end() ? nullptr : &*found;
}

const PlacedLane* StackLayout::lane(const StackPlace& place) const {
  const auto found = std::find_if(lanes.begin(), lanes.end(), [&](const PlacedLane& each) {
    return each.container == place.container && each.stack == place.stack;
  });
  return found == lanes.end() ? nullptr : &*found;
}

const PlacedCard* StackLayout::cardAt(const QPoint& point) const {
  const auto found =
      std::find_if(cards.rbegin(), cards.rend(), [&](const PlacedCard& each) { return each.frame.contains(point); });
  return found == cards.rend() ? nullptr : &*found;
}

StackPlace StackLayout::placeAt(const QPoint& point) const {
  const PlacedLane* lane = &lanes.front();
  for (const PlacedLane& each : lanes) {
    if (each.container < 0) continue;
    const PlacedCard* around = card(each.container);
    // From the middle of the container's head to that of its foot; its edges belong to the lane that is nearest.
    const int top = around->head.center().y(),
              bottom = around->foot.isNull() ? around->frame.bottom() - kGap : around->foot.center().y();
    const bool inFrame = point.y() > top && point.y() < bottom && point.x() >= around->frame.left() &&
                         point.x() <= around->frame.right();
    if (!inFrame) continue;
    const bool leftmost = each.area.left() <= around->frame.left() + kInset;
    const bool rightmost = each.area.right() >= around->frame.right() - kInset;
    if ((leftmost || point.x() >= each.area.left() - kColumnGap / 2) &&
        (rightmost || point.x() <= each.area.right() + kColumnGap / 2))
      lane = &each;
  }
  const auto before = [&](int at) {  // the middle of the head of the layer behind gap `at`
    const int next = lane->gaps[static_cast<std::size_t>(at)];
    for (const PlacedCard& each : cards)
      if (each.layer >= 0 && each.frame.left() >= lane->area.left() && each.frame.right() <= lane->area.right() &&
          each.head.top() > next && each.head.top() - next <= 2 * kGap)
        return each.head.center().y();
    return next;
  };
  int at = 0;
  while (at + 1 < static_cast<int>(lane->gaps.size()) && point.y() > before(at)) ++at;
  return {lane->container, lane->stack, at};
}

QRect StackLayout::gapLine(const StackPlace& place) const {
  const PlacedLane* found = lane(place);
  if (!found || place.at < 0 || place.at >= static_cast<int>(found->gaps.size())) return {};
  return QRect(found->area.left(), found->gaps[static_cast<std::size_t>(place.at)] - 1, found->area.width(), 2);
}

QRect StackLayout::tab(const PlacedCard& card, int index) {
  return QRect(card.tabs.left() + index * kTabWidth, card.tabs.top(), kTabWidth, card.tabs.height());
}

bool isNarrowStack(const Analysis& analysis, int width, const StackMetrics& metrics) {
  return width < (depthOf(analysis) > 0 ? 102 : 86) * metrics.em;
}

StackLayout layoutStack(const NetworkSpec& net, const Analysis& analysis, int width, const StackMetrics& metrics,
                        const StackState& state) {
  return Layouter(net, analysis, width, metrics, state).run();
}

}  // namespace strata::gui
