// SPDX-License-Identifier: GPL-3.0-or-later
// The cpu backend's fused passes against the reference ops in double precision: loss and the gradient of every weight,
// over a generated table of stacks, on every instruction set that runs here.
#include <QTest>

#include "engine/backend/reference/network.h"
#include "engine/base/error.h"
#include "engine/base/json.h"
#include "reference_chain.h"

using namespace strata;
using namespace strata::test;

class TestCpuKernels : public QObject {
  Q_OBJECT
 private slots:
  void gradients_data();
  void gradients();
  void fewChannelsBeforePadding_data();
  void fewChannelsBeforePadding();
  void emptyPixels_data();
  void emptyPixels();
  void placesInWindows_data();
  void placesInWindows();
  void groupsOfKernelRows_data();
  void groupsOfKernelRows();
  void bandsOfRows_data();
  void bandsOfRows();
  void panelsOfDenseLayers_data();
  void panelsOfDenseLayers();
  void deadChannels_data();
  void deadChannels();
  void optimizersAgreeWithTheReference_data();
  void optimizersAgreeWithTheReference();
  void clippingAgreesWithTheReference_data();
  void clippingAgreesWithTheReference();
  void lossesAgreeWithTheReference_data();
  void lossesAgreeWithTheReference();
  void weightsAndStateComeBack();
  void zeroTimesInfinityIsSeen();
  void unknownIsaIsNamed();
  void cleanup() { qunsetenv("STRATA_ISA"); }
};

namespace {

constexpr int kCases = 320;

CompileRequest requestFor(const NetworkSpec& spec, int maxBatch = 40) {
  CompileRequest request;
  request.network = spec;
  request.maxBatch = maxBatch;
  return request;
}

/// The gradient of a step, told from the weights before and after it at a rate so high that their own size does not
/// matter.
std::vector<double> gradientsOf(CompiledNetwork& net, const Weights& weights, const Batch& batch, double& lossSum) {
  constexpr double kRate = 1 << 20;
  net.setWeights(weights);
  lossSum = net.trainBatch(batch, kRate, 0).lossSum;
  const Weights after = net.weights();
  std::vector<double> gradients(after.values.size());
  for (std::size_t i = 0; i < gradients.size(); ++i)
    gradients[i] = (double(weights.values[i]) - double(after.values[i])) / kRate;
  return gradients;
}

/// The loss and every gradient of a batch beside those in double precision.
void compareGradients(const NetworkSpec& spec, CompiledNetwork& net, const Weights& weights, const MadeBatch& made) {
  double lossSum = 0;
  const ChainResult expected = runChain(spec, weights, made.batch);
  const std::vector<double> got = gradientsOf(net, weights, made.batch, lossSum);
  QVERIFY2(std::abs(lossSum - expected.lossSum) <= 1e-5 * std::abs(expected.lossSum) + 1e-6,
           qPrintable(QString("loss %1, expected %2").arg(lossSum).arg(expected.lossSum)));
  for (const TensorPlace& place : weights.places) {
    double largest = 0, error = 0;
    for (std::int64_t i = place.offset; i < place.offset + place.size; ++i) {
      largest = std::max(largest, std::abs(expected.gradients[std::size_t(i)]));
      error = std::max(error, std::abs(got[std::size_t(i)] - expected.gradients[std::size_t(i)]));
    }
    constexpr double kRounding = 3e-8;  // of single terms as large as 1, which may cancel
    QVERIFY2(error <= 1e-5 * largest + kRounding,
             qPrintable(QString("%1: error %2, largest gradient %3\n%4")
                            .arg(QString::fromStdString(place.name))
                            .arg(error)
                            .arg(largest)
                            .arg(QString::fromStdString(networkToJson(spec).dump()))));
  }
}

/// The same on the cpu backend, whose buffers have room for more samples.
void compareGradients(const NetworkSpec& spec, const Weights& weights, const MadeBatch& made) {
  compareGradients(spec, *createBackend("cpu", 2)->compile(requestFor(spec)), weights, made);
}

/// The same of a drawn batch.
void compareGradients(const NetworkSpec& spec, Rng& rng) {
  QVERIFY2(analyse(spec).ok(), networkToJson(spec).dump().c_str());
  const Weights weights = coarseWeights(spec, rng);
  const MadeBatch made(spec, 1 + int(rng.below(37)), Inputs(rng.below(8) ? rng.below(4) : 2), rng);
  const auto backend = createBackend("cpu", 2);
  compareGradients(spec, *backend->compile(requestFor(spec, made.batch.size)), weights, made);
}

}  // namespace

void TestCpuKernels::gradients_data() {
  QTest::addColumn<int>("number");
  QTest::addColumn<QByteArray>("isa");
  for (int number = 0; number < kCases; ++number)
    for (const Isa isa : isasHere())
      if (isa != Isa::Plain || number % 4 == 0)
        QTest::addRow("%d %s", number, isaName(isa)) << number << QByteArray(isaName(isa));
}

void TestCpuKernels::gradients() {
  QFETCH(int, number);
  QFETCH(QByteArray, isa);
  qputenv("STRATA_ISA", isa);
  Rng rng(7, Stream::Test, std::uint64_t(number));
  const NetworkSpec spec = madeStack(rng);
  compareGradients(spec, rng);
}

// Unpooled pixels of few channels are stored two at a time, past their end; the frame behind them must stay zero.
void TestCpuKernels::fewChannelsBeforePadding_data() {
  QTest::addColumn<int>("filters");
  QTest::addColumn<QByteArray>("isa");
  for (const int filters : {1, 2, 4, 8})
    for (const Isa isa : isasHere())
      QTest::addRow("%d %s", filters, isaName(isa)) << filters << QByteArray(isaName(isa));
}

void TestCpuKernels::fewChannelsBeforePadding() {
  QFETCH(int, filters);
  QFETCH(QByteArray, isa);
  qputenv("STRATA_ISA", isa);
  const NetworkSpec spec{
      Shape::image(10, 10, 1),
      3,
      {layer("conv2d", "conv1",
             {{"filters", filters}, {"kernel_size", 3}, {"padding", "same"}, {"activation", "tanh"}}),
       layer("conv2d", "conv2", {{"filters", 5}, {"kernel_size", 3}, {"padding", "same"}, {"activation", "relu"}}),
       layer("flatten", "flatten"), layer("dense", "dense1", {{"units", 3}})}};
  Rng rng(7, Stream::Test, std::uint64_t(filters));
  compareGradients(spec, rng);
}

// Pixels of a single channel that meet zeros alone are passed over one by one or by vectors, forward and backward. They
// still count for the bias, and what they become is taken off what a second convolution lists.
void TestCpuKernels::emptyPixels_data() {
  QTest::addColumn<QByteArray>("conv");
  QTest::addColumn<QByteArray>("second");
  QTest::addColumn<QByteArray>("pool");
  QTest::addColumn<QByteArray>("isa");
  for (const char* conv :
       {R"({"filters": 6, "kernel_size": 5, "padding": "same", "activation": "tanh"})",
        R"({"filters": 40, "kernel_size": 7, "padding": "same", "strides": 2, "activation": "relu"})",
        R"({"filters": 33, "kernel_size": [3, 9], "activation": "sigmoid"})",
        R"({"filters": 3, "kernel_size": 1, "activation": "linear"})"})
    for (const char* pool : {"", "max_pool2d", "avg_pool2d"})
      for (const Isa isa : isasHere())
        QTest::addRow("%s %s %s", conv, pool, isaName(isa))
            << QByteArray(conv) << QByteArray() << QByteArray(pool) << QByteArray(isaName(isa));
  const char* conv = R"({"filters": 11, "kernel_size": 3, "activation": "relu"})";
  for (const char* second : {R"({"filters": 20, "kernel_size": 3, "activation": "relu"})",
                             R"({"filters": 50, "kernel_size": [2, 5], "strides": [2, 1], "use_bias": false})",
                             R"({"filters": 9, "kernel_size": 3, "padding": "same"})"})
    for (const char* pool : {"", "max_pool2d", "avg_pool2d"})
      for (const Isa isa : isasHere())
        QTest::addRow("%s %s %s", second, pool, isaName(isa))
            << QByteArray(conv) << QByteArray(second) << QByteArray(pool) << QByteArray(isaName(isa));
}

void TestCpuKernels::emptyPixels() {
  QFETCH(QByteArray, conv);
  QFETCH(QByteArray, second);
  QFETCH(QByteArray, pool);
  QFETCH(QByteArray, isa);
  qputenv("STRATA_ISA", isa);
  NetworkSpec spec{Shape::image(22, 26, 1),
                   3,
                   {layer("conv2d", "conv1", Json::parse(conv.toStdString())), layer("flatten", "flatten"),
                    layer("dense", "dense1", {{"units", 3}})}};
  if (!second.isEmpty())
    spec.layers.insert(spec.layers.begin() + 1, layer("conv2d", "conv2", Json::parse(second.toStdString())));
  if (!pool.isEmpty())
    spec.layers.insert(spec.layers.begin() + 1, layer(pool.toStdString(), "pool", {{"pool_size", 2}}));
  QVERIFY2(analyse(spec).ok(), conv);
  Rng rng(7, Stream::Test, 1);
  const Weights weights = coarseWeights(spec, rng);
  MadeBatch made(spec, 21, Inputs::Sparse, rng);
  for (int n = 0; n < made.batch.size; ++n) {  // a dark frame of its own around each, and one that is dark throughout
    const int top = n == 3 ? 22 : int(rng.below(12)), left = int(rng.below(20)), bottom = int(rng.below(8)),
              right = int(rng.below(9));
    for (int y = 0; y < 22; ++y)
      for (int x = 0; x < 26; ++x)
        if (y < top || y >= 22 - bottom || x < left || x >= 26 - right)
          made.values[std::size_t((n * 22 + y) * 26 + x)] = 0;
  }
  compareGradients(spec, weights, made);
}

// Where the largest of a window lies is kept as one number, and taken apart again.
void TestCpuKernels::placesInWindows_data() {
  QTest::addColumn<int>("height");
  QTest::addColumn<int>("width");
  QTest::addColumn<QByteArray>("isa");
  for (const int height : {1, 2, 4, 12})
    for (const int width : {1, 2, 3, 6, 12})
      for (const Isa isa : isasHere())
        QTest::addRow("%d x %d, %s", height, width, isaName(isa)) << height << width << QByteArray(isaName(isa));
}

void TestCpuKernels::placesInWindows() {
  QFETCH(int, height);
  QFETCH(int, width);
  QFETCH(QByteArray, isa);
  qputenv("STRATA_ISA", isa);
  const NetworkSpec spec{Shape::image(14, 14, 3),
                         3,
                         {layer("conv2d", "conv1", {{"filters", 19}, {"kernel_size", 3}, {"activation", "relu"}}),
                          layer("max_pool2d", "pool1", {{"pool_size", Json::array({height, width})}}),
                          layer("flatten", "flatten"), layer("dense", "dense1", {{"units", 3}})}};
  Rng rng(7, Stream::Test, 2);
  const Weights weights = coarseWeights(spec, rng);
  const MadeBatch made(spec, 20, Inputs::Dense, rng);
  compareGradients(spec, weights, made);
}

// Of wide layers a few kernel rows are worked on at a time, one, or a tap of it: what the first cache holds.
void TestCpuKernels::groupsOfKernelRows_data() {
  QTest::addColumn<int>("channels");
  QTest::addColumn<QByteArray>("kernel");
  QTest::addColumn<QByteArray>("isa");
  for (const int channels : {24, 96})
    for (const char* kernel : {R"("kernel_size": 5)", R"("kernel_size": [4, 3], "strides": [2, 1])",
                               R"("kernel_size": [2, 3], "strides": 2)"})
      for (const Isa isa : isasHere())
        QTest::addRow("%d channels, %s %s", channels, kernel, isaName(isa))
            << channels << QByteArray(kernel) << QByteArray(isaName(isa));
}

void TestCpuKernels::groupsOfKernelRows() {
  QFETCH(int, channels);
  QFETCH(QByteArray, kernel);
  QFETCH(QByteArray, isa);
  qputenv("STRATA_ISA", isa);
  const NetworkSpec spec{
      Shape::image(11, 13, 2),
      3,
      {layer("conv2d", "conv1", {{"filters", channels}, {"kernel_size", 3}, {"activation", "relu"}}),
       layer("conv2d", "conv2", Json::parse(R"({"filters": 40, "activation": "relu", )" + kernel.toStdString() + "}")),
       layer("flatten", "flatten"), layer("dense", "dense1", {{"units", 3}})}};
  Rng rng(7, Stream::Test, std::uint64_t(channels));
  compareGradients(spec, rng);
}

// Of large images a few rows of gradients are worked on at a time: what they reach of the input fits the first cache.
void TestCpuKernels::bandsOfRows_data() {
  QTest::addColumn<QByteArray>("kernel");
  QTest::addColumn<int>("pool");
  QTest::addColumn<QByteArray>("isa");
  for (const char* kernel : {R"("kernel_size": 3)", R"("kernel_size": [2, 4], "strides": [2, 1], "padding": "same")"})
    for (const int pool : {1, 2})
      for (const Isa isa : isasHere())
        QTest::addRow("%s, pool %d, %s", kernel, pool, isaName(isa))
            << QByteArray(kernel) << pool << QByteArray(isaName(isa));
}

void TestCpuKernels::bandsOfRows() {
  QFETCH(QByteArray, kernel);
  QFETCH(int, pool);
  QFETCH(QByteArray, isa);
  qputenv("STRATA_ISA", isa);
  NetworkSpec spec{
      Shape::image(38, 22, 1),
      3,
      {layer("conv2d", "conv1", {{"filters", 64}, {"kernel_size", 3}, {"activation", "relu"}}),
       layer("conv2d", "conv2", Json::parse(R"({"filters": 11, "activation": "relu", )" + kernel.toStdString() + "}")),
       layer("flatten", "flatten"), layer("dense", "dense1", {{"units", 3}})}};
  if (pool > 1) spec.layers.insert(spec.layers.begin() + 2, layer("max_pool2d", "pool", {{"pool_size", pool}}));
  Rng rng(7, Stream::Test, 3);
  Weights weights = coarseWeights(spec, rng);
  // So that lists pay.
  for (const TensorPlace& place : weights.places)
    if (place.name == "conv2.bias") std::fill_n(weights.values.begin() + place.offset, place.size, -0.5f);
  const MadeBatch made(spec, 9, Inputs::Dense, rng);
  compareGradients(spec, weights, made);
}

// The inputs of a wide dense layer are listed by whole panels or by parts of them, as the first cache holds their
// weights.
void TestCpuKernels::panelsOfDenseLayers_data() {
  QTest::addColumn<int>("units");
  QTest::addColumn<int>("deadOfTen");
  QTest::addColumn<QByteArray>("isa");
  for (const int units : {250, 120, 100, 90, 40})
    for (const int deadOfTen : {0, 3, 7})
      for (const Isa isa : isasHere())
        QTest::addRow("%d, %d dead of ten, %s", units, deadOfTen, isaName(isa))
            << units << deadOfTen << QByteArray(isaName(isa));
}

void TestCpuKernels::panelsOfDenseLayers() {
  QFETCH(int, units);
  QFETCH(int, deadOfTen);
  QFETCH(QByteArray, isa);
  qputenv("STRATA_ISA", isa);
  const auto dense = [](const char* name, int width) {
    return layer("dense", name, {{"units", width}, {"activation", "relu"}});
  };
  const NetworkSpec spec{
      Shape::vector(70),
      3,
      {dense("dense1", units), dense("dense2", 128), dense("dense3", units), layer("dense", "dense4", {{"units", 3}})}};
  Rng rng(7, Stream::Test, std::uint64_t(units));
  Weights weights = coarseWeights(spec, rng);
  for (const TensorPlace& place : weights.places)
    for (std::int64_t i = 0; i < place.size; ++i)
      if (place.name.ends_with(".bias") && place.name != "dense4.bias" && int(rng.below(10)) < deadOfTen)
        weights.values[std::size_t(place.offset + i)] = -64;
  const MadeBatch made(spec, 40, Inputs::Dense, rng);
  compareGradients(spec, weights, made);
}

// What ReLU holds at zero in a whole batch is left out of the backward pass, what no input can bring to life of the
// forward pass too. It is another part of the net in every batch.
void TestCpuKernels::deadChannels_data() {
  QTest::addColumn<QByteArray>("second");
  QTest::addColumn<int>("poolAfter");
  QTest::addColumn<int>("filters");
  QTest::addColumn<QByteArray>("isa");
  for (const char* second :
       {R"({"filters": 20, "kernel_size": 5, "activation": "relu"})",
        R"({"filters": 7, "kernel_size": 3, "padding": "same", "activation": "tanh"})",
        R"({"filters": 33, "kernel_size": [3, 2], "strides": 2, "use_bias": false, "activation": "relu"})", ""})
    for (const int poolAfter : {0, 1, 2})
      for (const int filters : {24, 40})
        for (const Isa isa : isasHere())
          if (*second || poolAfter < 2)
            QTest::addRow("%s, pool after %d, %d %s", second, poolAfter, filters, isaName(isa))
                << QByteArray(second) << poolAfter << filters << QByteArray(isaName(isa));
}

void TestCpuKernels::deadChannels() {
  QFETCH(QByteArray, second);
  QFETCH(int, poolAfter);
  QFETCH(int, filters);
  QFETCH(QByteArray, isa);
  qputenv("STRATA_ISA", isa);
  NetworkSpec spec{poolAfter == 1 ? Shape::image(18, 16, 1) : Shape::image(13, 12, 2),
                   3,
                   {layer("conv2d", "conv1", {{"filters", filters}, {"kernel_size", 3}, {"activation", "relu"}}),
                    layer("flatten", "flatten"), layer("dense", "dense1", {{"units", 150}, {"activation", "relu"}}),
                    layer("dense", "dense2", {{"units", 90}, {"activation", poolAfter == 1 ? "tanh" : "relu"}}),
                    layer("dense", "dense3", {{"units", 3}})}};
  if (!second.isEmpty())
    spec.layers.insert(spec.layers.begin() + 1, layer("conv2d", "conv2", Json::parse(second.toStdString())));
  if (poolAfter > 0)
    spec.layers.insert(spec.layers.begin() + poolAfter,
                       layer("max_pool2d", "pool", {{"pool_size", poolAfter == 1 ? Json(2) : Json::array({2, 1})}}));
  QVERIFY2(analyse(spec).ok(), second);
  const auto backend = createBackend("cpu", 2);
  const auto net = backend->compile(requestFor(spec));
  struct Round {
    int deadOfTen, batch;
    Inputs inputs;
    bool bytes;
  };
  for (const auto [deadOfTen, batch, inputs, bytes] :
       {Round{6, 40, Inputs::Dense, true}, Round{3, 9, Inputs::Dense, true}, Round{10, 40, Inputs::Dense, true},
        Round{0, 40, Inputs::Dense, true}, Round{8, 40, Inputs::Sparse, false}, Round{7, 40, Inputs::Sparse, true},
        Round{2, 40, Inputs::Sparse, true}}) {
    Rng rng(7, Stream::Test, std::uint64_t(deadOfTen));
    Weights weights = coarseWeights(spec, rng);
    for (const TensorPlace& place : weights.places)
      for (std::int64_t i = 0; i < place.size; ++i)
        if ((place.name == "conv1.bias" || place.name == "dense1.bias" ||
             (place.name == "conv2.bias" && deadOfTen < 10)) &&
            int(rng.below(10)) < deadOfTen)
          weights.values[std::size_t(place.offset + i)] = -64;
    MadeBatch made(spec, batch, inputs, rng);
    if (bytes) made.storeAsBytes();
    compareGradients(spec, *net, weights, made);
  }
}

void TestCpuKernels::optimizersAgreeWithTheReference_data() {
  QTest::addColumn<QByteArray>("optimizer");
  QTest::addColumn<double>("momentum");
  QTest::addColumn<bool>("nesterov");
  QTest::addColumn<double>("labelSmoothing");
  QTest::addColumn<double>("weightDecay");
  QTest::addRow("sgd") << QByteArray("sgd") << 0.0 << false << 0.1 << 0.0;
  QTest::addRow("sgd, decay") << QByteArray("sgd") << 0.0 << false << 0.0 << 0.1;
  QTest::addRow("momentum") << QByteArray("sgd") << 0.9 << false << 0.0 << 0.0;
  QTest::addRow("nesterov") << QByteArray("sgd") << 0.9 << true << 0.0 << 0.0;
  QTest::addRow("nesterov, decay") << QByteArray("sgd") << 0.9 << true << 0.0 << 0.1;
  QTest::addRow("adam") << QByteArray("adam") << 0.0 << false << 0.1 << 0.0;
  QTest::addRow("adam, decay") << QByteArray("adam") << 0.0 << false << 0.0 << 0.1;
  for (const OptimizerDef& def : allOptimizers())
    QTest::addRow("%s with decay", def.type.c_str()) << QByteArray(def.type.c_str()) << 0.0 << false << 0.0 << 0.1;
  QTest::addRow("rmsprop, momentum") << QByteArray("rmsprop") << 0.9 << false << 0.0 << 0.0;
}

namespace {

NetworkSpec smallNet() {
  return {Shape::image(10, 9, 2),
          5,
          {layer("conv2d", "conv1", {{"filters", 12}, {"activation", "relu"}}), layer("max_pool2d", "pool1"),
           layer("flatten", "flatten"), layer("dense", "dense1", {{"units", 20}, {"activation", "relu"}}),
           layer("dropout", "dropout1"), layer("dense", "dense2", {{"units", 5}})}};
}

/// Eight steps of the test's row, with what is set of the optimizer besides and a mean of the weights.
void trainBesideTheReference(const std::map<std::string, double>& set, const std::string& average) {
  QFETCH(QByteArray, optimizer);
  QFETCH(double, momentum);
  QFETCH(bool, nesterov);
  QFETCH(double, labelSmoothing);
  QFETCH(double, weightDecay);
  CompileRequest request = requestFor(smallNet());
  for (const ChoiceDef& def : allOptimizers())
    if (def.type == optimizer.toStdString()) request.optimizer = {def.type, Fields(def.fields)};
  if (optimizer == "sgd") request.optimizer.fields.set("nesterov", nesterov);
  if (optimizer == "sgd" || optimizer == "rmsprop") request.optimizer.fields.set("momentum", momentum);
  request.loss.fields.set("label_smoothing", labelSmoothing);
  request.optimizer.fields.set("weight_decay", weightDecay);
  for (const auto& [id, value] : set) request.optimizer.fields.set(id, value);
  request.optimizer.average = {average, Fields(findChoice(allAverages(), average)->fields)};
  const double rate = optimizer == "lion" ? 1e-5 : 0.01;  // signs of gradients that are nothing but rounding
  const auto reference = createBackend("reference", 1), cpu = createBackend("cpu", 2);
  const auto expected = reference->compile(request), got = cpu->compile(request);
  const Weights start = initialWeights(request.network, 3);
  expected->setWeights(start);
  got->setWeights(start);
  Rng rng(5, Stream::Test);
  for (std::uint64_t step = 0; step < 8; ++step) {
    const MadeBatch made(request.network, step == 7 ? 9 : 32, Inputs::Sparse, rng);
    const LossResult a = expected->trainBatch(made.batch, rate, step), b = got->trainBatch(made.batch, rate, step);
    QVERIFY2(std::abs(a.lossSum - b.lossSum) < 1e-4 * a.lossSum,
             qPrintable(QString("step %1: %2, expected %3").arg(step).arg(b.lossSum).arg(a.lossSum)));
  }
  const std::vector<float> states[] = {expected->optimizerState(), got->optimizerState()};
  QCOMPARE(states[1].size(), states[0].size());
  for (std::size_t i = 0; i < states[0].size(); ++i) QVERIFY(std::abs(states[0][i] - states[1][i]) < 1e-4);
}

}  // namespace

void TestCpuKernels::optimizersAgreeWithTheReference() { trainBesideTheReference({}, "none"); }

void TestCpuKernels::clippingAgreesWithTheReference_data() { optimizersAgreeWithTheReference_data(); }

// Both ways at once, so tight that all steps are clipped, with a mean of the weights beside.
void TestCpuKernels::clippingAgreesWithTheReference() {
  trainBesideTheReference({{"clip_norm", 0.5}, {"clip_value", 0.05}}, "ema");
}

void TestCpuKernels::lossesAgreeWithTheReference_data() {
  QTest::addColumn<QByteArray>("loss");
  QTest::addColumn<bool>("image");  // the net puts out an image, not a vector
  for (const LossDef& def : allLosses()) QTest::newRow(def.type.c_str()) << QByteArray(def.type.c_str()) << false;
  QTest::addRow("squares of an image") << QByteArray("mean_squared_error") << true;
}

void TestCpuKernels::lossesAgreeWithTheReference() {
  QFETCH(QByteArray, loss);
  QFETCH(bool, image);
  CompileRequest request = requestFor(smallNet());
  request.loss.type = loss.toStdString();
  request.loss.fields = Fields(request.loss.def().fields);
  request.metrics = {"accuracy", "top_5"};
  NetworkSpec& net = request.network;
  if (image)
    net.layers = {layer("conv2d", "conv1", {{"filters", 5}, {"padding", "same"}, {"activation", "tanh"}}),
                  layer("conv2d", "conv2", {{"filters", 2}, {"padding", "same"}})};
  else if (request.loss.def().target == TargetKind::Sample)
    net.layers.back() = layer("dense", "back", {{"units", 180}});
  QVERIFY(analyse(net, request.loss.def().outputRule).ok());
  const auto reference = createBackend("reference", 1), cpu = createBackend("cpu", 2);
  const auto expected = reference->compile(request), got = cpu->compile(request);
  const Weights start = initialWeights(net, 3);
  expected->setWeights(start);
  got->setWeights(start);
  Rng rng(5, Stream::Test);
  for (std::uint64_t step = 0; step < 4; ++step) {
    const MadeBatch made(net, step == 3 ? 9 : 32, Inputs::Sparse, rng);
    const LossResult a = expected->trainBatch(made.batch, 0.05, step), b = got->trainBatch(made.batch, 0.05, step);
    QVERIFY2(std::abs(a.lossSum - b.lossSum) < 1e-4 * a.lossSum,
             qPrintable(QString("step %1: %2, expected %3").arg(step).arg(b.lossSum).arg(a.lossSum)));
    QCOMPARE(b.metrics, a.metrics);
    std::vector<float> outputs(std::size_t(made.batch.size * outputSize(net))), own(outputs.size());
    expected->forward(made.batch, outputs.data());
    got->forward(made.batch, own.data());
    for (std::size_t i = 0; i < own.size(); ++i) QVERIFY(std::abs(own[i] - outputs[i]) < 1e-4);
  }
}

void TestCpuKernels::weightsAndStateComeBack() {
  CompileRequest request = requestFor(smallNet());
  request.optimizer.fields.set("momentum", 0.5);
  const auto cpu = createBackend("cpu", 1);
  const auto net = cpu->compile(request);
  const Weights weights = initialWeights(request.network, 4);
  net->setWeights(weights);
  QVERIFY(net->weights() == weights);
  std::vector<float> state(weights.values.size());
  for (std::size_t i = 0; i < state.size(); ++i) state[i] = float(i);
  net->setOptimizerState(state);
  QVERIFY(net->optimizerState() == state);
}

// A skipped zero must not hide that the weight it would have met is infinite.
void TestCpuKernels::zeroTimesInfinityIsSeen() {
  const CompileRequest request = requestFor(smallNet());
  const auto cpu = createBackend("cpu", 2);
  for (const char* name : {"conv1.kernel", "dense1.kernel", "dense2.kernel"}) {
    Weights weights = initialWeights(request.network, 4);
    for (const TensorPlace& place : weights.places)
      if (place.name == name) weights.values[std::size_t(place.offset)] = std::numeric_limits<float>::infinity();
    const auto net = cpu->compile(request);
    net->setWeights(weights);
    Rng rng(6, Stream::Test);
    const MadeBatch made(request.network, 8, Inputs::Zero, rng);
    QVERIFY2(!std::isfinite(net->trainBatch(made.batch, 0.1, 0).lossSum), name);
    QVERIFY2(net->weights() == weights, name);
    QCOMPARE(net->findNonFinite(made.batch, 0).what, std::string("weights"));
  }
}

void TestCpuKernels::unknownIsaIsNamed() {
  qputenv("STRATA_ISA", "altivec");
  QVERIFY_THROWS_EXCEPTION(Error, createBackend("cpu", 1)->compile(requestFor(smallNet())));
}

QTEST_GUILESS_MAIN(TestCpuKernels)
#include "tst_cpu_kernels.moc"
