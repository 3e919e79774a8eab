// SPDX-License-Identifier: Apache-2.0
// The figures of a run's batches, however many. In memory lies a pyramid's bounded top, in which neighbours are merged
// but no lowest and no highest value is lost; its ground, every single batch, lies in a file and is read where somebody
// looks closely. One thread.
#pragma once
#include <cstdint>
#include <fstream>
#include <limits>
#include <span>
#include <vector>

#include "engine/base/file.h"
#include "engine/run/events.h"

namespace strata {

/// Batches in a row, as one point of a curve.
struct BatchBucket {
  /// What one figure was in them. Values that are no numbers are counted by their absence.
  struct Range {
    double low = std::numeric_limits<double>::infinity(), high = -std::numeric_limits<double>::infinity();
    double sum = 0;
    std::uint64_t numbers = 0;  ///< values that are finite; without any, low and high mean nothing
    void take(double value);
    void take(const Range& other);
    double mean() const { return sum / static_cast<double>(numbers); }  ///< not a number when there is none
  };
  std::uint64_t first = 0, last = 0;  ///< steps
  std::uint64_t batches = 0;
  Range loss, metric;
};

class BatchHistory {
 public:
  static constexpr std::size_t kTop = 8192;     ///< buckets in memory, at most
  static constexpr std::size_t kDetail = 4096;  ///< buckets that a closer look is given, at most

  /// Begins anew with what this file holds of earlier sessions, and writes every batch to it. A file that cannot be
  /// used costs the detail, not the overview. Does nothing when it is the file in use.
  void keepIn(const Path& file);
  /// Steps ascend; one that was there already replaces itself and all after it.
  void append(std::span<const BatchPoint> points);
  /// Forgets what was trained after that step. A bucket that it falls into is read again where there is a file; else
  /// it keeps its values.
  void dropAfter(std::uint64_t step);
  void flush();  ///< what was appended is in the file

  std::uint64_t size() const { return m_size; }  ///< batches
  bool empty() const { return m_size == 0; }
  std::uint64_t firstStep() const { return m_top.empty() ? 0 : m_top.front().first; }
  std::uint64_t lastStep() const { return m_top.empty() ? 0 : m_top.back().last; }
  const std::vector<BatchBucket>& overview() const { return m_top; }
  /// The overview, but in finer buckets around the steps from..to: single batches where not many lie there.
  std::vector<BatchBucket> closeUp(std::uint64_t from, std::uint64_t to) const;

 private:
  void write(const BatchPoint& point);
  void take(const BatchPoint& point);
  void mergeNeighbours();
  void cutLast(std::uint64_t step, std::uint64_t kept);
  std::uint64_t indexAfter(std::uint64_t step) const;  ///< of the first record past that step
  /// Calls `see(point)` for the records begin..end-1 until it says false. False then, and when they cannot be read.
  template <class See>
  bool visit(std::uint64_t begin, std::uint64_t end, See see) const;
  void giveUpFile();

  std::vector<BatchBucket> m_top;
  std::uint64_t m_size = 0, m_stride = 1;  ///< batches in a full bucket
  Path m_path;
  mutable std::fstream m_file;  ///< reading moves its position
  mutable bool m_writing = false;
  std::uint64_t m_records = 0;  ///< in the file
};

}  // namespace strata
