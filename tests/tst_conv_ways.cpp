// SPDX-License-Identifier: GPL-3.0-or-later
// Each of the cpu backend's ways to compute a convolution, driven alone beside plain loops: over shapes, shares of
// zeros, and every instruction set that runs here. Which way the pass would have chosen does not matter.
#include <QTest>

#include "conv_cases.h"

using namespace strata;
using namespace strata::test;

namespace {

/// The first value that is not what the loops found, in words; empty where there is none.
QString difference(const char* what, std::size_t size, const std::function<double(std::size_t)>& got,
                   const Doubles& expected) {
  for (std::size_t i = 0; i < size; ++i)
    if (!(std::abs(got(i) - expected[i]) <= 2e-6 * std::max(1.0, std::abs(expected[i]))))
      return QString("%1 [%2]: %3, expected %4").arg(what).arg(i).arg(got(i)).arg(expected[i]);
  return {};
}

std::unique_ptr<ConvForward> makeForward(const Driven& driven) {
  const ConvContext& context = driven.context;
  switch (driven.way) {
    case Way::Lists:
      return std::make_unique<ForwardByLists>(context, driven.weights);
    case Way::Columns:
      return std::make_unique<ForwardByColumns>(context, driven.weights);
    case Way::Bands:
      return std::make_unique<ForwardByBands>(context, driven.weights);
    case Way::Planes:
      return std::make_unique<ForwardByPlanes>(context, driven.weights, driven.places);
    case Way::Windows:
      return std::make_unique<ForwardByWindows>(context, driven.weights, driven.places);
    default:
      return std::make_unique<ForwardByBlocks>(context, driven.weights);
  }
}

/// Runs a sample forward. Leaves y and the record.
ForwardResult runForward(ConvForward& way, Driven& driven, int n) {
  ForwardSample sample{driven.sample(n), driven.out(n), driven.record.codes(n), driven.record.pixels(n, 0), {}};
  if (auto* sparse = dynamic_cast<SparseForward*>(&way)) sample.inputs = sparse->look(sample.x, 0);
  return way.forward(sample, 0);
}

std::unique_ptr<ConvWeightGradient> makeWeightGradient(const Driven& driven) {
  const ConvContext& context = driven.context;
  switch (driven.way) {
    case Way::Planes:
      return std::make_unique<WeightGradientByPlanes>(context, driven.places, kTile);
    case Way::Blocks:
      return std::make_unique<WeightGradientByBlocks>(context);
    case Way::Patches:
      return std::make_unique<WeightGradientByPatches>(context);
    case Way::Inputs:
      return std::make_unique<WeightGradientByInputs>(context);
    default:
      return std::make_unique<WeightGradientByLists>(context, kTile);
  }
}

/// As the pass does: the gradient goes to where live inputs will meet it. False where they are too many.
bool fillRoom(WeightGradientByInputs& way, const Driven& driven, GradientSample& sample) {
  if (!way.look(sample.x, 0)) return false;
  const Frame room = way.room(0);
  const int pixel = driven.context.shape.kWidth(driven.context.lanes()), k = driven.site.k;
  for (int i = 0; i < driven.context.outputPixels(); ++i)
    std::copy_n(sample.dy.data + i / driven.site.outW * sample.dy.rowStride + i % driven.site.outW * k, k,
                room.data + i / driven.site.outW * room.rowStride + i % driven.site.outW * pixel);
  sample.dy = room;
  return true;
}

}  // namespace

class TestConvWays : public QObject {
  Q_OBJECT
 private slots:
  void forward_data() {
    addRows(
        [](Way way, const ConvShape& g, const Live&, const Kernels& kernels) { return forwardSuits(way, g, kernels); });
  }
  void forward();
  void background_data();
  void background();
  void weightGradient_data() {
    addRows([](Way way, const ConvShape& g, const Live& live, const Kernels&) {
      return weightGradientSuits(way, g, live);
    });
  }
  void weightGradient();
  void inputGradient_data() {
    addRows(
        [](Way way, const ConvShape& g, const Live& live, const Kernels&) { return inputGradientSuits(way, g, live); });
  }
  void inputGradient();
  void everyWayIsDriven();
  void weightsAndSlotsComeBack();
  void updateOfPackedRows();
  void liveOutputs();
  void liveInputs();

 private:
  Driven fetched() const {
    QFETCH(int, site);
    QFETCH(int, way);
    QFETCH(int, live);
    QFETCH(int, isa);
    return Driven(site, way, live, isa);
  }
};

void TestConvWays::forward() {
  Driven driven = fetched();
  const ConvShape& g = driven.context.shape;
  LiveOutputs outputs(driven.context);
  outputs.choose(driven.weights, -1, 1);
  const std::unique_ptr<ConvForward> way = makeForward(driven);
  way->prepare({outputs.channels(), nullptr});
  QVERIFY(!way->how().empty());
  for (int n = 0; n < kSamples; ++n) {
    const ForwardResult result = runForward(*way, driven, n);
    QCOMPARE(result.probe, 0.f);
    QVERIFY(result.inputs.live <= result.inputs.of);
    const Frame y = driven.out(n);
    const auto got = [&](std::size_t i) {
      const std::size_t row = driven.plain.yAt(1, 0, 0);
      return double(y.data[i / row * std::size_t(y.rowStride) + i % row]);
    };
    const Doubles& expected = driven.expected[std::size_t(n)];
    const QString error = difference("y", expected.size(), got, expected);
    QVERIFY2(error.isEmpty(), qPrintable(error));
    for (std::size_t i = 0; driven.context.window() > 1 && i < expected.size(); ++i) {
      const int place = driven.placeOf(n, int(i) / g.k, int(i) % g.k);
      if (!(g.relu() && expected[i] <= 0) && place >= 0) QCOMPARE(place, driven.largest[std::size_t(n)][i]);
    }
  }
  // The frame is another pass's padding.
  double frame = 0;
  for (std::size_t i = 0; i < driven.y.size(); ++i) frame += std::abs(driven.y[i]);
  for (int n = 0; n < kSamples; ++n)
    for (int i = 0; i < g.outH * g.outW * g.k; ++i)
      frame -= std::abs(driven.out(n).data[i / (g.outW * g.k) * driven.out(n).rowStride + i % (g.outW * g.k)]);
  QVERIFY(std::abs(frame) < 1e-6);
}

void TestConvWays::background_data() {
  addRows([](Way way, const ConvShape& g, const Live&, const Kernels&) {
    return way == Way::Columns && g.columns && g.columnRows > 1;
  });
}

// What all pixels hold is taken off the lists and put into the bias.
void TestConvWays::background() {
  Driven driven = fetched();
  const ConvShape& g = driven.context.shape;
  std::vector<float> background(std::size_t(g.c));
  for (std::size_t c = 0; c < background.size(); c += 2) background[c] = float(1 + c % 4) / 4;
  ForwardByColumns way(driven.context, driven.weights);
  way.prepare({{}, background.data()});
  for (int n = 0; n < kSamples; ++n) {
    std::int64_t unlike = 0;
    for (std::size_t i = 0; i < driven.plain.xSize(); ++i) {
      float& value = driven.sample(n)[i];
      if (value == 0) value = background[i % background.size()];
      unlike += value != background[i % background.size()];
    }
    std::vector<int> places;
    const Doubles expected = driven.plain.forward(driven.sample(n), places);
    QCOMPARE(runForward(way, driven, n).inputs.live, unlike);
    const Frame y = driven.out(n);
    const std::size_t row = driven.plain.yAt(1, 0, 0);
    const QString error = difference(
        "y", expected.size(),
        [&](std::size_t i) { return double(y.data[i / row * std::size_t(y.rowStride) + i % row]); }, expected);
    QVERIFY2(error.isEmpty(), qPrintable(error));
  }
}

void TestConvWays::weightGradient() {
  Driven driven = fetched();
  const ConvShape& g = driven.context.shape;
  const std::unique_ptr<ConvWeightGradient> way = makeWeightGradient(driven);
  LiveOutputs outputs(driven.context);
  outputs.choose(driven.weights, -1, 1);
  const std::unique_ptr<ConvForward> forward = makeForward(driven);
  forward->prepare({outputs.channels(), nullptr});
  const ConvGradient sum = driven.weights.gradient(1);
  driven.weights.clearGradient(1, g.c);
  Doubles kernel(driven.plain.kernel.size()), bias(std::size_t(g.k));
  std::vector<float> dz, sums;
  for (int n = 0; n < kSamples; ++n) {
    driven.fillY(n);
    if (g.planes) runForward(*forward, driven, n);
    else driven.fillRecord(n);
    dz = driven.madeGradient(n, sums);
    GradientSample sample = driven.gradientSample(n, dz, sums);
    if (auto* byInputs = dynamic_cast<WeightGradientByInputs*>(way.get())) QVERIFY(fillRoom(*byInputs, driven, sample));
    const LiveCount multiplied = way->add(sample, sum, 0);
    QVERIFY(multiplied.live <= multiplied.of);
    if (n % kTile == kTile - 1 || n == kSamples - 1) way->finishTile(g, sum, 0);
    driven.plain.addWeightGradient(driven.sample(n), dz.data(), driven.expected[std::size_t(n)],
                                   driven.largest[std::size_t(n)], kernel, bias);
  }
  way->finishPart(g, sum, 0);
  const auto got = [&](std::size_t i) {
    const std::size_t k = i % std::size_t(g.k), tap = i / std::size_t(g.k), taps = std::size_t(g.s * g.c);
    return double(
        sum.weights[(tap / taps * std::size_t(g.k) + k) * std::size_t(driven.context.rowSize()) + tap % taps]);
  };
  QString error = difference("kernel", kernel.size(), got, kernel);
  QVERIFY2(error.isEmpty(), qPrintable(error));
  error = difference(
      "bias", bias.size(), [&](std::size_t k) { return double(sum.bias[k]); }, bias);
  QVERIFY2(error.isEmpty(), qPrintable(error));
}

void TestConvWays::inputGradient() {
  Driven driven = fetched();
  std::unique_ptr<ConvInputGradient> way;
  if (driven.way == Way::Blocks) way = std::make_unique<InputGradientByBlocks>(driven.context);
  else way = std::make_unique<InputGradientByLists>(driven.context);
  Array<float> dx(driven.plain.xSize() + 31);
  std::vector<float> sums;
  for (int n = 0; n < kSamples; ++n) {
    driven.fillY(n);
    driven.fillRecord(n);
    const std::vector<float> dz = driven.madeGradient(n, sums);
    std::fill_n(dx.data(), driven.plain.xSize(), 5.f);  // what was there before counts for nothing
    way->write(driven.gradientSample(n, dz, sums), driven.weights.rows(), dx.data(), 0);
    const Doubles expected =
        driven.plain.inputGradient(dz.data(), driven.expected[std::size_t(n)], driven.largest[std::size_t(n)]);
    const QString error = difference(
        "dx", expected.size(), [&](std::size_t i) { return double(dx[i]); }, expected);
    QVERIFY2(error.isEmpty(), qPrintable(error));
  }
}

// A change of the plan must not leave a way without rows.
void TestConvWays::everyWayIsDriven() {
  for (const Isa isa : isasHere()) {
    const Kernels& kernels = kernelsFor(isa);
    for (int i = 0; i < int(std::size(kWayNames)); ++i) {
      const Way way{i};
      bool driven = way == Way::Windows && kernels.windowsBelow == 0;
      for (const Case& site : kSites) {
        const ConvShape g = plannedShape(site, way, kernels);
        driven |= forwardSuits(way, g, kernels) || weightGradientSuits(way, g, kLive[2]);
      }
      QVERIFY2(driven, kWayNames[i]);
    }
  }
}

void TestConvWays::weightsAndSlotsComeBack() {
  for (const Isa isa : isasHere())
    for (const Case& site : kSites) {
      const Kernels& kernels = kernelsFor(isa);
      const ConvContext context{kernels, plannedShape(site, Way::Blocks, kernels)};
      ConvWeights weights(context, {true, true, false, 2});
      std::vector<float> canonical(std::size_t(site.r * site.s * site.c + 1) * std::size_t(site.k)), got;
      for (int pass = 0; pass < 3; ++pass) {
        std::iota(canonical.begin(), canonical.end(), float(pass));
        if (pass == 0) weights.set(canonical.data());
        else weights.setState(pass - 1, canonical.data());
      }
      for (int pass = 0; pass < 3; ++pass) {
        std::iota(canonical.begin(), canonical.end(), float(pass));
        got.assign(canonical.size(), -1);
        if (pass == 0) weights.get(got.data());
        else weights.getState(pass - 1, got.data());
        QCOMPARE(got, canonical);
      }
      QCOMPARE(weights.taps(site.r - 1, site.k - 1)[site.s * site.c - 1], float(site.r * site.s * site.c * site.k - 1));
      QCOMPARE(weights.panels()[0], 0.f);
      QCOMPARE(weights.bias()[site.k - 1], float(canonical.size() - 1));
    }
}

// A gradient of some channels only reaches their weights alone; the forms that kernels read follow.
void TestConvWays::updateOfPackedRows() {
  for (const Isa isa : isasHere()) {
    const Kernels& kernels = kernelsFor(isa);
    const Case site{"", 5, 9, 2, 3};
    const ConvContext context{kernels, plannedShape(site, Way::Blocks, kernels)};
    ConvWeights weights(context, {true, true, true, 0});
    const std::size_t kernelSize = std::size_t(site.r * site.s * site.c * site.k);
    std::vector<float> canonical(kernelSize + std::size_t(site.k), 1.f);
    weights.set(canonical.data());
    const std::uint32_t live[2] = {0b1010};
    const PackedChannels packed{live, 2};
    for (const int part : {0, 1}) {
      weights.clearGradient(part, packed.count);
      const std::int64_t rowSize =
          std::int64_t{(site.s * packed.count + context.lanes() - 1) / context.lanes()} * context.lanes();
      std::fill_n(weights.gradient(part).weights, site.r * site.k * rowSize, part ? 2.f : 1.f);
      std::fill_n(weights.gradient(part).bias, site.k, 4.f);
    }
    UpdateRule rule;
    rule.rate = 0.5f;
    for (int row = 0; row < site.r; ++row) QVERIFY(weights.addParts(row, 2, packed.count));
    weights.addBiasParts(2);
    for (int row = 0; row < site.r; ++row) QCOMPARE(weights.update(row, packed, 0, rule), 0.f);
    QCOMPARE(weights.updateBias(rule), 0.f);
    weights.get(canonical.data());
    for (std::size_t i = 0; i < kernelSize; ++i) {
      const std::size_t channel = i / std::size_t(site.k) % std::size_t(site.c);
      QCOMPARE(canonical[i], channel == 1 || channel == 3 ? -0.5f : 1.f);
    }
    QCOMPARE(canonical[kernelSize], -3.f);
    for (int c = 0; c < site.c; ++c)
      QCOMPARE(weights.panels()[c * context.panelWidth()], c == 1 || c == 3 ? -0.5f : 1.f);
  }
}

// A channel is dead where no input within the bounds lifts its largest sum above zero.
void TestConvWays::liveOutputs() {
  for (const Isa isa : isasHere()) {
    const Kernels& kernels = kernelsFor(isa);
    ConvContext context{kernels, plannedShape({"", 1, 6, 2, 2}, Way::Planes, kernels)};
    std::vector<float> canonical(std::size_t(4 * 6), 0.5f);
    canonical.insert(canonical.end(), {0.f, -1.5f, -2.5f, -1e6f, 3.f, -2.1f});
    const auto numbers = [&](float least, float most) {
      ConvWeights weights(context, {true, false, false, 0});
      weights.set(canonical.data());
      LiveOutputs outputs(context);
      outputs.choose(weights, least, most);
      const OutputChannels found = outputs.channels();
      return std::vector<int>(found.numbers, found.numbers + found.count);
    };
    const std::vector<int> all{0, 1, 2, 3, 4, 5};
    QCOMPARE(numbers(0, 1), (std::vector<int>{0, 1, 4}));
    QCOMPARE(numbers(0, 2), (std::vector<int>{0, 1, 2, 4, 5}));
    QCOMPARE(numbers(-1, HUGE_VALF), all);
    context.shape.activation = Activation::Linear;
    QCOMPARE(numbers(0, 1), all);
  }
}

// Dead input channels are left out where that shortens a row of the weights enough, and come back as zeros.
void TestConvWays::liveInputs() {
  for (const Isa isa : isasHere()) {
    const Kernels& kernels = kernelsFor(isa);
    const ConvContext context{kernels, plannedShape({"", 40, 5, 3, 3}, Way::Blocks, kernels), 2};
    ConvWeights weights(context, {true, true, true, 0});
    Rng rng(7, Stream::Test, 9);
    const PlainConv plain(context.shape, rng);
    std::vector<float> canonical = plain.kernel;
    canonical.insert(canonical.end(), plain.bias.begin(), plain.bias.end());
    weights.set(canonical.data());
    Array<float> x(plain.xSize() + 31), back(plain.xSize() + 31);
    for (std::size_t i = 0; i < plain.xSize(); ++i) x[i] = i % 40 % 4 == 1 ? float(i) : 0;  // 10 of 40 channels
    LiveInputs inputs(context, std::int64_t(plain.xSize()) + 31, 2);
    inputs.clear();
    inputs.mark(x.data(), 1);
    const ConvShape shape = inputs.choose(weights);
    QVERIFY(inputs.packed());
    QCOMPARE(shape.c, 10);
    QVERIFY(inputs.has(37) && !inputs.has(38));
    inputs.pack(x.data(), 1, 0);
    QCOMPARE(inputs.sample(1, 0)[11], x[40 + 5]);
    QCOMPARE(inputs.rows()[10 + 3], weights.taps(0, 0)[40 + 13]);
    std::copy_n(inputs.sample(1, 0), std::size_t(context.inputPixels()) * 10, inputs.gradient(0));
    inputs.unpackGradient(0, back.data());
    for (std::size_t i = 0; i < plain.xSize(); ++i) QCOMPARE(back[i], x[i]);
    for (std::size_t i = 0; i < plain.xSize(); ++i) x[i] = 1;
    inputs.clear();
    inputs.mark(x.data(), 0);
    QCOMPARE(inputs.choose(weights).c, 40);
    QVERIFY(!inputs.packed() && !inputs.channels().live);
  }
}

QTEST_GUILESS_MAIN(TestConvWays)
#include "tst_conv_ways.moc"
