// SPDX-License-Identifier: Apache-2.0
#include "engine/net/graph.h"

#include <algorithm>

namespace strata {

std::vector<bool> Graph::gradientsNeeded(bool training) const {
  std::vector<bool> needed(values.size());
  if (!training) return needed;
  for (std::size_t i = 0; i < nodes.size(); ++i)
    needed[i + 1] = nodes[i].learns() || std::any_of(nodes[i].inputs.begin(), nodes[i].inputs.end(), [&](int input) {
                      return needed[static_cast<std::size_t>(input)];
                    });
  return needed;
}

Site Graph::siteOf(std::size_t index, int maxBatch, bool inputGradient) const {
  const Node& node = nodes[index];
  Site site;
  site.name = node.path;
  site.fields = node.fields;
  for (const int input : node.inputs) site.ins.push_back(values[static_cast<std::size_t>(input)].shape);
  site.in = site.ins.front();
  site.out = outputOf(index);
  site.maxBatch = maxBatch;
  site.stream = node.stream;
  site.needsInputGradient = inputGradient;
  site.trainable = node.trainable;
  return site;
}

}  // namespace strata
