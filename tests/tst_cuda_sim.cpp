// SPDX-License-Identifier: GPL-3.0-or-later
// The whole CUDA backend on a simulated device: every layer at every example equals the reference, the lesson's net
// follows the golden trace, captured graphs replay the same work, and no fault leaves a leak or a muddle. Nothing here
// says it runs on a GPU.
#include <QFile>
#include <QProcess>
#include <QTemporaryDir>
#include <QtTest>
#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

#include "augmentations.h"
#include "cuda_sim/sim_device.h"
#include "datasets/datasets.h"
#include "engine/backend/cuda/cuda_network.h"
#include "engine/backend/reference/network.h"
#include "engine/backend/reference/reference_backend.h"
#include "engine/base/json.h"
#include "engine/base/rng.h"
#include "engine/layers/common.h"
#include "engine/run/checkpoint.h"
#include "engine/run/project.h"
#include "made_nets.h"
#include "one_step.h"

#ifdef STRATA_COVERED
extern "C" void __gcov_dump();
#endif

using namespace strata;
using strata::cuda::CudaNetwork;
using strata::cuda::FaultKind;
using strata::cuda::SimBreach;
using strata::cuda::SimDevice;

Q_DECLARE_METATYPE(strata::Precision)
Q_DECLARE_METATYPE(strata::Shape)

namespace {

constexpr int kMaxBatch = 5;

struct Net {
  CompileRequest request;
  std::vector<std::uint8_t> pixels;
  std::vector<std::int32_t> labels;
  Weights weights;
  float scale = 1.0f / 255;
  Batch batch(int size) const {
    Batch batch;
    batch.size = size;
    batch.bytes = pixels.data();
    batch.scale = scale;
    batch.labels = labels.data();
    return batch;
  }
};

LayerSpec layer(const std::string& type, const Json& values, const std::string& name) {
  const LayerDef* def = findLayer(type);
  return {type, name, fieldsFromJson(def->fields, values, name, {})};
}

/// A net around the layers: something trained before them when `deep`, so that their input gradient shows; a dense
/// layer behind.
Net netAround(const std::vector<LayerSpec>& layers, Shape in, bool deep, const std::string& optimizer = "sgd") {
  Net net;
  NetworkSpec& spec = net.request.network;
  spec.input = in;
  spec.classes = 7;
  if (deep && in.isImage()) spec.layers.push_back(layer("conv2d", {{"filters", in.c}, {"kernel_size", 1}}, "before"));
  if (deep && !in.isImage()) spec.layers.push_back(layer("dense", {{"units", in.c}}, "before"));
  spec.layers.insert(spec.layers.end(), layers.begin(), layers.end());
  const auto last = static_cast<std::size_t>(numberAt(spec, {-1, 0, static_cast<int>(std::ssize(spec.layers)) - 1}));
  if (!analyse(spec).layers.at(last).out.isVector()) spec.layers.push_back(layer("flatten", Json::object(), "flatten"));
  spec.layers.push_back(layer("dense", {{"units", 7}}, "top"));
  net.request.maxBatch = kMaxBatch;
  net.request.seed = 5;
  net.request.precision = Precision::Float32;
  net.request.optimizer.type = optimizer;
  for (const ChoiceDef& def : allOptimizers())
    if (def.type == optimizer) net.request.optimizer.fields = Fields(def.fields);
  Rng rng(11, Stream::Test);
  net.pixels.resize(static_cast<std::size_t>(kMaxBatch * in.size()));
  for (std::uint8_t& pixel : net.pixels) pixel = static_cast<std::uint8_t>(rng.below(3) == 0 ? rng.below(256) : 0);
  for (int n = 0; n < kMaxBatch; ++n) net.labels.push_back(static_cast<std::int32_t>(rng.below(7)));
  net.weights = initialWeights(spec, 3);
  for (float& weight : net.weights.values) weight += rng.uniform(-0.1f, 0.1f);  // biases too
  return net;
}

LayerSpec container(const std::string& type, std::vector<std::vector<LayerSpec>> stacks, const Json& values,
                    const std::string& name) {
  LayerSpec made = layer(type, values, name);
  made.stacks = std::move(stacks);
  return made;
}

/// visit(its slice's offset and size) for the variables of frozen layers.
void eachFrozen(const NetworkSpec& network, const std::function<void(std::size_t, std::size_t)>& visit) {
  for (const Node& node : lower(network).nodes)
    if (!node.trainable) visit(static_cast<std::size_t>(node.weightsOffset), static_cast<std::size_t>(node.parameters));
}

/// The kernels of all types but these.
std::set<std::string> typesWithout(const std::set<std::string>& types) {
  std::set<std::string> rest = cuda::kernelTypes();
  for (const std::string& type : types) rest.erase(type);
  return rest;
}

Samples randomSamples(const NetworkSpec& network, int count) {
  Samples samples;
  samples.count = count;
  Rng rng(17, Stream::Test);
  for (std::int64_t i = 0; i < count * network.input.size(); ++i)
    samples.pixels.push_back(static_cast<std::uint8_t>(rng.below(3) == 0 ? rng.below(256) : 0));
  for (int n = 0; n < count; ++n)
    samples.labels.push_back(static_cast<std::int32_t>(rng.below(static_cast<std::uint32_t>(network.classes))));
  return samples;
}

const Precision kCompared[] = {Precision::Float32, Precision::Bfloat16};

/// Pixels and weights that bfloat16 holds exactly, and their sums up to 256 terms of the grid: what ReLU and pools
/// decide is then the reference's choice, and gradients differ by their own rounding alone. Running variables stay as
/// they begin: one of them is a variance.
void putOnGrid(Net& net) {
  Rng rng(13, Stream::Test);
  net.scale = 1;
  for (std::uint8_t& pixel : net.pixels) pixel = static_cast<std::uint8_t>(rng.below(3));
  const Weights initial = initialWeights(net.request.network, 3);
  for (const Node& node : lower(net.request.network).nodes) {
    auto at = static_cast<std::size_t>(node.weightsOffset);
    for (const ParamInfo& param : node.params)
      for (std::int64_t i = 0; i < param.size(); ++i, ++at)
        net.weights.values[at] = param.role == ParamInfo::Role::Running
                                     ? initial.values[at]
                                     : 0.125f * static_cast<float>(static_cast<int>(rng.below(3)) - 1);
  }
}

/// By how much what a device computes may differ from the reference, relative to the largest value. In float32 sums go
/// in another order. Each rounding to bfloat16 is off by up to 2^-9 of the value; from the loss to a weight's gradient
/// there are up to five, one behind the other.
double toleranceOf(Precision precision) { return precision == Precision::Float32 ? 2e-5 : 5.0 / 512; }

/// Largest difference over the largest size, or NaN.
double relativeError(const std::vector<float>& got, const std::vector<float>& expected) {
  if (got.size() != expected.size()) return std::nan("");
  double difference = 0, size = 1e-6;
  for (std::size_t i = 0; i < got.size(); ++i) {
    if (!std::isfinite(got[i])) return std::nan("");
    difference = std::max(difference, std::abs(double{got[i]} - expected[i]));
    size = std::max(size, std::abs(double{expected[i]}));
  }
  return difference / size;
}

std::shared_ptr<SimDevice> simDevice(bool hasProducts) {
  auto device = std::make_shared<SimDevice>();
  device->hasProducts = hasProducts;
  return device;
}

struct Twins {
  std::unique_ptr<Backend> backend = referenceBackendDef().create(1);
  std::shared_ptr<SimDevice> device;
  Network reference;
  CudaNetwork cuda;
  explicit Twins(const Net& net, bool hasProducts = true, const std::set<std::string>& types = cuda::kernelTypes())
      : device(simDevice(hasProducts)), reference(*backend, net.request), cuda(device, net.request, types) {
    reference.setWeights(net.weights);
    cuda.setWeights(net.weights);
  }
};

}  // namespace

class TestCudaSim : public QObject {
  Q_OBJECT
 private slots:
  void layers_data() {
    QTest::addColumn<QString>("type");
    QTest::addColumn<int>("example");
    QTest::addColumn<bool>("deep");
    QTest::addColumn<Precision>("precision");
    for (const LayerDef& def : allLayers())
      for (std::size_t i = 0; i < def.examples.size(); ++i)
        for (const bool deep : {false, true})
          for (const Precision precision : kCompared)
            QTest::addRow("%s %zu%s, %s", def.type.c_str(), i, deep ? " inside" : " first", precisionName(precision))
                << QString::fromStdString(def.type) << static_cast<int>(i) << deep << precision;
  }
  void layers() {
    QFETCH(QString, type);
    QFETCH(int, example);
    QFETCH(bool, deep);
    QFETCH(Precision, precision);
    compare(netOfExample(type, example, deep), precision);
  }

  // A layer for which there is no kernel: the same by its reference op on the host, with its weights and gradients, and
  // explain() says so. Such a net is never captured.
  void layersOnHost_data() { layers_data(); }
  void layersOnHost() {
    QFETCH(QString, type);
    QFETCH(int, example);
    QFETCH(bool, deep);
    QFETCH(Precision, precision);
    const Net net = netOfExample(type, example, deep);
    const std::set<std::string> types = typesWithout({type.toStdString()});
    compare(net, precision, true, types);
    Twins pair(net, true, types);
    const bool runs = std::ranges::any_of(lower(net.request.network).nodes, [&](const Node& node) {
      return node.def->type == type.toStdString() && !node.def->reshapes;
    });
    const bool told =
        pair.cuda.explain().find("tested") != std::string::npos &&
        pair.cuda.explain().find("on the host: no kernel for " + type.toStdString() + "\n") != std::string::npos;
    QCOMPARE(told, runs);
    for (std::uint64_t step = 0; step < 3; ++step) pair.cuda.trainBatch(net.batch(kMaxBatch), 0.01, step);
    QCOMPARE(pair.device->counts.graphs == 0, pair.cuda.explain().find("on the host") != std::string::npos);
  }

  // What branches and joins: values with several readers, in containers and containers in containers.
  void branching_data() {
    QTest::addColumn<QString>("net");
    QTest::addColumn<bool>("deep");
    QTest::addColumn<Precision>("precision");
    for (const auto& [name, made] : branchingNets())
      for (const bool deep : {false, true})
        for (const Precision precision : kCompared)
          QTest::addRow("%s%s, %s", name.c_str(), deep ? " inside" : " first", precisionName(precision))
              << QString::fromStdString(name) << deep << precision;
  }
  void branching() {
    QFETCH(QString, net);
    QFETCH(bool, deep);
    QFETCH(Precision, precision);
    const auto& [layers, in] = branchingNets().at(net.toStdString());
    compare(netAround(layers, in, deep), precision);
  }

  // Made-up nets of containers in containers, half of them with something on the host.
  void randomNets() {
    for (std::uint64_t seed = 1; seed <= 300; ++seed) {
      Net net;
      net.request.network = test::madeNet(seed);
      net.request.maxBatch = 3;
      net.request.precision = Precision::Float32;
      net.weights = initialWeights(net.request.network, seed);
      Rng rng(seed, Stream::Test, 79);
      const test::MadeBatch made(net.request.network, 3, test::Inputs::Dense, rng);
      Twins pair(net, true, seed % 2 ? cuda::kernelTypes() : typesWithout({"add", "concat", "activation"}));
      for (std::uint64_t step = 0; step < 3; ++step) {
        const LossResult got = pair.cuda.trainBatch(made.batch, 0.01, step),
                         wanted = pair.reference.trainBatch(made.batch, 0.01, step);
        const std::string where = "seed " + std::to_string(seed) + ", step " + std::to_string(step) + ": ";
        QVERIFY2(std::abs(got.lossSum - wanted.lossSum) < 1e-4 * (1 + std::abs(wanted.lossSum)),
                 (where + "loss " + std::to_string(got.lossSum)).c_str());
        const std::vector<float> gradients = pair.cuda.gradients(), &expected = pair.reference.gradients();
        for (const TensorPlace& place : net.weights.places) {
          const auto offset = static_cast<std::size_t>(place.offset), size = static_cast<std::size_t>(place.size);
          const auto difference =
              compareTensors<float>(std::span(gradients).subspan(offset, size),
                                    std::span(expected).subspan(offset, size), place.shape, {1e-3, 1e-5});
          QVERIFY2(!difference, (where + place.name + " " + difference.value_or("")).c_str());
        }
      }
    }
  }

  // Frozen layers keep their bits, whatever the optimizer remembers of them; what lies before them still learns through
  // them, and where nothing does they have no backward pass.
  void frozen_data() {
    QTest::addColumn<QStringList>("layers");
    QTest::addColumn<bool>("onHost");
    QTest::addColumn<Precision>("precision");
    for (const QStringList& layers : std::initializer_list<QStringList>{
             {"conv1"}, {"conv2"}, {"conv1", "conv2"}, {"dense1"}, {"top"}, {"conv1", "conv2", "dense1", "top"}})
      for (const bool onHost : {false, true})
        for (const Precision precision : kCompared)
          QTest::addRow("%s%s, %s", qPrintable(layers.join(' ')), onHost ? " on the host" : "",
                        precisionName(precision))
              << layers << onHost << precision;
  }
  void frozen() {
    QFETCH(QStringList, layers);
    QFETCH(bool, onHost);
    QFETCH(Precision, precision);
    Net net = smallNet("adam");
    net.request.precision = precision;
    for (LayerSpec& layer : net.request.network.layers)
      layer.trainable = !layers.contains(QString::fromStdString(layer.name));
    const std::set<std::string> types = onHost ? typesWithout({"conv2d", "dense"}) : cuda::kernelTypes();
    compare(net, precision, true, types);
    Twins pair(net, true, types);
    std::vector<float> state(pair.cuda.optimizerState().size(), 0.5f);
    pair.cuda.setOptimizerState(state);
    const LossResult first = pair.cuda.trainBatch(net.batch(kMaxBatch), 0.01, 0);
    const std::vector<float> after = pair.cuda.weights().values, &before = net.weights.values;
    eachFrozen(net.request.network, [&](std::size_t offset, std::size_t size) {
      QVERIFY(std::equal(after.begin() + std::ptrdiff_t(offset), after.begin() + std::ptrdiff_t(offset + size),
                         before.begin() + std::ptrdiff_t(offset)));
    });
    QCOMPARE(after == before, layers.size() == 4);
    QVERIFY(std::isfinite(first.lossSum));
  }

  // A running variable takes the value that backward() leaves; not when the batch is spoiled, nor when it is frozen.
  void running_data() { replayedBits_data(); }
  void running() {
    QFETCH(Precision, precision);
    for (const bool trainable : {true, false}) {
      Net net = netAround({layer("dense", {{"units", 6}, {"activation", "tanh"}}, "first"),
                           layer("batch_norm", {{"momentum", 0.5}}, "bn")},
                          Shape::vector(9), false, "adam");
      net.request.network.layers[1].trainable = trainable;
      net.request.precision = precision;
      const Weights layout = layoutFor(net.request.network);
      const auto statistics = [&](const Weights& weights) {
        std::vector<float> values;
        for (const TensorPlace& place : layout.places)
          if (place.name.starts_with("bn.moving"))
            values.insert(values.end(), weights.values.begin() + place.offset,
                          weights.values.begin() + place.offset + place.size);
        return values;
      };
      Twins pair(net);
      for (std::uint64_t step = 0; step < 3; ++step) {
        pair.cuda.trainBatch(net.batch(kMaxBatch), 0.001, step);
        pair.reference.trainBatch(net.batch(kMaxBatch), 0.001, step);
      }
      const Weights after = pair.cuda.weights();
      QCOMPARE(statistics(after) != statistics(net.weights), trainable);
      QVERIFY(relativeError(statistics(after), statistics(pair.reference.weights())) < toleranceOf(precision));
      std::vector<float> sample(static_cast<std::size_t>(kMaxBatch) * 9, NAN);
      Batch bad = net.batch(kMaxBatch);
      bad.bytes = nullptr;
      bad.floats = sample.data();
      QVERIFY(!std::isfinite(pair.cuda.trainBatch(bad, 0.001, 3).lossSum));
      QCOMPARE(pair.cuda.weights(), after);
      std::vector<float> logits(static_cast<std::size_t>(kMaxBatch * 7)), expected(logits);
      pair.reference.setWeights(after);
      pair.cuda.forward(net.batch(kMaxBatch), logits.data());
      pair.reference.forward(net.batch(kMaxBatch), expected.data());
      QVERIFY(relativeError(logits, expected) < toleranceOf(precision));
    }
  }

  // With something on the host a run of steps goes batch by batch, with the same results.
  void runsOnHost() {
    const Net net = smallNet("adam");
    Twins pair(net, true, typesWithout({"dropout", "avg_pool2d"}));
    QCOMPARE(pair.cuda.runLength(), 1);
    const QString text = QString::fromStdString(pair.cuda.explain());
    QVERIFY2(text.section('\n', 0, 0).endsWith(", launch by launch, for some layers run on the host"),
             qPrintable(text));
    QVERIFY2(text.contains("drop  on the host: no kernel for dropout\n"), qPrintable(text));
    const Samples samples = randomSamples(net.request.network, 6 * kMaxBatch);
    std::vector<int> order(static_cast<std::size_t>(samples.count));
    std::iota(order.begin(), order.end(), 0);
    Batches batches(samples, order, net.request.network.input, {}, kMaxBatch, moving(2, 15.0));
    batches.startEpoch(0, true, 3);
    const std::vector<double> rates(6, 0.01);
    const std::vector<LossResult> got = pair.cuda.trainRun(batches, 0, rates, 0),
                                  wanted = pair.reference.trainRun(batches, 0, rates, 0);
    QCOMPARE(got.size(), rates.size());
    for (std::size_t i = 0; i < got.size(); ++i)
      QVERIFY(std::abs(got[i].lossSum - wanted[i].lossSum) < 1e-5 * wanted[i].lossSum);
    QVERIFY(relativeError(pair.cuda.weights().values, pair.reference.weights().values) < 1e-5);
    QCOMPARE(pair.device->counts.graphs, 0);
  }

  // What looks inside speaks of nodes by their paths.
  void paths() {
    const auto& [layers, in] = branchingNets().at("nested");
    const Net net = netAround(layers, in, true);
    Twins pair(net);
    std::vector<std::vector<float>> got, wanted;
    pair.cuda.activations(net.batch(2), got);
    pair.reference.activations(net.batch(2), wanted);
    QCOMPARE(got, wanted);
    QVERIFY(pair.cuda.explain().find("outer/inner/add + outer/inner/activation  own kernels Join") !=
            std::string::npos);
    Weights weights = net.weights;
    for (const TensorPlace& place : weights.places)
      if (place.name == "outer/inner/a.kernel") weights.values[static_cast<std::size_t>(place.offset)] = NAN;
    pair.cuda.setWeights(weights);
    QCOMPARE(pair.cuda.findNonFinite(net.batch(2), 0).layer, std::string("outer/inner/a"));
  }

  // What is fused: convolutions with the pool behind them, on one channel and on more, in all sizes of windows.
  void convPool_data() {
    QTest::addColumn<int>("channels");
    QTest::addColumn<int>("kernel");
    QTest::addColumn<QString>("padding");
    QTest::addColumn<int>("window");
    QTest::addColumn<int>("stride");
    QTest::addColumn<bool>("bias");
    QTest::addColumn<Precision>("precision");
    for (const int channels : {1, 3})
      for (const char* padding : {"valid", "same"})
        for (const Precision precision : kCompared) {
          const char* name = precisionName(precision);
          QTest::addRow("%d channels, 3x3 %s, pool 2, %s", channels, padding, name)
              << channels << 3 << padding << 2 << 0 << true << precision;
          QTest::addRow("%d channels, 4x4 %s, pool 3 by 2, %s", channels, padding, name)
              << channels << 4 << padding << 3 << 2 << true << precision;
          QTest::addRow("%d channels, 3x3 %s, pool 2 by 3, no bias, %s", channels, padding, name)
              << channels << 3 << padding << 2 << 3 << false << precision;
        }
  }
  void convPool() {
    QFETCH(int, channels);
    QFETCH(int, kernel);
    QFETCH(QString, padding);
    QFETCH(int, window);
    QFETCH(int, stride);
    QFETCH(bool, bias);
    QFETCH(Precision, precision);
    const std::vector<LayerSpec> layers{
        layer("conv2d",
              {{"filters", 4},
               {"kernel_size", kernel},
               {"padding", padding.toStdString()},
               {"activation", "relu"},
               {"use_bias", bias}},
              "conv"),
        layer("max_pool2d", {{"pool_size", window}, {"strides", stride}, {"padding", padding.toStdString()}}, "pool")};
    compare(netAround(layers, Shape::image(9, 11, channels), false), precision);
    compare(netAround(layers, Shape::image(9, 11, channels), true), precision);
  }

  // A product that cuBLASLt has no kernel for, and a narrow layer above a ReLU layer, whose data gradient that one
  // takes along, or a wide one.
  void products_data() {
    QTest::addColumn<bool>("hasProducts");
    QTest::addColumn<int>("units");
    QTest::addColumn<bool>("bias");
    QTest::addColumn<QString>("activation");
    QTest::addColumn<Precision>("precision");
    for (const bool hasProducts : {true, false})
      for (const int units : {1, 16, 17})
        for (const bool bias : {true, false})
          for (const char* activation : {"linear", "relu", "tanh"})
            for (const Precision precision : kCompared)
              QTest::addRow("%s, %d units%s, %s, %s", hasProducts ? "cuBLASLt's" : "own", units,
                            bias ? "" : " without bias", activation, precisionName(precision))
                  << hasProducts << units << bias << activation << precision;
  }
  void products() {
    QFETCH(bool, hasProducts);
    QFETCH(int, units);
    QFETCH(bool, bias);
    QFETCH(QString, activation);
    QFETCH(Precision, precision);
    const Json wide{{"units", 33}, {"activation", "relu"}, {"use_bias", bias}};
    const Json narrow{{"units", units}, {"activation", activation.toStdString()}, {"use_bias", bias}};
    compare(netAround({layer("dense", wide, "below"), layer("dense", narrow, "tested")}, Shape::vector(19), false),
            precision, hasProducts);
  }

  // Layers that treat each channel by itself, where their sums go by several parts, groups and chunks of taps, and with
  // every activation, of their own or behind them; learning and frozen.
  void channels_data() {
    QTest::addColumn<QString>("type");
    QTest::addColumn<QByteArray>("fields");
    QTest::addColumn<Shape>("in");
    QTest::addColumn<bool>("trainable");
    QTest::addColumn<Precision>("precision");
    struct Case {
      const char *type, *fields;
      Shape in;
    };
    for (const Case& row :
         {Case{"batch_norm", "{}", Shape::image(20, 20, 3)},
          {"batch_norm", "{}", Shape::image(28, 28, 1)},
          {"batch_norm", R"({"scale": false})", Shape::image(5, 4, 70)},
          {"batch_norm", "{}", Shape::vector(300)},
          {"depthwise_conv2d", "{}", Shape::image(30, 30, 2)},
          {"depthwise_conv2d", R"({"depth_multiplier": 2, "padding": "same"})", Shape::image(3, 3, 40)},
          {"depthwise_conv2d", R"({"kernel_size": [5, 4], "strides": [2, 1]})", Shape::image(24, 23, 3)},
          {"depthwise_conv2d", R"({"kernel_size": 2, "strides": 3, "use_bias": false})", Shape::image(20, 20, 3)},
          {"global_avg_pool", "{}", Shape::image(14, 12, 5)},
          {"global_avg_pool", "{}", Shape::image(3, 3, 70)}})
      for (const bool trainable : {true, false})
        for (const Precision precision : kCompared)
          if (trainable || std::string(row.type) != "global_avg_pool")
            QTest::addRow("%s %s on %s%s, %s", row.type, row.fields, row.in.text().c_str(), trainable ? "" : ", frozen",
                          precisionName(precision))
                << row.type << QByteArray(row.fields) << row.in << trainable << precision;
  }
  void channels() {
    QFETCH(QString, type);
    QFETCH(QByteArray, fields);
    QFETCH(Shape, in);
    QFETCH(bool, trainable);
    QFETCH(Precision, precision);
    const Json values = Json::parse(fields.toStdString());
    const bool bends = type != "global_avg_pool";
    for (const ActivationDef& activation : allActivations())
      for (const bool behind : {false, true}) {
        if (!bends && (behind || activation.kind != Activation::Linear)) continue;
        if (activation.kind == Activation::Linear && activation.choice.id != "linear") continue;  // a node of its own
        // Of coarse numbers two answers may be alike, and which is the larger is then decided by a rounding.
        const bool coarse = activation.kind == Activation::Elu || activation.kind == Activation::Selu ||
                            activation.kind == Activation::HardSigmoid;
        if (coarse && precision == Precision::Bfloat16) continue;
        // A batch of coarse numbers may have one of them as its mean: where it bends is then decided by a rounding.
        const bool bent = activation.kind == Activation::Relu || activation.kind == Activation::LeakyRelu;
        if (type == "batch_norm" && bent && precision == Precision::Bfloat16) continue;
        Json own = values;
        if (bends && !behind) own["activation"] = activation.choice.id;
        std::vector<LayerSpec> layers{layer(type.toStdString(), own, "tested")};
        layers.front().trainable = trainable;
        if (behind) layers.push_back(layer("activation", {{"activation", activation.choice.id}}, "bend"));
        for (const bool deep : {false, true}) {
          const Net net = netAround(layers, in, deep);
          compare(net, precision);
          if (QTest::currentTestFailed()) qInfo("%s, behind: %d, deep: %d", activation.choice.id.c_str(), behind, deep);
          if (QTest::currentTestFailed()) return;
          Twins pair(net);
          const std::string text = pair.cuda.explain();
          QVERIFY2(text.find("on the host") == std::string::npos, text.c_str());
          QCOMPARE(text.find("tested + bend  own kernels") != std::string::npos, behind);
        }
      }
  }

  // What they cost: launches of one step beside those of the same net without the layer.
  void channelLaunches_data() {
    QTest::addColumn<QByteArray>("type");
    QTest::addColumn<bool>("trainable");
    QTest::addColumn<QStringList>("forward");
    QTest::addColumn<QStringList>("backward");
    QTest::newRow("batch norm") << QByteArray("batch_norm") << true << QStringList{"BatchNormMoments", "BatchNorm"}
                                << QStringList{"BatchNormSums", "BatchNormGradient"};
    QTest::newRow("batch norm, frozen") << QByteArray("batch_norm") << false << QStringList{"BatchNorm"}
                                        << QStringList{"BatchNormGradient"};
    QTest::newRow("global average") << QByteArray("global_avg_pool") << true << QStringList{"GlobalAverage"}
                                    << QStringList{"GlobalAverageGradient"};
    QTest::newRow("depthwise") << QByteArray("depthwise_conv2d") << true << QStringList{"DepthwiseForward"}
                               << QStringList{"DepthwiseKernelGradient (side)", "DepthwiseDataGradient"};
    QTest::newRow("depthwise, frozen") << QByteArray("depthwise_conv2d") << false << QStringList{"DepthwiseForward"}
                                       << QStringList{"DepthwiseDataGradient"};
  }
  void channelLaunches() {
    QFETCH(QByteArray, type);
    QFETCH(bool, trainable);
    QFETCH(QStringList, forward);
    QFETCH(QStringList, backward);
    std::vector<LayerSpec> layers{layer(type.toStdString(), Json::object(), "tested")};
    layers.front().trainable = trainable;
    const Net net = netAround(layers, Shape::image(20, 20, 3), true);
    Twins pair(net);
    pair.device->logging = true;
    pair.cuda.trainBatch(net.batch(kMaxBatch), 0.01, 0);
    QStringList before, after;
    bool lossSeen = false;
    for (const std::string& work : pair.device->log) {
      lossSeen = lossSeen || work == "SoftmaxCrossEntropy";
      for (const char* stem : {"BatchNorm", "GlobalAverage", "Depthwise"})
        if (work.starts_with(stem)) (lossSeen ? after : before) << QString::fromStdString(work);
    }
    QCOMPARE(before, forward);
    QCOMPARE(after, backward);
    QCOMPARE(std::ranges::count(pair.device->log, "Reduce"), 1);
    pair.cuda.trainBatch(net.batch(kMaxBatch), 0.01, 1);
    QCOMPARE(pair.device->counts.graphs, 1);  // nothing waits for the host
  }

  // Mean and variance of numbers far from zero, beside those in double.
  void moments_data() {
    QTest::addColumn<int>("rows");
    QTest::addColumn<int>("columns");
    QTest::addColumn<double>("mean");
    for (const auto& [rows, columns] : {std::pair{1, 5}, {2, 1}, {7, 3}, {20000, 1}, {9000, 7}, {5000, 130}, {3, 300}})
      for (const double mean : {0.0, -3.0, 1e3, 1e6})
        QTest::addRow("%d rows of %d, around %g", rows, columns, mean) << rows << columns << mean;
  }
  void moments() {
    QFETCH(int, rows);
    QFETCH(int, columns);
    QFETCH(double, mean);
    using namespace strata::cuda;
    Rng rng(4, strata::Stream::Test);
    std::vector<float> values(static_cast<std::size_t>(rows) * static_cast<std::size_t>(columns));
    for (float& value : values) value = static_cast<float>(mean + rng.normal());
    for (int c = 0; c < columns; ++c) values[static_cast<std::size_t>(c)] += 50;  // what lies far off may come first
    SimDevice device;
    const Tiling tiling = tilingOf(rows, columns);
    QVERIFY(tiling.groups() <= std::max(kMostGroups, tiling.tiles()));
    QVERIFY(tiling.firstOf(0) == 0 && tiling.firstOf(tiling.parts) == rows);
    Buffer<float> x(device, rows * columns), y(device, rows * columns), partials(device, tiling.parts * 2 * columns),
        statistics(device, 2 * columns), moving(device, columns);
    device.copyIn(Lane::Main, x.data(), values.data(), x.bytes());
    device.clear(Lane::Main, moving.data(), moving.bytes());
    launch(device, Lane::Main, BatchNormMoments{tiling, x.in(), partials.out()}, tiling.groups());
    BatchNorm norm;
    norm.tiling = tiling;
    norm.epsilon = 1e-3f;
    norm.x = x.in();
    norm.movingMean = norm.movingVariance = moving.in();
    norm.partials = partials.in();
    norm.y = y.out();
    norm.statistics = statistics.out();
    launch(device, Lane::Main, norm, tiling.groups());
    std::vector<float> got(static_cast<std::size_t>(2 * columns));
    device.copyOut(Lane::Main, got.data(), statistics.data(), statistics.bytes());
    device.synchronize();
    for (int c = 0; c < columns; ++c) {
      double sum = 0, squares = 0;
      for (int row = 0; row < rows; ++row) sum += values[static_cast<std::size_t>(row * columns + c)];
      for (int row = 0; row < rows; ++row)
        squares += std::pow(values[static_cast<std::size_t>(row * columns + c)] - sum / rows, 2);
      const double inverse = 1 / std::sqrt(squares / rows + 1e-3);
      const auto at = static_cast<std::size_t>(c), behind = at + static_cast<std::size_t>(columns);
      QVERIFY2(std::abs(got[at] - sum / rows) <= 1e-6 * std::abs(sum / rows) + 1e-5 / inverse,
               qPrintable(QString("mean %1, expected %2").arg(got[at]).arg(sum / rows)));
      QVERIFY2(std::abs(got[behind] - inverse) <= 1e-5 * inverse,
               qPrintable(QString("%1, expected %2").arg(got[behind]).arg(inverse)));
    }
  }

  // Whatever ends the net, its logits come out in float32.
  void endsWithFlatten_data() { replayedBits_data(); }
  void endsWithFlatten() {
    QFETCH(Precision, precision);
    Net net = netAround({layer("conv2d", {{"filters", 7}, {"kernel_size", 3}}, "conv")}, Shape::image(3, 3, 2), true);
    net.request.network.layers.pop_back();  // the dense layer
    net.weights = initialWeights(net.request.network, 3);
    compare(net, precision);
  }

  // The mean squared error of an autoencoder, by its kernel; and as a loss without one, which the host computes and
  // says so.
  void squaredError_data() {
    QTest::addColumn<bool>("onHost");
    QTest::addColumn<Precision>("precision");
    for (const bool onHost : {false, true})
      for (const Precision precision : kCompared)
        QTest::addRow("%s, %s", onHost ? "on the host" : "own kernel", precisionName(precision)) << onHost << precision;
  }
  void squaredError() {
    QFETCH(bool, onHost);
    QFETCH(Precision, precision);
    const bool rounded = precision == Precision::Bfloat16;
    Net net = autoencoder();
    net.request.precision = precision;
    Twins pair(net, true, onHost ? typesWithout({"mean_squared_error"}) : cuda::kernelTypes());
    QCOMPARE(pair.cuda.explain().find("mean_squared_error runs on the host") != std::string::npos, onHost);
    std::vector<float> sample(net.pixels.begin(), net.pixels.end());
    for (float& value : sample) value = value / 200 - 0.5f;
    for (std::uint64_t step = 0; step < 6; ++step) {  // as launches, captured, and as graphs
      Batch batch = net.batch(step == 5 ? 2 : 3);
      batch.labels = nullptr;
      if (step % 2) batch.bytes = nullptr, batch.floats = sample.data();
      const LossResult got = pair.cuda.trainBatch(batch, 0.5, step),
                       wanted = pair.reference.trainBatch(batch, 0.5, step);
      QVERIFY2(std::abs(got.lossSum - wanted.lossSum) < (rounded ? 0.05 : 1e-5) * wanted.lossSum,
               qPrintable(QString("%1, expected %2").arg(got.lossSum).arg(wanted.lossSum)));
      if (!rounded) QVERIFY(relativeError(pair.cuda.gradients(), pair.reference.gradients()) < 1e-5);
    }
    QVERIFY(relativeError(pair.cuda.weights().values, pair.reference.weights().values) < (rounded ? 0.05 : 1e-4));
    const Weights before = pair.cuda.weights();
    sample[7] = NAN;
    Batch bad = net.batch(3);
    bad.bytes = nullptr;
    bad.floats = sample.data();
    QVERIFY(!std::isfinite(pair.cuda.trainBatch(bad, 0.01, 7).lossSum));
    QCOMPARE(pair.cuda.weights(), before);
  }

  // Its samples lie on the device too, or pass through it, moved there or not, and need no labels.
  void squaredErrorRuns_data() {
    runs_data();
    QTest::newRow("samples that pass through the device, moved there") << false << 2 << 15.0;
  }
  void squaredErrorRuns() {
    QFETCH(bool, fits);
    QFETCH(int, shift);
    QFETCH(double, rotate);
    const bool streamed = QByteArray(QTest::currentDataTag()).contains("pass through");
    const Net net = autoencoder();
    Twins pair(net);
    Samples samples = randomSamples(net.request.network, (streamed ? 45 : 12) * kMaxBatch - 2);
    samples.labels.clear();
    if (!fits) pair.device->capacity = pair.device->liveBytes() + (std::size_t{256} << 20) + (streamed ? 36000 : 5000);
    std::vector<int> order(static_cast<std::size_t>(samples.count));
    std::iota(order.begin(), order.end(), 0);
    Batches batches(samples, order, net.request.network.input, {}, kMaxBatch, moving(shift, rotate));
    for (int epoch = 0; epoch < 3; ++epoch) {
      batches.startEpoch(epoch, true, 3);
      const std::vector<double> rates(12, 0.01);
      pair.device->counts = {};
      const auto step = static_cast<std::uint64_t>(epoch) * rates.size();
      const std::vector<LossResult> got = pair.cuda.trainRun(batches, 0, rates, step),
                                    wanted = pair.reference.trainRun(batches, 0, rates, step);
      QCOMPARE(got.size(), rates.size());
      const int waits = pair.device->counts.waits;
      if (epoch > 0)
        QVERIFY2(fits ? waits == 1 : streamed ? waits < 5 : waits == 12, qPrintable(QString::number(waits)));
      for (std::size_t i = 0; i < got.size(); ++i)
        QVERIFY2(std::abs(got[i].lossSum - wanted[i].lossSum) < 1e-5 * wanted[i].lossSum,
                 qPrintable(QString("step %1").arg(step + i)));
    }
    QVERIFY(relativeError(pair.cuda.weights().values, pair.reference.weights().values) < 1e-4);
  }

  void optimizers_data() {
    QTest::addColumn<QString>("type");
    QTest::addColumn<QByteArray>("set");  // fields, as JSON
    QTest::addColumn<QString>("average");
    for (const OptimizerDef& def : allOptimizers()) {
      const QString type = QString::fromStdString(def.type);
      QTest::newRow(def.type.c_str()) << type << QByteArray("{}") << "none";
      QTest::addRow("%s, clipped", def.type.c_str())
          << type << QByteArray(R"({"clip_norm": 0.5, "clip_value": 0.01})") << "ema";
    }
    QTest::newRow("short gradients") << "sgd" << QByteArray(R"({"clip_norm": 1000})") << "swa";
    QTest::newRow("momentum") << "sgd" << QByteArray(R"({"momentum": 0.9})") << "none";
    QTest::newRow("nesterov") << "sgd" << QByteArray(R"({"momentum": 0.9, "nesterov": true})") << "none";
    QTest::newRow("rmsprop, momentum") << "rmsprop" << QByteArray(R"({"momentum": 0.9})") << "none";
  }
  /// The small net with the optimizer of the test's row.
  static Net netOfRow() {
    QFETCH(QString, type);
    QFETCH(QByteArray, set);
    QFETCH(QString, average);
    Net net = smallNet(type.toStdString());
    OptimizerSpec& optimizer = net.request.optimizer;
    optimizer.fields =
        fieldsFromJson(findChoice(allOptimizers(), optimizer.type)->fields, Json::parse(set.toStdString()), "", {});
    optimizer.average.type = average.toStdString();
    optimizer.average.fields = Fields(optimizer.average.def().fields);
    return net;
  }
  void optimizers() {
    Net net = netOfRow();
    net.request.loss.fields.set("label_smoothing", 0.1);
    net.request.metrics = {"accuracy", "top_5"};
    compare(net, Precision::Float32);
    Twins pair(net);  // the state comes back as it was put in, and counts
    std::vector<float> state = pair.cuda.optimizerState();
    Rng rng(2, Stream::Test);
    for (float& value : state) value = rng.uniform(0.1f, 0.2f);
    pair.cuda.setOptimizerState(state);
    pair.reference.setOptimizerState(state);
    QCOMPARE(pair.cuda.optimizerState(), state);
    pair.cuda.trainBatch(net.batch(3), 0.01, 7);
    pair.reference.trainBatch(net.batch(3), 0.01, 7);
    QVERIFY(relativeError(pair.cuda.weights().values, pair.reference.weights().values) < 1e-5);
    QVERIFY(relativeError(pair.cuda.optimizerState(), pair.reference.optimizerState()) < 1e-5);
  }

  // Clipping costs two launches, a mean of the weights one; a matrix as a whole is updated on the host, which is said.
  void whatUpdatesCost() {
    const auto launchesOf = [](const char* setting, const char* average, const std::string& type = "sgd") {
      Net net = smallNet(type);
      if (*setting) net.request.optimizer.fields.set(setting, 1.0);
      net.request.optimizer.average = {average, Fields(findChoice(allAverages(), average)->fields)};
      const auto device = std::make_shared<SimDevice>();
      CudaNetwork cuda(device, net.request);
      cuda.setWeights(net.weights);
      const int before = device->counts.launches;
      cuda.trainBatch(net.batch(3), 0.01, 0);
      return device->counts.launches - before;
    };
    const int plain = launchesOf("", "none");
    QCOMPARE(launchesOf("clip_value", "none"), plain);
    QCOMPARE(launchesOf("clip_norm", "none"), plain + 2);
    QCOMPARE(launchesOf("", "ema"), plain + 1);
    const Net net = smallNet("muon");
    CudaNetwork cuda(std::make_shared<SimDevice>(), net.request);
    QVERIFY(cuda.explain().find("update  muon takes each layer's weights as a matrix, on the host") !=
            std::string::npos);
    QCOMPARE(cuda.runLength(), 1);
  }

  // What the simulator and the kernels share: all 65,536 numbers of bfloat16 come back as they were, and others are
  // rounded to the nearest.
  void bfloat16() {
    using strata::cuda::fromBfloat16, strata::cuda::toBfloat16;
    for (int bits = 0; bits < 0x10000; ++bits) {
      const auto half = static_cast<std::uint16_t>(bits);
      const float value = fromBfloat16(half);
      if (std::isnan(value)) QVERIFY(std::isnan(fromBfloat16(toBfloat16(value))));
      else QCOMPARE(toBfloat16(value), half);
    }
    const float step = 0x1p-7f;  // between two numbers from 1 to 2
    QCOMPARE(fromBfloat16(toBfloat16(1 + 0.49f * step)), 1.0f);
    QCOMPARE(fromBfloat16(toBfloat16(1 + 0.51f * step)), 1 + step);
    QCOMPARE(fromBfloat16(toBfloat16(1 + 0.5f * step)), 1.0f);  // ties go to the even one
    QCOMPARE(fromBfloat16(toBfloat16(-1 - 1.5f * step)), -1 - 2 * step);
    QCOMPARE(fromBfloat16(toBfloat16(3.4e38f)), INFINITY);
  }

  // Updates far smaller than the weights' distance in bfloat16 are not lost: they add up in the float32 weights, step
  // by step, and in the end the copy that products read moves too. With each optimizer that copy is what setWeights()
  // would make of the weights.
  void masterWeights_data() { optimizers_data(); }
  void masterWeights() {
    Net net = netOfRow();
    net.request.precision = Precision::Bfloat16;
    const Batch batch = net.batch(kMaxBatch);
    const auto device = std::make_shared<SimDevice>();
    CudaNetwork cuda(device, net.request);
    cuda.setWeights(net.weights);
    if (net.request.optimizer == OptimizerSpec()) {
      cuda.trainBatch(batch, 0, 0);
      const std::vector<float> first = cuda.gradients();
      const auto at = static_cast<std::size_t>(
          std::ranges::max_element(first, {}, [](float gradient) { return std::abs(gradient); }) - first.begin());
      // Half of a bfloat16 number's distance to the next, or more.
      const float start = net.weights.values[at], distance = std::abs(start) / 256;
      const double rate = 0.1 * distance / std::abs(first[at]);
      float weight = start;
      for (std::uint64_t step = 1; step <= 40; ++step) {
        cuda.trainBatch(batch, rate, step);
        const float change = static_cast<float>(rate) * cuda.gradients()[at];
        QVERIFY(change != 0 && std::abs(change) < 0.2f * distance);
        weight -= change;
        QCOMPARE(cuda.weights().values[at], weight);
      }
      QVERIFY2(std::abs(weight - start) > 2 * distance, qPrintable(QString("from %1 to %2").arg(start).arg(weight)));
    } else {
      for (std::uint64_t step = 0; step < 5; ++step) cuda.trainBatch(batch, 0.01, step);
    }
    CudaNetwork fresh(device, net.request);
    fresh.setWeights(cuda.weights());
    std::vector<float> logits(static_cast<std::size_t>(kMaxBatch * 7)), expected(logits), before(logits);
    cuda.forward(batch, logits.data());
    fresh.forward(batch, expected.data());
    QCOMPARE(logits, expected);
    fresh.setWeights(net.weights);
    fresh.forward(batch, before.data());
    QVERIFY(logits != before);
  }

  // Plain launches, captured and replayed ones leave the same bits: the second net is made anew for every step, so that
  // it never captures.
  void replayedBits_data() {
    QTest::addColumn<Precision>("precision");
    for (const Precision precision : kCompared) QTest::newRow(precisionName(precision)) << precision;
  }
  void replayedBits() {
    QFETCH(Precision, precision);
    Net net = smallNet("adam");
    net.request.precision = precision;
    const auto device = std::make_shared<SimDevice>();
    CudaNetwork replayed(device, net.request);
    replayed.setWeights(net.weights);
    Weights weights = net.weights;
    std::vector<float> state = replayed.optimizerState();
    for (std::uint64_t step = 0; step < 4; ++step) {
      CudaNetwork plain(device, net.request);
      plain.setWeights(weights);
      plain.setOptimizerState(state);
      QCOMPARE(plain.trainBatch(net.batch(kMaxBatch), 0.01, step).lossSum,
               replayed.trainBatch(net.batch(kMaxBatch), 0.01, step).lossSum);
      weights = plain.weights();
      state = plain.optimizerState();
    }
    QCOMPARE(device->counts.graphs, 3);
    QCOMPARE(replayed.weights(), weights);
    QCOMPARE(replayed.optimizerState(), state);
  }

  // A device that came before bfloat16 trains in float32, to the same bits, and says why.
  void beforeBfloat16() {
    Net net = smallNet("sgd");
    std::vector<float> results[2];
    for (const Precision precision : kCompared) {
      net.request.precision = precision;
      Twins pair(net);
      pair.device->computeCapability = 75;
      CudaNetwork cuda(pair.device, net.request);
      cuda.setWeights(net.weights);
      cuda.trainBatch(net.batch(kMaxBatch), 0.01, 0);
      QCOMPARE(cuda.precision(), Precision::Float32);
      QCOMPARE(pair.cuda.precision(), precision);
      results[precision == Precision::Float32] = cuda.weights().values;
      const QString first = QString::fromStdString(cuda.explain()).section('\n', 0, 0);
      QCOMPARE(first, precision == Precision::Float32 ? "Simulated device, float32"
                                                      : "Simulated device, float32 instead of bfloat16, which needs "
                                                        "compute capability 8.0; this device has 7.5");
    }
    QCOMPARE(results[0], results[1]);
  }

  // A step as plain launches, as a capture and as a replay is the same work; a short batch has a graph of its own.
  void replay() {
    const Net net = smallNet("sgd");
    Twins pair(net);
    pair.device->logging = true;
    std::vector<std::string> first;
    for (std::uint64_t step = 0; step < 4; ++step)
      for (const int size : {kMaxBatch, 2}) {
        pair.device->log.clear();
        pair.cuda.trainBatch(net.batch(size), 0.01, step);
        pair.reference.trainBatch(net.batch(size), 0.01, step);
        if (first.empty()) first = pair.device->log;
        QCOMPARE(pair.device->log, first);
      }
    QCOMPARE(pair.device->counts.graphs, 6);
    QVERIFY(relativeError(pair.cuda.weights().values, pair.reference.weights().values) < 1e-5);
  }

  // A run of steps on samples that lie on the device: the same as batch by batch, and the host waits once. 23 steps of
  // an epoch of 12 batches, the last of them short, take single steps, captured runs and their replay.
  void runs_data() {
    QTest::addColumn<bool>("fits");
    QTest::addColumn<int>("shift");
    QTest::addColumn<double>("rotate");
    QTest::newRow("samples on the device") << true << 0 << 0.0;
    QTest::newRow("samples sent batch by batch") << false << 0 << 0.0;
    QTest::newRow("samples on the device, moved there") << true << 2 << 15.0;
    QTest::newRow("samples moved on the host, sent batch by batch") << false << 2 << 15.0;
  }
  void runs() {
    QFETCH(bool, fits);
    QFETCH(int, shift);
    QFETCH(double, rotate);
    const Net net = smallNet("adam");
    Twins pair(net);
    const Samples samples = randomSamples(net.request.network, 12 * kMaxBatch - 2);
    if (!fits) pair.device->capacity = pair.device->liveBytes() + (std::size_t{256} << 20) + samples.pixels.size();
    std::vector<int> order(static_cast<std::size_t>(samples.count));
    std::iota(order.begin(), order.end(), 0);
    Batches batches(samples, order, net.request.network.input, {}, kMaxBatch, moving(shift, rotate));
    std::uint64_t step = 0;
    for (int epoch = 0; epoch < 4; ++epoch) {
      batches.startEpoch(epoch, true, 3);
      for (const auto& [first, count] : {std::pair{0, 1}, {1, 11}}) {
        std::vector<double> rates(static_cast<std::size_t>(count));
        for (std::size_t i = 0; i < rates.size(); ++i) rates[i] = 0.01 / static_cast<double>(step + i + 1);
        pair.device->counts = {};
        const std::vector<LossResult> got = pair.cuda.trainRun(batches, first, rates, step);
        QCOMPARE(got.size(), rates.size());
        const int waits = pair.device->counts.waits;
        if (step > 0) QCOMPARE(waits, fits ? 1 : count);  // at the first step the samples are sent
        // Eight steps in one, two whole batches, the short one.
        if (fits && epoch == 3) QCOMPARE(pair.device->counts.graphs, count == 1 ? 1 : 4);
        const std::vector<LossResult> wanted = pair.reference.trainRun(batches, first, rates, step);
        for (std::size_t i = 0; i < got.size(); ++i) {
          QVERIFY2(std::abs(got[i].lossSum - wanted[i].lossSum) < 1e-5 * wanted[i].lossSum,
                   qPrintable(QString("step %1").arg(step + i)));
          QCOMPARE(got[i].metrics, wanted[i].metrics);
        }
        step += rates.size();
      }
    }
    QVERIFY(relativeError(pair.cuda.weights().values, pair.reference.weights().values) < 1e-5);
  }

  // Samples that do not fit pass through the device in chunks of eight batches, each on its way before the one in front
  // of it is trained on: the same bits as from samples that lie there, plain and moved, over epochs that end with a
  // short batch. The device sees that no copy overtakes the training, no kernel a copy, and the host no copy out of its
  // memory: for that it waits once a chunk, beside the once a run.
  void streams_data() {
    QTest::addColumn<int>("shift");
    QTest::addColumn<double>("rotate");
    QTest::newRow("as they are") << 0 << 0.0;
    QTest::newRow("moved on the device") << 2 << 15.0;
  }
  void streams() {
    QFETCH(int, shift);
    QFETCH(double, rotate);
    const Net net = smallNet("adam");
    const Samples samples = randomSamples(net.request.network, 45 * kMaxBatch - 2);
    std::vector<int> order(static_cast<std::size_t>(samples.count));
    std::iota(order.begin(), order.end(), 0);
    Batches batches(samples, order, net.request.network.input, {}, kMaxBatch, moving(shift, rotate));
    Twins large(net), small(net);
    small.device->capacity = small.device->liveBytes() + (std::size_t{256} << 20) + samples.pixels.size();
    small.device->logging = true;
    std::uint64_t step = 0;
    for (int epoch = 0; epoch < 4; ++epoch) {
      batches.startEpoch(epoch, true, 3);
      for (const auto& [first, count, chunks] :
           {std::tuple{0, 1, 2}, {1, 15, 1}, {16, 29, 3}}) {  // chunks that set out meanwhile
        std::vector<double> rates(static_cast<std::size_t>(count), 0.01);
        small.device->log.clear();
        small.device->counts = {};
        const std::vector<LossResult> got = small.cuda.trainRun(batches, first, rates, step),
                                      wanted = large.cuda.trainRun(batches, first, rates, step);
        QCOMPARE(got.size(), rates.size());
        for (std::size_t i = 0; i < got.size(); ++i) {
          QCOMPARE(got[i].lossSum, wanted[i].lossSum);
          QCOMPARE(got[i].metrics, wanted[i].metrics);
        }
        QCOMPARE(std::ranges::count(small.device->log, "copy in (side)"), 2 * chunks);
        if (step > 0) QCOMPARE(small.device->counts.waits, chunks + 1);
        step += rates.size();
      }
      const auto at = [&](const std::string& work) {
        return std::ranges::find(small.device->log, work) - small.device->log.begin();
      };
      if (epoch == 3) QVERIFY(at("copy in (side)") < at("SoftmaxCrossEntropy"));
      // Three whole chunks and the last, which has a short batch.
      if (epoch == 3) QCOMPARE(small.device->counts.graphs, 3 + 5);
    }
    QCOMPARE(small.cuda.weights(), large.cuda.weights());
    QCOMPARE(small.cuda.optimizerState(), large.cuda.optimizerState());
    // Another order of the same samples is another chunk, and so is another list of them.
    std::ranges::reverse(order);
    Batches reversed(samples, order, net.request.network.input, {}, kMaxBatch, moving(shift, rotate));
    reversed.startEpoch(0, false, 3);
    QCOMPARE(small.cuda.trainRun(reversed, 8, {{0.01, 0.01}}, step)[1].lossSum,
             large.cuda.trainRun(reversed, 8, {{0.01, 0.01}}, step)[1].lossSum);
    QCOMPARE(small.cuda.weights(), large.cuda.weights());
    small.device->synchronize();  // looks at the sources of the last copies
  }

  // Augmentation on the device moves each sample to the very bytes that the host moves it to.
  void augmentation_data() {
    QTest::addColumn<int>("channels");
    QTest::addColumn<int>("shift");
    QTest::addColumn<double>("rotate");
    QTest::addColumn<bool>("invert");
    QTest::newRow("shift") << 1 << 3 << 0.0 << false;
    QTest::newRow("shift past the edge, dark on light") << 1 << 64 << 0.0 << true;
    QTest::newRow("turn") << 1 << 0 << 15.0 << false;
    QTest::newRow("turn all the way, three channels") << 3 << 0 << 180.0 << false;
    QTest::newRow("both, three channels, dark on light") << 3 << 2 << 20.0 << true;
  }
  void augmentation() {
    QFETCH(int, channels);
    QFETCH(int, shift);
    QFETCH(double, rotate);
    QFETCH(bool, invert);
    using namespace strata::cuda;
    constexpr int kBatch = 32;
    constexpr std::uint64_t kSeed = 0x123456789AB;
    NetworkSpec network;
    network.input = Shape::image(12, 9, channels);
    network.classes = 7;
    const Samples samples = randomSamples(network, 3 * kBatch);
    std::vector<int> order(static_cast<std::size_t>(samples.count));
    std::iota(order.begin(), order.end(), 0);
    Preprocessing preprocessing;
    preprocessing.invert = invert;
    Batches batches(samples, order, network.input, preprocessing, kBatch, moving(shift, rotate));
    SimDevice device;
    Buffer<StepCursor> cursor(device, 1);
    Buffer<StepParams> params(device, 3);
    Buffer<std::int32_t> numbers(device, samples.count);
    Buffer<std::uint8_t> pixels(device, std::ssize(samples.pixels)), moved(device, kBatch * network.input.size());
    Buffer<Move> moves(device, kBatch);
    device.copyIn(Lane::Main, pixels.data(), samples.pixels.data(), pixels.bytes());
    for (const std::uint32_t epoch : {0u, 1u, 70000u}) {
      batches.startEpoch(static_cast<int>(epoch), true, kSeed);
      const std::vector<StepParams> stepParams(3, StepParams{0, {}, epoch});
      device.copyIn(Lane::Main, params.data(), stepParams.data(), params.bytes());
      for (int index = 0; index < batches.count(); ++index) {
        const StepCursor at{index, 1, 0, {}};
        device.copyIn(Lane::Main, cursor.data(), &at, cursor.bytes());
        device.copyIn(Lane::Main, numbers.data() + index * kBatch, batches.numbers(index).data(),
                      kBatch * sizeof(std::int32_t));
        const auto ofSlot = [&](const Buffer<std::int32_t>& buffer) { return buffer.in((index + 1) * kBatch); };
        launch(device, Lane::Main,
               DrawMoves{cursor.in(), params.in(), ofSlot(numbers), kBatch, kSeed,
                         static_cast<std::uint64_t>(strata::Stream::Augment) << 56, shift, rotate, moves.out()},
               kBatch);
        launch(device, Lane::Main,
               MoveSamples{cursor.in(), ofSlot(numbers), pixels.in(), moves.in(), kBatch, network.input.h,
                           network.input.w, channels, batches.ground(), moved.out()},
               moved.size());
        std::vector<std::uint8_t> got(static_cast<std::size_t>(moved.size()));
        device.copyOut(Lane::Main, got.data(), moved.data(), moved.bytes());
        device.synchronize();
        const Batch batch = batches.at(index);
        QCOMPARE(got, std::vector<std::uint8_t>(batch.bytes, batch.bytes + got.size()));
      }
    }
  }

  // The results end with the first that is not finite, and the weights are those before it.
  void runNotFinite() {
    const Net net = smallNet("sgd");
    Twins pair(net);
    const Samples samples = randomSamples(net.request.network, 6 * kMaxBatch);
    std::vector<int> order(static_cast<std::size_t>(samples.count));
    std::iota(order.begin(), order.end(), 0);
    Batches batches(samples, order, net.request.network.input, {}, kMaxBatch);
    batches.startEpoch(0, false, 0);
    const std::vector<double> rates{0.01, 0.01, 1e38, 0.01, 0.01, 0.01};
    const std::vector<LossResult> got = pair.cuda.trainRun(batches, 0, rates, 0),
                                  wanted = pair.reference.trainRun(batches, 0, rates, 0);
    QCOMPARE(got.size(), wanted.size());
    QVERIFY(got.size() > 3 && got.size() < rates.size());
    QVERIFY(!std::isfinite(got.back().lossSum));
    for (std::size_t i = 0; i < 3; ++i)
      QVERIFY(std::abs(got[i].lossSum - wanted[i].lossSum) < 1e-5 * wanted[i].lossSum);
    QVERIFY(pair.cuda.findNonFinite(batches.at(static_cast<int>(got.size()) - 1), got.size() - 1).what != "");
  }

  void sameBitsTwice() {
    const Net net = smallNet("adam");
    std::vector<float> results[2];
    for (std::vector<float>& result : results) {
      Twins pair(net);
      for (std::uint64_t step = 0; step < 5; ++step) pair.cuda.trainBatch(net.batch(kMaxBatch), 0.01, step);
      result = pair.cuda.weights().values;
    }
    QCOMPARE(results[0], results[1]);
  }

  // When the loss or a gradient is not finite the weights stay as they were, and the layer is named.
  void notFinite_data() { replayedBits_data(); }
  void notFinite() {
    QFETCH(Precision, precision);
    Net net = smallNet("sgd");
    net.request.precision = precision;
    Twins pair(net);
    std::vector<float> sample(static_cast<std::size_t>(kMaxBatch * net.request.network.input.size()), 0.5f);
    Batch batch = net.batch(kMaxBatch);
    batch.bytes = nullptr;
    batch.floats = sample.data();
    QVERIFY(std::isfinite(pair.cuda.trainBatch(batch, 0.01, 0).lossSum));
    const Weights before = pair.cuda.weights();
    sample[7] = NAN;
    QVERIFY(!std::isfinite(pair.cuda.trainBatch(batch, 0.01, 1).lossSum));
    QCOMPARE(pair.cuda.weights(), before);
    QCOMPARE(pair.cuda.findNonFinite(batch, 1).layer, std::string("input"));
    sample[7] = 0.5f;
    QVERIFY(std::isfinite(pair.cuda.trainBatch(batch, 0.01, 1).lossSum));
    QVERIFY(pair.cuda.weights() != before);
  }

  void tooLittleMemory_data() { replayedBits_data(); }
  void tooLittleMemory() {
    QFETCH(Precision, precision);
    Net net = smallNet("sgd");
    net.request.precision = precision;
    net.request.maxBatch = 4096;
    auto device = std::make_shared<SimDevice>();
    device->capacity = (std::size_t{256} << 20) + (std::size_t{10} << 20);
    try {
      CudaNetwork cuda(device, net.request);
      QFAIL("it fitted");
    } catch (const Error& error) {
      const QString text = error.what();
      qInfo("%s", error.what());
      QVERIFY(text.contains("10 MB are free"));
      const int fits = text.section("batch that fits is ", 1).section('.', 0, 0).toInt();
      QVERIFY(fits > 100 && fits < 4096);
      QVERIFY(trainingBytes(net, fits) <= 10 << 20 && trainingBytes(net, fits + 1) > 10 << 20);
      net.request.maxBatch = fits;
      CudaNetwork smaller(device, net.request);
      smaller.setWeights(net.weights);
      QVERIFY(std::isfinite(smaller.trainBatch(net.batch(kMaxBatch), 0.01, 0).lossSum));
    }
    device->capacity = std::size_t{256} << 20;
    net.request.maxBatch = 1;
    try {
      CudaNetwork cuda(device, net.request);
      QFAIL("it fitted");
    } catch (const Error& error) {
      QVERIFY2(QString(error.what()).contains("Not even one sample fits; train on the CPU."), error.what());
    }
    QCOMPARE(device->liveBytes(), 0u);
  }

  // Of a net that is nearly all weights, one byte less than it takes is refused, and it takes no more but for small
  // blocks.
  void memoryOfWeights_data() { replayedBits_data(); }
  void memoryOfWeights() {
    QFETCH(Precision, precision);
    Net net = netAround({layer("dense", {{"units", 1500}}, "wide")}, Shape::vector(1000), false, "adam");
    net.request.precision = precision;
    net.request.maxBatch = 1;
    const std::int64_t needed = trainingBytes(net, 1);
    const auto device = std::make_shared<SimDevice>();
    device->capacity = (std::size_t{256} << 20) + static_cast<std::size_t>(needed) - 1;
    QVERIFY_THROWS_EXCEPTION(Error, CudaNetwork(device, net.request));
    ++device->capacity;
    CudaNetwork cuda(device, net.request);
    cuda.setWeights(net.weights);
    for (std::uint64_t step = 0; step < 3; ++step) cuda.trainBatch(net.batch(1), 0.01, step);
    const auto live = static_cast<std::int64_t>(device->liveBytes());
    qInfo("%lld bytes predicted, %lld in use", static_cast<long long>(needed), static_cast<long long>(live));
    QVERIFY(live <= needed + (1 << 16) && live > needed - (1 << 16));
  }

  // The N-th allocation, copy, launch or plan fails, for every N, once or from then on: an Error, no leak, and a new
  // net that starts from the last good weights ends as if nothing had been.
  void faults_data() {
    QTest::addColumn<int>("kind");
    QTest::addColumn<bool>("always");
    QTest::addColumn<int>("way");
    QTest::addColumn<Precision>("precision");
    const char* names[] = {"allocations", "copies", "work", "plans"};
    const char* ways[] = {"batches", "runs of steps", "streamed samples", "layers on the host"};
    for (int kind = 0; kind < cuda::kFaultKinds; ++kind)
      for (const bool always : {false, true})
        for (int way = 0; way < 4; ++way)
          for (const Precision precision : kCompared)
            QTest::addRow("%s, %s, %s, %s", names[kind], always ? "the device is lost" : "once", ways[way],
                          precisionName(precision))
                << kind << always << way << precision;
  }
  void faults() {
    QFETCH(int, kind);
    QFETCH(bool, always);
    QFETCH(int, way);
    QFETCH(Precision, precision);
    Net net = smallNet("adam");
    net.request.precision = precision;
    const auto device = std::make_shared<SimDevice>();
    const std::vector<float> expected = trainThrough(device, net, static_cast<Way>(way), nullptr);
    const int calls = device->calls(static_cast<FaultKind>(kind));
    QVERIFY(calls > 3);
    for (int number = 0; number < calls; ++number) {
      device->failAt(static_cast<FaultKind>(kind), number, always);
      std::string message;
      const std::vector<float> got = trainThrough(device, net, static_cast<Way>(way), &message);
      QVERIFY2(message.starts_with("Simulated device: ") && message.ends_with("."), message.c_str());
      // Whichever call or library notices it.
      QVERIFY2((message.find("the device is lost, ") != std::string::npos) == always, message.c_str());
      QCOMPARE(device->liveBytes(), 0u);
      QCOMPARE(got, expected);
    }
    qInfo("%d faults", calls);
  }

  // The simulator itself: it must see what it is there to see.
  void simulatorSees_data() {
    QTest::addColumn<int>("breach");
    const char* names[] = {
        "past the end",    "freed",    "never written", "race", "no join", "clean", "beside a graph's side lane",
        "a copy's source", "alignment"};
    for (int i = 0; i < 9; ++i) QTest::newRow(names[i]) << i;
  }
  void simulatorSees() {
    QFETCH(int, breach);
    using namespace strata::cuda;
    SimDevice device;
    Buffer<float> a(device, 8), b(device, 8);
    if (breach != 2) device.clear(Lane::Main, a.data(), a.bytes());
    const In<float> x = a.in();
    QString seen;
    try {
      if (breach == 0) launch(device, Lane::Main, Activate{Act::Relu, x, b.out()}, 9);
      if (breach == 1) a = Buffer<float>(device, 4);
      if (breach == 1) a = Buffer<float>();
      if (breach == 1 || breach == 2) launch(device, Lane::Main, Activate{Act::Relu, x, b.out()}, 8);
      if (breach == 3) launch(device, Lane::Side, Activate{Act::Relu, x, b.out()}, 8);
      if (breach >= 4 && breach <= 6) {
        Capture capture(device);
        device.wait(Lane::Side, Lane::Main);
        launch(device, Lane::Side, Activate{Act::Relu, x, b.out()}, 8);
        if (breach != 4) device.wait(Lane::Main, Lane::Side);
        capture.finish()->launch();
        if (breach == 6) device.clear(Lane::Side, a.data(), a.bytes());
        device.synchronize();
      }
      if (breach == 7) {  // waiting for the other lane is not enough
        std::vector<float> source(8);
        device.copyIn(Lane::Side, b.data(), source.data(), b.bytes());
        device.synchronize(Lane::Main);
        source[3] = 1;
        device.synchronize(Lane::Side);
      }
      if (breach == 8) {
        const Buffer<float> c(device, 4);
        const Buffer<std::byte> workspace(device, 1024);
        device.planMatmul({2, 2, 1})->run(Lane::Main, a.data() + 1, a.data(), nullptr, c.data(), workspace.data());
      }
    } catch (const SimBreach& error) {
      seen = error.what();
    }
    const char* words[] = {
        "element 8 of 8",           "not allocated", "never written", "races", "not joined", "", "races",
        "source of a copy changed", "256 bytes"};
    QVERIFY2(breach == 5 ? seen.isEmpty() : seen.contains(words[breach]), qPrintable(seen));
  }

  // The lesson's net from fixed weights on real MNIST, as PyTorch trains it in float64 (tests/golden/).
  void golden_data() {
    QTest::addColumn<int>("column");
    QTest::addColumn<double>("rate");
    QTest::addColumn<int>("steps");
    QTest::addColumn<double>("tolerance");
    QTest::addColumn<Precision>("precision");
    if (!SimDevice::hasConvolutions()) {
      QTest::newRow("rate 0.5, its beginning: checked own kernels take long")
          << 1 << 0.5 << 2 << 1e-3 << Precision::Float32;
      return;
    }
    QTest::newRow("rate 0.5") << 1 << 0.5 << 20 << 1e-3 << Precision::Float32;
    QTest::newRow("rate 0.05") << 3 << 0.05 << 100 << 1e-4 << Precision::Float32;
    // The traces part where filters begin to learn, first at the higher rate; until then bfloat16 stays near, and the
    // loss has fallen.
    QTest::newRow("rate 0.05, bfloat16") << 3 << 0.05 << 160 << 5e-3 << Precision::Bfloat16;
  }
  void golden() {
    QFETCH(int, column);
    QFETCH(double, rate);
    QFETCH(int, steps);
    QFETCH(double, tolerance);
    QFETCH(Precision, precision);
    std::shared_ptr<const Dataset> mnist;
    try {
      mnist = loadDataset("mnist", {});
    } catch (const Error& error) {
      QSKIP(error.what());
    }
    const Project lesson = readProject(STRATA_SOURCE_DIR "/resources/projects/mnist-lesson.strata");
    const std::string folder = STRATA_SOURCE_DIR "/tests/golden/";
    QFile file(QString::fromStdString(folder + "seed_trace.csv"));
    QVERIFY(file.open(QIODevice::ReadOnly));
    file.readLine();
    CompileRequest request;
    request.network = lesson.network;
    const auto device = std::make_shared<SimDevice>();
    request.precision = precision;
    CudaNetwork cuda(device, request);
    cuda.setWeights(readWeights(folder + "seed_init.safetensors", lesson.network));
    std::vector<int> order(static_cast<std::size_t>(mnist->train.count));
    std::iota(order.begin(), order.end(), 0);
    Batches batches(mnist->train, order, mnist->shape, lesson.data.preprocessing, 128);
    double last = 0;
    for (int step = 0; step < steps;) {
      std::vector<double> rates;
      for (int i = step; i < std::min(steps, step + CudaNetwork::kRun); ++i) rates.push_back(rate / (1 + 1e-6 * i));
      for (const LossResult& result : cuda.trainRun(batches, step, rates, static_cast<std::uint64_t>(step))) {
        const double loss = result.lossSum / 128, expected = file.readLine().split(',')[column].toDouble();
        QVERIFY2(std::abs(loss - expected) < tolerance,
                 qPrintable(QString("step %1: got %2, expected %3").arg(step).arg(loss).arg(expected)));
        ++step;
        last = loss;
      }
    }
    if (precision == Precision::Bfloat16) QVERIFY2(last < 1.6, qPrintable(QString("from 2.3 to %1").arg(last)));
    if (steps == 20) {
      const Weights expected = readWeights(folder + "seed_step20.safetensors", lesson.network), got = cuda.weights();
      double worst = 0;
      for (std::size_t i = 0; i < got.values.size(); ++i)
        worst = std::max(worst, std::abs(double{got.values[i]} - expected.values[i]));
      QVERIFY2(worst < 2e-3, qPrintable(QString("weights differ by %1").arg(worst)));
    }
    // What one step costs, told by the device: engine/backend/cuda/README.md gives the number.
    const SimDevice::Counts& counts = device->counts;
    const int perStep = (counts.launches + counts.convolutions + counts.products) / steps;
    qInfo("one step: %d launches, %d convolutions, %d products; %s", counts.launches / steps,
          counts.convolutions / steps, counts.products / steps, cuda.explain().c_str());
    QCOMPARE(perStep, 16);
    const auto samples =
        static_cast<std::int64_t>(mnist->train.pixels.size() + mnist->train.labels.size() * sizeof(std::int32_t));
    // Own convolution kernels, which take the place of cuDNN's, keep partial sums beside what is foreseen.
    if (SimDevice::hasConvolutions())
      QVERIFY(static_cast<std::int64_t>(device->liveBytes()) - samples < analyse(lesson.network).trainingBytes(128, 0));
  }

  // Last: which lines of device code did the tests above execute?
  void everyLineRan() {
#ifdef STRATA_COVERED
    const QTemporaryDir folder;
    // Not beside the object, where it would add to the count of earlier runs.
    qputenv("GCOV_PREFIX", folder.path().toLocal8Bit());
    __gcov_dump();
    const QString object = STRATA_COVERED, counts = folder.path() + object;
    QVERIFY(QFile::copy(object + ".gcno", counts + ".gcno"));
    QProcess gcov;
    gcov.start("gcov", {"--json-format", "--stdout", counts + ".gcda"});
    if (!gcov.waitForFinished(60000) || gcov.exitCode() != 0) QSKIP("gcov does not run here");
    std::map<std::string, std::map<int, long>> lines;  // times run, by file and line
    const Json report = Json::parse(gcov.readAllStandardOutput().toStdString());
    for (const Json& file : report.at("files"))
      for (const Json& line : file.at("lines")) {
        if (line.value("function_name", "").find("outOfBounds") != std::string::npos) continue;  // the host's alone
        long& times = lines[file.at("file")][line.at("line_number")];
        times = std::max(times, line.at("count").get<long>());
      }
    int all = 0, ran = 0;
    for (const auto& [file, counted] : lines) {
      if (!QString::fromStdString(file).contains("engine/backend/cuda/")) continue;
      for (const auto& [number, times] : counted) {
        ++all;
        if (times > 0) ++ran;
        else qInfo("never executed: %s:%d", file.substr(file.find("engine/backend/cuda/")).c_str(), number);
      }
    }
    qInfo("device code: %d of %d lines executed, %.1f %%", ran, all, 100.0 * ran / all);
    QVERIFY(all > 200);
    QCOMPARE(ran, all);
#else
    QSKIP("lines are counted with GCC alone");
#endif
  }

 private:
  /// Everything at once, small: fused and plain convolution, pools, dropout, dense layers.
  static Net smallNet(const std::string& optimizer) {
    return netAround(
        {layer("conv2d", {{"filters", 4}, {"activation", "relu"}}, "conv1"),
         layer("max_pool2d", Json::object(), "pool1"),
         layer("conv2d", {{"filters", 5}, {"activation", "relu"}}, "conv2"),
         layer("avg_pool2d", Json::object(), "pool2"), layer("flatten", Json::object(), "flat"),
         layer("dense", {{"units", 9}, {"activation", "relu"}}, "dense1"), layer("dropout", {{"rate", 0.25}}, "drop")},
        Shape::image(14, 14, 1), false, optimizer);
  }

  /// An image of 300 values through nine of them, and back.
  static Net autoencoder() {
    Net net = netAround(
        {layer("flatten", Json::object(), "flat"), layer("dense", {{"units", 9}, {"activation", "tanh"}}, "code")},
        Shape::image(20, 15, 1), false, "sgd");
    net.request.network.layers.back() = layer("dense", {{"units", 300}}, "top");
    net.request.loss = {"mean_squared_error", {}};
    net.weights = initialWeights(net.request.network, 3);
    return net;
  }

  static Net netOfExample(const QString& type, int example, bool deep) {
    const LayerDef& def = *findLayer(type.toStdString());
    const Example& found = def.examples.at(static_cast<std::size_t>(example));
    return netAround({test::testedLayer(def, found, "tested")}, found.in, deep);
  }

  /// Layers and the shape of their input, by name.
  static const std::map<std::string, std::pair<std::vector<LayerSpec>, Shape>>& branchingNets() {
    static const auto conv = [](const std::string& name, int filters, int strides = 1, const char* activation = "relu",
                                int kernel = 3) {
      return layer("conv2d",
                   {{"filters", filters},
                    {"kernel_size", kernel},
                    {"strides", strides},
                    {"padding", "same"},
                    {"activation", activation}},
                   name);
    };
    static const auto dense = [](const std::string& name, int units, const char* activation = "relu") {
      return layer("dense", {{"units", units}, {"activation", activation}}, name);
    };
    static const Json none = Json::object();
    static const Shape image = Shape::image(6, 5, 3), vector = Shape::vector(8);
    static const auto pool = layer("max_pool2d", {{"padding", "same"}}, "pool");
    static const std::map<std::string, std::pair<std::vector<LayerSpec>, Shape>> nets{
        {"residual", {{container("residual", {{conv("a", 3), conv("b", 3, 1, "linear")}, {}}, none, "res")}, image}},
        {"residual with a convolution beside",
         {{container("residual", {{conv("a", 4, 2), conv("b", 4)}, {conv("c", 4, 2, "linear", 1)}}, none, "res")},
          image}},
        {"residual of vectors, linear",
         {{container("residual", {{dense("a", 8), dense("b", 8, "linear")}, {}}, {{"activation", "linear"}}, "res")},
          vector}},
        {"concat",
         {{container("branches", {{conv("a", 2), conv("b", 3)}, {conv("c", 1, 1, "tanh")}, {}}, none, "way")}, image}},
        {"concat of vectors", {{container("branches", {{dense("a", 5)}, {dense("b", 1)}, {}}, none, "way")}, vector}},
        {"add",
         {{container("branches", {{conv("a", 3)}, {conv("b", 3, 1, "sigmoid")}, {}}, {{"merge", "add"}}, "way")},
          image}},
        {"one value twice", {{container("branches", {{}, {}}, {{"merge", "multiply"}}, "way")}, vector}},
        {"one value three times",
         {{container("branches", {{}, {dense("a", 8)}, {}, {dense("b", 8, "tanh"), dense("c", 8)}},
                     {{"merge", "average"}}, "way")},
          vector}},
        {"a pool that is not alone",  // conv's output is read twice: the pool has to stand by itself
         {{conv("first", 3), container("branches", {{pool}, {layer("avg_pool2d", {{"padding", "same"}}, "mean")}},
                                       {{"merge", "max"}}, "way")},
          image}},
        {"a pool that is alone",
         {{container("branches",
                     {{conv("a", 2), pool}, {conv("b", 3), layer("max_pool2d", {{"padding", "same"}}, "p")}}, none,
                     "way")},
          image}},
        {"one channel read twice",  // where a net begins with a convolution and its pool, and with more
         {{container("branches", {{conv("a", 2), pool}, {layer("avg_pool2d", {{"padding", "same"}}, "mean")}}, none,
                     "way")},
          Shape::image(6, 5, 1)}},
        {"flattened in branches",
         {{container("branches", {{layer("flatten", none, "f")}, {conv("a", 2), layer("flatten", none, "g")}}, none,
                     "way")},
          image}},
        {"dropout in branches",
         {{container("branches", {{layer("dropout", {{"rate", 0.25}}, "a")}, {layer("dropout", {{"rate", 0.5}}, "b")}},
                     {{"merge", "add"}}, "way")},
          vector}},
        {"a dense layer read twice",  // a narrow one above a ReLU layer, but not alone
         {{dense("first", 9), container("branches", {{dense("a", 4)}, {dense("b", 4)}}, {{"merge", "add"}}, "way")},
          vector}},
        {"nested",
         {{container("branches",
                     {{container("residual", {{conv("a", 3), conv("b", 3, 1, "linear")}, {}}, none, "inner")},
                      {conv("c", 3), container("branches", {{conv("d", 1)}, {conv("e", 2)}}, none, "deep")},
                      {}},
                     {{"merge", "add"}}, "outer"),
           conv("behind", 2)},
          image}},
    };
    return nets;
  }

  enum class Way { Batches, Runs, Streamed, OnHost };

  /// Six steps, one by one or two at once, each from the weights and state that those before left. After a fault, a new
  /// net goes on on a healed device.
  static std::vector<float> trainThrough(const std::shared_ptr<SimDevice>& device, const Net& net, Way way,
                                         std::string* message) {
    if (!message) device->heal();
    const Samples samples = randomSamples(net.request.network, 18 * kMaxBatch);
    std::vector<int> order(static_cast<std::size_t>(samples.count));
    std::iota(order.begin(), order.end(), 0);
    Batches batches(samples, order, net.request.network.input, {}, kMaxBatch, moving(1, 10));
    Weights weights = net.weights;
    std::vector<float> state;
    std::unique_ptr<CudaNetwork> cuda;
    for (std::uint64_t step = 0; step < 6;) try {
        if (!cuda) {
          device->capacity = std::size_t{8} << 30;
          cuda = std::make_unique<CudaNetwork>(
              device, net.request, way == Way::OnHost ? typesWithout({"conv2d", "dropout"}) : cuda::kernelTypes());
          if (way == Way::Streamed)
            device->capacity = device->liveBytes() + (std::size_t{256} << 20) + samples.pixels.size();
          cuda->setWeights(weights);
          if (!state.empty()) cuda->setOptimizerState(state);
        }
        // Into the second chunk.
        if (way != Way::Batches)
          cuda->trainRun(batches, static_cast<int>(step) + 6, std::vector<double>(2, 0.01), step);
        else cuda->trainBatch(net.batch(kMaxBatch), 0.01, step);
        Weights newWeights = cuda->weights();
        state = cuda->optimizerState();
        weights = std::move(newWeights);
        step += way == Way::Batches ? 1 : 2;
      } catch (const Error& error) {
        if (!message) throw;
        *message = error.what();
        cuda.reset();
        device->heal();
      }
    return weights.values;
  }

  /// What the backend predicts; the copy of the weights in bfloat16 comes on top of what a host needs.
  static std::int64_t trainingBytes(const Net& net, int batch) {
    const Analysis analysis = analyse(net.request.network);
    return analysis.trainingBytes(batch, net.request.optimizer.slotsPerWeight()) +
           (net.request.precision == Precision::Bfloat16 ? 2 * analysis.parameters : 0);
  }

  static void compare(Net net, Precision precision, bool hasProducts = true,
                      const std::set<std::string>& types = cuda::kernelTypes()) {
    net.request.precision = precision;
    if (precision == Precision::Bfloat16) putOnGrid(net);
    try {
      runTwins(net, toleranceOf(precision), hasProducts, types);
    } catch (const std::exception& error) {
      QFAIL(error.what());
    }
  }
  static void runTwins(const Net& net, double tolerance, bool hasProducts, const std::set<std::string>& types) {
    Twins pair(net, hasProducts, types);
    const Batch batch = net.batch(kMaxBatch);
    std::vector<float> logits(static_cast<std::size_t>(kMaxBatch * 7)), expected = logits;
    pair.cuda.forward(batch, logits.data());
    pair.reference.forward(batch, expected.data());
    QVERIFY2(relativeError(logits, expected) < tolerance,
             qPrintable(QString("logits differ by %1").arg(relativeError(logits, expected))));
    for (std::uint64_t step = 0; step < 3; ++step) {  // plain, captured, replayed
      if (net.request.precision == Precision::Bfloat16)
        pair.reference.setWeights(net.weights), pair.cuda.setWeights(net.weights);
      const LossResult got = pair.cuda.trainBatch(batch, 0.01, step),
                       wanted = pair.reference.trainBatch(batch, 0.01, step);
      QVERIFY2(std::abs(got.lossSum - wanted.lossSum) < tolerance * wanted.lossSum,
               qPrintable(QString("loss %1, expected %2").arg(got.lossSum).arg(wanted.lossSum)));
      QCOMPARE(got.metrics, wanted.metrics);
      std::vector<float> gradients = pair.reference.gradients();  // also of what is frozen
      eachFrozen(net.request.network, [&](std::size_t offset, std::size_t size) {
        std::fill_n(gradients.begin() + static_cast<std::ptrdiff_t>(offset), size, 0.0f);
      });
      const double error = relativeError(pair.cuda.gradients(), gradients);
      QVERIFY2(error < tolerance, qPrintable(QString("gradients differ by %1 at step %2").arg(error).arg(step)));
    }
    QVERIFY(relativeError(pair.cuda.weights().values, pair.reference.weights().values) < tolerance);
  }
};

QTEST_GUILESS_MAIN(TestCudaSim)
#include "tst_cuda_sim.moc"
