// SPDX-License-Identifier: GPL-3.0-or-later
#include "gui/models/stack_edits.h"

#include <algorithm>

namespace strata::gui {
namespace {

using Stack = std::vector<LayerSpec>;

/// The names that a layer at that place must not have.
std::set<std::string> namesAround(const NetworkSpec& net, const StackPlace& place) {
  std::set<std::string> names;
  const auto add = [&](const Stack& stack) {
    for (const LayerSpec& layer : stack) names.insert(layer.name);
  };
  if (place.container < 0) add(net.layers);
  else
    for (const Stack& stack : layerAt(net, place.container).stacks) add(stack);
  return names;
}

LayerSpec take(NetworkSpec& net, const StackPlace& place) {
  Stack& stack = stackAt(net, place);
  LayerSpec layer = std::move(stack[static_cast<std::size_t>(place.at)]);
  stack.erase(stack.begin() + place.at);
  return layer;
}

/// Every gap that a reader passes on the way down. `number` is that of the stack's first layer.
void addPlaces(const Stack& stack, StackPlace place, int& number, const std::function<bool(int)>& isOpen,
               std::vector<StackPlace>& places) {
  for (place.at = 0;; ++place.at) {
    places.push_back(place);
    if (place.at == static_cast<int>(stack.size())) return;
    const LayerSpec& layer = stack[static_cast<std::size_t>(place.at)];
    const int own = number++;
    if (!isOpen(own)) {
      number += sizeOf(layer) - 1;
      continue;
    }
    for (std::size_t i = 0; i < layer.stacks.size(); ++i)
      addPlaces(layer.stacks[i], {own, static_cast<int>(i), 0}, number, isOpen, places);
  }
}

void setAll(LayerSpec& layer, bool trainable) {
  layer.trainable = trainable;
  for (Stack& stack : layer.stacks)
    for (LayerSpec& inner : stack) setAll(inner, trainable);
}

}  // namespace

int sizeOf(const LayerSpec& layer) {
  int size = 1;
  for (const Stack& stack : layer.stacks)
    for (const LayerSpec& inner : stack) size += sizeOf(inner);
  return size;
}

bool isWithin(const NetworkSpec& net, int outer, int inner) {
  return inner >= outer && inner < outer + sizeOf(layerAt(net, outer));
}

bool isPlace(const NetworkSpec& net, const StackPlace& place) {
  if (place.container < -1 || place.container >= layerCount(net) || place.stack < 0 || place.at < 0) return false;
  const std::size_t stacks = place.container < 0 ? 1 : layerAt(net, place.container).stacks.size();
  if (static_cast<std::size_t>(place.stack) >= stacks) return false;
  const Stack& stack =
      place.container < 0 ? net.layers : layerAt(net, place.container).stacks[static_cast<std::size_t>(place.stack)];
  return place.at <= static_cast<int>(stack.size());
}

int putLayer(NetworkSpec& net, LayerSpec layer, StackPlace place) {
  if (!isPlace(net, place)) return -1;
  if (namesAround(net, place).contains(layer.name)) {
    const LayerDef* def = findLayer(layer.type);
    layer.name = unusedName(namesIn(net), def ? def->stem : "layer");
  }
  Stack& stack = stackAt(net, place);
  stack.insert(stack.begin() + place.at, std::move(layer));
  return numberAt(net, place);
}

int copyLayer(NetworkSpec& net, int layer, const StackPlace& place) {
  if (layer < 0 || layer >= layerCount(net) || !isPlace(net, place)) return -1;
  LayerSpec copy = layerAt(net, layer);
  if (const LayerDef* def = findLayer(copy.type)) copy.name = newLayer(net, *def).name;
  return putLayer(net, std::move(copy), place);
}

int moveLayer(NetworkSpec& net, int layer, const StackPlace& place) {
  if (layer < 0 || layer >= layerCount(net) || !isPlace(net, place)) return -1;
  if (place.container >= 0 && isWithin(net, layer, place.container)) return -1;
  const StackPlace from = placeOf(net, layer);
  StackPlace to = place;
  if (to.container == from.container && to.stack == from.stack) {
    if (to.at == from.at || to.at == from.at + 1) return -1;
    if (to.at > from.at) --to.at;
  }
  LayerSpec taken = take(net, from);
  if (to.container > layer) to.container -= sizeOf(taken);
  return putLayer(net, std::move(taken), to);
}

int removeLayer(NetworkSpec& net, int layer) {
  if (layer < 0 || layer >= layerCount(net)) return -1;
  StackPlace place = placeOf(net, layer);
  take(net, place);
  const auto left = static_cast<int>(stackAt(net, place).size());
  if (left == 0) return place.container;
  place.at = std::min(place.at, left - 1);
  return numberAt(net, place);
}

int wrapLayer(NetworkSpec& net, int layer, const LayerDef& container) {
  if (layer < 0 || layer >= layerCount(net) || !container.isContainer()) return -1;
  LayerSpec around = newLayer(net, container);
  const StackPlace place = placeOf(net, layer);
  around.stacks.front().push_back(take(net, place));
  return putLayer(net, std::move(around), place);
}

int takeApart(NetworkSpec& net, int container) {
  if (container < 0 || container >= layerCount(net) || layerAt(net, container).stacks.empty()) return -1;
  StackPlace place = placeOf(net, container);
  const StackPlace first = place;
  LayerSpec taken = take(net, place);
  for (Stack& stack : taken.stacks)
    for (LayerSpec& layer : stack) {
      if (!taken.trainable) layer.trainable = false;
      putLayer(net, std::move(layer), place);
      ++place.at;
    }
  const auto left = static_cast<int>(stackAt(net, first).size());
  return left == 0 ? first.container : numberAt(net, {first.container, first.stack, std::min(first.at, left - 1)});
}

int moveAlong(NetworkSpec& net, int layer, int step, const std::function<bool(int)>& isOpen) {
  if (layer < 0 || layer >= layerCount(net)) return -1;
  const StackPlace from = placeOf(net, layer);
  NetworkSpec rest = net;
  LayerSpec taken = take(rest, from);
  const int size = sizeOf(taken);
  std::vector<StackPlace> places;
  int number = 0;
  addPlaces(
      rest.layers, {}, number, [&](int at) { return isOpen(at < layer ? at : at + size); }, places);
  const auto here = std::find(places.begin(), places.end(), from) - places.begin();
  const auto next = here + step;
  if (here == std::ssize(places) || next < 0 || next >= std::ssize(places)) return -1;
  net = std::move(rest);
  return putLayer(net, std::move(taken), places[static_cast<std::size_t>(next)]);
}

void setTrainable(NetworkSpec& net, int layer, bool trainable) {
  LayerSpec& spec = layerAt(net, layer);
  if (trainable) setAll(spec, true);
  else spec.trainable = false;
}

Trains trains(const LayerSpec& layer) {
  if (!layer.trainable) return Trains::None;
  bool all = true, any = false;
  for (const Stack& stack : layer.stacks)
    for (const LayerSpec& inner : stack) {
      const Trains found = trains(inner);
      all &= found == Trains::All;
      any |= found != Trains::None;
    }
  return all ? Trains::All : any ? Trains::Some : Trains::None;
}

}  // namespace strata::gui
