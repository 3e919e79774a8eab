// SPDX-License-Identifier: GPL-3.0-or-later
// Why CUDA cannot be used, sentence by sentence, and that asking on this machine gives an answer.
#include <QtTest>

#include "engine/backend/cuda/cuda_loader.h"

using namespace strata;

namespace {
CudaFacts good() {
  CudaFacts facts;
  facts.driverVersion = 13000;
  facts.devices = 1;
  facts.deviceName = "NVIDIA H200";
  facts.computeCapability = 90;
  return facts;
}
}  // namespace

class TestCudaLoader : public QObject {
  Q_OBJECT
 private slots:
  void reasons_data() {
    QTest::addColumn<int>("fault");
    QTest::addColumn<QString>("part");
    QTest::newRow("nothing missing") << 0 << "";
    QTest::newRow("no driver") << 1 << "no NVIDIA driver (libcuda.so.1";
    QTest::newRow("driver too old") << 2 << "knows CUDA 12.4 and CUDA 13.0 is needed. Install driver 580";
    QTest::newRow("no device") << 3 << "finds no GPU";
    QTest::newRow("device too old") << 4 << "Tesla P100 is too old, it has compute capability 6.0 and 7.5 is needed";
    QTest::newRow("no module") << 5 << "no CUDA module";
    QTest::newRow("no cuDNN") << 6 << "cuDNN 9 was not found";
  }
  void reasons() {
    QFETCH(int, fault);
    QFETCH(QString, part);
    CudaFacts facts = good();
    if (fault == 1) facts.driverProblem = "this machine has no NVIDIA driver (libcuda.so.1 was not found)";
    if (fault == 2) facts.driverVersion = 12040;
    if (fault == 3) facts.devices = 0;
    if (fault == 4) facts.deviceName = "Tesla P100", facts.computeCapability = 60;
    if (fault == 5) facts.moduleProblem = "this build has no CUDA module";
    if (fault == 6) facts.libraryProblem = "cuDNN 9 was not found.";
    const QString reason = QString::fromStdString(cudaReason(facts));
    QCOMPARE(reason.isEmpty(), fault == 0);
    QVERIFY2(reason.contains(part), qPrintable(reason));
    if (fault != 0) QVERIFY(reason.endsWith('.'));
  }

  // On whatever machine this runs: either a backend can be made, or there is a sentence.
  void thisMachine() {
    const BackendDef def = cudaBackendDef();
    QCOMPARE(def.id, std::string("cuda"));
    const std::string reason = def.unavailableReason();
    qInfo("%s", reason.empty() ? "CUDA is available" : reason.c_str());
    QVERIFY(reason.empty() || reason.starts_with("CUDA: "));
    QCOMPARE(def.unavailableReason(), reason);
  }
};

QTEST_GUILESS_MAIN(TestCudaLoader)
#include "tst_cuda_loader.moc"
