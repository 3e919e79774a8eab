// SPDX-License-Identifier: Apache-2.0
// The file holds records of 16 bytes in the machine's own order: the step as 64 bits, loss and first metric as floats.
#include "engine/run/batch_history.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <utility>

namespace strata {
namespace {

constexpr std::uint64_t kRecord = 16;
constexpr std::uint64_t kMaxFileBytes = 1 << 30;  ///< of an earlier session; 67 million batches
constexpr std::size_t kChunk = 4096;              ///< records read at once

std::array<char, kRecord> packed(const BatchPoint& point) {
  std::array<char, kRecord> bytes;
  const float loss = static_cast<float>(point.loss), metric = static_cast<float>(point.metric);
  std::memcpy(bytes.data(), &point.step, 8);
  std::memcpy(bytes.data() + 8, &loss, 4);
  std::memcpy(bytes.data() + 12, &metric, 4);
  return bytes;
}

BatchPoint unpacked(const char* bytes) {
  BatchPoint point;
  float loss = 0, metric = 0;
  std::memcpy(&point.step, bytes, 8);
  std::memcpy(&loss, bytes + 8, 4);
  std::memcpy(&metric, bytes + 12, 4);
  point.loss = loss;
  point.metric = metric;
  return point;
}

BatchBucket bucketOf(const BatchPoint& point) {
  BatchBucket bucket{point.step, point.step, 1, {}, {}};
  bucket.loss.take(point.loss);
  bucket.metric.take(point.metric);
  return bucket;
}

void extend(BatchBucket& bucket, const BatchBucket& next) {
  bucket.last = next.last;
  bucket.batches += next.batches;
  bucket.loss.take(next.loss);
  bucket.metric.take(next.metric);
}

}  // namespace

void BatchBucket::Range::take(double value) {
  if (!std::isfinite(value)) return;
  low = std::min(low, value);
  high = std::max(high, value);
  sum += value;
  ++numbers;
}

void BatchBucket::Range::take(const Range& other) {
  low = std::min(low, other.low);
  high = std::max(high, other.high);
  sum += other.sum;
  numbers += other.numbers;
}

/// An earlier session's record is taken over when it is whole and its steps ascend; anything else is not ours, and
/// stays as it is.
void BatchHistory::keepIn(const Path& file) {
  if (m_file.is_open() && file == m_path) return;
  *this = BatchHistory();
  m_path = file;
  std::error_code error;
  const bool there = std::filesystem::exists(file, error);
  const std::uint64_t bytes = there ? std::filesystem::file_size(file, error) : 0;
  if (error || bytes > kMaxFileBytes || bytes % kRecord != 0) return;
  const auto mode = std::ios::binary | std::ios::in | std::ios::out;
  m_file.open(file, there ? mode : mode | std::ios::trunc);
  m_records = bytes / kRecord;
  const bool sound = visit(0, m_records, [this](const BatchPoint& point) {
    const bool ascends = point.step > lastStep();
    if (ascends) take(point);
    return ascends;
  });
  if (!sound) *this = BatchHistory();
}

void BatchHistory::append(std::span<const BatchPoint> points) {
  for (const BatchPoint& point : points) {
    if (!empty() && point.step <= lastStep()) dropAfter(point.step - 1);
    if (m_file.is_open()) write(point);
    take(point);
  }
}

void BatchHistory::write(const BatchPoint& point) {
  if (!std::exchange(m_writing, true)) m_file.seekp(static_cast<std::streamoff>(m_records * kRecord));
  m_file.write(packed(point).data(), kRecord);
  ++m_records;
  if (!m_file) giveUpFile();
}

void BatchHistory::take(const BatchPoint& point) {
  ++m_size;
  if (!m_top.empty() && m_top.back().batches < m_stride) return extend(m_top.back(), bucketOf(point));
  if (m_top.size() == kTop) mergeNeighbours();
  m_top.push_back(bucketOf(point));
}

void BatchHistory::mergeNeighbours() {
  for (std::size_t i = 0; i < kTop / 2; ++i) {
    m_top[i] = m_top[2 * i];
    extend(m_top[i], m_top[2 * i + 1]);
  }
  m_top.resize(kTop / 2);
  m_stride *= 2;
}

void BatchHistory::dropAfter(std::uint64_t step) {
  if (empty() || lastStep() <= step) return;
  for (; !m_top.empty() && m_top.back().first > step; m_top.pop_back()) m_size -= m_top.back().batches;
  const std::uint64_t kept = m_file.is_open() ? indexAfter(step) : 0;
  if (!m_top.empty() && m_top.back().last > step) cutLast(step, kept);
  if (!m_file.is_open()) return;
  flush();
  std::error_code error;
  std::filesystem::resize_file(m_path, kept * kRecord, error);
  m_records = kept;
  if (error) giveUpFile();
}

/// Without the file it is not known which of the bucket's values came after the step: all stay.
void BatchHistory::cutLast(std::uint64_t step, std::uint64_t kept) {
  BatchBucket cut{m_top.back().first, step, 0, {}, {}};
  const bool read = m_file.is_open() && visit(indexAfter(cut.first - 1), kept, [&cut](const BatchPoint& point) {
                      extend(cut, bucketOf(point));
                      return true;
                    });
  if (!read) {
    cut = m_top.back();
    cut.last = step;
    cut.batches = std::min(cut.batches, step - cut.first + 1);
  }
  m_size -= m_top.back().batches - cut.batches;
  m_top.back() = cut;
}

std::vector<BatchBucket> BatchHistory::closeUp(std::uint64_t from, std::uint64_t to) const {
  const auto begin = std::find_if(m_top.begin(), m_top.end(), [&](const BatchBucket& b) { return b.last >= from; });
  const auto end = std::find_if(begin, m_top.end(), [&](const BatchBucket& b) { return b.first > to; });
  if (m_stride == 1 || !m_file.is_open() || begin == end) return m_top;
  const std::uint64_t low = indexAfter(begin->first - 1), high = indexAfter((end - 1)->last);
  const std::uint64_t each = (high - low + kDetail - 1) / kDetail;
  std::vector<BatchBucket> buckets(m_top.begin(), begin);
  const std::size_t coarse = buckets.size();
  const bool read = visit(low, high, [&](const BatchPoint& point) {
    if (buckets.size() > coarse && buckets.back().batches < each) extend(buckets.back(), bucketOf(point));
    else buckets.push_back(bucketOf(point));
    return true;
  });
  if (!read) return m_top;
  buckets.insert(buckets.end(), end, m_top.end());
  return buckets;
}

void BatchHistory::flush() {
  if (m_file.is_open() && !m_file.flush()) giveUpFile();
}

template <class See>
bool BatchHistory::visit(std::uint64_t begin, std::uint64_t end, See see) const {
  m_writing = false;
  m_file.clear();
  m_file.seekg(static_cast<std::streamoff>(begin * kRecord));
  std::vector<char> chunk(kChunk * kRecord);
  while (begin < end) {
    const std::uint64_t count = std::min<std::uint64_t>(kChunk, end - begin);
    if (!m_file.read(chunk.data(), static_cast<std::streamsize>(count * kRecord))) return false;
    for (std::uint64_t i = 0; i < count; ++i)
      if (!see(unpacked(chunk.data() + i * kRecord))) return false;
    begin += count;
  }
  return true;
}

std::uint64_t BatchHistory::indexAfter(std::uint64_t step) const {
  std::uint64_t low = 0, high = m_records;
  while (low < high) {
    const std::uint64_t middle = low + (high - low) / 2;
    bool after = true;
    visit(middle, middle + 1, [&](const BatchPoint& point) {
      after = point.step > step;
      return true;
    });
    if (after) high = middle;
    else low = middle + 1;
  }
  return low;
}

/// What is in memory goes on without it.
void BatchHistory::giveUpFile() {
  m_file = std::fstream();
  m_records = 0;
}

}  // namespace strata
