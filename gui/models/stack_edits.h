// SPDX-License-Identifier: GPL-3.0-or-later
// What a hand does to the layers of a net, as plain functions on its spec. Layers go by their number in reading order
// (engine/net/network_spec.h). Each edit returns the number of the layer to select afterwards, -1 when nothing was
// done.
#pragma once
#include <functional>

#include "engine/net/network_spec.h"

namespace strata::gui {

/// Layers of a subtree, the layer itself included.
int sizeOf(const LayerSpec& layer);
/// Whether the layer `inner` is `outer` or stands somewhere in it.
bool isWithin(const NetworkSpec& net, int outer, int inner);
/// Whether there is such a gap.
bool isPlace(const NetworkSpec& net, const StackPlace& place);

/// A layer whose name is taken in the container that it comes into gets a new one.
int putLayer(NetworkSpec& net, LayerSpec layer, StackPlace place);
int copyLayer(NetworkSpec& net, int layer, const StackPlace& place);
/// `place` is counted in the net as it is; not into the layer itself.
int moveLayer(NetworkSpec& net, int layer, const StackPlace& place);
/// Selects the layer that takes the place, else the one before, else the container.
int removeLayer(NetworkSpec& net, int layer);
/// Puts a new container where the layer is, and the layer into its first stack.
int wrapLayer(NetworkSpec& net, int layer, const LayerDef& container);
/// Puts the layers of a container in its place, stack after stack; none is lost.
int takeApart(NetworkSpec& net, int container);

/// Moves a layer one place up (-1) or down (+1) along what a reader sees: past a plain layer or a closed container,
/// into and out of open ones, from one stack of a container to the next.
int moveAlong(NetworkSpec& net, int layer, int step, const std::function<bool(int)>& isOpen);

/// Freezes a layer, or lets it and all that it holds train again.
void setTrainable(NetworkSpec& net, int layer, bool trainable);
/// Whether a layer and all that it holds train; `Some` only of a container.
enum class Trains { All, Some, None };
Trains trains(const LayerSpec& layer);

}  // namespace strata::gui
