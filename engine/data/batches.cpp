// SPDX-License-Identifier: Apache-2.0
// Batches out of a list of sample indices.
#include "engine/data/batches.h"

#include <algorithm>
#include <cstring>
#include <tuple>

#include "engine/base/error.h"
#include "engine/base/rng.h"

namespace strata {

Batches::Batches(const Samples& samples, std::vector<int> indices, Shape shape, Preprocessing preprocessing,
                 int batchSize, Augmentation augmentation)
    : m_samples(samples), m_indices(std::move(indices)), m_order(m_indices), m_shape(shape),
      m_preprocessing(preprocessing), m_batchSize(batchSize), m_augmentation(augmentation),
      m_augmenter(augmentation, shape, ground()) {
  const std::size_t columns = m_preprocessing.mean.size();
  if (columns > 1 && columns != static_cast<std::size_t>(shape.c))
    throw Error(Error::Kind::Input, "data.preprocessing",
                "has means of " + std::to_string(columns) + " columns, the samples have " + std::to_string(shape.c),
                "Use the data it was made for, or leave out mean and deviation");
}

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
  const bool augmented = m_augmentation.any() && !m_samples.areFloats(),
             inOrder = std::adjacent_find(chosen.begin(), chosen.end(), outOfStep) == chosen.end();
  if (labelled && !inOrder) {
    m_labels.resize(chosen.size());
    for (std::size_t i = 0; i < chosen.size(); ++i) m_labels[i] = m_samples.labels[static_cast<std::size_t>(chosen[i])];
  }
  if (labelled) batch.labels = inOrder ? m_samples.labels.data() + chosen.front() : m_labels.data();
  if (m_samples.areFloats()) {
    asFloats(chosen, batch);
    return batch;
  }
  batch.bytes = m_samples.pixels.data() + chosen.front() * size;
  if (augmented || !inOrder) {
    m_bytes.resize(chosen.size() * static_cast<std::size_t>(size));
    std::uint8_t* to = m_bytes.data();
    for (std::size_t i = 0; i < chosen.size(); ++i, to += size) {
      const std::uint8_t* from = m_samples.pixels.data() + chosen[i] * size;
      if (augmented) m_augmenter({m_seed, m_epoch, static_cast<std::uint32_t>(chosen[i])}, from, to);
      else std::memcpy(to, from, static_cast<std::size_t>(size));
    }
    batch.bytes = m_bytes.data();
  }
  if (!areBytes()) asFloats(chosen, batch);
  return batch;
}

/// Standardises the batch's samples: floats of the data set, or what its bytes are worth.
void Batches::asFloats(std::span<const int> chosen, Batch& batch) {
  const auto size = static_cast<std::size_t>(m_shape.size());
  m_floats.resize(chosen.size() * size);
  if (batch.bytes)
    std::transform(batch.bytes, batch.bytes + m_floats.size(), m_floats.begin(),
                   [&](std::uint8_t byte) { return static_cast<float>(byte) * batch.scale + batch.offset; });
  else
    for (std::size_t i = 0; i < chosen.size(); ++i)
      std::copy_n(m_samples.floats.begin() + static_cast<std::ptrdiff_t>(static_cast<std::size_t>(chosen[i]) * size),
                  size, m_floats.begin() + static_cast<std::ptrdiff_t>(i * size));
  standardise(m_floats, m_preprocessing);
  batch.bytes = nullptr;
  batch.floats = m_floats.data();
}

}  // namespace strata
