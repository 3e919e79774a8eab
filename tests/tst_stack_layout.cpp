// SPDX-License-Identifier: GPL-3.0-or-later
// Where the cards lie, without a window: sizes of the design, cards in their containers and beside each other, columns
// of figures at every depth, gaps that lead where they are, and none of it lost in nets made by chance.
#include <QGuiApplication>
#include <QTest>
#include <random>

#include "gui/models/stack_edits.h"
#include "gui/widgets/card_painter.h"
#include "gui/widgets/stack_layout.h"
#include "nested_nets.h"

using namespace strata;
using namespace strata::gui;
using Form = PlacedCard::Form;

class TestStackLayout : public QObject {
  Q_OBJECT

 private:
  static StackLayout laid(const NetworkSpec& net, int width = 880, const StackState& state = {}, bool compact = true) {
    return layoutStack(net, analyse(net), width, {7, 18, compact}, state);
  }
  static const PlacedCard& card(const StackLayout& layout, int layer) { return *layout.card(layer); }

  /// A layer that fits in anywhere, or a container with some.
  static LayerSpec anyLayer(std::mt19937& random, const NetworkSpec& net, int depth) {
    const bool plain = depth > 3 || random() % 3 != 0;
    const char* types[] = {"dropout", "conv2d", "activation"};
    LayerSpec layer = newLayer(net, *findLayer(plain ? types[random() % 3] : random() % 2 ? "residual" : "branches"));
    layer.name += "_" + std::to_string(random() % 100000);
    if (!plain && layer.type == "branches") layer.stacks.resize(1 + random() % 5);
    for (auto& stack : layer.stacks)
      for (unsigned i = random() % 3; i > 0; --i) stack.push_back(anyLayer(random, net, depth + 1));
    return layer;
  }

  static NetworkSpec anyNet(unsigned seed) {
    std::mt19937 random(seed);
    NetworkSpec net;
    for (int i = 0; i < 5; ++i) net.layers.push_back(anyLayer(random, net, 0));
    return net;
  }

 private slots:
  void sizesOfTheDesign() {
    const StackLayout flat = laid(deepProject().network, 880, {{0}, {}, {}});
    QCOMPARE(card(flat, StackLayout::kInput).frame.height(), 28);
    QCOMPARE(card(flat, 0).frame.top(), 32);
    const StackLayout tall = laid(deepProject().network, 880, {{0}, {}, {}}, false);
    QCOMPARE(card(tall, StackLayout::kInput).frame.height(), 58);
    QCOMPARE(card(tall, 0).frame.top(), 66);
    const StackLayout nested = laid(nestedProject().network);
    const PlacedCard& res1 = card(nested, 1);
    QVERIFY(res1.open && res1.container);
    QCOMPARE(card(nested, 2).frame.left(), res1.frame.left() + 12 + 36);  // the lane of the identity
    QCOMPARE(card(nested, 2).frame.right(), res1.frame.right() - 8);
    QCOMPARE(card(nested, 5).frame.left(), card(nested, 4).frame.left() + 12 + 124);  // that of layers
    QCOMPARE(card(nested, 6).frame.height(), 60);
    QVERIFY(card(nested, 6).form == Form::Chip);
    QVERIFY(card(nested, 8).form == Form::Column);
    QCOMPARE(card(nested, 10).frame.left() - card(nested, 8).frame.right() - 1, 8);
    QCOMPARE(card(nested, 8).frame.top(), card(nested, 10).frame.top());
  }

  /// Beside the icon, at full width and in the font that is used.
  void aShortcutsLaneHoldsItsTitles_data() {
    QTest::addColumn<QString>("type");
    for (const LayerDef& def : allLayers())
      if (!def.hidden && !def.isContainer()) QTest::newRow(def.type.c_str()) << QString::fromStdString(def.type);
  }
  void aShortcutsLaneHoldsItsTitles() {
    QFETCH(const QString, type);
    NetworkSpec net = nestedProject().network;
    layerAt(net, 4).stacks[1] = {newLayer(net, *findLayer(type.toStdString()))};
    QFont bold = QGuiApplication::font();
    bold.setBold(true);
    const auto metrics = StackMetrics::of(QFontMetrics(QGuiApplication::font()), true);
    const StackLayout layout = layoutStack(net, analyse(net), 115 * metrics.em, metrics, {});
    const PlacedCard& chip = card(layout, 6);
    QVERIFY(chip.form == Form::Chip);
    const int title =
        QFontMetrics(bold).horizontalAdvance(QString::fromStdString(findLayer(type.toStdString())->title));
    QVERIFY2(chip.head.width() - 38 >= title, qPrintable(QString("%1 in %2").arg(title).arg(chip.head.width() - 38)));
  }

  void summariesGiveWayInWholeParts() {
    const QFontMetrics metrics{QGuiApplication::font()};
    const auto fitted = [&](const QString& summary, const QString& room, const LayerCard& card = {}) {
      return CardPainter::fitted(summary, card, metrics, metrics.horizontalAdvance(room));
    };
    const QString conv = "32 filters · 3 × 3 · stride 2 · ReLU";
    QCOMPARE(fitted(conv, conv), conv);
    QCOMPARE(fitted(conv, "32 · 3 × 3 · stride 2 · ReLU"), QString("32 · 3 × 3 · stride 2 · ReLU"));
    QCOMPARE(fitted(conv, "3 × 3 · stride 2 · ReLU"), QString("3 × 3 · stride 2 · ReLU"));
    QCOMPARE(fitted("momentum 0.9 · ReLU", "momentum 0.9 "), QString("ReLU"));
    QCOMPARE(fitted("momentum 0.9", "mome"), QString());
    LayerCard blamed;
    blamed.blamed = "13 × 13";
    QVERIFY(fitted("8 filters · 13 × 13 · same · ReLU", "8 · 13 × 13 · s", blamed).contains("13 × 13"));
    LayerCard container;
    container.isContainer = true;
    QCOMPARE(fitted("4 layers · identity shortcut · ReLU", "4 layers · identity shortcut ·", container),
             QString("4 layers · identity shortcut"));
  }

  void cardsLieInTheirContainersAndApart_data() {
    QTest::addColumn<int>("width");
    for (const int width : {478, 640, 880, 1600}) QTest::addRow("%d", width) << width;
  }
  void cardsLieInTheirContainersAndApart() {
    QFETCH(int, width);
    for (unsigned seed = 0; seed < 60; ++seed) {
      const NetworkSpec net = anyNet(seed);
      const Analysis analysis = analyse(net);
      StackState state;
      for (int layer = 0; layer < layerCount(net); ++layer) {
        if (seed % 3 == 1 && layer % 4 == 0) state.closed.insert(layer);
        if (seed % 2 == 1 && layer % 5 == 0) state.strips.insert(layer);
        if (layer % 2) state.shown[layer] = static_cast<int>(seed % 7);
      }
      const StackLayout layout = layoutStack(net, analysis, width, {7, 18, seed % 2 == 0}, state);
      int last = StackLayout::kInput;
      for (const PlacedCard& one : layout.cards) {
        QVERIFY(one.frame.isValid() && one.frame.contains(one.head));
        QVERIFY(one.frame.left() >= layout.gutter && one.frame.right() < width);
        QVERIFY(one.frame.bottom() < layout.height);
        if (one.layer >= 0) QVERIFY(one.layer > last);
        if (one.layer >= 0) last = one.layer;
        for (const PlacedCard& other : layout.cards) {
          if (&one == &other || !one.frame.intersects(other.frame)) continue;
          QVERIFY(one.layer >= 0 && other.layer >= 0);
          const bool inside = isWithin(net, one.layer, other.layer), around = isWithin(net, other.layer, one.layer);
          QVERIFY(inside || around);
          if (inside) QVERIFY(one.open && one.frame.contains(other.frame) && !one.head.intersects(other.frame));
          if (inside && !one.foot.isNull()) QVERIFY(other.frame.bottom() <= one.foot.top() + 4);
        }
      }
    }
  }

  void everythingOpenIsSeen() {
    for (unsigned seed = 0; seed < 60; ++seed) {
      const NetworkSpec net = anyNet(seed);
      const StackLayout layout = laid(net, 500000);
      QCOMPARE(static_cast<int>(layout.cards.size()), layerCount(net) + 2);
    }
  }

  void everyGapLeadsWhereItIs() {
    for (unsigned seed = 0; seed < 60; ++seed) {
      const NetworkSpec net = anyNet(seed);
      const StackLayout layout = laid(net, 500000);
      for (const PlacedLane& lane : layout.lanes)
        for (int at = 0; at < static_cast<int>(lane.gaps.size()); ++at) {
          const StackPlace place{lane.container, lane.stack, at};
          QVERIFY(isPlace(net, place));
          const QRect line = layout.gapLine(place);
          QVERIFY(!line.isNull());
          const StackPlace found = layout.placeAt(line.center());
          QVERIFY2(found == place, qPrintable(QString("seed %1: %2/%3/%4 became %5/%6/%7")
                                                  .arg(seed)
                                                  .arg(place.container)
                                                  .arg(place.stack)
                                                  .arg(at)
                                                  .arg(found.container)
                                                  .arg(found.stack)
                                                  .arg(found.at)));
        }
    }
  }

  void everyPointIsSomePlace() {
    const NetworkSpec net = nestedProject().network;
    const StackLayout layout = laid(net);
    for (int y = -20; y < layout.height + 40; y += 3)
      for (int x = -10; x < 900; x += 7) QVERIFY(isPlace(net, layout.placeAt({x, y})));
  }

  void theIdentityLaneAndEmptyStacksTakeLayers() {
    NetworkSpec net = nestedProject().network;
    layerAt(net, 1).stacks[0].clear();
    const StackLayout layout = laid(net);
    QCOMPARE(layout.lane({1, 0, 0})->slot.height(), 28);
    const PlacedLane* identity = layout.lane({1, 1, 0});
    QVERIFY(identity && identity->beside);
    QVERIFY((layout.placeAt(identity->area.center()) == StackPlace{1, 1, 0}));
    QVERIFY((layout.placeAt(layout.lane({1, 0, 0})->slot.center()) == StackPlace{1, 0, 0}));
  }

  void branchesThatDoNotFitShowOneAtATime() {
    const NetworkSpec net = deepProject().network;
    const StackLayout wide = laid(net, 1600);
    QVERIFY(card(wide, 3).tabs.isNull());
    QVERIFY(wide.card(4) && wide.card(5) && wide.card(6));
    StackState state;
    const StackLayout narrow = laid(net, 500, state);
    QVERIFY(!card(narrow, 3).tabs.isNull());
    QVERIFY(narrow.card(4) && !narrow.card(5) && !narrow.card(6));
    state.shown[3] = 3;
    const StackLayout last = laid(net, 500, state);
    QVERIFY(!last.card(4) && last.card(6));
    QVERIFY(last.card(7) && last.card(8));  // the numbers behind are as they were
  }

  void columnsOfFiguresStandAlikeAtEveryDepth() {
    for (const int width : {478, 880}) {
      const StackLayout layout = laid(deepProject().network, width);
      QVERIFY(layout.columns.costRight < layout.width);
      for (const PlacedCard& one : layout.cards)
        if (one.form == Form::Row) {
          QVERIFY(layout.columns.costRight <= one.frame.right());
          QVERIFY2(one.frame.left() + 60 < layout.columns.outputLeft, "no room for a name");
        }
    }
  }

  void layersMoveAlongWhatIsSeen() {
    NetworkSpec net = nestedProject().network;
    const NetworkSpec start = net;
    const auto open = [&](int layer) { return !layerAt(net, layer).stacks.empty(); };
    layerAt(net, 0).name = "walker";
    QStringList way;
    for (int layer = 0; layer >= 0; layer = moveAlong(net, layer, 1, open))
      way << QString::fromStdString(pathOf(net, layer));
    const QStringList expected{"walker",      "res1/walker", "res1/walker", "res1/walker", "res1/walker",
                               "walker",      "res2/walker", "res2/walker", "res2/walker", "res2/walker",
                               "walker",      "mix1/walker", "mix1/walker", "mix1/walker", "mix1/walker",
                               "mix1/walker", "walker",      "walker",      "walker"};
    QCOMPARE(way, expected);
    QVERIFY((placeOf(net, 12) == StackPlace{-1, 0, 5}));
    net = start;
    QCOMPARE(moveAlong(net, 0, -1, open), -1);
    QCOMPARE(net, start);
    QCOMPARE(moveAlong(net, 11, -1, open), 11);  // past the container's foot into its last stack
    QCOMPARE(pathOf(net, 11), std::string("mix1/gap"));
  }

  void wrappingAndTakingApartLoseNothing() {
    const NetworkSpec start = nestedProject().network;
    for (int layer = 0; layer < layerCount(start); ++layer) {
      NetworkSpec net = start;
      const int wrapped = wrapLayer(net, layer, *findLayer("residual"));
      QCOMPARE(wrapped, layer);
      QCOMPARE(layerCount(net), layerCount(start) + 1);
      QCOMPARE(takeApart(net, wrapped), layer);
      QCOMPARE(net, start);
      if (layerAt(start, layer).stacks.empty()) continue;
      QVERIFY(takeApart(net, layer) >= 0);
      QCOMPARE(layerCount(net), layerCount(start) - 1);
      std::set<std::string> names;
      for (const LayerSpec& each : net.layers) QVERIFY(names.insert(each.name).second);
    }
  }
};

QTEST_MAIN(TestStackLayout)
#include "tst_stack_layout.moc"
