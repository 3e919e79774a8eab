// SPDX-License-Identifier: Apache-2.0
#include "engine/run/environment.h"

#include <sys/utsname.h>

#include <ctime>
#include <fstream>

#include "engine/base/json.h"

namespace strata {
namespace {

std::string processor() {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);)
    if (line.starts_with("model name")) return line.substr(line.find(':') + 2);
  return "unknown";
}

}  // namespace

std::string utcNow() {
  const std::time_t now = std::time(nullptr);
  std::tm utc{};
  gmtime_r(&now, &utc);
  char text[32];
  return {text, std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &utc)};
}

Json describeEnvironment(const TrainJob& job, const RunRecord& record) {
  utsname system{};
  ::uname(&system);
  return {{"strata", STRATA_VERSION},
          {"started", record.started},
          {"backend", record.backend},
          {"precision", record.precision},
          {"threads", record.threads},
          {"dataset", record.datasetTitle},
          {"synthetic", record.synthetic},
          {"training_samples", job.data.train.size()},
          {"validation_samples", job.data.validation.size()},
          {"validation",
           job.data.validationSource == ValidationSource::TestSet ? "test set" : "held-out part of the training set"},
          {"parameters", record.parameters},
          {"processor", processor()},
          {"system", std::string(system.sysname) + " " + system.release + " " + system.machine},
          {"compiler", __VERSION__}};
}

}  // namespace strata
