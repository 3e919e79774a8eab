// SPDX-License-Identifier: Apache-2.0
// The table of passes: which layers have kernels of their own on the cpu, which node behind them they take along, and
// in what form they read. A layer without a row runs by its op (op_pass.h). To add one: a file with the pass and its
// row, a line in all_passes.cpp.
#pragma once
#include <algorithm>
#include <memory>

#include "engine/backend/backend.h"
#include "engine/backend/cpu/pass.h"

namespace strata {

/// Whether all gradients are looked at before any weight is changed, so that none may be used up as it is made.
inline bool keepsGradients(const CompileRequest& request) {
  return request.training &&
         (request.optimizer.updatesMatrices() || makeUpdateRule(request.optimizer, 0, 0).clipNorm > 0);
}

/// Where a pass stands, and what it reads and writes.
struct PassPlace {
  const CompileRequest& request;
  const Graph& graph;
  const Kernels& kernels;
  int threads;
  std::size_t first, last;  ///< the nodes that it computes: one, or two that are fused
  std::vector<Buffer*> xs;  ///< what it reads, each in the form that the pass wants
  Buffer& y;                ///< what it writes; the pass says here what it knows of the values
  bool readOnce;            ///< at most one pass reads y
  bool readByOp;            ///< one that reads it runs by its op, whose gradients may be zeros for any reason
  std::vector<std::unique_ptr<Buffer>>& buffers;  ///< keeps what lies between the parts of a pass

  const Node& node() const { return graph.nodes[first]; }
  const Node& tail() const { return graph.nodes[last]; }
  bool fused() const { return last > first; }
  Buffer& x() const { return *xs.front(); }
  bool inputGradient() const {
    return std::any_of(xs.begin(), xs.end(), [](const Buffer* x) { return x->gradients.size() > 0; });
  }
  Site site() const { return graph.siteOf(first, request.maxBatch, inputGradient()); }
  Site tailSite() const { return graph.siteOf(last, request.maxBatch, true); }
  int stateSlots() const { return request.training ? request.optimizer.slotsPerWeight() : 0; }
};

struct PassKind {
  std::string type;       ///< of the layer
  bool anyShape = false;  ///< it reads samples as plain values, in whatever shape they were made
  bool framed = false;    ///< it reads images in a frame of zeros as wide as its padding
  /// Whether its kernels can do this site; null: every one.
  bool (*takes)(const Site& site) = nullptr;
  /// Whether the next node, which alone reads this one's output, is done by the same pass; null: never.
  bool (*fuses)(const Site& site, const Node& next, const Site& nextSite) = nullptr;
  std::unique_ptr<Pass> (*make)(const PassPlace& place) = nullptr;
};

const std::vector<PassKind>& allPasses();
/// What runs every layer that has no row.
const PassKind& opPassKind();

}  // namespace strata
