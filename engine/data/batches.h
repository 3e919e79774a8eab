// SPDX-License-Identifier: Apache-2.0
// How a DataView becomes batches: a pure function of (seed, epoch, batch), so a resumed run reads the very same
// samples.
#pragma once
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "engine/data/augment.h"
#include "engine/data/dataset.h"

namespace strata {

/// The samples of one batch, as a net reads them. Exactly one of bytes and floats is set. Owner: whoever made it.
struct Batch {
  int size = 0;
  const std::uint8_t* bytes = nullptr;  ///< [N,H,W,C]; value = byte * scale + offset
  const float* floats = nullptr;        ///< [N,H,W,C]; used as they are
  float scale = 1, offset = 0;
  const std::int32_t* labels = nullptr;  ///< [N]; null when only predicting
};

/// Walks through one DataView. Not thread-safe; each run owns one.
class Batches {
 public:
  /// `indices` into `samples`, which must outlive this. An augmentation is for training alone, and for pictures of
  /// bytes alone. Error::Input for a standardisation by another number of columns than `shape` has.
  Batches(const Samples& samples, std::vector<int> indices, Shape shape, Preprocessing preprocessing, int batchSize,
          Augmentation augmentation = {});

  /// Order of the coming epoch (from 0): as given, or shuffled by (seed, epoch). A sample's augmentation is drawn by
  /// (seed, epoch, sample).
  void startEpoch(int epoch, bool shuffle, std::uint64_t seed);
  int count() const;  ///< batches in an epoch; the last may be short
  /// Batch number `index`; valid until the next call. Consecutive samples are not copied unless they are augmented.
  Batch at(int index);

  /// Which of samples() make up batch `index`, or the `count` batches from there on (fewer at an epoch's end), before
  /// any augmentation: for a backend that keeps the samples itself. Valid until startEpoch().
  std::span<const int> numbers(int index, int count = 1) const;
  const Samples& samples() const { return m_samples; }
  const Augmentation& augmentation() const { return m_augmentation; }
  std::uint64_t seed() const { return m_seed; }  ///< of the augmentation, as told to startEpoch()
  std::uint64_t epoch() const { return m_epoch; }
  /// What comes in from outside when a sample is moved.
  std::uint8_t ground() const {
    const Ink ink = m_preprocessing.ink;
    return ink == Ink::Dark || (ink == Ink::Auto && m_preprocessing.invert) ? 255 : 0;
  }
  /// value = byte * first + second
  std::pair<float, float> scaling() const;
  /// Whether scaling() is all that lies between samples() and what the net reads, but for the augmentation.
  bool areBytes() const { return !m_samples.areFloats() && m_preprocessing.mean.empty(); }

 private:
  void asFloats(std::span<const int> chosen, Batch& batch);

  const Samples& m_samples;
  std::vector<int> m_indices, m_order;
  Shape m_shape;
  Preprocessing m_preprocessing;
  int m_batchSize;
  Augmentation m_augmentation;
  Augmenter m_augmenter;
  std::uint64_t m_seed = 0, m_epoch = 0;  ///< of the augmentation
  std::vector<std::uint8_t> m_bytes;
  std::vector<float> m_floats;
  std::vector<std::int32_t> m_labels;
};

}  // namespace strata
