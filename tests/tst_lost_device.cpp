// SPDX-License-Identifier: GPL-3.0-or-later
// A device that fails while the trainer trains on it, simulated: the run ends in words, its last checkpoint stays, and
// the run goes on from there on the CPU or on the device, when it is whole again.
#include <QtTest>

#include "cuda_sim/sim_device.h"
#include "engine/backend/cuda/cuda_network.h"
#include "engine/run/checkpoint.h"
#include "engine/run/run_folder.h"
#include "test_files.h"
#include "tiny_run.h"

using namespace strata;
using strata::cuda::FaultKind;
using strata::cuda::SimDevice;

namespace {

struct Fault {
  FaultKind kind = FaultKind::Work;
  bool always = false;     ///< the device is lost
  std::uint64_t step = 0;  ///< with the run of steps that holds it, or what comes behind
};

/// The backend's net, on a device that fails at the third call of its kind from a step on.
class FailingNetwork : public cuda::CudaNetwork {
 public:
  FailingNetwork(const std::shared_ptr<SimDevice>& device, const CompileRequest& request, std::optional<Fault> fault)
      : CudaNetwork(device, request), m_device(device), m_fault(fault) {}
  std::vector<LossResult> trainRun(Batches& batches, int first, std::span<const double> rates,
                                   std::uint64_t step) override {
    if (m_fault && step + rates.size() > m_fault->step) {
      m_device->failAt(m_fault->kind, m_fault->kind == FaultKind::Allocation ? 0 : 2, m_fault->always);
      m_fault.reset();
    }
    return CudaNetwork::trainRun(batches, first, rates, step);
  }

 private:
  std::shared_ptr<SimDevice> m_device;
  std::optional<Fault> m_fault;
};

class SimBackend : public Backend {
 public:
  SimBackend(std::shared_ptr<SimDevice> device, std::optional<Fault> fault)
      : m_device(std::move(device)), m_fault(fault) {}
  const std::string& id() const override { return m_id; }
  std::unique_ptr<Op> makeOp(const LayerDef&, const Site&) override { return nullptr; }
  std::unique_ptr<CompiledNetwork> compile(const CompileRequest& request) override {
    return std::make_unique<FailingNetwork>(m_device, request, m_fault);
  }

 private:
  std::string m_id = "cuda";
  std::shared_ptr<SimDevice> m_device;
  std::optional<Fault> m_fault;
};

TrainJob simJob(const Path& folder, const std::shared_ptr<SimDevice>& device, std::optional<Fault> fault = {}) {
  TrainJob job = tinyJob(folder);
  job.makeBackend = [device, fault] { return std::make_unique<SimBackend>(device, fault); };
  return job;
}

Checkpoint lastOf(const Path& folder) { return readCheckpoint(folder / "checkpoints" / "last.safetensors"); }

}  // namespace

class TestLostDevice : public QObject {
  Q_OBJECT
 private slots:
  void endsAndGoesOn_data() {
    QTest::addColumn<FaultKind>("kind");
    QTest::addColumn<bool>("always");
    QTest::addColumn<int>("step");   // of 13 an epoch
    QTest::addColumn<int>("saved");  // the step of the last checkpoint
    QTest::addColumn<QString>("words");
    QTest::newRow("lost at a launch") << FaultKind::Work << true << 20 << 13 << "the device is lost, ";
    QTest::newRow("lost at a copy") << FaultKind::Copy << true << 30 << 26 << "the device is lost, copying ";
    QTest::newRow("lost before the first epoch has ended")
        << FaultKind::Work << true << 5 << 0 << "the device is lost, ";
    QTest::newRow("one launch refused") << FaultKind::Work << false << 20 << 13 << " failed.";
    QTest::newRow("one copy refused") << FaultKind::Copy << false << 20 << 13 << "copying ";
    QTest::newRow("out of memory in validation")
        << FaultKind::Allocation << false << 1 << 0 << "the device is out of memory, allocating ";
  }
  void endsAndGoesOn() {
    QFETCH(FaultKind, kind);
    QFETCH(bool, always);
    QFETCH(int, step);
    QFETCH(int, saved);
    QFETCH(QString, words);
    const ScratchFolder scratch;
    const RunEvents whole = runToEnd(simJob(scratch / "whole", std::make_shared<SimDevice>()));
    QCOMPARE(whole.of<FinishedEvent>().size(), 1u);

    const auto device = std::make_shared<SimDevice>();
    const Path folder = scratch / "failed";
    const RunEvents failed = runToEnd(simJob(folder, device, Fault{kind, always, static_cast<std::uint64_t>(step)}));
    QCOMPARE(failed.of<FinishedEvent>().size(), 0u);
    QCOMPARE(failed.of<FailedEvent>().size(), 1u);
    const FailedEvent event = failed.of<FailedEvent>()[0];
    qInfo("%s", event.message.c_str());
    QCOMPARE(event.kind, Error::Kind::Device);
    QVERIFY(!event.diverged);
    QVERIFY2(event.message.starts_with("Simulated device: ") && event.message.ends_with('.'), event.message.c_str());
    QVERIFY2(QString::fromStdString(event.message).contains(words), event.message.c_str());
    QCOMPARE(event.message.ends_with("The last checkpoint is kept. Resume the run, or train on the CPU."), always);
    QCOMPARE(device->liveBytes(), 0u);

    const RunRecord record = readRun(folder);
    QCOMPARE(record.state, std::string("failed"));
    QCOMPARE(record.reason, event.message);
    QCOMPARE(record.backend, std::string("cuda"));
    QCOMPARE(record.epochs.size(), static_cast<std::size_t>(saved / 13));
    const Checkpoint kept = lastOf(folder);
    QCOMPARE(kept.step, static_cast<std::uint64_t>(saved));
    QVERIFY(findResumePoint(folder).problems.empty());

    if (always) {  // it is still lost: the same again, and nothing of the run is
      TrainJob again = simJob(folder, device);
      again.resumeFrom = folder;
      const RunEvents lost = runToEnd(again);
      QCOMPARE(lost.of<FailedEvent>().size(), 1u);
      QVERIFY2(QString::fromStdString(lost.of<FailedEvent>()[0].message).contains("the device is lost"),
               lost.of<FailedEvent>()[0].message.c_str());
      QVERIFY(lastOf(folder).weights == kept.weights);
    }
    const Path copy = scratch / "healed";
    std::filesystem::copy(folder, copy, std::filesystem::copy_options::recursive);

    TrainJob onCpu = tinyJob(folder);
    onCpu.resumeFrom = folder;
    const RunEvents cpu = runToEnd(onCpu);
    QCOMPARE(cpu.of<FinishedEvent>().size(), 1u);
    QCOMPARE(cpu.of<StartedEvent>()[0].step, static_cast<std::uint64_t>(saved));
    QCOMPARE(readRun(folder).backend, std::string("cpu"));
    QCOMPARE(lastOf(folder).step, 39u);
    const std::vector<EpochRecord> got = readRun(folder).epochs, wanted = readRun(scratch / "whole").epochs;
    QCOMPARE(got.size(), 3u);
    for (std::size_t i = 0; i < 3; ++i) {  // as if nothing had been, but for the rounding of another backend
      QVERIFY2(std::abs(got[i].loss - wanted[i].loss) < 1e-4,
               qPrintable(QString("epoch %1: %2, %3").arg(i + 1).arg(got[i].loss).arg(wanted[i].loss)));
      QVERIFY(std::abs(got[i].valLoss - wanted[i].valLoss) < 1e-4);
    }

    device->heal();
    TrainJob healed = simJob(copy, device);
    healed.resumeFrom = copy;
    QCOMPARE(runToEnd(healed).of<FinishedEvent>().size(), 1u);
    QVERIFY(lastOf(copy).weights == lastOf(scratch / "whole").weights);  // to the bit
    QVERIFY(lastOf(copy).optimizerState == lastOf(scratch / "whole").optimizerState);
  }
};

QTEST_APPLESS_MAIN(TestLostDevice)
#include "tst_lost_device.moc"
