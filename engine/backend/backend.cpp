// SPDX-License-Identifier: Apache-2.0
#include "engine/backend/backend.h"

#include <cmath>

#include "engine/base/error.h"

namespace strata {

std::int64_t outputSize(const NetworkSpec& network) { return lower(network).output().size(); }

std::vector<LossResult> CompiledNetwork::trainRun(Batches& batches, int first, std::span<const double> learningRates,
                                                  std::uint64_t step) {
  std::vector<LossResult> results;
  for (const double rate : learningRates) {
    const auto done = results.size();
    results.push_back(trainBatch(batches.at(first + static_cast<int>(done)), rate, step + done));
    if (!std::isfinite(results.back().lossSum)) break;
  }
  return results;
}

void checkPrecision(const Backend& backend, std::optional<Precision> precision) {
  std::string known;
  for (const Precision offered : backend.precisions()) {
    if (!precision || offered == *precision) return;
    known += (known.empty() ? "" : ", ") + std::string(precisionName(offered));
  }
  throw Error(Error::Kind::Usage, "backend " + backend.id(),
              std::string("it does not train in ") + precisionName(*precision) + ", only in " + known,
              "Choose one of these with --precision, or another backend.");
}

}  // namespace strata
