// SPDX-License-Identifier: GPL-3.0-or-later
// Batches and splits: who is in which, in which order, and that both are pure functions of their seeds.
#include <QTest>
#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>

#include "augmentations.h"
#include "engine/base/error.h"
#include "engine/base/json.h"
#include "engine/data/batches.h"
#include "engine/run/project.h"

using namespace strata;

class TestBatches : public QObject {
  Q_OBJECT

  // Sample i is the two pixels {i, 200 - i}, labelled i % 10.
  Samples m_samples;
  static constexpr int kCount = 23;

  static std::vector<int> all() {
    std::vector<int> indices(kCount);
    std::iota(indices.begin(), indices.end(), 0);
    return indices;
  }
  Batches make(std::vector<int> indices, Preprocessing preprocessing = {}) const {
    return {m_samples, std::move(indices), Shape::image(1, 2, 1), preprocessing, 5};
  }
  std::vector<int> orderOf(Batches& batches) const {
    std::vector<int> order;
    for (int b = 0; b < batches.count(); ++b) {
      const Batch batch = batches.at(b);
      for (int i = 0; i < batch.size; ++i) order.push_back(batch.bytes[2 * i]);
    }
    return order;
  }

 private slots:
  void initTestCase();
  void fileOrderIsNotCopied();
  void shuffleIsAPureFunctionOfSeedAndEpoch();
  void standardisesFloats();
  void standardisesBytes();
  void refusesBadStandardisations();
  void numbersNameTheSamples();
  void labelsStayWithTheirSamples();
  void preprocessingMeansTheSame_data();
  void preprocessingMeansTheSame();
  void augmentationMovesPixels();
  void rotationKeepsTheCentreAndTheInk();
  void augmentationIsAPureFunctionOfSeedEpochAndSample();
  void everyAugmentationActs_data();
  void everyAugmentationActs();
  void mirrorsAndCutsWhatTheyShould();
  void augmentationComesBackFromJson();
  void splitHoldsOutAndKeepsOrder();
  void testSetValidates();
  void impossibleSplitsAreRefused();
  void preprocessingComesBackFromJson();
};

void TestBatches::initTestCase() {
  m_samples.count = kCount;
  for (int i = 0; i < kCount; ++i) {
    m_samples.pixels.push_back(static_cast<std::uint8_t>(i));
    m_samples.pixels.push_back(static_cast<std::uint8_t>(200 - i));
    m_samples.labels.push_back(i % 10);
  }
}

void TestBatches::fileOrderIsNotCopied() {
  Batches batches = make(all());
  batches.startEpoch(0, false, 1);
  QCOMPARE(batches.count(), 5);
  for (int b = 0; b < 5; ++b) {
    const Batch batch = batches.at(b);
    QCOMPARE(batch.size, b < 4 ? 5 : 3);
    QCOMPARE(batch.bytes, m_samples.pixels.data() + 10 * b);
    QCOMPARE(batch.labels, m_samples.labels.data() + 5 * b);
  }
}

void TestBatches::shuffleIsAPureFunctionOfSeedAndEpoch() {
  Batches batches = make(all()), other = make(all());
  batches.startEpoch(0, true, 1);
  const std::vector<int> epoch0 = orderOf(batches);
  batches.startEpoch(1, true, 1);
  const std::vector<int> epoch1 = orderOf(batches);
  other.startEpoch(1, true, 1);  // without epoch 0 before it
  QCOMPARE(orderOf(other), epoch1);
  other.startEpoch(1, true, 2);
  QVERIFY(orderOf(other) != epoch1);
  QVERIFY(epoch0 != epoch1);
  std::vector<int> sorted = epoch0;
  std::sort(sorted.begin(), sorted.end());
  QCOMPARE(sorted, all());
  batches.startEpoch(2, false, 1);
  QCOMPARE(orderOf(batches), all());
}

void TestBatches::numbersNameTheSamples() {
  Batches batches = make(all());
  batches.startEpoch(2, true, 9);
  const std::vector<int> order = orderOf(batches);
  const auto named = [&](int index, int count) {
    const std::span<const int> numbers = batches.numbers(index, count);
    return std::vector<int>(numbers.begin(), numbers.end());
  };
  QCOMPARE(named(0, 5), order);
  QCOMPARE(named(1, 1), std::vector<int>(order.begin() + 5, order.begin() + 10));
  QCOMPARE(named(3, 8), std::vector<int>(order.begin() + 15, order.end()));  // no more than there are
  QVERIFY(named(2, 0).empty());
}

void TestBatches::labelsStayWithTheirSamples() {
  Batches batches = make({20, 3, 4, 5, 11, 0});
  batches.startEpoch(0, false, 1);
  QCOMPARE(batches.count(), 2);
  const Batch batch = batches.at(0);
  const int expected[] = {20, 3, 4, 5, 11};
  for (int i = 0; i < 5; ++i) {
    QCOMPARE(int(batch.bytes[2 * i]), expected[i]);
    QCOMPARE(int(batch.bytes[2 * i + 1]), 200 - expected[i]);
    QCOMPARE(batch.labels[i], expected[i] % 10);
  }
}

void TestBatches::preprocessingMeansTheSame_data() {
  QTest::addColumn<bool>("invert");
  QTest::newRow("as it is") << false;
  QTest::newRow("inverted") << true;
}

void TestBatches::preprocessingMeansTheSame() {
  QFETCH(const bool, invert);
  Batches batches = make(all(), {0.5, -3, invert});
  batches.startEpoch(0, false, 1);
  const Batch batch = batches.at(1);
  for (int i = 0; i < 10; ++i) {
    const int byte = m_samples.pixels[static_cast<std::size_t>(10 + i)];
    QCOMPARE(static_cast<float>(batch.bytes[i]) * batch.scale + batch.offset,
             static_cast<float>(invert ? 255 - byte : byte) * 0.5f - 3);
  }
}

// Every drawn shift is one of the nine, the picture is moved whole, and what comes in is the ground.
void TestBatches::augmentationMovesPixels() {
  const Shape shape = Shape::image(4, 5, 2);
  std::vector<std::uint8_t> from(40), to(40);
  std::iota(from.begin(), from.end(), std::uint8_t{1});
  std::set<std::pair<int, int>> seen;
  for (std::uint32_t index = 0; index < 100; ++index) {
    Augmenter(moving(1, 0), shape, 99)({1, 0, index}, from.data(), to.data());
    const auto moved = [&](int dy, int dx) {
      for (int y = 0; y < 4; ++y)
        for (int x = 0; x < 5; ++x)
          for (int c = 0; c < 2; ++c) {
            const bool inside = y - dy >= 0 && y - dy < 4 && x - dx >= 0 && x - dx < 5;
            const int expected = inside ? from[static_cast<std::size_t>(((y - dy) * 5 + x - dx) * 2 + c)] : 99;
            if (to[static_cast<std::size_t>((y * 5 + x) * 2 + c)] != expected) return false;
          }
      return true;
    };
    int matches = 0;
    for (int dy = -1; dy <= 1; ++dy)
      for (int dx = -1; dx <= 1; ++dx)
        if (moved(dy, dx)) ++matches, seen.insert({dy, dx});
    QCOMPARE(matches, 1);
  }
  QCOMPARE(seen.size(), 9u);
  // A shift past the edge leaves ground.
  Augmenter(moving(64, 0), Shape::image(1, 1, 1), 99)({1, 0, 0}, from.data(), to.data());
  QVERIFY(to[0] == 99 || to[0] == 1);
}

// A square turned by any angle: the centre stays, the sum of its ink hardly changes, the corners stay ground.
void TestBatches::rotationKeepsTheCentreAndTheInk() {
  const Shape shape = Shape::image(9, 9, 1);
  std::vector<std::uint8_t> from(81), to(81);
  for (int y = 2; y < 7; ++y)
    for (int x = 2; x < 7; ++x) from[static_cast<std::size_t>(9 * y + x)] = 200;
  for (std::uint32_t index = 0; index < 50; ++index) {
    Augmenter(moving(0, 180), shape, 0)({1, 0, index}, from.data(), to.data());
    QCOMPARE(int(to[40]), 200);
    const int ink = std::accumulate(to.begin(), to.end(), 0);
    QVERIFY2(std::abs(ink - 5000) < 250, qPrintable(QString::number(ink)));
    QCOMPARE(int(to[0]), 0);
  }
}

void TestBatches::augmentationIsAPureFunctionOfSeedEpochAndSample() {
  const auto pixelsOf = [&](int batchSize, int epoch, std::uint64_t seed) {
    Batches batches(m_samples, all(), Shape::image(1, 2, 1), {}, batchSize, moving(1, 10));
    batches.startEpoch(epoch, false, seed);
    std::vector<std::uint8_t> pixels;
    for (int b = 0; b < batches.count(); ++b) {
      const Batch batch = batches.at(b);
      pixels.insert(pixels.end(), batch.bytes, batch.bytes + 2 * batch.size);
      for (int i = 0; i < batch.size; ++i)
        if (batch.labels[i] != (b * batchSize + i) % 10) return std::vector<std::uint8_t>{};
    }
    return pixels;
  };
  const std::vector<std::uint8_t> pixels = pixelsOf(5, 3, 1);
  QCOMPARE(pixels.size(), 2u * kCount);
  QVERIFY(pixels != m_samples.pixels);
  QCOMPARE(pixelsOf(7, 3, 1), pixels);
  QVERIFY(pixelsOf(5, 4, 1) != pixels);
  QVERIFY(pixelsOf(5, 3, 2) != pixels);
}

void TestBatches::everyAugmentationActs_data() {
  QTest::addColumn<int>("row");
  for (std::size_t row = 0; row < augmentationFields().size(); ++row)
    QTest::newRow(augmentationFields()[row].id.c_str()) << int(row);
}

// Each row by itself: it changes samples, the same way when asked again, otherwise in another epoch or for another
// sample, and its largest amount is possible on pictures of any size.
void TestBatches::everyAugmentationActs() {
  QFETCH(const int, row);
  const Field& field = augmentationFields()[std::size_t(row)];
  Augmentation strong;
  QVERIFY(!strong.any());
  // Some of the picture is to be left.
  if (field.kind == Field::Kind::Int) strong.fields.set(field.id, std::int64_t{3});
  else if (field.kind == Field::Kind::Choice) strong.fields.set(field.id, field.choices.back().id);
  else strong.fields.set(field.id, field.high);
  QVERIFY(strong.any());
  QCOMPARE(strong.onlyShiftsAndTurns(), field.id == "shift" || field.id == "rotate");

  const auto changed = [&](const Shape& shape, const AugmentDraw& draw) {
    std::vector<std::uint8_t> from(std::size_t(shape.size())), to(from.size(), 77);
    for (std::size_t i = 0; i < from.size(); ++i) from[i] = std::uint8_t(i * 37 % 251);
    Augmenter(strong, shape, 5)(draw, from.data(), to.data());
    return to;
  };
  const Shape shape = Shape::image(6, 9, 3);
  std::set<std::vector<std::uint8_t>> versions;
  for (std::uint32_t sample = 0; sample < 20; ++sample) versions.insert(changed(shape, {1, 0, sample}));
  QVERIFY(versions.size() > 1);
  QCOMPARE(changed(shape, {1, 4, 3}), changed(shape, {1, 4, 3}));
  std::set<std::vector<std::uint8_t>> epochs;
  for (std::uint64_t epoch = 0; epoch < 20; ++epoch) epochs.insert(changed(shape, {1, epoch, 0}));
  QVERIFY(epochs.size() > 1);
  if (field.kind == Field::Kind::Int) strong.fields.set(field.id, static_cast<std::int64_t>(field.high));
  for (const Shape& small : {Shape::image(1, 1, 1), Shape::image(1, 5, 1), Shape::image(7, 1, 2)})
    QCOMPARE(std::int64_t(changed(small, {1, 0, 0}).size()), small.size());
}

void TestBatches::mirrorsAndCutsWhatTheyShould() {
  const Shape shape = Shape::image(2, 3, 2);
  std::vector<std::uint8_t> from(12), to(12), mirrored{4, 5, 2, 3, 0, 1, 10, 11, 8, 9, 6, 7};
  std::iota(from.begin(), from.end(), std::uint8_t{0});
  Augmentation flip;
  flip.fields.set("flip", std::string("alternating"));
  const Augmenter flipper(flip, shape, 0);
  for (std::uint32_t sample = 0; sample < 30; ++sample) {
    flipper({1, 0, sample}, from.data(), to.data());
    QVERIFY(to == from || to == mirrored);
    const std::vector<std::uint8_t> other = to == from ? mirrored : from;
    flipper({1, 1, sample}, from.data(), to.data());
    QCOMPARE(to, other);
  }
  Augmentation cut;
  cut.fields.set("cutout", std::int64_t{3});
  const Shape large = Shape::image(20, 20, 1);
  const std::vector<std::uint8_t> white(400, 255);
  std::vector<std::uint8_t> rest(400);
  const Augmenter cutter(cut, large, 9);
  for (std::uint32_t sample = 0; sample < 30; ++sample) {
    cutter({1, 0, sample}, white.data(), rest.data());
    const auto blank = std::count(rest.begin(), rest.end(), 9);
    QVERIFY(blank == 9 || blank == 6 || blank == 4);  // less at an edge and in a corner
    QCOMPARE(std::count(rest.begin(), rest.end(), 255), 400 - blank);
  }
}

void TestBatches::augmentationComesBackFromJson() {
  const Augmentation augmentation = moving(2, 7.5);
  QCOMPARE(augmentationFromJson(parseJson(augmentationToJson(augmentation).dump(), "test"), "test"), augmentation);
  QVERIFY_THROWS_EXCEPTION(Error, augmentationFromJson(Json{{"shift", -1}}, "test"));
  Project project;
  project.data.augmentation = augmentation;
  QCOMPARE(projectFromJson(projectToJson(project), "test"), project);
  applySetting(project, "data.augmentation.shift=3");
  QCOMPARE(project.data.augmentation.fields.integer("shift"), 3);
}

static std::shared_ptr<const Dataset> dataset(int train, int test) {
  auto made = std::make_shared<Dataset>();
  made->title = "Made up";
  made->train.count = train;
  made->test.count = test;
  return made;
}

void TestBatches::splitHoldsOutAndKeepsOrder() {
  const DataView view = makeDataView(dataset(1000, 0), ValidationSource::Split, 0.1, 1);
  QCOMPARE(view.validation.size(), 100u);
  QCOMPARE(view.train.size(), 900u);
  QVERIFY(std::is_sorted(view.train.begin(), view.train.end()) &&
          std::is_sorted(view.validation.begin(), view.validation.end()));
  std::set<int> together(view.train.begin(), view.train.end());
  together.insert(view.validation.begin(), view.validation.end());
  QCOMPARE(together.size(), 1000u);
  QCOMPARE(&view.validationSamples(), &view.dataset->train);
  QCOMPARE(makeDataView(dataset(1000, 0), ValidationSource::Split, 0.1, 1).validation, view.validation);
  QVERIFY(makeDataView(dataset(1000, 0), ValidationSource::Split, 0.1, 2).validation != view.validation);
}

void TestBatches::testSetValidates() {
  const DataView view = makeDataView(dataset(10, 4), ValidationSource::TestSet, 0.1, 1);
  QCOMPARE(view.train.size(), 10u);
  QCOMPARE(view.validation, (std::vector<int>{0, 1, 2, 3}));
  QCOMPARE(&view.validationSamples(), &view.dataset->test);
}

void TestBatches::impossibleSplitsAreRefused() {
  QVERIFY_THROWS_EXCEPTION(Error, makeDataView(dataset(10, 0), ValidationSource::TestSet, 0.1, 1));
  QVERIFY_THROWS_EXCEPTION(Error, makeDataView(dataset(1, 0), ValidationSource::Split, 0.1, 1));
  QVERIFY_THROWS_EXCEPTION(Error, makeDataView(dataset(10, 0), ValidationSource::Split, 0, 1));
  QVERIFY_THROWS_EXCEPTION(Error, makeDataView(dataset(10, 0), ValidationSource::Split, std::nan(""), 1));
  QCOMPARE(makeDataView(dataset(2, 0), ValidationSource::Split, 0.01, 1).validation.size(), 1u);
}

void TestBatches::preprocessingComesBackFromJson() {
  const Preprocessing preprocessing{1.0 / 128, -1, true};
  QCOMPARE(preprocessingFromJson(parseJson(preprocessingToJson(preprocessing).dump(), "test"), "test"), preprocessing);
  QVERIFY_THROWS_EXCEPTION(Error, preprocessingFromJson(Json{{"scael", 1}}, "test"));
}

// Floats are used as they are, by columns standardised as the training samples are.
void TestBatches::standardisesFloats() {
  auto made = std::make_shared<Dataset>();
  made->shape = Shape::vector(2);
  made->classes = {"a", "b"};
  made->train.count = 5;
  made->train.floats = {1, 7, 3, 7, 5, 7, 100, 9, 1, 7};
  made->train.labels = {0, 1, 0, 1, 0};
  DataView view{made, {0, 1, 2, 4}, {3}};
  const Preprocessing measured = resolved(Preprocessing(), view);
  QCOMPARE(measured.mean, (std::vector<double>{2.5, 7}));
  QCOMPARE(measured.deviation, (std::vector<double>{std::sqrt(2.75), 1}));  // what never changes has the deviation 1
  QVERIFY(resolved(measured, view) == measured);
  const Json json = preprocessingToJson(measured);
  QVERIFY(preprocessingFromJson(json, "file") == measured);
  QVERIFY(!preprocessingToJson(Preprocessing()).contains("mean"));

  Batches batches(made->train, {0, 1, 2, 3, 4}, made->shape, measured, 2);
  QVERIFY(!batches.areBytes());
  for (const bool shuffle : {false, true}) {
    batches.startEpoch(3, shuffle, 11);
    for (int b = 0; b < batches.count(); ++b) {
      const std::vector<int> numbers(batches.numbers(b).begin(), batches.numbers(b).end());
      const Batch batch = batches.at(b);
      QVERIFY(!batch.bytes && batch.floats && batch.size == int(numbers.size()));
      for (int i = 0; i < batch.size; ++i) {
        const auto at = static_cast<std::size_t>(numbers[std::size_t(i)]);
        QCOMPARE(batch.labels[i], made->train.labels[at]);
        QCOMPARE(batch.floats[2 * i], float((made->train.floats[2 * at] - 2.5) / std::sqrt(2.75)));
        QCOMPARE(batch.floats[2 * i + 1], made->train.floats[2 * at + 1] - 7);
      }
    }
  }
  Preprocessing wide = measured;
  wide.mean = wide.deviation = {1, 2, 3};
  QVERIFY_THROWS_EXCEPTION(Error, Batches(made->train, {0}, made->shape, wide, 1));
}

// Bytes become floats only where a standardisation was asked for.
void TestBatches::standardisesBytes() {
  Preprocessing preprocessing;
  QVERIFY(Batches(m_samples, {1, 2, 5}, Shape::image(1, 2, 1), preprocessing, 3).areBytes());
  preprocessing.mean = {0.25};
  preprocessing.deviation = {2};
  Batches batches(m_samples, {1, 2, 5}, Shape::image(1, 2, 1), preprocessing, 3);
  batches.startEpoch(0, false, 0);
  const Batch batch = batches.at(0);
  QVERIFY(!batch.bytes && batch.floats);
  const auto value = [](int byte) { return float((double(float(byte) * float(1.0 / 255)) - 0.25) / 2); };
  QCOMPARE(std::vector<float>(batch.floats, batch.floats + 6),
           (std::vector<float>{value(1), value(199), value(2), value(198), value(5), value(195)}));
}

void TestBatches::refusesBadStandardisations() {
  const auto refused = [](const char* text) {
    try {
      preprocessingFromJson(parseJson(text, "file"), "file");
    } catch (const Error& error) {
      return QString(error.what());
    }
    return QString();
  };
  QVERIFY(refused(R"({"mean": [1]})").contains("needs as many deviations as means"));
  QVERIFY(refused(R"({"mean": [1, 2], "deviation": [1]})").contains("as many deviations"));
  QVERIFY(!refused(R"({"mean": [1], "deviation": [0]})").isEmpty());
  QVERIFY(!refused(R"({"mean": [1], "deviation": [-1]})").isEmpty());
  QVERIFY(!refused(R"({"mean": ["x"], "deviation": [1]})").isEmpty());
  QVERIFY(!refused(R"({"mean": [], "deviation": []})").isEmpty());
  QVERIFY(!refused(R"({"mean": {"a": 1}, "deviation": {"b": 1}})").isEmpty());
  QVERIFY(refused(R"({"mean": [1], "deviation": [1]})").isEmpty());
}

QTEST_GUILESS_MAIN(TestBatches)
#include "tst_batches.moc"
