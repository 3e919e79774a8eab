// SPDX-License-Identifier: GPL-3.0-or-later
// strata_cuda.so as the programs meet it: it loads on a machine without a driver, says what is missing, and plans every
// convolution of the layers' examples and the templates on GPUs that are not here. Planned is not run.
#include <dlfcn.h>

#include <QElapsedTimer>
#include <QtTest>
#include <map>
#include <set>

#include "cli_run.h"
#include "engine/backend/backend.h"
#include "engine/backend/cuda/cuda_loader.h"
#include "engine/backend/cuda/module_api.h"
#include "engine/base/error.h"
#include "engine/base/json.h"

using namespace strata;

class TestCudaModule : public QObject {
  Q_OBJECT
 private slots:
  void initTestCase() {
    const QString absent = STRATA_CUDA_ABSENT;
    if (!absent.isEmpty()) QSKIP(qPrintable("The CUDA module is not built: " + absent));
  }

  // Without a driver it loads all the same, and starting it is an Error that names the driver, never a crash.
  void loads() {
    QElapsedTimer timer;
    timer.start();
    void* library = dlopen(STRATA_BINARY_DIR "/bin/strata_cuda.so", RTLD_NOW | RTLD_LOCAL);
    QVERIFY2(library, library ? "" : dlerror());
    const auto entry = reinterpret_cast<CudaModuleEntry>(dlsym(library, kCudaModuleEntry));
    QVERIFY(entry);
    const CudaModule* module = entry();
    QCOMPARE(module->version, kCudaModuleVersion);
    const double loaded = static_cast<double>(timer.nsecsElapsed()) / 1e6;
    const std::string reason = module->unavailableReason();
    const double asked = static_cast<double>(timer.nsecsElapsed()) / 1e6 - loaded;
    qInfo("loaded in %.1f ms; cuDNN and cuBLASLt asked in %.1f ms more: %s", loaded, asked,
          reason.empty() ? "both are here" : reason.c_str());
    QVERIFY(reason.empty() || reason.back() == '.');
    if (const QByteArray cudart = qgetenv("CUDNN_FRONTEND_CUDART_LIB_NAME");
        !cudart.isEmpty()) {  // cuDNN's frontend is told to take CUDA 13
      int version = 0;
      const auto ask =
          reinterpret_cast<int (*)(int*)>(dlsym(dlopen(cudart, RTLD_NOW | RTLD_LOCAL), "cudaRuntimeGetVersion"));
      QVERIFY(ask && ask(&version) == 0);
      qInfo("shared CUDA runtime for cuDNN's frontend: %s, %d", cudart.constData(), version);
      QCOMPARE(version / 1000, 13);
    }
    if (probeCuda().driverProblem.empty()) return;
    try {
      const std::unique_ptr<Backend> backend(module->create());
      QFAIL("a backend was made without a driver");
    } catch (const Error& error) {
      qInfo("%s", error.what());
      if (reason.empty()) QVERIFY(QString(error.what()).contains("driver"));
    }
  }

  // `strata devices` and the studio's menu of devices show what cudaReason() says.
  void says() {
    QElapsedTimer timer;
    timer.start();
    const std::string reason = cudaReason(probeCuda());
    qInfo("asked in %.1f ms: %s", static_cast<double>(timer.nsecsElapsed()) / 1e6,
          reason.empty() ? "CUDA is available" : reason.c_str());
    if (!reason.empty()) QVERIFY_THROWS_EXCEPTION(Error, createBackend("cuda", 1));
  }

  // Every graph x precision x GPU is planned, or falls back for the one reason there is: bfloat16 before sm_80.
  void plans() {
    const CliResult result = runStrata({"bench", "--plans", "--json"});
    if (result.exitCode == 5) QSKIP(result.err.c_str());  // cuDNN is not on this machine
    QVERIFY2(result.exitCode == 0, result.err.c_str());
    std::map<std::string, std::map<std::string, std::set<std::string>>> gpus;  // by graph and precision
    std::map<std::string, int> engines;
    int cells = 0, fallbacks = 0;
    for (const QString& line : QString::fromStdString(result.out).trimmed().split('\n')) {
      const Json plan = Json::parse(line.toStdString());
      const std::string gpu = plan.at("gpu"), engine = plan.at("engine"), precision = plan.at("precision");
      QVERIFY2(gpus[plan.at("graph")][precision].insert(gpu).second, qPrintable("twice: " + line));
      ++cells;
      const bool noBfloat16 = precision == "bfloat16" && gpu.ends_with("(sm_75)");
      if (noBfloat16) ++fallbacks;
      else ++engines[engine];
      QCOMPARE(plan.at("fallback").get<std::string>(), std::string(noBfloat16 ? "float32: bfloat16 needs sm_80" : ""));
      QCOMPARE(engine.starts_with("eng"), !noBfloat16);
      QVERIFY(plan.at("workspace_bytes").get<std::int64_t>() >= 0);
    }
    int forward = 0, data = 0, weight = 0;
    for (const auto& [graph, precisions] : gpus) {
      QCOMPARE(precisions.size(), 3u);
      for (const auto& [precision, planned] : precisions) QCOMPARE(planned.size(), 7u);
      forward += graph.starts_with("forward");
      data += graph.starts_with("data");
      weight += graph.starts_with("weight");
    }
    // Three for each template's and example's convolution of more than one channel, and forward and weights of what
    // stands before an example.
    QVERIFY(gpus.contains("forward+bias+relu 128x12x12x24 -> 8x8x48, 5x5") &&
            gpus.contains("data gradient 128x14x14x64 -> 14x14x64, 3x3 pad 1x1x1x1"));
    QVERIFY(data >= 10 && forward > data && weight > data);
    qInfo("%d cells: %zu graphs in 3 precisions on 7 GPUs; %d planned with %zu different engines, %d fall back "
          "(bfloat16 before sm_80)",
          cells, gpus.size(), cells - fallbacks, engines.size(), fallbacks);
  }
};

int main(int argc, char** argv) {
  qputenv("QTEST_FUNCTION_TIMEOUT", "900000");  // ms: planning takes half a minute, longer on a busy computer
  QCoreApplication app(argc, argv);
  TestCudaModule test;
  return QTest::qExec(&test, argc, argv);
}
#include "tst_cuda_module.moc"
