// SPDX-License-Identifier: GPL-3.0-or-later
#include "gui/models/stack_tree.h"

#include <algorithm>
#include <functional>

namespace strata::gui {
namespace {

void addLayers(StackNode& under, const std::vector<LayerSpec>& stack, const std::vector<LayerCard>& cards,
               int& number) {
  for (const LayerSpec& layer : stack) {
    StackNode* node = under.add(StackNode::Kind::Layer);
    node->number = number++;
    node->card = cards[static_cast<std::size_t>(node->number) + 1];
    for (std::size_t i = 0; i < layer.stacks.size(); ++i) {
      StackNode* lane = node->add(StackNode::Kind::Lane);
      lane->stack = static_cast<int>(i);
      addLayers(*lane, layer.stacks[i], cards, number);
    }
  }
}

bool sameType(const StackNode& a, const StackNode& b) { return a.kind == b.kind && a.card.type == b.card.type; }
bool sameName(const StackNode& a, const StackNode& b) { return sameType(a, b) && a.card.name == b.card.name; }

/// Pairs up the nodes of two trees. Each old node is given away once.
class Matcher {
 public:
  void run(const StackNode& old, StackNode& wanted) {
    pair(old, wanted);
    anywhere(old, wanted);
    for (auto& [from, to] : m_pairs) renamed(*from, *to);
  }

 private:
  using Same = std::function<bool(const StackNode&, const StackNode&)>;

  bool isFree(const StackNode& old) const { return !m_given.contains(old.id); }

  void pair(const StackNode& old, StackNode& wanted) {
    wanted.id = old.id;
    m_given[old.id] = true;
    m_pairs.push_back({&old, &wanted});
    if (old.kind == StackNode::Kind::Layer) return pairLanes(old, wanted);
    for (std::size_t i = 0; i < wanted.children.size(); ++i) {
      StackNode& child = *wanted.children[i];
      const auto fits = [&](const StackNode& other) { return isFree(other) && sameName(other, child); };
      if (i < old.children.size() && fits(*old.children[i])) {
        pair(*old.children[i], child);
        continue;
      }
      for (const auto& other : old.children)
        if (fits(*other)) {
          pair(*other, child);
          break;
        }
    }
  }

  /// Lanes have no names: those that hold the same at both ends of the row are the same, those between by their place.
  void pairLanes(const StackNode& old, StackNode& wanted) {
    const std::size_t olds = old.children.size(), news = wanted.children.size(), least = std::min(olds, news);
    const auto alike = [](const StackNode& a, const StackNode& b) {
      return std::equal(a.children.begin(), a.children.end(), b.children.begin(), b.children.end(),
                        [](const auto& x, const auto& y) { return sameName(*x, *y); });
    };
    std::size_t back = 0;
    if (olds != news)
      while (back < least && alike(*old.children[olds - 1 - back], *wanted.children[news - 1 - back])) ++back;
    for (std::size_t i = 0; i + back < least; ++i) pair(*old.children[i], *wanted.children[i]);
    for (std::size_t i = 1; i <= back; ++i) pair(*old.children[olds - i], *wanted.children[news - i]);
  }

  /// What is still without an id may have come from elsewhere.
  void anywhere(const StackNode& old, StackNode& wanted) {
    std::vector<const StackNode*> left;
    collect(old, left);
    if (left.empty()) return;
    const std::function<void(StackNode&)> visit = [&](StackNode& node) {
      if (node.id == 0 && node.kind == StackNode::Kind::Layer)
        for (const StackNode* other : left)
          if (isFree(*other) && sameName(*other, node)) {
            pair(*other, node);
            break;
          }
      for (const auto& child : node.children) visit(*child);
    };
    visit(wanted);
  }

  void collect(const StackNode& node, std::vector<const StackNode*>& left) const {
    if (node.kind == StackNode::Kind::Layer && isFree(node)) left.push_back(&node);
    for (const auto& child : node.children) collect(*child, left);
  }

  /// One layer of a kind left on each side of a lane: it has a new name.
  void renamed(const StackNode& old, StackNode& wanted) {
    for (std::size_t i = 0; i < std::min(old.children.size(), wanted.children.size()); ++i) {
      const StackNode& from = *old.children[i];
      StackNode& to = *wanted.children[i];
      if (to.id == 0 && isFree(from) && sameType(from, to)) pairQuietly(from, to);
    }
  }

  /// As pair(), for what comes up while the pairs are walked.
  void pairQuietly(const StackNode& old, StackNode& wanted) {
    Matcher inner;
    inner.m_given = m_given;
    inner.pair(old, wanted);
    for (auto& [from, to] : inner.m_pairs) inner.renamed(*from, *to);
    m_given = std::move(inner.m_given);
  }

  std::unordered_map<int, bool> m_given;
  std::vector<std::pair<const StackNode*, StackNode*>> m_pairs;
};

}  // namespace

int StackNode::row() const {
  const auto& all = parent->children;
  return static_cast<int>(
      std::find_if(all.begin(), all.end(), [this](const auto& each) { return each.get() == this; }) - all.begin());
}

StackNode* StackNode::add(Kind what) {
  children.push_back(std::make_unique<StackNode>());
  children.back()->kind = what;
  children.back()->parent = this;
  return children.back().get();
}

std::unique_ptr<StackNode> wantedTree(const NetworkSpec& net, const std::vector<LayerCard>& cards) {
  auto root = std::make_unique<StackNode>();
  root->add(StackNode::Kind::Input)->card = cards.front();
  int number = 0;
  addLayers(*root, net.layers, cards, number);
  root->add(StackNode::Kind::Output)->card = cards.back();
  return root;
}

void recognise(const StackNode& old, StackNode& wanted) { Matcher().run(old, wanted); }

std::vector<int> staying(const StackNode& here, const StackNode& wanted) {
  std::unordered_map<int, int> places;
  for (std::size_t i = 0; i < wanted.children.size(); ++i)
    if (wanted.children[i]->id != 0) places[wanted.children[i]->id] = static_cast<int>(i);
  std::vector<int> ids, at;
  for (const auto& child : here.children)
    if (const auto found = places.find(child->id); found != places.end()) {
      ids.push_back(child->id);
      at.push_back(found->second);
    }
  // The longest rising sequence: ends[k] is where the best one of k + 1 ends, before[i] what comes before i in it.
  std::vector<int> ends, before(at.size(), -1), result;
  for (int i = 0; i < static_cast<int>(at.size()); ++i) {
    const auto spot =
        std::lower_bound(ends.begin(), ends.end(), at[i], [&](int j, int value) { return at[j] < value; });
    if (spot != ends.begin()) before[i] = *(spot - 1);
    if (spot == ends.end()) ends.push_back(i);
    else *spot = i;
  }
  for (int i = ends.empty() ? -1 : ends.back(); i >= 0; i = before[i]) result.push_back(ids[i]);
  return result;
}

}  // namespace strata::gui
