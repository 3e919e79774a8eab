// SPDX-License-Identifier: GPL-3.0-or-later
// The stack as a document and at work: analysis with its issues and fixes, JSON, weights, and the net run op by op.
#include <QTest>
#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include "engine/backend/check/check_backend.h"
#include "engine/backend/reference/network.h"
#include "engine/base/error.h"
#include "engine/base/json.h"
#include "engine/base/rng.h"
#include "engine/net/initializer.h"
#include "engine/run/project.h"

using namespace strata;

class TestNetwork : public QObject {
  Q_OBJECT
 private slots:
  void initTestCase();
  void lessonsCosts();
  void issues_data();
  void issues();
  void hugeStacksAreRefusedBeforeAnyAllocation_data();
  void hugeStacksAreRefusedBeforeAnyAllocation();
  void shapesAfterAnErrorAreUnknown();
  void newLayersGetFreeNames();
  void jsonComesBack();
  void badJsonIsRefused_data();
  void badJsonIsRefused();
  void initializers_data();
  void initializers();
  void initializersThatAreNoDistribution();
  void initializersComeBack();
  void weightsDependOnTheSeedAndTheirPlaceAlone();
  void unsoundStacksHaveNoWeights();

  void trainingLowersTheLoss();
  void sameSeedSameBits();
  void nonFiniteLossLeavesTheWeights_data();
  void nonFiniteLossLeavesTheWeights();
  void firstNonFiniteLayerIsNamed_data();
  void firstNonFiniteLayerIsNamed();
  void forwardDropsNothing();
  void activationsAreEveryLayersOutput();
  void stateComesBack();
  void wrongSizesAreRefused();
  void explainHasALineForEachLayer();

  void cpuFallsBackToTheReferenceOps();
  void unknownBackendsAreNamed();
  void checkBackendAgreesWithItself();
  void checkBackendNamesTheFirstOpThatDiffers();
  void checkBackendChecksCompiledStacks_data();
  void checkBackendChecksCompiledStacks();

 private:
  NetworkSpec m_lesson;
};

namespace {

LayerSpec layer(const std::string& type, const std::string& name, const Json& fields = Json::object()) {
  return {type, name, fieldsFromJson(findLayer(type)->fields, fields, name, {})};
}

/// conv 4@3x3 relu - pool - flatten - dropout - dense 3 on 8x8x1.
NetworkSpec smallNet() {
  NetworkSpec spec;
  spec.input = Shape::image(8, 8, 1);
  spec.classes = 3;
  spec.layers = {layer("conv2d", "conv1", {{"filters", 4}, {"activation", "relu"}}), layer("max_pool2d", "pool1"),
                 layer("flatten", "flatten"), layer("dropout", "dropout1", {{"rate", 0.25}}),
                 layer("dense", "dense1", {{"units", 3}})};
  return spec;
}

CompileRequest requestFor(const NetworkSpec& spec) {
  CompileRequest request;
  request.network = spec;
  request.maxBatch = 16;
  return request;
}

/// Sixteen seeded samples for smallNet(), bytes.
struct SmallBatch {
  std::vector<std::uint8_t> bytes;
  std::vector<std::int32_t> labels;
  SmallBatch() {
    Rng rng(1, Stream::Test);
    for (int i = 0; i < 16 * 64; ++i) bytes.push_back(static_cast<std::uint8_t>(rng.below(256)));
    for (int i = 0; i < 16; ++i) labels.push_back(static_cast<std::int32_t>(rng.below(3)));
  }
  Batch batch() const {
    Batch batch;
    batch.size = 16;
    batch.bytes = bytes.data();
    batch.scale = 1.0f / 255;
    batch.labels = labels.data();
    return batch;
  }
};

std::string messageOf(const std::function<void()>& call) {
  try {
    call();
  } catch (const Error& error) {
    return error.what();
  }
  return {};
}

}  // namespace

void TestNetwork::initTestCase() {
  m_lesson = readProject(STRATA_SOURCE_DIR "/resources/projects/mnist-lesson.strata").network;
}

void TestNetwork::lessonsCosts() {
  const Analysis analysis = analyse(m_lesson);
  QVERIFY(analysis.ok() && analysis.issues.empty());
  std::vector<std::int64_t> parameters, macs, offsets;
  std::vector<std::string> shapes;
  for (const LayerAnalysis& found : analysis.layers) {
    parameters.push_back(found.parameters);
    macs.push_back(found.macs);
    shapes.push_back(found.out.text());
  }
  for (const Node& node : analysis.graph.nodes) offsets.push_back(node.weightsOffset);
  QCOMPARE(parameters, (std::vector<std::int64_t>{624, 0, 28848, 0, 0, 393728, 5130}));
  QCOMPARE(offsets, (std::vector<std::int64_t>{0, 624, 624, 29472, 29472, 29472, 423200}));
  QCOMPARE(macs, (std::vector<std::int64_t>{345600, 0, 1843200, 0, 0, 393216, 5120}));
  QCOMPARE(shapes,
           (std::vector<std::string>{"24 × 24 × 24", "12 × 12 × 24", "8 × 8 × 48", "4 × 4 × 48", "768", "512", "10"}));
  QCOMPARE(analysis.parameters, 428330);
  QCOMPARE(analysis.macs, 2587136);
  QCOMPARE(analysis.activations, 784 + 13824 + 3456 + 3072 + 768 + 768 + 512 + 10);
  QCOMPARE(analysis.trainingBytes(128, 1), 4 * (2 * 128 * analysis.activations + 3 * 428330));

  const Weights weights = layoutFor(m_lesson);
  std::vector<std::string> names;
  for (const TensorPlace& place : weights.places) names.push_back(place.name);
  QCOMPARE(names, (std::vector<std::string>{"conv1.kernel", "conv1.bias", "conv2.kernel", "conv2.bias", "dense1.kernel",
                                            "dense1.bias", "dense2.kernel", "dense2.bias"}));
  QCOMPARE(weights.places[2].shape, (std::vector<int>{5, 5, 24, 48}));
  QCOMPARE(weights.values.size(), 428330u);
}

void TestNetwork::issues_data() {
  QTest::addColumn<int>("layer");       // whose fields are changed; -1: the net
  QTest::addColumn<QString>("change");  // JSON that overrides fields, or a word
  QTest::addColumn<int>("blamed");
  QTest::addColumn<QString>("field");
  QTest::addColumn<QString>("text");
  QTest::addColumn<QStringList>("fixes");

  const auto row = [](const char* name, int layer, const char* change, int blamed, const char* field, const char* text,
                      const QStringList& fixes = {}) {
    QTest::newRow(name) << layer << QString(change) << blamed << QString(field) << QString(text) << fixes;
  };
  row("kernel too large", 2, R"({"kernel_size": 13})", 2, "kernel_size",
      "Kernel 13 × 13 does not fit the 12 × 12 input. Largest that fits: 12.", {"Use 5 × 5", "Set padding to Same"});
  row("kernel too wide", 2, R"({"kernel_size": [3, 20]})", 2, "kernel_size",
      "Kernel 3 × 20 does not fit the 12 × 12 input. Largest that fits: 12.", {"Use 3 × 5", "Set padding to Same"});
  row("pool too large", 3, R"({"pool_size": 9})", 3, "pool_size",
      "Window 9 × 9 does not fit the 8 × 8 input. Largest that fits: 8.", {"Use 2 × 2", "Set padding to Same"});
  row("no flatten", -1, "drop flatten", 4, "",
      "Dense sees each pixel of the 4 × 4 × 48 image by itself. To look at all of it, put a Flatten layer before it.",
      {"Add Flatten"});
  row("conv after flatten", -1, "conv after flatten", 5, "",
      "A convolution needs an image, but its input is a vector of 768. Move it before the Flatten layer, or remove "
      "it.");
  row("wrong number of units", 6, R"({"units": 12})", 6, "units",
      "The last layer has 12 units, but the data have 10 classes.", {"Use 10 units"});
  row("ends with a pool", -1, "only two layers", 1, "",
      "The last layer puts out 12 × 12 × 24, but the data have 10 classes. End with a Dense layer of 10 units.");
  row("bent output", 6, R"({"activation": "relu"})", 6, "activation",
      "The last layer bends its output, but the loss takes it as it is and adds the softmax itself.",
      {"Set activation to Linear"});
  row("name twice", -1, "name twice", 2, "name", "Another layer is named \"conv1\" too.", {"Name it conv2"});
  row("no name", -1, "no name", 3, "name", "The layer has no name.", {"Name it pool2"});
  row("bad name", -1, "bad name", 3, "name", "A name has at most 64 letters, digits, _ and -; no spaces and no dots.",
      {"Name it pool2"});
  row("unknown type", -1, "unknown type", 1, "", "There is no layer of type \"teleport\".");
  row("empty", -1, "empty", -1, "", "The stack has no layers. Add one from the palette.");
  row("one class", -1, "one class", -1, "classes", "A classifier needs 2 to 65,536 classes; got 1.");
  row("no input", -1, "no input", -1, "input", "An input of 0 × 28 × 1 is not possible.");
  row("field out of range", -1, "no filters", 0, "filters", "Filters must be 1 to 4096; got 0.");
}

void TestNetwork::issues() {
  QFETCH(const int, layer);
  QFETCH(const QString, change);
  QFETCH(const int, blamed);
  QFETCH(const QString, field);
  QFETCH(const QString, text);
  QFETCH(const QStringList, fixes);
  NetworkSpec spec = m_lesson;
  auto& layers = spec.layers;
  if (layer >= 0) {
    Json fields;
    auto& changed = layers[static_cast<std::size_t>(layer)];
    fieldsToJson(findLayer(changed.type)->fields, changed.fields, fields);
    fields.update(parseJson(change.toStdString(), "test"));
    changed.fields = fieldsFromJson(findLayer(changed.type)->fields, fields, "test", {});
  } else if (change == "drop flatten") layers.erase(layers.begin() + 4);
  else if (change == "conv after flatten") layers.insert(layers.begin() + 5, newLayer(spec, *findLayer("conv2d")));
  else if (change == "only two layers") layers.resize(2);
  else if (change == "name twice") layers[2].name = "conv1";
  else if (change == "no name") layers[3].name = "";
  else if (change == "bad name") layers[3].name = "my pool";
  else if (change == "unknown type") layers[1].type = "teleport";
  else if (change == "empty") layers.clear();
  else if (change == "one class") spec.classes = 1;
  else if (change == "no input") spec.input.h = 0;
  else if (change == "no filters") layers[0].fields.set("filters", std::int64_t{0});
  else QFAIL("unknown change");

  const Analysis analysis = analyse(spec);
  QVERIFY(!analysis.issues.empty());
  const Issue& issue = analysis.issues.front();
  QCOMPARE(QString::fromStdString(issue.text), text);
  QCOMPARE(issue.layer, blamed);
  QCOMPARE(QString::fromStdString(issue.field), field);
  QStringList titles;
  for (const Fix& fix : issue.fixes) titles << QString::fromStdString(fix.title);
  QCOMPARE(titles, fixes);
  for (const Fix& fix : issue.fixes) {  // each fix mends it
    NetworkSpec mended = spec;
    applyFix(mended, issue, fix);
    for (const Issue& left : analyse(mended).issues) QVERIFY2(left.text != issue.text, left.text.c_str());
  }
}

void TestNetwork::hugeStacksAreRefusedBeforeAnyAllocation_data() {
  QTest::addColumn<QString>("json");
  QTest::newRow("output")
      << R"({"input": [16384, 16384, 1], "layers": [{"type": "conv2d", "name": "a", "filters": 4096, "padding": "same"}]})";
  QTest::newRow("input") << R"({"input": [16384, 16384, 65536], "layers": [{"type": "flatten", "name": "a"}]})";
  QTest::newRow("dense weights")
      << R"({"input": [16384, 16384, 4], "layers": [{"type": "flatten", "name": "a"}, {"type": "dense", "name": "b", "units": 1048576}]})";
  QTest::newRow("conv weights")
      << R"({"input": [1024, 1024, 1024], "layers": [{"type": "conv2d", "name": "a", "filters": 4096, "kernel_size": 1024}]})";
  QTest::newRow("flatten of 2^31") << R"({"input": [16384, 16384, 8], "layers": [{"type": "flatten", "name": "a"}]})";
  QTest::newRow("sum of weights")
      << R"({"input": [1048], "layers": [{"type": "dense", "name": "a", "units": 1048576}, {"type": "dense", "name": "b", "units": 1048}]})";
}

void TestNetwork::hugeStacksAreRefusedBeforeAnyAllocation() {
  QFETCH(const QString, json);
  const NetworkSpec spec = networkFromJson(parseJson(json.toStdString(), "test"), "test");
  QVERIFY(!analyse(spec).ok());
  QVERIFY_THROWS_EXCEPTION(Error, layoutFor(spec));
  QVERIFY_THROWS_EXCEPTION(Error, createBackend("reference", 1)->compile(requestFor(spec)));
}

void TestNetwork::shapesAfterAnErrorAreUnknown() {
  NetworkSpec spec = m_lesson;
  spec.layers[2].fields.set("kernel_size", Pair{13, 13});
  spec.layers[5].name = spec.layers[6].name;  // issues further down are still found
  const Analysis analysis = analyse(spec);
  QVERIFY(analysis.layers[2].in.known() && !analysis.layers[2].out.known());
  for (std::size_t i = 3; i < 7; ++i) QVERIFY(!analysis.layers[i].in.known() && !analysis.layers[i].out.known());
  QCOMPARE(analysis.issues.size(), 2u);
  QCOMPARE(Shape{}.text(), std::string("?"));
}

void TestNetwork::newLayersGetFreeNames() {
  NetworkSpec spec = m_lesson;
  QCOMPARE(newLayer(spec, *findLayer("conv2d")).name, std::string("conv3"));
  QCOMPARE(newLayer(spec, *findLayer("avg_pool2d")).name, std::string("pool3"));
  QCOMPARE(newLayer(spec, *findLayer("dropout")).name, std::string("dropout1"));
  spec.layers.erase(spec.layers.begin());
  QCOMPARE(newLayer(spec, *findLayer("conv2d")).name, std::string("conv1"));
  for (const LayerDef& def : allLayers()) QCOMPARE(newLayer(spec, def).fields, Fields(def.fields));
}

void TestNetwork::jsonComesBack() {
  QCOMPARE(networkFromJson(parseJson(networkToJson(m_lesson).dump(), "test"), "test"), m_lesson);
  NetworkSpec halfDone;  // a document may hold a stack that cannot run
  halfDone.input = Shape::vector(5);
  halfDone.layers = {layer("conv2d", "a"), layer("conv2d", "a", {{"kernel_size", Json::array({2, 900})}})};
  QCOMPARE(networkFromJson(networkToJson(halfDone), "test"), halfDone);
}

void TestNetwork::badJsonIsRefused_data() {
  QTest::addColumn<QString>("json");
  QTest::addColumn<QString>("message");
  const auto row = [](const char* name, const char* json, const char* message) {
    QTest::newRow(name) << QString(json) << QString(message);
  };
  row("no object", "[]", "net: must be an object in braces.");
  row("no layers", R"({"input": [28, 28, 1]})", "net: needs a list \"layers\".");
  row("unknown key", R"({"layres": []})", "net: unknown key \"layres\"; known here: input, classes, layers.");
  row("input of four", R"({"input": [28, 28, 1, 1], "layers": []})",
      "net.input: must be [height, width, channels] of an image, [steps, length] of a sequence or [length] of a "
      "vector.");
  row("negative input", R"({"input": [-28, 28, 1], "layers": []})", "net.input: must be a whole number of 1 to 16384.");
  row("input past 64 bits", R"({"input": [18446744073709551615, 28, 1], "layers": []})",
      "net.input: must be a whole number of 1 to 16384.");
  row("fractional classes", R"({"classes": 2.5, "layers": []})", "net.classes: must be a whole number of 1 to 65536.");
  row("layer without type", R"({"layers": [{"name": "a"}]})", "net.layers[0]: needs a text \"type\".");
  row("unknown layer", R"({"layers": [{"type": "conv9d", "name": "a"}]})",
      "net.layers[0]: unknown layer type \"conv9d\"; known: conv2d, depthwise_conv2d, separable_conv2d, "
      "conv2d_transpose, max_pool2d, avg_pool2d, global_avg_pool, global_max_pool, dense, activation, batch_norm, "
      "layer_norm, flatten, reshape, upsample2d, zero_pad2d, dropout, spatial_dropout2d, gaussian_noise, residual, "
      "branches.");
  row("unknown field", R"({"layers": [{"type": "dropout", "name": "a", "ratio": 1}]})",
      "net.layers[0] (\"a\"): unknown key \"ratio\"; known here: type, name, trainable, rate.");
  row("wrong kind", R"({"layers": [{"type": "dense", "name": "a", "units": "ten"}]})",
      "net.layers[0] (\"a\"): \"units\" must be a whole number.");
  row("out of limits", R"({"layers": [{"type": "dense", "name": "a", "units": 99999999999999999999}]})",
      "net.layers[0] (\"a\"): \"units\" must be a whole number.");
  row("past 32 bits", R"({"layers": [{"type": "conv2d", "name": "a", "kernel_size": 4294967297}]})",
      "net.layers[0] (\"a\"): \"kernel_size\" must be 1 to 1024; got 2147483647 × 2147483647.");
  row("rate of one", R"({"layers": [{"type": "dropout", "name": "a", "rate": 1}]})",
      "net.layers[0] (\"a\"): \"rate\" must be 0 to 0.99; got 1.");
  row("long key with a line break",
      R"({"an exceedingly long key that goes on\nand on and on and on": 1, "layers": []})",
      "net: unknown key \"an exceedingly long key that goes on\uFFFD...\"; known here: input, classes, layers.");
  row("unknown choice", R"({"layers": [{"type": "activation", "name": "a", "activation": "bend"}]})",
      "net.layers[0] (\"a\"): \"activation\" must be one of linear, relu, leaky_relu, elu, selu, gelu, swish, "
      "sigmoid, tanh, softplus, softmax, hard_sigmoid; got \"bend\".");
  row("unknown initializer", R"({"layers": [{"type": "dense", "name": "a", "kernel_initializer": "magic"}]})",
      "net.layers[0] (\"a\"): \"kernel_initializer\" must be one of uniform, normal, truncated_normal, "
      "glorot_uniform, glorot_normal, he_uniform, he_normal, lecun_uniform, lecun_normal, orthogonal, dirac, zeros, "
      "ones, "
      "constant; got \"magic\".");
}

void TestNetwork::badJsonIsRefused() {
  QFETCH(const QString, json);
  QFETCH(const QString, message);
  QCOMPARE(QString::fromStdString(messageOf([&] { networkFromJson(parseJson(json.toStdString(), "net"), "net"); })),
           message);
}

void TestNetwork::initializers_data() {
  QTest::addColumn<QString>("type");
  QTest::addColumn<double>("largest");
  QTest::addColumn<double>("deviation");
  const double glorot = std::sqrt(6.0 / (400 + 100)), he = std::sqrt(6.0 / 400), normal = std::sqrt(2.0 / 400);
  QTest::newRow("uniform") << "uniform" << 0.05 << 0.05 / std::sqrt(3);
  QTest::newRow("glorot_uniform") << "glorot_uniform" << glorot << glorot / std::sqrt(3);
  QTest::newRow("he_uniform") << "he_uniform" << he << he / std::sqrt(3);
  QTest::newRow("he_normal") << "he_normal" << 2 * normal / 0.87962566 << normal;
  const double glorotNormal = std::sqrt(2.0 / (400 + 100)), lecun = std::sqrt(1.0 / 400), cut = 0.87962566;
  QTest::newRow("glorot_normal") << "glorot_normal" << 2 * glorotNormal / cut << glorotNormal;
  QTest::newRow("lecun_uniform") << "lecun_uniform" << lecun * std::sqrt(3) << lecun;
  QTest::newRow("lecun_normal") << "lecun_normal" << 2 * lecun / cut << lecun;
  QTest::newRow("truncated_normal") << "truncated_normal" << 0.1 << 0.05 * cut;
  QTest::newRow("normal") << "normal" << 0.0 << 0.05;  // without a largest
  QTest::newRow("zeros") << "zeros" << 0.0 << 0.0;
}

void TestNetwork::initializers() {
  QFETCH(const QString, type);
  QFETCH(const double, largest);
  QFETCH(const double, deviation);
  NetworkSpec spec;
  spec.input = Shape::vector(400);
  spec.classes = 100;
  spec.layers = {layer("dense", "a", {{"units", 100}, {"kernel_initializer", type.toStdString()}})};
  const Weights weights = initialWeights(spec, 1);
  double sum = 0, squares = 0, most = 0;
  for (int i = 0; i < 40000; ++i) {
    const double value = weights.values[static_cast<std::size_t>(i)];
    sum += value;
    squares += value * value;
    most = std::max(most, std::abs(value));
  }
  QVERIFY(type == "normal" || (most <= largest * 1.000001 && most >= largest * 0.97));
  QVERIFY(std::abs(sum / 40000) <= deviation * 0.025);  // five deviations of the mean
  QVERIFY(std::abs(std::sqrt(squares / 40000) - deviation) <= deviation * 0.02);
  for (std::size_t i = 40000; i < 40100; ++i) QCOMPARE(weights.values[i], 0.0f);  // biases
}

// The other ones have values that can be told.
void TestNetwork::initializersThatAreNoDistribution() {
  const auto drawn = [](const std::vector<int>& shape, const Initializer& initializer) {
    const ParamInfo param{"kernel", shape, initializer};
    std::vector<float> values(static_cast<std::size_t>(param.size()), NAN);
    Rng rng(3, Stream::Weights);
    initialize(param, rng, values);
    return values;
  };
  QCOMPARE(drawn({2, 2}, makeInitializer("ones")), std::vector<float>(4, 1.f));
  QCOMPARE(drawn({2, 2}, {"constant", -2.5}), std::vector<float>(4, -2.5f));
  QCOMPARE(drawn({3, 2}, makeInitializer("dirac")), (std::vector<float>{1, 0, 0, 1, 0, 0}));
  const std::vector<float> kernel = drawn({3, 3, 2, 3}, makeInitializer("dirac"));
  for (std::size_t i = 0; i < kernel.size(); ++i)
    QCOMPARE(kernel[i], i == 4 * 6 + 0 || i == 4 * 6 + 4 ? 1.f : 0.f);  // the middle tap, from c to k = c

  // Columns are orthogonal where they are fewer than rows, else rows; all of the gain's length.
  for (const std::vector<int>& shape : {std::vector<int>{20, 7}, {7, 20}, {3, 3, 2, 30}, {8, 8}}) {
    const std::vector<float> q = drawn(shape, {"orthogonal", 1.5});
    const std::size_t cols = static_cast<std::size_t>(shape.back()), rows = q.size() / cols;
    const bool byRows = rows < cols;
    for (std::size_t i = 0; i < std::min(rows, cols); ++i)
      for (std::size_t j = 0; j <= i; ++j) {
        double product = 0;
        for (std::size_t k = 0; k < std::max(rows, cols); ++k)
          product += static_cast<double>(byRows ? q[i * cols + k] : q[k * cols + i]) *
                     static_cast<double>(byRows ? q[j * cols + k] : q[k * cols + j]);
        QVERIFY2(std::abs(product - (i == j ? 2.25 : 0)) < 1e-5, qPrintable(QString::number(product)));
      }
  }
}

// The number of an initializer goes by its row's name, and comes back.
void TestNetwork::initializersComeBack() {
  const std::vector<Field>& fields = findLayer("dense")->fields;
  for (const InitializerDef& def : allInitializers()) {
    Initializer initializer = makeInitializer(def.choice.id);
    if (def.number) initializer.number = 0.25;
    Fields values(fields);
    values.set("kernel_initializer", initializer);
    Json json = Json::object();
    fieldsToJson(fields, values, json);
    QCOMPARE(fieldsFromJson(fields, json, "test", {}), values);
  }
  const auto read = [&](const char* text) {
    fieldsFromJson(fields, {{"kernel_initializer", Json::parse(text)}}, "t", {});
  };
  QCOMPARE(messageOf([&] { read(R"({"type": "he_normal", "limit": 1})"); }),
           std::string("t: \"kernel_initializer\" must be a name or {\"type\": ..., \"limit\": ...}."));
  QCOMPARE(messageOf([&] { read(R"({"type": "normal", "stddev": -1})"); }),
           std::string("t: \"kernel_initializer\" needs a stddev of 0 to 1000; got -1."));
}

void TestNetwork::weightsDependOnTheSeedAndTheirPlaceAlone() {
  const Weights one = initialWeights(m_lesson, 1);
  QCOMPARE(initialWeights(m_lesson, 1), one);
  QVERIFY(initialWeights(m_lesson, 2).values != one.values);
  NetworkSpec wider = m_lesson;  // more units at the end leave the first layers' draws alone
  wider.layers[5].fields.set("units", std::int64_t{600});
  const Weights other = initialWeights(wider, 1);
  QVERIFY(std::equal(one.values.begin(), one.values.begin() + 29472, other.values.begin()));
  QVERIFY(firstNonFinite(one).empty());
  Weights spoilt = one;
  spoilt.values[700] = std::nanf("");
  QCOMPARE(firstNonFinite(spoilt), std::string("conv2"));
}

void TestNetwork::unsoundStacksHaveNoWeights() {
  NetworkSpec spec = m_lesson;
  spec.layers[2].fields.set("kernel_size", Pair{13, 13});
  QCOMPARE(messageOf([&] { layoutFor(spec); }),
           std::string("conv2: Kernel 13 × 13 does not fit the 12 × 12 input. Largest that fits: 12."));
}

void TestNetwork::trainingLowersTheLoss() {
  const auto backend = createBackend("reference", 1);
  const auto net = backend->compile(requestFor(smallNet()));
  net->setWeights(initialWeights(smallNet(), 1));
  const SmallBatch data;
  const double first = net->trainBatch(data.batch(), 0.2, 0).lossSum;
  double last = 0;
  for (std::uint64_t step = 1; step < 100; ++step) last = net->trainBatch(data.batch(), 0.2, step).lossSum;
  QVERIFY2(last < first / 2, qPrintable(QString("%1 to %2").arg(first).arg(last)));
}

void TestNetwork::sameSeedSameBits() {
  const auto backend = createBackend("reference", 1);
  const SmallBatch data;
  std::vector<Weights> results;
  for (int run = 0; run < 2; ++run) {
    const auto net = backend->compile(requestFor(smallNet()));
    net->setWeights(initialWeights(smallNet(), 1));
    for (std::uint64_t step = 0; step < 5; ++step) net->trainBatch(data.batch(), 0.1, step);
    results.push_back(net->weights());
  }
  QCOMPARE(results[0], results[1]);
}

void TestNetwork::nonFiniteLossLeavesTheWeights_data() {
  QTest::addColumn<float>("pixel");
  QTest::newRow("NaN") << std::nanf("");
  QTest::newRow("infinity") << std::numeric_limits<float>::infinity();
  QTest::newRow("finite loss, infinite gradient") << 1e30f;
}

void TestNetwork::nonFiniteLossLeavesTheWeights() {
  QFETCH(const float, pixel);
  const SmallBatch data;
  std::vector<float> floats(data.bytes.begin(), data.bytes.end());
  for (std::size_t sample = 0; sample < 16; ++sample) floats[64 * sample + 40] = pixel;
  Batch batch = data.batch();
  batch.bytes = nullptr;
  batch.floats = floats.data();
  const auto backend = createBackend("reference", 1);
  CompileRequest request = requestFor(smallNet());
  request.optimizer.fields.set("momentum", 0.9);
  const auto net = backend->compile(request);
  Weights weights = initialWeights(smallNet(), 1);
  // Tiny outputs of conv1 keep the logits finite, but its gradient passes the largest float.
  if (std::isfinite(pixel)) {
    std::fill_n(weights.values.begin(), 36, 1e-35f);
    for (std::size_t i = 40; i < 148; ++i) weights.values[i] = 1e10f * static_cast<float>(i % 3);
  }
  net->setWeights(weights);
  const LossResult loss = net->trainBatch(batch, 0.1, 0);
  QVERIFY(!std::isfinite(loss.lossSum));
  QCOMPARE(net->weights(), weights);
  for (const float value : net->optimizerState()) QCOMPARE(value, 0.0f);
}

void TestNetwork::firstNonFiniteLayerIsNamed_data() {
  QTest::addColumn<QString>("spoilt");
  QTest::addColumn<float>("value");
  QTest::addColumn<QString>("layer");
  QTest::addColumn<QString>("what");
  QTest::newRow("all is well") << "" << 0.0f << ""
                               << "";
  QTest::newRow("NaN in a bias") << "conv1.bias" << std::nanf("") << "conv1"
                                 << "weights";
  QTest::newRow("NaN in the last kernel") << "dense1.kernel" << std::nanf("") << "dense1"
                                          << "weights";
  QTest::newRow("overflow in the last layer") << "dense1.kernel" << 3e38f << "dense1"
                                              << "output";
}

void TestNetwork::firstNonFiniteLayerIsNamed() {
  QFETCH(const QString, spoilt);
  QFETCH(const float, value);
  QFETCH(const QString, layer);
  QFETCH(const QString, what);
  const auto backend = createBackend("reference", 1);
  const auto net = backend->compile(requestFor(smallNet()));
  Weights weights = initialWeights(smallNet(), 1);
  for (const TensorPlace& place : weights.places)
    if (place.name == spoilt.toStdString()) std::fill_n(weights.values.begin() + place.offset, place.size, value);
  for (std::size_t i = 0; i < 36 && value == 3e38f; ++i) weights.values[i] = 1;
  net->setWeights(weights);
  const NonFinite found = net->findNonFinite(SmallBatch().batch(), 0);
  QCOMPARE(QString::fromStdString(found.layer), layer);
  QCOMPARE(QString::fromStdString(found.what), what);
}

void TestNetwork::forwardDropsNothing() {
  NetworkSpec without = smallNet();
  without.layers.erase(without.layers.begin() + 3);
  const auto backend = createBackend("reference", 1);
  std::vector<std::vector<float>> logits;
  for (const NetworkSpec& spec : {smallNet(), without}) {
    const auto net = backend->compile(requestFor(spec));
    Weights weights = initialWeights(smallNet(), 1);
    net->setWeights(weights);
    logits.emplace_back(16 * 3);
    net->forward(SmallBatch().batch(), logits.back().data());
  }
  QCOMPARE(logits[0], logits[1]);
}

void TestNetwork::activationsAreEveryLayersOutput() {
  const auto backend = createBackend("reference", 1);
  const auto net = backend->compile(requestFor(smallNet()));
  net->setWeights(initialWeights(smallNet(), 1));
  Batch one = SmallBatch().batch();
  const SmallBatch data;
  one = data.batch();
  one.size = 1;
  one.labels = nullptr;
  std::vector<std::vector<float>> outputs;
  net->activations(one, outputs);
  std::vector<std::size_t> sizes;
  for (const auto& output : outputs) sizes.push_back(output.size());
  QCOMPARE(sizes, (std::vector<std::size_t>{6 * 6 * 4, 3 * 3 * 4, 36, 36, 3}));
  std::vector<float> logits(3);
  net->forward(one, logits.data());
  QCOMPARE(outputs.back(), logits);
  QCOMPARE(outputs[1], outputs[2]);
}

void TestNetwork::stateComesBack() {
  CompileRequest request = requestFor(smallNet());
  request.optimizer = {"adam", Fields(allOptimizers()[1].fields)};
  const auto backend = createBackend("reference", 1);
  const auto net = backend->compile(request), resumed = backend->compile(request);
  const SmallBatch data;
  net->setWeights(initialWeights(smallNet(), 1));
  for (std::uint64_t step = 0; step < 3; ++step) net->trainBatch(data.batch(), 0.01, step);
  resumed->setWeights(net->weights());
  resumed->setOptimizerState(net->optimizerState());
  net->trainBatch(data.batch(), 0.01, 3);
  resumed->trainBatch(data.batch(), 0.01, 3);
  QCOMPARE(resumed->weights(), net->weights());
  QCOMPARE(resumed->optimizerState(), net->optimizerState());
}

void TestNetwork::wrongSizesAreRefused() {
  const auto backend = createBackend("reference", 1);
  const auto net = backend->compile(requestFor(smallNet()));
  const SmallBatch data;
  Batch batch = data.batch();
  batch.size = 17;
  QVERIFY_THROWS_EXCEPTION(Error, net->trainBatch(batch, 0.1, 0));
  QVERIFY_THROWS_EXCEPTION(Error, net->setWeights(initialWeights(m_lesson, 1)));
  QVERIFY_THROWS_EXCEPTION(Error, net->setOptimizerState({1}));
}

void TestNetwork::explainHasALineForEachLayer() {
  const auto backend = createBackend("reference", 1);
  const QString text = QString::fromStdString(backend->compile(requestFor(smallNet()))->explain());
  QCOMPARE(text.count('\n'), 5);
  QVERIFY(text.startsWith("conv1  4 filters · 3 × 3 · stride 1 · ReLU  6 × 6 × 4  reference op\n"));
}

// A layer without a pass of its own runs by the reference op between the passes; a net too large for the passes'
// offsets runs by reference ops altogether, with the reference backend's bits.
void TestNetwork::cpuFallsBackToTheReferenceOps() {
  const auto cpu = createBackend("cpu", 2), reference = createBackend("reference", 1);
  NetworkSpec mixed = smallNet();  // gaps and strides at once: no pass takes that
  mixed.layers[0].fields.set("dilation_rate", Pair{2, 2});
  mixed.layers[0].fields.set("strides", Pair{2, 2});
  mixed.layers[0].fields.set("padding", std::string("same"));
  const QString some = QString::fromStdString(cpu->compile(requestFor(mixed))->explain());
  QVERIFY2(some.contains("conv1  forward: reference op"), qPrintable(some));

  NetworkSpec wide;
  wide.input = Shape::image(1, 1, 9000);
  wide.classes = 3;
  wide.layers = {layer("conv2d", "conv1", {{"filters", 2}, {"kernel_size", 1}}), layer("flatten", "flatten"),
                 layer("dense", "dense1", {{"units", 3}})};
  const auto got = cpu->compile(requestFor(wide)), expected = reference->compile(requestFor(wide));
  QCOMPARE(QString::fromStdString(got->explain()).count("reference op"), 3);
  Rng rng(1, Stream::Test);
  std::vector<float> values(2 * 9000);
  for (float& value : values) value = static_cast<float>(rng.normal());
  const std::vector<std::int32_t> labels{2, 0};
  Batch batch;
  batch.size = 2;
  batch.floats = values.data();
  batch.labels = labels.data();
  for (CompiledNetwork* net : {got.get(), expected.get()}) {
    net->setWeights(initialWeights(wide, 1));
    QVERIFY(std::isfinite(net->trainBatch(batch, 0.1, 0).lossSum));
  }
  QVERIFY(got->weights() != initialWeights(wide, 1));
  QCOMPARE(got->weights(), expected->weights());
}

void TestNetwork::unknownBackendsAreNamed() {
  for (const char* id : {"gpu", "", "check:reference", "check:reference,gpu"}) {
    try {
      createBackend(id, 1);
      QFAIL("accepted");
    } catch (const Error& error) {
      QCOMPARE(error.kind(), Error::Kind::Usage);
    }
  }
  for (const BackendDef& def : allBackends()) {
    if (def.unavailableReason().empty()) continue;
    try {
      createBackend(def.id, 1);
      QFAIL("made though unavailable");
    } catch (const Error& error) {
      QCOMPARE(error.kind(), Error::Kind::Device);
    }
  }
}

void TestNetwork::checkBackendAgreesWithItself() {
  const auto backend = createBackend("check:reference,reference", 1);
  QCOMPARE(backend->id(), std::string("check:reference,reference"));
  const auto net = backend->compile(requestFor(smallNet()));
  net->setWeights(initialWeights(smallNet(), 1));
  const SmallBatch data;
  QVERIFY(std::isfinite(net->trainBatch(data.batch(), 0.1, 0).lossSum));
}

namespace {

/// The reference op of pool layers, but one input gradient is off.
class WrongPool : public Op {
 public:
  explicit WrongPool(std::unique_ptr<Op> right) : m_right(std::move(right)) {}
  void forward(const OpIo& io) override { m_right->forward(io); }
  void backward(const OpIo& io) override {
    m_right->backward(io);
    if (io.dx) io.dx[3] += 1;
  }

 private:
  std::unique_ptr<Op> m_right;
};

class WrongBackend : public Backend {
 public:
  const std::string& id() const override { return m_id; }
  std::unique_ptr<Op> makeOp(const LayerDef& def, const Site& site) override {
    if (def.category != "pool") return nullptr;
    return std::make_unique<WrongPool>(def.makeOp(site));
  }

 private:
  std::string m_id = "wrong";
};

}  // namespace

void TestNetwork::checkBackendNamesTheFirstOpThatDiffers() {
  const auto backend = makeCheckBackend(createBackend("reference", 1), std::make_unique<WrongBackend>());
  const auto net = backend->compile(requestFor(smallNet()));
  net->setWeights(initialWeights(smallNet(), 1));
  const SmallBatch data;
  const std::string message = messageOf([&] { net->trainBatch(data.batch(), 0.1, 0); });
  QVERIFY2(message.starts_with(
               "pool1 (max_pool2d, check:reference,wrong): gradient of the input first differs at [0,0,0,3]: got "),
           message.c_str());
  QVERIFY2(message.find("largest error 1") != std::string::npos, message.c_str());
}

namespace {

/// A compiled stack of its own kind; conv1's learning can be off by a tenth.
class OwnNetwork : public CompiledNetwork {
 public:
  OwnNetwork(Backend& ops, const CompileRequest& request, bool wrong) : m_net(ops, request), m_wrong(wrong) {}
  void setWeights(const Weights& weights) override { m_net.setWeights(weights); }
  Weights weights() const override { return m_net.weights(); }
  std::vector<float> optimizerState() const override { return m_net.optimizerState(); }
  void setOptimizerState(const std::vector<float>& state) override { m_net.setOptimizerState(state); }
  void forward(const Batch& batch, float* logits) override { m_net.forward(batch, logits); }
  void activations(const Batch& batch, std::vector<std::vector<float>>& out) override { m_net.activations(batch, out); }
  NonFinite findNonFinite(const Batch& batch, std::uint64_t step) override { return m_net.findNonFinite(batch, step); }
  std::string explain() const override { return "own"; }
  LossResult trainBatch(const Batch& batch, double learningRate, std::uint64_t step) override {
    const LossResult loss = m_net.trainBatch(batch, learningRate, step);
    Weights weights = m_net.weights();
    for (std::size_t i = 0; i < 36 && m_wrong; ++i)
      weights.values[i] -= static_cast<float>(0.1 * learningRate) * m_net.gradients()[i];
    m_net.setWeights(weights);
    return loss;
  }

 private:
  Network m_net;
  bool m_wrong;
};

class CompilingBackend : public Backend {
 public:
  explicit CompilingBackend(bool wrong) : m_wrong(wrong) {}
  const std::string& id() const override { return m_id; }
  std::unique_ptr<Op> makeOp(const LayerDef&, const Site&) override { return nullptr; }
  std::unique_ptr<CompiledNetwork> compile(const CompileRequest& request) override {
    return std::make_unique<OwnNetwork>(*this, request, m_wrong);
  }

 private:
  std::string m_id = "own";
  bool m_wrong;
};

}  // namespace

void TestNetwork::checkBackendChecksCompiledStacks_data() {
  QTest::addColumn<bool>("wrong");
  QTest::newRow("right") << false;
  QTest::newRow("wrong") << true;
}

void TestNetwork::checkBackendChecksCompiledStacks() {
  QFETCH(const bool, wrong);
  const auto backend = makeCheckBackend(createBackend("reference", 1), std::make_unique<CompilingBackend>(wrong));
  const auto net = backend->compile(requestFor(smallNet()));
  QCOMPARE(net->explain(), std::string("own"));
  net->setWeights(initialWeights(smallNet(), 1));
  const SmallBatch data;
  std::vector<float> logits(48);
  net->forward(data.batch(), logits.data());
  const QString message = QString::fromStdString(messageOf([&] {
    for (std::uint64_t step = 0; step < 3; ++step) net->trainBatch(data.batch(), 0.1, step);
  }));
  if (wrong)
    QVERIFY2(message.startsWith("the whole net (check:reference,own): change of conv1.kernel first differs at ["),
             qPrintable(message));
  else QCOMPARE(message, QString());
}

QTEST_GUILESS_MAIN(TestNetwork)
#include "tst_network.moc"
