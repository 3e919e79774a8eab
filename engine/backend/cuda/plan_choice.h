// SPDX-License-Identifier: Apache-2.0
// Which of several plans for one shape is run. The library's heuristics name a few; each is timed once, and the fastest
// is kept for all later starts, in a file of the user's cache folder, by device, driver and library. Another choice
// would change the last bits of a result, so timing may decide only once: if the choice cannot be kept, nothing is
// timed. Nor is anything timed in float32, which is for exact comparison, or in the deterministic mode; there the
// heuristics' first choice runs, the same on every start and machine.
#pragma once
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "engine/backend/cuda/device.h"
#include "engine/base/file.h"

namespace strata::cuda {

/// What timings hold for. A file made for another one is timed anew.
struct PlanSource {
  std::string device;   ///< its name
  std::string driver;   ///< version
  std::string library;  ///< versions of cuDNN and cuBLASLt
  bool operator==(const PlanSource&) const = default;
};

class PlanChoice {
 public:
  static constexpr int kCandidates = 4;  ///< that are looked at

  /// Heuristics alone choose.
  PlanChoice() = default;
  /// Timings choose, and are kept in `folder`, which is made when it is needed. A file there that is broken or of
  /// another source is replaced.
  PlanChoice(const Path& folder, PlanSource source);

  /// Of the plans `names`, best first by heuristics, the one to run for `shape`: what was kept for it, else the fastest
  /// of the first few that can be built; or simply the first of those. `build` says whether it succeeded, `seconds` how
  /// long one run takes; a plan at which that throws strata::Error is not taken for it. Nothing when none can be built.
  std::optional<std::size_t> choose(Precision precision, const std::string& shape,
                                    const std::vector<std::string>& names,
                                    const std::function<bool(std::size_t)>& build,
                                    const std::function<double(std::size_t)>& seconds);

 private:
  std::map<std::string, std::string> kept() const;
  bool keep(const std::string& shape, const std::string& name);

  Path m_file;
  PlanSource m_source;
  std::map<std::string, std::string> m_kept;  ///< names by shape and precision
  bool m_timing = false;                      ///< what is found can be kept
};

/// Calls the work it is given as often as it needs to, and returns the seconds that one call takes.
using Clock = std::function<double(const std::function<void()>&)>;

/// Has the plan timed on zeros in memory of its own. Error::Device when the device refuses.
double timed(Device& device, const ConvGraph& graph, ConvPlan& plan, const Clock& clock);
double timed(Device& device, const Matmul& matmul, MatmulPlan& plan, const Clock& clock);

}  // namespace strata::cuda
