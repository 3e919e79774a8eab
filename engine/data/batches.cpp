// SPDX-License-Identifier: Apache-2.0
// Batches out of a list of sample indices.
#include "engine/data/batches.h"

#include <algorithm>
#include <cstring>
#include <tuple>

#include "engine/base/rng.h"

namespace strata {

Batches::Batches(const Samples& samples, std::vector<int> indices, Shape shape, Preprocessing preprocessing,
                 int batchSize, Augmentation augmentation)
    : m_samples(samples), m_indices(std::move(indices)), m_order(m_indices), m_shape(shape),
      m_preprocessing(preprocessing), m_batchSize(batchSize), m_augmentation(augmentation),
      m_augmenter(augmentation, shape, ground()) {}

// Fisher and Yates, from the same order every time: epoch 7 is the same whether or not epoch 6 was run.
void Batches::startEpoch(int epoch, bool shuffle, std::uint64_t seed) {
  m_seed = seed;
  m_epoch = static_cast<std::uint64_t>(epoch);
  m_order = m_indices;
  if (!shuffle) return;
  Rng rng(seed, Stream::Shuffle, m_epoch);
  for (std::size_t i = m_order.size(); i > 1; --i)
    std::swap(m_order[i - 1], m_order[rng.below(static_cast<std::uint32_t>(i))]);
}

int Batches::count() const {
  return static_cast<int>((m_order.size() + static_cast<std::size_t>(m_batchSize) - 1) /
                          static_cast<std::size_t>(m_batchSize));
}

std::span<const int> Batches::numbers(int index, int count) const {
  const auto batchSize = static_cast<std::size_t>(m_batchSize), begin = static_cast<std::size_t>(index) * batchSize;
  return {m_order.data() + begin, std::min(static_cast<std::size_t>(count) * batchSize, m_order.size() - begin)};
}

std::pair<float, float> Batches::scaling() const {
  const double scale = m_preprocessing.scale, offset = m_preprocessing.offset;
  // (255 - byte) * scale + offset.
  if (m_preprocessing.invert) return {-static_cast<float>(scale), static_cast<float>(offset + 255 * scale)};
  return {static_cast<float>(scale), static_cast<float>(offset)};
}

Batch Batches::at(int index) {
  const std::span<const int> chosen = numbers(index);
  Batch batch;
  batch.size = static_cast<int>(chosen.size());
  std::tie(batch.scale, batch.offset) = scaling();
  const bool labelled = !m_samples.labels.empty();
  const std::int64_t size = m_shape.size();
  const auto outOfStep = [](int a, int b) { return b != a + 1; };
  const bool augmented = m_augmentation.any();
  if (!augmented && std::adjacent_find(chosen.begin(), chosen.end(), outOfStep) == chosen.end()) {
    batch.bytes = m_samples.pixels.data() + chosen.front() * size;
    if (labelled) batch.labels = m_samples.labels.data() + chosen.front();
    return batch;
  }
  m_bytes.resize(chosen.size() * static_cast<std::size_t>(size));
  m_labels.resize(chosen.size());
  std::uint8_t* to = m_bytes.data();
  for (std::size_t i = 0; i < chosen.size(); ++i, to += size) {
    const std::uint8_t* from = m_samples.pixels.data() + chosen[i] * size;
    if (labelled) m_labels[i] = m_samples.labels[static_cast<std::size_t>(chosen[i])];
    if (augmented) m_augmenter({m_seed, m_epoch, static_cast<std::uint32_t>(chosen[i])}, from, to);
    else std::memcpy(to, from, static_cast<std::size_t>(size));
  }
  batch.bytes = m_bytes.data();
  if (labelled) batch.labels = m_labels.data();
  return batch;
}

}  // namespace strata
