// SPDX-License-Identifier: Apache-2.0
// Groups nodes into passes, gives each value the buffers that its readers want, and binds the passes to them.
#include "engine/backend/cpu/pass_plan.h"

#include "engine/backend/cpu/dense_pass.h"
#include "engine/backend/cpu/fork_pass.h"
#include "engine/backend/cpu/geometry.h"

namespace strata {
namespace {

/// What one pass computes: node `first`, and up to `last` what is fused with it.
struct Group {
  const PassKind* kind;
  std::size_t first, last;
  std::vector<int> inputs;            ///< values, none of them of a node that vanishes
  std::vector<Buffer*> buffers = {};  ///< where it reads them

  int output() const { return static_cast<int>(last) + 1; }
};

class Planner {
 public:
  Planner(const CompileRequest& request, const Graph& graph, const Kernels& kernels, int threads)
      : m_request(request), m_graph(graph), m_kernels(kernels), m_threads(threads),
        m_gradientsNeeded(graph.gradientsNeeded(request.training)), m_written(graph.values.size()),
        m_copies(graph.values.size()) {}

  PassPlan plan() {
    findGroups();
    makeBuffers(0);
    for (const Group& group : m_groups) makeBuffers(group.output());
    m_plan.input = m_written.front();
    m_plan.output = m_written[std::size_t(source(int(m_graph.values.size()) - 1))];
    addFork(0);
    for (Group& group : m_groups) {
      addPass(group);
      addFork(group.output());
    }
    return std::move(m_plan);
  }

 private:
  Site siteOf(std::size_t node) const { return m_graph.siteOf(node, m_request.maxBatch, true); }

  /// Whether a node needs no pass: it only reshapes, and who reads it does not care for the shape.
  bool vanishes(std::size_t node) const {
    if (!m_graph.nodes[node].def->reshapes) return false;
    const std::vector<int>& readers = m_graph.values[node + 1].readers;
    return std::all_of(readers.begin(), readers.end(), [&](int reader) {
      return m_graph.nodes[std::size_t(reader)].def->reshapes || kindOf(std::size_t(reader)).anyShape;
    });
  }

  /// The value whose memory it is: of a node that vanishes, its input's.
  int source(int value) const {
    while (value > 0 && vanishes(std::size_t(value) - 1)) value = m_graph.nodes[std::size_t(value) - 1].inputs.front();
    return value;
  }

  /// Whether only the next node reads what this one makes.
  bool nextAloneReads(std::size_t node) const {
    const std::vector<int>& readers = m_graph.values[node + 1].readers;
    return readers.size() == 1 && std::size_t(readers.front()) == node + 1;
  }

  const PassKind& kindOf(std::size_t node) const {
    for (const PassKind& kind : allPasses())
      if (kind.type == m_graph.nodes[node].def->type && (!kind.takes || kind.takes(siteOf(node)))) return kind;
    return opPassKind();
  }

  void findGroups() {
    const auto& nodes = m_graph.nodes;
    for (std::size_t i = 0; i < nodes.size(); ++i) {
      if (vanishes(i)) continue;
      Group& group = m_groups.emplace_back(Group{&kindOf(i), i, i, nodes[i].inputs});
      for (int& input : group.inputs) input = source(input);
      group.buffers.resize(group.inputs.size());
      if (group.kind->fuses && nextAloneReads(i) && group.kind->fuses(siteOf(i), nodes[i + 1], siteOf(i + 1)))
        group.last = ++i;
    }
  }

  /// The buffer that a value is written to, which its first reader reads, and one for every further reader.
  void makeBuffers(int value) {
    std::vector<std::pair<Group*, std::size_t>> readers;
    for (Group& group : m_groups)
      for (std::size_t i = 0; i < group.inputs.size(); ++i)
        if (group.inputs[i] == value) readers.emplace_back(&group, i);
    Buffer& first = bufferFor(value, readers.empty() ? nullptr : readers.front().first);
    first.hasZeros |= value == 0;  // pictures have dark pixels
    m_written[std::size_t(value)] = &first;
    for (const auto& [reader, at] : readers) {
      const bool inPlace = reader == readers.front().first && at == readers.front().second;
      reader->buffers[at] = inPlace ? &first : m_copies[std::size_t(value)].emplace_back(&bufferFor(value, reader));
    }
  }

  /// A buffer's form is what its reader wants: images and sequences in a frame, or bare; vectors in panels.
  Buffer& bufferFor(int value, const Group* reader) {
    auto buffer = std::make_unique<Buffer>();
    const Shape& shape = buffer->shape = m_graph.values[std::size_t(value)].shape;
    if (!shape.isVector()) {
      buffer->rows = shape.h;
      buffer->cols = shape.w;
      if (reader && reader->kind->framed) {
        const WindowGeometry g = convGeometry(siteOf(reader->first));
        buffer->top = g.y.before;
        buffer->left = g.x.before;
        buffer->rows += g.y.before + std::max(0, g.after(g.y));
        buffer->cols += g.x.before + std::max(0, g.after(g.x));
      }
    } else {
      buffer->panel = DensePass::panelFor(shape.c, m_kernels);
    }
    buffer->hasZeros = buffer->framed();
    const bool last = source(int(m_graph.values.size()) - 1) == value;
    buffer->allocate(m_request.maxBatch, m_gradientsNeeded[std::size_t(value)] || (last && m_request.training));
    return *m_plan.buffers.emplace_back(std::move(buffer));
  }

  void addPass(const Group& group) {
    int readers = 0;
    bool readByOp = false;
    for (const Group& other : m_groups) {
      const auto reads = std::count(other.inputs.begin(), other.inputs.end(), group.output());
      readers += int(reads);
      readByOp |= reads > 0 && other.kind == &opPassKind();
    }
    Buffer& y = *m_written[std::size_t(group.output())];
    const PassPlace place{m_request,     m_graph, m_kernels,   m_threads, group.first,   group.last,
                          group.buffers, y,       readers < 2, readByOp,  m_plan.buffers};
    m_plan.passes.push_back({group.kind->make(place), place.node().learns(), y.gradients.size() > 0});
  }

  void addFork(int value) {
    auto& copies = m_copies[std::size_t(value)];
    if (copies.empty()) return;
    Buffer& from = *m_written[std::size_t(value)];
    const std::string name = value == 0 ? "input" : m_graph.nodes[std::size_t(value) - 1].path;
    m_plan.passes.push_back({std::make_unique<ForkPass>(name + ", for several readers", from, std::move(copies)), false,
                             from.gradients.size() > 0});
  }

  const CompileRequest& m_request;
  const Graph& m_graph;
  const Kernels& m_kernels;
  const int m_threads;
  const std::vector<bool> m_gradientsNeeded;   ///< of each value
  std::vector<Buffer*> m_written;              ///< by value; null where no pass writes it
  std::vector<std::vector<Buffer*>> m_copies;  ///< by value, for its further readers
  std::vector<Group> m_groups;
  PassPlan m_plan;
};

}  // namespace

PassPlan planPasses(const CompileRequest& request, const Graph& graph, const Kernels& kernels, int threads) {
  return Planner(request, graph, kernels, threads).plan();
}

}  // namespace strata
