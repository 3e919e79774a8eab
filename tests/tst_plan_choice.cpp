// SPDX-License-Identifier: GPL-3.0-or-later
// Which plan the CUDA backend runs for a shape: what is timed, kept and believed on the next start. Times are given,
// none is measured here.
#include <QTemporaryDir>
#include <QtTest>
#include <filesystem>
#include <set>

#include "cuda_sim/sim_device.h"
#include "engine/backend/cuda/cuda_network.h"
#ifdef STRATA_CUDNN_FRONTEND
#include "engine/backend/cuda/cudnn_graphs.h"
#include "engine/backend/cuda/plan_table.h"
#endif
#include "engine/base/json.h"

using namespace strata;
using namespace strata::cuda;

class TestPlanChoice : public QObject {
  Q_OBJECT
 private:
  const PlanSource m_gpu{"NVIDIA Test/1", "13000", "cuDNN 9.19.0 cuBLASLt 130100"};
  const std::vector<std::string> m_names{"eng1_k2=0", "eng7_k2=3", "eng4", "eng9", "eng12", "eng30"};
  QTemporaryDir m_folder;
  Path m_cache;
  int m_timed = 0;

  /// The plan that `choice` takes when they need so long; infinity cannot be built, NaN cannot be tried.
  std::string chosen(PlanChoice& choice, std::vector<double> seconds, Precision precision = Precision::Tf32,
                     const std::string& shape = "forward 1x2x3x4") {
    m_timed = 0;
    const auto index = choice.choose(
        precision, shape, {m_names.begin(), m_names.begin() + std::ssize(seconds)},
        [&](std::size_t i) { return !std::isinf(seconds[i]); },
        [&](std::size_t i) {
          ++m_timed;
          if (std::isnan(seconds[i])) throw Error(Error::Kind::Device, "test", "the device is out of memory");
          return seconds[i];
        });
    return index ? m_names[*index] : "none";
  }
  PlanChoice started(const PlanSource& source) const { return {m_cache, source}; }
  /// The first words of the plans that were kept: of what kinds the shapes are.
  static std::set<std::string> kindsOf(const Json& plans) {
    std::set<std::string> kinds;
    for (const auto& plan : plans.items()) kinds.insert(plan.key().substr(0, plan.key().find(' ')));
    return kinds;
  }
  Path file() const {
    for (const auto& entry : std::filesystem::directory_iterator(m_cache)) return entry.path();
    return {};
  }

 private slots:
  void init() {
    m_timed = 0;
    m_cache = Path(m_folder.path().toStdString()) / "cache" / "strata";
    std::filesystem::remove_all(m_cache);
  }

  void fastestWins_data() {
    QTest::addColumn<QList<double>>("seconds");
    QTest::addColumn<QString>("chosen");
    QTest::addColumn<int>("timed");
    const double absent = INFINITY, refused = NAN;
    QTest::newRow("the second") << QList<double>{3, 1, 2} << "eng7_k2=3" << 3;
    QTest::newRow("of equals the heuristics' first") << QList<double>{2, 1, 1} << "eng7_k2=3" << 3;
    QTest::newRow("of the first four") << QList<double>{5, 4, 3, 2, 1} << "eng9" << 4;
    QTest::newRow("of the first four that can be built") << QList<double>{absent, 5, absent, 4, 3, 2} << "eng30" << 4;
    QTest::newRow("of those that can be tried") << QList<double>{refused, 2, refused} << "eng7_k2=3" << 3;
    QTest::newRow("none can be tried: the heuristics' first")
        << QList<double>{absent, refused, refused} << "eng7_k2=3" << 2;
    QTest::newRow("none can be built") << QList<double>{absent, absent} << "none" << 0;
    QTest::newRow("none is offered") << QList<double>{} << "none" << 0;
  }
  void fastestWins() {
    QFETCH(QList<double>, seconds);
    QFETCH(QString, chosen);
    QFETCH(int, timed);
    const std::vector<double> given(seconds.begin(), seconds.end());
    PlanChoice choice = started(m_gpu);
    QCOMPARE(this->chosen(choice, given), chosen.toStdString());
    QCOMPARE(m_timed, timed);
    PlanChoice again = started(m_gpu);
    QCOMPARE(this->chosen(again, given), chosen.toStdString());
    QCOMPARE(m_timed, 0);
  }

  // A second start believes the file, whatever would be measured now; each shape and precision has its own line.
  void keptOnDisk() {
    PlanChoice choice = started(m_gpu);
    QCOMPARE(chosen(choice, {3, 1, 2}), "eng7_k2=3");
    QCOMPARE(chosen(choice, {1, 2, 3}), "eng7_k2=3");
    QCOMPARE(m_timed, 0);
    QCOMPARE(chosen(choice, {1, 2, 3}, Precision::Bfloat16), "eng1_k2=0");
    QCOMPARE(chosen(choice, {3, 2, 1}, Precision::Tf32, "product 1x2x3"), "eng4");
    QCOMPARE(m_timed, 3);
    PlanChoice again = started(m_gpu);
    QCOMPARE(chosen(again, {1, 2, 3}), "eng7_k2=3");
    QCOMPARE(chosen(again, {3, 2, 1}, Precision::Bfloat16), "eng1_k2=0");
    QCOMPARE(chosen(again, {1, 2, 3}, Precision::Tf32, "product 1x2x3"), "eng4");
    QCOMPARE(m_timed, 0);
    const Json plans = parseJson(readFile(file(), 1 << 20), "kept").at("plans");
    QCOMPARE(plans.size(), 3u);
    QCOMPARE(plans.at("forward 1x2x3x4, TF32").get<std::string>(), "eng7_k2=3");
  }

  // What the library no longer offers, or can no longer build, is timed anew; and what another process has kept
  // meanwhile stays.
  void renewed() {
    PlanChoice choice = started(m_gpu), other = started(m_gpu);
    QCOMPARE(chosen(choice, {3, 2, 1}), "eng4");
    QCOMPARE(chosen(other, {1, 2}, Precision::Tf32, "another shape"), "eng1_k2=0");
    QCOMPARE(chosen(choice, {3, 2}), "eng7_k2=3");
    QCOMPARE(m_timed, 2);
    QCOMPARE(chosen(choice, {3, INFINITY, 4}), "eng1_k2=0");
    QCOMPARE(m_timed, 2);
    PlanChoice again = started(m_gpu);
    QCOMPARE(chosen(again, {2, 1}, Precision::Tf32, "another shape"), "eng1_k2=0");
    QCOMPARE(chosen(again, {2, 1}), "eng1_k2=0");
    QCOMPARE(m_timed, 0);
  }

  void otherSource_data() {
    QTest::addColumn<QString>("device");
    QTest::addColumn<QString>("driver");
    QTest::addColumn<QString>("library");
    QTest::newRow("another driver") << "NVIDIA Test/1"
                                    << "13010"
                                    << "cuDNN 9.19.0 cuBLASLt 130100";
    QTest::newRow("another cuDNN") << "NVIDIA Test/1"
                                   << "13000"
                                   << "cuDNN 9.20.0 cuBLASLt 130100";
    QTest::newRow("another device") << "NVIDIA Test/2"
                                    << "13000"
                                    << "cuDNN 9.19.0 cuBLASLt 130100";
    QTest::newRow("another device that has the same file") << "NVIDIA Test 1"
                                                           << "13000"
                                                           << "cuDNN 9.19.0 cuBLASLt 130100";
  }
  void otherSource() {
    QFETCH(QString, device);
    QFETCH(QString, driver);
    QFETCH(QString, library);
    PlanChoice choice = started(m_gpu);
    QCOMPARE(chosen(choice, {3, 1, 2}), "eng7_k2=3");
    PlanChoice other = started({device.toStdString(), driver.toStdString(), library.toStdString()});
    QCOMPARE(chosen(other, {3, 2, 1}), "eng4");
    QCOMPARE(m_timed, 3);
  }

  void brokenFile_data() {
    QTest::addColumn<QByteArray>("bytes");
    QTest::newRow("empty") << QByteArray();
    QTest::newRow("cut short") << QByteArray("{\"source\": {\"version\": 1, \"dev");
    QTest::newRow("not JSON") << QByteArray("\x80\x02}q\x00", 5);
    QTest::newRow("another JSON") << QByteArray("[1, 2, 3]");
    QTest::newRow("no plans") << QByteArray("{\"source\": {}}");
    QTest::newRow("plans that are no names") << QByteArray("{\"plans\": {\"forward 1x2x3x4, TF32\": [1]}}");
    QTest::newRow("larger than any") << QByteArray(5 << 20, ' ');
  }
  void brokenFile() {
    QFETCH(QByteArray, bytes);
    PlanChoice choice = started(m_gpu);
    QCOMPARE(chosen(choice, {3, 1, 2}), "eng7_k2=3");
    const Path path = file();
    if (bytes.startsWith("{\"plans")) {  // of the right source
      Json spoiled = parseJson(readFile(path, 1 << 20), "kept");
      spoiled.update(Json::parse(bytes.toStdString()));
      bytes = QByteArray::fromStdString(spoiled.dump());
    }
    durableReplace(path, bytes.toStdString());
    PlanChoice again = started(m_gpu);
    QCOMPARE(chosen(again, {3, 2, 1}), "eng4");
    QCOMPARE(m_timed, 3);
    PlanChoice third = started(m_gpu);
    QCOMPARE(chosen(third, {3, 2, 1}), "eng4");
    QCOMPARE(m_timed, 0);
  }

  // What cannot be kept must not decide: the next start could measure otherwise. What was kept before still holds.
  void notWritable() {
    std::filesystem::create_directories(m_cache.parent_path());
    durableReplace(m_cache, "a file where the folder should be");
    PlanChoice choice = started(m_gpu);
    QCOMPARE(chosen(choice, {3, 1, 2}), "eng1_k2=0");
    QCOMPARE(chosen(choice, {3, 1, 2}, Precision::Tf32, "another shape"), "eng1_k2=0");
    QCOMPARE(m_timed, 0);

    std::filesystem::remove(m_cache);
    PlanChoice writable = started(m_gpu);
    QCOMPARE(chosen(writable, {3, 1, 2}), "eng7_k2=3");
    PlanChoice known = started(m_gpu);
    std::filesystem::remove_all(m_cache);
    durableReplace(m_cache, "a file where the folder should be");
    QCOMPARE(chosen(known, {3, 1, 2}, Precision::Tf32, "another shape"), "eng1_k2=0");
    QCOMPARE(chosen(known, {1, 2, 3}), "eng7_k2=3");
    std::filesystem::remove(m_cache);
  }

  // In float32 and in the deterministic mode nothing is timed and no file is made.
  void heuristicsAlone() {
    PlanChoice choice = started(m_gpu), deterministic;
    QCOMPARE(chosen(choice, {3, 1, 2}, Precision::Float32), "eng1_k2=0");
    QCOMPARE(m_timed, 0);
    QCOMPARE(chosen(deterministic, {INFINITY, 3, 1}), "eng7_k2=3");
    QCOMPARE(m_timed, 0);
    QVERIFY(!std::filesystem::exists(m_cache));
  }

  // cuDNN's own candidates on a GPU that is only described, with given times: the fastest is built, and on the next
  // start by its kept name.
  void cudnnCandidates() {
#ifdef STRATA_CUDNN_FRONTEND
    if (const std::string problem = loadCudnn(); !problem.empty()) QSKIP(problem.c_str());
    ConvGraph graph;  // the lesson's second convolution
    graph.precision = Precision::Tf32;
    graph.n = 128, graph.h = graph.w = 12, graph.c = 24, graph.p = graph.q = 8, graph.k = 48, graph.r = graph.s = 5;
    graph.bias = graph.relu = true;
    const std::string h200 = describedGpus().at(4).description;
    PlanChoice heuristics, choice = started(m_gpu);
    const PlanOutcome plain = planOnDescribed(graph, h200, heuristics, {});
    const PlanOutcome fastest = planOnDescribed(
        graph, h200, choice, [&](std::size_t i) { return ++m_timed, 1.0 / static_cast<double>(i + 1); });
    QCOMPARE(m_timed, PlanChoice::kCandidates);
    QVERIFY(plain.problem.empty() && fastest.problem.empty());
    const std::string name = parseJson(readFile(file(), 1 << 20), "kept").at("plans").at(graph.text() + ", TF32");
    qInfo("heuristics: %s; fastest by the times given: %s (%s)", plain.engine.c_str(), fastest.engine.c_str(),
          name.c_str());
    QVERIFY(name.starts_with(fastest.engine + "_"));
    PlanChoice again = started(m_gpu);
    const PlanOutcome rebuilt =
        planOnDescribed(graph, h200, again, [&](std::size_t i) { return ++m_timed, static_cast<double>(i); });
    QCOMPARE(m_timed, PlanChoice::kCandidates);
    QCOMPARE(rebuilt.engine, fastest.engine);
    QCOMPARE(rebuilt.workspaceBytes, fastest.workspaceBytes);
#else
    QSKIP("cuDNN was not found when this was built");
#endif
  }

  // The whole backend on the simulated device: each shape that is planned is timed once, on memory of its own of the
  // right size, and never on the next start. Dense layers' products are always planned, convolutions where cuDNN is.
  void wholeNet() {
    CompileRequest request;
    request.network.input = Shape::image(8, 8, 1);
    request.network.classes = 7;
    const auto add = [&](const char* type, const Json& values) {
      const std::string name = type + std::to_string(request.network.layers.size());
      request.network.layers.push_back({type, name, fieldsFromJson(findLayer(type)->fields, values, name, {})});
    };
    add("conv2d", {{"filters", 4}, {"activation", "relu"}});
    add("conv2d", {{"filters", 5}, {"activation", "relu"}});
    add("conv2d", {{"filters", 3}, {"use_bias", false}});
    add("flatten", Json::object());
    add("dense", {{"units", 6}, {"activation", "relu"}});
    add("dense", {{"units", 7}});
    request.optimizer.type = "sgd";
    for (const ChoiceDef& def : allOptimizers())
      if (def.type == "sgd") request.optimizer.fields = Fields(def.fields);
    request.maxBatch = 3;
    const std::vector<std::uint8_t> pixels(static_cast<std::size_t>(3 * request.network.input.size()), 100);
    const std::vector<std::int32_t> labels{1, 6, 0};
    Batch batch;
    batch.size = 3;
    batch.bytes = pixels.data();
    batch.labels = labels.data();
    for (const bool first : {true, false}) {
      PlanChoice choice = started(m_gpu);
      const auto device = std::make_shared<SimDevice>();
      device->choice = &choice;
      device->planSeconds = first ? std::vector<double>{3, 1, 2} : std::vector<double>{1, 2, 3};
      std::size_t live = 0;
      {
        CudaNetwork net(device, request);
        net.setWeights(initialWeights(request.network, 3));
        QVERIFY(std::isfinite(net.trainBatch(batch, 0.01, 0).lossSum));
        const Json kept = parseJson(readFile(file(), 1 << 20), "kept").at("plans");
        const int shapes = static_cast<int>(kept.size());
        QCOMPARE(shapes, device->counts.plans);
        QCOMPARE(kindsOf(kept),
                 SimDevice::hasConvolutions()
                     ? (std::set<std::string>{"data", "forward", "forward+bias+relu", "product", "weight"})
                     : std::set<std::string>{"product"});
        QCOMPARE(device->counts.timings, first ? 3 * shapes : 0);
        live = device->liveBytes();
        net.trainBatch(batch, 0.01, 1);
        QCOMPARE(device->liveBytes(), live);
        QCOMPARE(device->counts.timings, first ? 3 * shapes : 0);
        if (SimDevice::hasConvolutions())
          QVERIFY2(net.explain().find("candidate 1") != std::string::npos, net.explain().c_str());
      }
      QCOMPARE(device->liveBytes(), 0u);
    }
  }
};

QTEST_APPLESS_MAIN(TestPlanChoice)
#include "tst_plan_choice.moc"
