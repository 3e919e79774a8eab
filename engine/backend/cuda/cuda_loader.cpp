// SPDX-License-Identifier: Apache-2.0
#include "engine/backend/cuda/cuda_loader.h"

#include <dlfcn.h>

#include <cstdlib>
#include <filesystem>

#include "engine/backend/cuda/module_api.h"
#include "engine/base/error.h"

namespace strata {
namespace {

constexpr int kNeededDriver = 13000;   // CUDA 13.0, which driver 580 was the first to know
constexpr int kNeededCapability = 75;  // Turing: the oldest that CUDA 13 compiles for

// The driver's interface, as far as it is asked here; its binary interface is stable by contract.
struct Driver {
  int (*init)(unsigned) = nullptr;
  int (*version)(int*) = nullptr;
  int (*deviceCount)(int*) = nullptr;
  int (*deviceName)(char*, int, int) = nullptr;
  int (*attribute)(int*, int, int) = nullptr;
  int (*errorText)(int, const char**) = nullptr;
};
constexpr int kNoDevice = 100;                               // CUDA_ERROR_NO_DEVICE
constexpr int kCapabilityMajor = 75, kCapabilityMinor = 76;  // CUdevice_attribute

template <class F>
bool resolve(void* library, const char* name, F& function) {
  function = reinterpret_cast<F>(dlsym(library, name));
  return function != nullptr;
}

bool loadDriver(Driver& driver) {
  void* library = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
  return library && resolve(library, "cuInit", driver.init) && resolve(library, "cuDriverGetVersion", driver.version) &&
         resolve(library, "cuDeviceGetCount", driver.deviceCount) &&
         resolve(library, "cuDeviceGetName", driver.deviceName) &&
         resolve(library, "cuDeviceGetAttribute", driver.attribute) &&
         resolve(library, "cuGetErrorString", driver.errorText);
}

void askDriver(CudaFacts& facts) {
  Driver driver;
  if (!loadDriver(driver)) {
    facts.driverProblem = "this machine has no NVIDIA driver (libcuda.so.1 was not found)";
    return;
  }
  driver.version(&facts.driverVersion);
  const int status = driver.init(0);
  if (status == kNoDevice) return;
  if (status != 0) {
    const char* text = nullptr;
    driver.errorText(status, &text);
    facts.driverProblem =
        std::string("the NVIDIA driver does not start (") + (text ? text : "error " + std::to_string(status)) + ")";
    return;
  }
  driver.deviceCount(&facts.devices);
  if (facts.devices == 0) return;
  char name[256] = "";
  int major = 0, minor = 0;
  driver.deviceName(name, sizeof name, 0);
  driver.attribute(&major, kCapabilityMajor, 0);
  driver.attribute(&minor, kCapabilityMinor, 0);
  facts.deviceName = name;
  facts.computeCapability = major * 10 + minor;
}

struct LoadedModule {
  const CudaModule* module = nullptr;
  std::string problem;
};

LoadedModule loadModule() {
  constexpr const char* kFile = "strata_cuda.so";
  std::vector<std::filesystem::path> candidates;
  if (const char* named = std::getenv("STRATA_CUDA_MODULE")) {
    candidates = {named};
  } else {
    std::error_code ignored;
    const auto folder = std::filesystem::read_symlink("/proc/self/exe", ignored).parent_path();
    candidates = {folder / kFile, folder / "../lib/strata" / kFile, folder / "../bin" / kFile};
  }
  for (const auto& path : candidates) {
    std::error_code ignored;
    if (!std::filesystem::exists(path, ignored)) continue;
    void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (!library) return {nullptr, std::string("the CUDA module does not load (") + dlerror() + ")"};
    CudaModuleEntry entry = nullptr;
    if (!resolve(library, kCudaModuleEntry, entry))
      return {nullptr, path.filename().string() + " is not a CUDA module of Strata"};
    const CudaModule* module = entry();
    if (module->version != kCudaModuleVersion)
      return {nullptr, "the CUDA module is of another build (version " + std::to_string(module->version) + ", needed " +
                           std::to_string(kCudaModuleVersion) + ")"};
    return {module, ""};
  }
  return {nullptr, "this build has no CUDA module (strata_cuda.so is not beside the program)"};
}

const LoadedModule& cudaModule() {
  // Never unloaded: backends made by it may live as long as the program.
  static const LoadedModule loaded = loadModule();
  return loaded;
}

std::string version(int number) { return std::to_string(number / 1000) + "." + std::to_string(number % 1000 / 10); }
std::string capability(int number) { return std::to_string(number / 10) + "." + std::to_string(number % 10); }

const CudaModule& usableModule() {
  const LoadedModule& loaded = cudaModule();
  if (!loaded.module) throw Error(Error::Kind::Device, "CUDA", loaded.problem, "Train on the CPU.");
  return *loaded.module;
}

}  // namespace

CudaFacts probeCuda() {
  CudaFacts facts;
  askDriver(facts);
  if (!cudaReason(facts).empty()) return facts;
  const LoadedModule& loaded = cudaModule();
  facts.moduleProblem = loaded.problem;
  if (loaded.module) facts.libraryProblem = loaded.module->unavailableReason();
  return facts;
}

std::string cudaReason(const CudaFacts& facts) {
  if (!facts.driverProblem.empty())
    return "CUDA: " + facts.driverProblem + ". Training on a GPU needs an NVIDIA GPU with driver 580 or newer.";
  if (facts.driverVersion < kNeededDriver)
    return "CUDA: the NVIDIA driver is too old, it knows CUDA " + version(facts.driverVersion) + " and CUDA " +
           version(kNeededDriver) + " is needed. Install driver 580 or newer.";
  if (facts.devices == 0)
    return "CUDA: the NVIDIA driver finds no GPU. Check that one is fitted and switched on for this machine.";
  if (facts.computeCapability < kNeededCapability)
    return "CUDA: " + facts.deviceName + " is too old, it has compute capability " +
           capability(facts.computeCapability) + " and " + capability(kNeededCapability) +
           " is needed. Train on the CPU.";
  if (!facts.moduleProblem.empty()) return "CUDA: " + facts.moduleProblem + ". Train on the CPU.";
  if (!facts.libraryProblem.empty()) return "CUDA: " + facts.libraryProblem;
  return "";
}

BackendDef cudaBackendDef() {
  return {"cuda", "CUDA", [] { return cudaReason(probeCuda()); },
          [](int) { return std::unique_ptr<Backend>(usableModule().create()); },
          [](const NetworkSpec& network, int batch) { return usableModule().plans(network, batch); }};
}

}  // namespace strata
