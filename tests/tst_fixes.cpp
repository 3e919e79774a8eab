// SPDX-License-Identifier: GPL-3.0-or-later
// Every fix of every issue that can be raised, clicked where the card offers it: it mends what it is about, in one undo
// step.
#include <QTest>
#include <algorithm>
#include <functional>

#include "engine/base/json.h"
#include "gui/models/layer_stack_model.h"
#include "gui/widgets/stack_view.h"

using namespace strata;
using namespace strata::gui;

Q_DECLARE_METATYPE(strata::Project)

class TestFixes : public QObject {
  Q_OBJECT

 private:
  Document m_document;
  std::unique_ptr<LayerStackModel> m_model;
  std::unique_ptr<Theme> m_theme;
  std::unique_ptr<StackView> m_view;

  /// Whether the present stack has an issue of that text and field.
  bool raised(const Issue& issue) const {
    const auto& all = m_document.analysis().issues;
    return std::any_of(all.begin(), all.end(), [&](const Issue& other) {
      return other.text == issue.text && other.field == issue.field && other.layer == issue.layer;
    });
  }

  /// Clicks a fix where the card offers it; one that only the menu offers is taken as the menu takes it.
  void clickFix(const Issue& issue, std::size_t fix) {
    m_view->selectLayer(issue.layer);
    QCoreApplication::sendPostedEvents();
    m_view->doItemsLayout();
    m_view->scrollTo(m_model->indexOf(issue.layer));
    const int before = m_document.undoStack().index();
    const QRect button = m_view->fixRect(issue.layer, fix);
    const auto& all = m_document.analysis().issues;  // of a card with an error, a warning's fix is in the inspector
    const bool behind =
        issue.level == Issue::Level::Warning && std::any_of(all.begin(), all.end(), [&](const Issue& each) {
          return each.layer == issue.layer && each.level == Issue::Level::Error;
        });
    if (!button.isNull() && !behind) QTest::mouseClick(m_view->viewport(), Qt::LeftButton, {}, button.center());
    if (m_document.undoStack().index() == before) m_model->applyFix(issue, issue.fixes[fix]);
  }

  static LayerSpec layer(const std::string& type, const std::string& name) {
    return {type, name, Fields(findLayer(type)->fields)};
  }

  /// The layer of an example, and after it what makes a sound net for ten classes of it.
  static Project netAround(const LayerDef& def, const Example& example) {
    Project project;
    project.network.input = example.in;
    Json json = Json::parse(example.fields);
    json["type"] = def.type;
    json["name"] = "tested";
    const Json net{{"input", {1}}, {"classes", 10}, {"layers", Json::array({json})}};
    project.network.layers = networkFromJson(net, "example").layers;
    project.network.layers.push_back(layer("flatten", "flatten1"));
    project.network.layers.push_back(layer("dense", "dense1"));
    project.network.layers[2].fields.set("units", std::int64_t{10});
    return project;
  }

  static void addBroken(const QString& name, const Project& project) {
    if (!analyse(project.network).issues.empty()) QTest::newRow(qPrintable(name)) << project;
  }

  /// One example broken in each way: each number past its limits, each window larger than the input, the other rank of
  /// input, bad names, and as the last layer.
  static void addBrokenForms(const LayerDef& def, const Example& example, int number) {
    const QString name = QString("%1 %2 ").arg(QString::fromStdString(def.type)).arg(number);
    const Project sound = netAround(def, example);
    const auto with = [&](const QString& what, const std::function<void(NetworkSpec&)>& change) {
      Project project = sound;
      change(project.network);
      addBroken(name + what, project);
    };
    for (const Field& field : def.fields) {
      const QString id = QString::fromStdString(field.id);
      const auto set = [&](const QString& what, const Value& value) {
        with(id + what, [&](NetworkSpec& net) { net.layers[0].fields.set(field.id, value); });
      };
      const int past = static_cast<int>(std::min(field.high + 1, 2e9));
      if (field.kind == Field::Kind::Int) set(" too large", std::int64_t{past});
      if (field.kind == Field::Kind::Real) set(" too large", field.high + 1);
      if (field.kind != Field::Kind::Pair) continue;
      set(" too large", Pair{past, past});
      set(" over the edge", Pair{example.in.h + 1, example.in.w + 2});
    }
    for (const char* bad : {"", "dense1", "my layer", "a.b"})
      with(QString("named '%1'").arg(bad), [&](NetworkSpec& net) { net.layers[0].name = bad; });
    const Shape other = example.in.isImage() ? Shape::vector(64) : Shape::image(8, 8, 2);
    with("on the other rank", [&](NetworkSpec& net) { net.input = other; });
    with("last", [](NetworkSpec& net) { net.layers.resize(1); });
    with("before dense", [](NetworkSpec& net) { net.layers.erase(net.layers.begin() + 1); });
    with("after all",
         [](NetworkSpec& net) { std::rotate(net.layers.begin(), net.layers.begin() + 1, net.layers.end()); });
  }

  /// What the net as a whole can raise.
  static void addBrokenLessons() {
    const Project lesson = readProject(STRATA_SOURCE_DIR "/resources/projects/mnist-lesson.strata");
    const auto with = [&](const char* name, const std::function<void(NetworkSpec&)>& change) {
      Project project = lesson;
      change(project.network);
      addBroken(name, project);
    };
    with("no flatten", [](NetworkSpec& net) { net.layers.erase(net.layers.begin() + 4); });
    with("wrong units", [](NetworkSpec& net) { net.layers[6].fields.set("units", std::int64_t{12}); });
    with("other classes", [](NetworkSpec& net) { net.classes = 26; });
    with("two layers", [](NetworkSpec& net) { net.layers.resize(2); });
    with("all named alike", [](NetworkSpec& net) {
      for (LayerSpec& each : net.layers) each.name = "same";
    });
    with("no names", [](NetworkSpec& net) {
      for (LayerSpec& each : net.layers) each.name.clear();
    });
    with("the longest name", [](NetworkSpec& net) { net.layers[0].name = std::string(65, 'n'); });
    for (const char* activation : {"relu", "tanh", "sigmoid"})
      with(activation, [&](NetworkSpec& net) { net.layers[6].fields.set("activation", std::string(activation)); });
    with("empty", [](NetworkSpec& net) { net.layers.clear(); });
    with("one class", [](NetworkSpec& net) { net.classes = 1; });
  }

 private slots:
  void initTestCase() { m_theme = std::make_unique<Theme>(*qApp); }

  void init() {
    m_view.reset();
    m_model = std::make_unique<LayerStackModel>(m_document);
    m_view = std::make_unique<StackView>(*m_theme, *m_model);
    m_view->resize(900, 1200);
    m_view->show();
  }

  void everyFixOfEveryIssueByAClick_data() {
    QTest::addColumn<Project>("broken");
    for (const LayerDef& def : allLayers())
      for (std::size_t i = 0; !def.hidden && i < def.examples.size(); ++i)
        addBrokenForms(def, def.examples[i], static_cast<int>(i));
    addBrokenLessons();
  }
  void everyFixOfEveryIssueByAClick() {
    QFETCH(const Project, broken);
    m_document.reset(broken, {});
    const std::vector<Issue> issues = m_document.analysis().issues;
    QVERIFY(!issues.empty());
    for (const Issue& issue : issues) {
      for (std::size_t fix = 0; fix < issue.fixes.size(); ++fix) {
        clickFix(issue, fix);
        QCOMPARE(m_document.undoStack().count(), 1);
        QVERIFY2(!raised(issue), issue.text.c_str());
        m_document.undoStack().undo();
        QVERIFY(m_document.project() == broken);
        QVERIFY(raised(issue));
      }
    }
  }
};

QTEST_MAIN(TestFixes)
#include "tst_fixes.moc"
