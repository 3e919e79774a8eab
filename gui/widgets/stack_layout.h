// SPDX-License-Identifier: GPL-3.0-or-later
// Where the cards of a stack lie: a pure function from the net and what is open in it to rectangles, lanes, the gaps
// where a layer can be dropped, and the wire beside them. The view paints, scrolls, drops and walks by what it says.
#pragma once
#include <QFontMetrics>
#include <QRect>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "engine/net/analysis.h"

namespace strata::gui {

/// Sizes that follow from the font and the kind of cards.
struct StackMetrics {
  int em = 7;            ///< width of a digit
  int line = 18;         ///< height of a line of text
  bool compact = false;  ///< of the net's own cards; those in containers always are
  static StackMetrics of(const QFontMetrics& body, bool compact);

  int compactHeight() const { return std::max(28, line + 10); }
  int cardHeight() const { return compact ? compactHeight() : std::max(58, 2 * line + 20); }
  int gap() const { return compact ? kGap : 2 * kGap; }
  int chipHeight() const { return std::max(2 * compactHeight() + kGap, 3 * line + 6); }
  int footHeight() const { return std::max(18, line + 2); }
  int tabsHeight() const { return std::max(24, line + 6); }
  int stripHeight(int width) const;  ///< two rows where words and buttons do not fit into one

  static constexpr int kGap = 4, kInset = 12, kStripe = 4;
};

/// What is seen of the net. Layers go by their numbers.
struct StackState {
  std::set<int> closed;      ///< containers
  std::set<int> strips;      ///< layers whose issue is told in words
  std::map<int, int> shown;  ///< of containers with too many columns: the one that is seen; else the first
};

/// The columns of figures, the same at every depth.
struct StackColumns {
  int outputLeft = 0, parametersRight = 0, costLeft = 0, costRight = 0;
  bool bar = true;
};

/// One card that is seen.
struct PlacedCard {
  enum class Form {
    Row,     ///< across the stack, its figures in the columns
    Column,  ///< in one of several columns: its figures at its right edge
    Chip     ///< in a shortcut: three short lines
  };
  int layer = 0;  ///< its number; or kInput, kOutput
  int depth = 0;  ///< containers around it
  Form form = Form::Row;
  bool compact = true, container = false, open = false;
  QRect frame;   ///< all of it; of an open container with what it holds
  QRect head;    ///< its own line
  QRect strip;   ///< what is wrong, in the frame; null: not shown
  QRect foot;    ///< of an open container: where its stacks meet; null where they do not
  QRect tabs;    ///< of an open container whose columns do not fit; null: they do
  int body = 0;  ///< of an open container: the left edge of its first stack
};

/// A stack that is seen, as a place for layers.
struct PlacedLane {
  int container = -1, stack = 0;
  bool beside = false;    ///< a shortcut
  QRect area;             ///< what falls here goes into this stack
  std::vector<int> gaps;  ///< y of the gap before each layer and of that behind the last
  QRect slot;             ///< of an empty one: the dashed place; null where a line stands for it
};

/// The wire beside the cards.
struct PlacedBlock {
  int layer = 0;
  QPoint centre;
  int room = 0;  ///< height for the drawing
};
struct PlacedFork {
  int top = 0, bottom = 0;
  std::vector<int> xs;
};

struct StackLayout {
  static constexpr int kInput = -1, kOutput = -2;

  int width = 0, height = 0;
  int gutter = 0;  ///< its width
  int wire = 0;    ///< x of the wire
  bool narrow = false;
  StackColumns columns;
  std::vector<PlacedCard> cards;  ///< in reading order: a container before what it holds
  std::vector<PlacedLane> lanes;  ///< likewise; the net's own first
  std::vector<PlacedBlock> blocks;
  std::vector<PlacedFork> forks;

  const PlacedCard* card(int layer) const;  ///< null when it is not seen
  const PlacedLane* lane(const StackPlace& place) const;
  /// The innermost card at a point; null where there is none.
  const PlacedCard* cardAt(const QPoint& point) const;
  /// The gap nearest to a point, in the innermost stack around it.
  StackPlace placeAt(const QPoint& point) const;
  /// The line that shows a gap; null when it is not seen.
  QRect gapLine(const StackPlace& place) const;
  /// Of a card's tabs, the one at a point; -1: none.
  static QRect tab(const PlacedCard& card, int index);
};

/// Whether a stack of that width has to do without bars and, in containers, without words.
bool isNarrowStack(const Analysis& analysis, int width, const StackMetrics& metrics);

StackLayout layoutStack(const NetworkSpec& net, const Analysis& analysis, int width, const StackMetrics& metrics,
                        const StackState& state);

}  // namespace strata::gui
