// SPDX-License-Identifier: GPL-3.0-or-later
// The tree behind the stack's item model: the net's own layers under the root with the input before and the output
// behind them; under a container its lanes, one a stack, and in them the layers. Every node has an id that stays its
// own while others come, go and move.
#pragma once
#include <memory>
#include <unordered_map>
#include <vector>

#include "gui/models/layer_card.h"

namespace strata::gui {

struct StackNode {
  enum class Kind { Root, Input, Layer, Lane, Output };
  Kind kind = Kind::Root;
  int id = 0;       ///< the root's is 0; in a tree that is only wanted, 0 where nothing was there before
  int number = -1;  ///< of a layer
  int stack = 0;    ///< of a lane
  LayerCard card;
  StackNode* parent = nullptr;
  std::vector<std::unique_ptr<StackNode>> children;

  int row() const;  ///< in its parent
  StackNode* add(Kind kind);
};

/// The tree that a net asks for, its ids all 0. `cards` are those of makeCards().
std::unique_ptr<StackNode> wantedTree(const NetworkSpec& net, const std::vector<LayerCard>& cards);

/// Gives the nodes of `wanted` the ids of the nodes of `old` that they are: by name and type where they stood, then
/// anywhere (it was moved), then by type and place (it was renamed).
void recognise(const StackNode& old, StackNode& wanted);

/// Of `here`'s children those that need not move to come into the order of `wanted`: as many as there can be.
std::vector<int> staying(const StackNode& here, const StackNode& wanted);

}  // namespace strata::gui
