// SPDX-License-Identifier: GPL-3.0-or-later
// The cpu backend gives the same bits from run to run and for every number of threads.
#include <QTest>

#include <atomic>
#include <new>

#include "engine/backend/cpu/thread_pool.h"
#include "one_step.h"
#include "reference_chain.h"

using namespace strata;
using namespace strata::test;

class TestCpuDeterminism : public QObject {
  Q_OBJECT
 private slots:
  void sameBits_data();
  void sameBits();
  void sameBitsOfDrawnStacks_data();
  void sameBitsOfDrawnStacks();
  void sameBitsOfEveryLayer_data();
  void sameBitsOfEveryLayer();
  void aTaskThatThrows_data();
  void aTaskThatThrows();
  void cleanup() { qunsetenv("STRATA_ISA"); }
};

namespace {

NetworkSpec convNet() {
  NetworkSpec spec;
  spec.input = Shape::image(14, 14, 1);
  spec.layers = {layer("conv2d", "conv1", {{"filters", 8}, {"kernel_size", 5}, {"activation", "relu"}}),
                 layer("max_pool2d", "pool1"),
                 layer("conv2d", "conv2", {{"filters", 20}, {"padding", "same"}, {"activation", "relu"}}),
                 layer("flatten", "flatten"),
                 layer("dense", "dense1", {{"units", 70}, {"activation", "relu"}}),
                 layer("dropout", "dropout1"),
                 layer("dense", "dense2", {{"units", 10}})};
  return spec;
}

NetworkSpec smoothNet() {
  NetworkSpec spec;
  spec.input = Shape::image(12, 12, 3);
  spec.layers = {layer("conv2d", "conv1", {{"filters", 6}, {"activation", "tanh"}}), layer("avg_pool2d", "pool1"),
                 layer("flatten", "flatten"), layer("dense", "dense1", {{"units", 33}, {"activation", "sigmoid"}}),
                 layer("dense", "dense2", {{"units", 10}})};
  return spec;
}

/// Both ways, each recurrent cell, attention between.
NetworkSpec sequenceNet() {
  NetworkSpec spec;
  spec.input = Shape::image(7, 5, 2);
  LayerSpec both = layer("bidirectional", "bi1");
  both.stacks = {{layer("lstm", "lstm1", {{"units", 19}, {"return_sequences", true}})}};
  spec.layers = {layer("positional_embedding", "position1"),
                 std::move(both),
                 layer("multi_head_attention", "attention1", {{"heads", 3}, {"key_dim", 7}}),
                 layer("simple_rnn", "rnn1", {{"units", 9}, {"return_sequences", true}, {"activation", "relu"}}),
                 layer("gru", "gru1", {{"units", 33}}),
                 layer("dense", "dense1", {{"units", 10}})};
  return spec;
}

Weights trained(const NetworkSpec& spec, const std::string& optimizer, int threads, std::uint64_t steps,
                double clipping = 0) {
  CompileRequest request;
  request.network = spec;
  for (const ChoiceDef& def : allOptimizers())
    if (def.type == optimizer) request.optimizer = {def.type, Fields(def.fields)};
  for (const char* clip : {"clip_norm", "clip_value"}) request.optimizer.fields.set(clip, clipping);
  const auto backend = createBackend("cpu", threads);
  const auto net = backend->compile(request);
  net->setWeights(initialWeights(spec, 1));
  Rng rng(2, Stream::Test);
  for (std::uint64_t step = 0; step < steps; ++step) {
    const MadeBatch made(spec, step + 1 == steps ? 77 : 128, Inputs::Sparse, rng);
    net->trainBatch(made.batch, 0.05, step);
  }
  return net->weights();
}

}  // namespace

void TestCpuDeterminism::sameBits_data() {
  QTest::addColumn<QByteArray>("net");
  QTest::addColumn<QString>("optimizer");
  QTest::addColumn<double>("clipping");
  QTest::addColumn<QByteArray>("isa");
  for (const OptimizerDef& def : allOptimizers())
    QTest::addRow("relu and max pool, %s", def.type.c_str())
        << QByteArray("conv") << QString::fromStdString(def.type) << 0.0 << QByteArray();
  QTest::addRow("tanh and average pool, sgd") << QByteArray("smooth") << "sgd" << 0.0 << QByteArray();
  for (const char* net : {"conv", "smooth"})
    QTest::addRow("%s net, clipped", net) << QByteArray(net) << "sgd" << 0.05 << QByteArray();
  for (const Isa isa : isasHere())
    QTest::addRow("sequences, adam, %s", isaName(isa))
        << QByteArray("sequences") << "adam" << 0.0 << QByteArray(isaName(isa));
}

void TestCpuDeterminism::sameBits() {
  QFETCH(QByteArray, net);
  QFETCH(QString, optimizer);
  QFETCH(double, clipping);
  QFETCH(QByteArray, isa);
  if (!isa.isEmpty()) qputenv("STRATA_ISA", isa);
  const NetworkSpec spec = net == "sequences" ? sequenceNet() : net == "smooth" ? smoothNet() : convNet();
  const Weights once = trained(spec, optimizer.toStdString(), 1, 6, clipping);
  QVERIFY(once != initialWeights(spec, 1));
  for (const int threads : {1, 2, 4})
    for (int run = 0; run < 2; ++run)
      QVERIFY2(trained(spec, optimizer.toStdString(), threads, 6, clipping) == once,
               qPrintable(QString("%1 threads, run %2").arg(threads).arg(run)));
}

void TestCpuDeterminism::sameBitsOfDrawnStacks_data() {
  QTest::addColumn<int>("number");
  QTest::addColumn<QByteArray>("isa");
  for (int number = 0; number < 10; ++number)
    for (const Isa isa : isasHere()) QTest::addRow("%d %s", number, isaName(isa)) << number << QByteArray(isaName(isa));
}

void TestCpuDeterminism::sameBitsOfDrawnStacks() {
  QFETCH(int, number);
  QFETCH(QByteArray, isa);
  qputenv("STRATA_ISA", isa);
  Rng rng(3, Stream::Test, std::uint64_t(number));
  const NetworkSpec spec = madeStack(rng);
  const Weights once = trained(spec, "sgd", 1, 3);
  QVERIFY(once != initialWeights(spec, 1));
  for (const int threads : {2, 4})
    QVERIFY2(
        trained(spec, "sgd", threads, 3) == once,
        qPrintable(QString("%1 threads\n%2").arg(threads).arg(QString::fromStdString(networkToJson(spec).dump()))));
}

void TestCpuDeterminism::sameBitsOfEveryLayer_data() {
  QTest::addColumn<QString>("type");
  QTest::addColumn<int>("number");
  for (const LayerDef& def : allLayers())
    for (int i = 0; i < int(def.examples.size()); ++i)
      QTest::addRow("%s %d", def.type.c_str(), i) << QString::fromStdString(def.type) << i;
}

void TestCpuDeterminism::sameBitsOfEveryLayer() {
  QFETCH(QString, type);
  QFETCH(int, number);
  const LayerDef& def = *findLayer(type.toStdString());
  const NetworkSpec spec = netsAround(def, def.examples[std::size_t(number)])[2];
  const Weights once = trained(spec, "sgd", 1, 2);
  QVERIFY(once != initialWeights(spec, 1));
  for (const int threads : {2, 4})
    QVERIFY2(trained(spec, "sgd", threads, 2) == once, qPrintable(QString("%1 threads").arg(threads)));
}

void TestCpuDeterminism::aTaskThatThrows_data() {
  QTest::addColumn<int>("threads");
  for (const int threads : {1, 2, 5}) QTest::addRow("%d", threads) << threads;
}

// Ops of the reference allocate: what they throw on any thread comes out where the pass was asked for, and the pool
// goes on.
void TestCpuDeterminism::aTaskThatThrows() {
  QFETCH(int, threads);
  ThreadPool pool(threads);
  for (const int failing : {0, 57, 99}) {
    QVERIFY_THROWS_EXCEPTION(std::bad_alloc, pool.run(100, [failing](int task, int) {
      if (task == failing) throw std::bad_alloc();
    }));
    std::atomic<int> done{0};
    pool.run(100, [&done](int, int) { ++done; });
    QCOMPARE(done.load(), 100);
  }
}

QTEST_GUILESS_MAIN(TestCpuDeterminism)
#include "tst_cpu_determinism.moc"
