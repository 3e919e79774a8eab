// SPDX-License-Identifier: GPL-3.0-or-later
// Nets that branch: numbering, paths, issues and fixes of layers in containers, how a net is flattened, and random nets
// of containers in containers, whose loss and gradients are those of the plainest way to compute them.
#include <QTest>
#include <set>

#include "engine/backend/compare_tensors.h"
#include "engine/backend/reference/network.h"
#include "engine/base/error.h"
#include "engine/net/analysis.h"
#include "made_nets.h"
#include "reference_chain.h"

using namespace strata;
using namespace strata::test;

namespace {

LayerSpec conv(const std::string& name, int filters, int kernel = 3, int strides = 1) {
  return layer("conv2d", name,
               {{"filters", filters}, {"kernel_size", kernel}, {"strides", strides}, {"padding", "same"}});
}

LayerSpec container(const std::string& type, const std::string& name, std::vector<std::vector<LayerSpec>> stacks,
                    const Json& fields = Json::object()) {
  LayerSpec made = layer(type, name, fields);
  made.stacks = std::move(stacks);
  return made;
}

NetworkSpec netOf(std::vector<LayerSpec> layers, Shape input = Shape::image(8, 8, 4)) {
  NetworkSpec spec;
  spec.input = input;
  spec.classes = 3;
  spec.layers = std::move(layers);
  spec.layers.push_back(layer("flatten", "flatten"));
  spec.layers.push_back(layer("dense", "last", {{"units", 3}}));
  return spec;
}

/// conv1, res1 (a, inner (b | nothing) / shortcut c), flatten, last.
NetworkSpec nested() {
  const LayerSpec inner = container("branches", "inner", {{conv("b", 4)}, {}}, {{"merge", "add"}});
  return netOf({conv("conv1", 4), container("residual", "res1", {{conv("a", 4), inner}, {conv("c", 4, 1)}})});
}

/// A sequence that a Bidirectional reads, which holds these layers.
NetworkSpec bothWays(const std::vector<LayerSpec>& stack) {
  NetworkSpec spec;
  spec.input = Shape::sequence(4, 3);
  spec.classes = 3;
  spec.layers = {container("bidirectional", "bi1", {stack}), layer("flatten", "flatten"),
                 layer("dense", "last", {{"units", 3}})};
  return spec;
}

CompileRequest requestFor(const NetworkSpec& spec, int batch) {
  CompileRequest request;
  request.network = spec;
  request.optimizer.fields.set("momentum", 0.5);  // the state then holds the gradients
  request.maxBatch = batch;
  return request;
}

}  // namespace

class TestGraph : public QObject {
  Q_OBJECT

  struct Made {
    NetworkSpec spec;
    Weights weights;
    MadeBatch batch;
    ChainResult expected;
    explicit Made(std::uint64_t seed) : Made(seed, Rng(seed, Stream::Test, 78)) {}

   private:
    Made(std::uint64_t seed, Rng rng)
        : spec(madeNet(seed)), weights(initialWeights(spec, seed)), batch(spec, 3, Inputs::Dense, rng),
          expected(runChain(spec, weights, batch.batch)) {}
  };

 private slots:
  void layersAreNumberedAsTheyAreRead() {
    NetworkSpec spec = nested();
    const std::vector<std::string> paths{"conv1",        "res1",   "res1/a",  "res1/inner",
                                         "res1/inner/b", "res1/c", "flatten", "last"};
    QCOMPARE(layerCount(spec), static_cast<int>(paths.size()));
    const Analysis analysis = analyse(spec);
    QVERIFY(analysis.ok());
    for (int i = 0; i < layerCount(spec); ++i) {
      const auto at = static_cast<std::size_t>(i);
      QCOMPARE(pathOf(spec, i), paths[at]);
      QCOMPARE(analysis.layers[at].path, paths[at]);
      QCOMPARE(analysis.layers[at].depth, static_cast<int>(QString::fromStdString(paths[at]).count('/')));
      QCOMPARE(numberAt(spec, placeOf(spec, i)), i);
      QVERIFY(paths[at].ends_with(layerAt(spec, i).name));
    }
    QCOMPARE(placeOf(spec, 4), (StackPlace{3, 0, 0}));
    QCOMPARE(placeOf(spec, 5), (StackPlace{1, 1, 0}));
    QCOMPARE(numberAt(spec, {1, 0, 2}), 5);  // behind the last of a stack
    QCOMPARE(stackAt(spec, {1, 0, 0}).size(), std::size_t{2});
    QVERIFY_THROWS_EXCEPTION(Error, layerAt(spec, 8));
  }

  void aNetIsFlattened() {
    const Graph graph = lower(nested());
    QStringList nodes;
    for (const Node& node : graph.nodes) {
      QString inputs;
      for (const int in : node.inputs) inputs += (inputs.isEmpty() ? "" : " ") + QString::number(in);
      nodes << QString("%1 %2(%3)").arg(node.path.c_str(), node.def->type.c_str(), inputs);
    }
    QCOMPARE(nodes, QStringList({"conv1 conv2d(0)", "res1/a conv2d(1)", "res1/inner/b conv2d(2)",
                                 "res1/inner/add add(3 2)", "res1/c conv2d(1)", "res1/add add(4 5)",
                                 "res1/activation activation(6)", "flatten flatten(7)", "last dense(8)"}));
    QCOMPARE(graph.values[1].readers, (std::vector<int>{1, 4}));
    const Weights weights = layoutFor(graph);
    QCOMPARE(weights.places[2].name, std::string("res1/a.kernel"));
  }

  void anEmptyShortcutIsTheIdentity() {
    const NetworkSpec spec = netOf({container("residual", "res1", {{conv("a", 4)}, {}}, {{"activation", "linear"}})});
    const Graph graph = lower(spec);
    QCOMPARE(graph.nodes[1].inputs, (std::vector<int>{1, 0}));
  }

  void shapesThatDifferAreMendedByAConvolution() {
    NetworkSpec spec = netOf({container("residual", "res1", {{conv("a", 6, 3, 2)}, {}})});
    const Analysis analysis = analyse(spec);
    QCOMPARE(analysis.issues.size(), std::size_t{1});
    const Issue& issue = analysis.issues.front();
    QCOMPARE(issue.layer, 0);
    QCOMPARE(issue.fixes.size(), std::size_t{1});
    applyFix(spec, issue, issue.fixes.front());
    QVERIFY(analyse(spec).ok());
    QCOMPARE(spec.layers[0].stacks[1].size(), std::size_t{1});
  }

  void namesAreUniqueInTheirContainer() {
    NetworkSpec spec = nested();
    spec.layers[1].stacks[1][0].name = "a";  // as in the other stack of the same container
    Analysis analysis = analyse(spec);
    QCOMPARE(analysis.issues.size(), std::size_t{1});
    QCOMPARE(analysis.issues.front().layer, 5);
    applyFix(spec, analysis.issues.front(), analysis.issues.front().fixes.front());
    QVERIFY(analyse(spec).ok());
    spec.layers[1].stacks[0][0].name = "conv1";  // as one outside
    QVERIFY(analyse(spec).ok());
  }

  void whatIsInsideIsCheckedBehindAnErrorToo() {
    NetworkSpec spec = nested();
    spec.layers[0].fields.set("filters", std::int64_t{0});
    spec.layers[1].stacks[0][1].stacks[0][0].fields.set("kernel_size", Pair{0, 1});
    const Analysis analysis = analyse(spec);
    QCOMPARE(analysis.issues.size(), std::size_t{2});
    QCOMPARE(analysis.issues[1].layer, 4);
    QVERIFY(!analysis.layers[6].out.known());
  }

  void tooDeepAndTooManyAreRefused() {
    LayerSpec deep = conv("a", 4);
    for (int i = 0; i <= kMaxDepth; ++i) deep = container("residual", "res" + std::to_string(i), {{deep}, {}});
    const NetworkSpec spec = netOf({deep});
    QVERIFY(!analyse(spec).ok());
    QVERIFY_THROWS_EXCEPTION(Error, networkFromJson(networkToJson(spec), "deep"));
    std::vector<LayerSpec> many;
    for (int i = 0; i < kMaxLayers; ++i) many.push_back(layer("activation", "a" + std::to_string(i)));
    const NetworkSpec wide = netOf({container("residual", "res1", {many, {}})});
    QVERIFY(!analyse(wide).ok());
    QVERIFY_THROWS_EXCEPTION(Error, networkFromJson(networkToJson(wide), "wide"));
    QVERIFY(!analyse(netOf({container("branches", "none", {})})).ok());
  }

  void aBidirectionalIsTwoNodes() {
    NetworkSpec spec = bothWays({layer("gru", "inner", {{"units", 5}, {"return_sequences", true}})});
    const Analysis analysis = analyse(spec);
    QVERIFY(analysis.ok());
    QStringList nodes;
    for (const Node& node : analysis.graph.nodes)
      nodes << QString("%1 %2(%3)").arg(node.path.c_str(), node.def->type.c_str()).arg(node.inputs.front());
    QCOMPARE(nodes, QStringList({"bi1/forward gru(0)", "bi1/backward gru(0)", "bi1/concat concat(1)",
                                 "flatten flatten(3)", "last dense(4)"}));
    QCOMPARE(analysis.layers[0].out, Shape::sequence(4, 10));
    QCOMPARE(analysis.layers[1].path, std::string("bi1/inner"));
    QCOMPARE(analysis.layers[1].out, Shape::sequence(4, 5));
    QCOMPARE(analysis.layers[0].parameters, analysis.layers[1].parameters);
    const std::vector<TensorPlace> places = placesFor(spec);
    QCOMPARE(places[0].name, std::string("bi1/forward.kernel"));
    QCOMPARE(places[3].name, std::string("bi1/backward.kernel"));
    const Weights weights = initialWeights(spec, 1);  // each draws its own
    QVERIFY(!std::equal(weights.values.begin(), weights.values.begin() + places[0].size,
                        weights.values.begin() + places[3].offset));
    spec.layers[0].stacks[0][0].trainable = false;
    for (const Node& node : lower(spec).nodes) QCOMPARE(node.trainable, node.def->type != "gru");
  }

  void aBidirectionalHoldsOneRecurrentLayer() {
    NetworkSpec empty = bothWays({});
    const Analysis analysis = analyse(empty);
    QCOMPARE(analysis.issues.size(), std::size_t{1});
    applyFix(empty, analysis.issues.front(), analysis.issues.front().fixes.front());
    QVERIFY(analyse(empty).layers[0].out.known());
    const LayerSpec one = layer("gru", "a", {{"units", 3}, {"return_sequences", true}}), other = layer("lstm", "b");
    for (const std::vector<LayerSpec>& stack :
         {std::vector<LayerSpec>{one, other}, {layer("dense", "a", {{"units", 3}})}, {bothWays({one}).layers[0]}}) {
      const Analysis wrong = analyse(bothWays(stack));
      QCOMPARE(wrong.issues.size(), std::size_t{1});
      QCOMPARE(wrong.issues.front().layer, 0);
      QVERIFY(wrong.issues.front().text.find("exactly one recurrent layer") != std::string::npos);
      QVERIFY(!wrong.layers[0].out.known());
    }
  }

  void jsonComesBack() {
    NetworkSpec spec = nested();
    layerAt(spec, 4).trainable = false;
    const Json json = networkToJson(spec);
    QCOMPARE(networkFromJson(json, "test"), spec);
    QCOMPARE(json["layers"][1]["shortcut"][0]["name"].get<std::string>(), std::string("c"));
    QVERIFY(!json["layers"][0].contains("trainable"));
    for (const char* bad :
         {R"({"layers": [{"type": "residual", "name": "r", "stack": 5}]})",
          R"({"layers": [{"type": "branches", "name": "b"}]})", R"({"layers": [{"type": "add", "name": "a"}]})",
          R"({"layers": [{"type": "flatten", "name": "f", "trainable": 1}]})",
          R"({"layers": [{"type": "flatten", "name": "f", "stack": []}]})"})
      QVERIFY_THROWS_EXCEPTION(Error, networkFromJson(parseJson(bad, "bad"), "bad"));
  }

  void streamsOfTheNetsOwnStackStay() {
    const Graph graph = lower(nested());
    QCOMPARE(graph.nodes.front().stream, std::uint64_t{0});
    QCOMPARE(graph.nodes.back().stream, std::uint64_t{3});  // conv1, res1, flatten, last
    std::set<std::uint64_t> streams;
    int weighted = 0;
    for (const Node& node : graph.nodes)
      if (node.parameters > 0) streams.insert(node.stream), ++weighted;
    QCOMPARE(static_cast<int>(streams.size()), weighted);
  }

  // What is frozen keeps its bits, on its own and with all that a frozen container holds.
  void frozenLayersStay_data() {
    QTest::addColumn<QString>("backend");
    QTest::addColumn<QString>("frozen");  // beginnings of paths
    for (const char* backend : {"reference", "cpu"})
      for (const char* frozen : {"res1", "conv1", "conv1 res1", "res1/inner", "last", "conv1 res1 flatten last"})
        QTest::newRow(qPrintable(QString("%1 %2").arg(backend, frozen))) << backend << frozen;
  }
  void frozenLayersStay() {
    QFETCH(QString, backend);
    QFETCH(QString, frozen);
    NetworkSpec spec = nested();
    const QStringList chosen = frozen.split(' ');
    for (int i = 0; i < layerCount(spec); ++i)
      layerAt(spec, i).trainable = !chosen.contains(QString::fromStdString(pathOf(spec, i)));
    Rng rng(3, Stream::Test, 1);
    MadeBatch made(spec, 4, Inputs::Dense, rng);
    const auto owner = createBackend(backend.toStdString(), 1);
    const auto net = owner->compile(requestFor(spec, 4));
    const Weights before = initialWeights(spec, 1);
    net->setWeights(before);
    net->trainBatch(made.batch, 0.1, 0);
    const Weights after = net->weights();
    for (const TensorPlace& place : before.places) {
      const bool kept = std::any_of(chosen.begin(), chosen.end(), [&](const QString& path) {
        return place.name.starts_with(path.toStdString() + ".") || place.name.starts_with(path.toStdString() + "/");
      });
      const auto from = before.values.begin() + place.offset, to = after.values.begin() + place.offset;
      QVERIFY2(std::equal(from, from + place.size, to) == kept || place.name.ends_with("bias"), place.name.c_str());
    }
    QVERIFY(std::isfinite(net->trainBatch(made.batch, 0.1, 1).lossSum));
  }

  void randomNets_data() {
    QTest::addColumn<QString>("backend");
    for (const char* backend : {"reference", "cpu", "check:reference,cpu"}) QTest::newRow(backend) << backend;
  }
  void randomNets() {
    QFETCH(QString, backend);
    const auto owner = createBackend(backend.toStdString(), 2);
    for (std::uint64_t seed = 1; seed <= 500; ++seed) {
      Made made(seed);
      const auto net = owner->compile(requestFor(made.spec, 3));
      net->setWeights(made.weights);
      const LossResult loss = net->trainBatch(made.batch.batch, 1, 0);
      const std::string where = "seed " + std::to_string(seed) + ": ";
      QVERIFY2(std::abs(loss.lossSum - made.expected.lossSum) < 1e-4 * (1 + std::abs(made.expected.lossSum)),
               qPrintable(QString::fromStdString(where) + QString::number(loss.lossSum)));
      std::vector<float> expected(made.expected.gradients.size()), got = net->optimizerState();
      for (std::size_t i = 0; i < expected.size(); ++i) expected[i] = -static_cast<float>(made.expected.gradients[i]);
      for (const TensorPlace& place : made.weights.places) {
        const auto offset = static_cast<std::size_t>(place.offset), size = static_cast<std::size_t>(place.size);
        const auto difference = compareTensors<float>(
            std::span(got).subspan(offset, size), std::span(expected).subspan(offset, size), place.shape, {1e-3, 1e-4});
        QVERIFY2(!difference, (where + place.name + " " + difference.value_or("")).c_str());
      }
    }
  }

  void threadsDoNotMatter() {
    for (std::uint64_t seed = 1; seed <= 40; ++seed) {
      Made made(seed);
      std::vector<float> first;
      for (const int threads : {1, 2, 4}) {
        const auto owner = createBackend("cpu", threads);
        const auto net = owner->compile(requestFor(made.spec, 3));
        net->setWeights(made.weights);
        net->trainBatch(made.batch.batch, 0.1, 0);
        if (first.empty()) first = net->weights().values;
        QVERIFY2(net->weights().values == first, qPrintable(QString("seed %1, %2 threads").arg(seed).arg(threads)));
      }
    }
  }

  void aDifferenceIsNamedByItsPath() {
    const auto owner = createBackend("check:reference,reference", 1);
    const NetworkSpec spec = nested();
    const auto net = owner->compile(requestFor(spec, 2));
    QVERIFY(net->explain().find("res1/inner/b") != std::string::npos);
    Weights weights = initialWeights(spec, 1);
    weights.values[static_cast<std::size_t>(weights.places[2].offset)] = NAN;
    net->setWeights(weights);
    Rng rng(3, Stream::Test, 1);
    MadeBatch made(spec, 2, Inputs::Dense, rng);
    QCOMPARE(firstNonFinite(weights), std::string("res1/a"));
    QCOMPARE(net->findNonFinite(made.batch, 0).layer, std::string("res1/a"));
  }
};

QTEST_GUILESS_MAIN(TestGraph)
#include "tst_graph.moc"
