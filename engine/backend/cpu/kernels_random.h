// SPDX-License-Identifier: Apache-2.0
// Kernels of layers that draw random numbers: the same numbers as Rng's, a vector at a time. Included once per
// instruction set.
#pragma once
#include "engine/backend/cpu/kernels_math.h"

namespace strata::STRATA_ISA_NAMESPACE {

typedef std::uint32_t WordVec __attribute__((vector_size(kLanes * 4)));

struct WideProduct {
  WordVec high, low;
};
/// a * factor in 64 bits, in halves.
STRATA_INLINE WideProduct wideProduct(WordVec a, std::uint32_t factor) {
#if defined(__AVX512F__)
  const __m512i f = _mm512_set1_epi32(int(factor)), even = _mm512_mul_epu32(__m512i(a), f),
                odd = _mm512_mul_epu32(_mm512_srli_epi64(__m512i(a), 32), f);
  return {WordVec(_mm512_mask_blend_epi32(0xaaaa, _mm512_srli_epi64(even, 32), odd)),
          WordVec(_mm512_mask_blend_epi32(0xaaaa, even, _mm512_slli_epi64(odd, 32)))};
#elif defined(__AVX2__)
  const __m256i f = _mm256_set1_epi32(int(factor)), even = _mm256_mul_epu32(__m256i(a), f),
                odd = _mm256_mul_epu32(_mm256_srli_epi64(__m256i(a), 32), f);
  return {WordVec(_mm256_blend_epi32(_mm256_srli_epi64(even, 32), odd, 0xaa)),
          WordVec(_mm256_blend_epi32(even, _mm256_slli_epi64(odd, 32), 0xaa))};
#else
  WideProduct result{};
  for (int i = 0; i < kLanes; ++i) {
    const std::uint64_t product = std::uint64_t{a[i]} * factor;
    result.high[i] = std::uint32_t(product >> 32), result.low[i] = std::uint32_t(product);
  }
  return result;
#endif
}

/// Numbers drawn at a time.
inline constexpr int kDrawn = 4 * kLanes;

/// The kDrawn numbers of a stream from block `block` on, four a block: philox() of rng.cpp.
STRATA_INLINE void drawBlocks(const RandomPlace& place, std::uint64_t block, std::uint32_t* words) {
  WordVec c0, c1;
  for (int i = 0; i < kLanes; ++i) {
    const std::uint64_t counter = block + std::uint64_t(i);
    c0[i] = std::uint32_t(counter), c1[i] = std::uint32_t(counter >> 32);
  }
  WordVec c2 = std::uint32_t(place.stream) - WordVec{}, c3 = std::uint32_t(place.stream >> 32) - WordVec{};
  std::uint32_t key0 = std::uint32_t(place.seed), key1 = std::uint32_t(place.seed >> 32);
  for (int round = 0; round < 10; ++round) {
    const WideProduct p0 = wideProduct(c0, 0xD2511F53u), p1 = wideProduct(c2, 0xCD9E8D57u);
    c0 = p1.high ^ c1 ^ key0;
    c1 = p1.low;
    c2 = p0.high ^ c3 ^ key1;
    c3 = p0.low;
    key0 += 0x9E3779B9u;
    key1 += 0xBB67AE85u;
  }
  Vec rows[4] = {reinterpret_cast<Vec>(c0), reinterpret_cast<Vec>(c1), reinterpret_cast<Vec>(c2),
                 reinterpret_cast<Vec>(c3)};
  interleave<false>(rows);
  for (int i = 0; i < 4; ++i) std::memcpy(words + i * kLanes, &rows[i], sizeof(Vec));
}

/// body(words, at, count) for pieces of n numbers from place.first on, of which `at` come before this piece.
template <class Body>
STRATA_INLINE void eachDrawn(const RandomPlace& place, std::int64_t n, Body body) {
  alignas(64) std::uint32_t words[kDrawn];
  int skip = int(place.first % 4);
  std::uint64_t block = place.first / 4;
  for (std::int64_t at = 0; at < n; block += kLanes) {
    drawBlocks(place, block, words);
    const std::int64_t count = n - at < kDrawn - skip ? n - at : kDrawn - skip;
    body(words + skip, at, int(count));
    at += count;
    skip = 0;
  }
}

inline void drawWords(const RandomPlace& place, std::int64_t n, std::uint32_t* words) {
  eachDrawn(place, n, [&](const std::uint32_t* drawn, std::int64_t at, int count) STRATA_INLINED {
    std::memcpy(words + at, drawn, std::size_t(count) * 4);
  });
}

inline void dropValues(const RandomPlace& place, std::uint32_t threshold, float scale, const float* from, float* to,
                       std::int64_t n) {
  const auto flip = [](IntVec v) { return v ^ INT32_MIN; };  // so that comparing signed numbers compares unsigned ones
  const IntVec least = flip(all(std::int32_t(threshold)));
  eachDrawn(place, n, [&](const std::uint32_t* words, std::int64_t at, int count) STRATA_INLINED {
    for (int i = 0; i < count; i += kLanes) {
      alignas(64) std::uint32_t padded[kLanes] = {};
      const bool whole = count - i >= kLanes;
      if (!whole) std::memcpy(padded, words + i, std::size_t(count - i) * 4);
      const IntVec drawn = load(reinterpret_cast<const std::int32_t*>(whole ? words + i : padded));
      const Vec v = loadSome(from + at + i, count - i) * scale;
      storeSome(to + at + i, flip(drawn) >= least ? v : Vec{}, count - i);
    }
  });
}

/// log x of positive normal numbers, within 2 units in the last place. Method and coefficients: Cephes logf (Moshier).
STRATA_INLINE Vec logarithm(Vec x) {
  const IntVec bits = reinterpret_cast<IntVec>(x);
  IntVec power = (bits >> 23) - 126;
  Vec m = reinterpret_cast<Vec>((bits & 0x007fffff) | 0x3f000000);  // in [1/2, 1)
  const IntVec low = m < all(0.707106781186547524f);
  power += low;  // -1 where it is
  m = low ? m + m - 1.f : m - 1.f;
  const Vec square = m * m;
  Vec p = all(7.0376836292e-2f);
  for (const float next : {-1.1514610310e-1f, 1.1676998740e-1f, -1.2420140846e-1f, 1.4249322787e-1f, -1.6668057665e-1f,
                           2.0000714765e-1f, -2.4999993993e-1f, 3.3333331174e-1f})
    p = p * m + next;
  const Vec e = __builtin_convertvector(power, Vec);
  return m + (m * square * p + e * -2.12194440e-4f - square * 0.5f) + e * 0.693359375f;
}

struct VecAngle {
  Vec sine, cosine;
};
/// Of 2 pi turn, turn in [0, 1).
STRATA_INLINE VecAngle angleOf(Vec turn) {
  const IntVec quarter = __builtin_convertvector(turn * 4.f + 0.5f, IntVec);
  const Vec r = (turn - __builtin_convertvector(quarter, Vec) * 0.25f) * 6.28318530717958648f, square = r * r;
  const Vec sine = ((square * -1.9515295891e-4f + 8.3321608736e-3f) * square - 1.6666654611e-1f) * square * r + r;
  const Vec cosine =
      ((square * 2.443315711809948e-5f - 1.388731625493765e-3f) * square + 4.166664568298827e-2f) * square * square -
      square * 0.5f + 1.f;
  const IntVec odd = (quarter & 1) != 0;
  const Vec s = odd ? cosine : sine, c = odd ? sine : cosine;
  return {(quarter & 2) != 0 ? -s : s, ((quarter + 1) & 2) != 0 ? -c : c};
}

/// Two values from two drawn numbers, as gaussian_noise.cpp makes them.
inline void addNoise(const RandomPlace& place, float deviation, const float* from, float* to, std::int64_t n) {
  const int skip = int(place.first % 2);  // the second value of a pair comes first
  const RandomPlace pairs{place.seed, place.stream, place.first - std::uint64_t(skip)};
  alignas(64) std::uint32_t words[kDrawn];
  alignas(64) float noise[2 * kDrawn];
  for (std::int64_t at = -skip; at < n; at += kDrawn) {
    drawWords({pairs.seed, pairs.stream, pairs.first + std::uint64_t(at + skip)}, kDrawn, words);
    for (int i = 0; i < kDrawn; i += 2 * kLanes) {
      const Vec a = load(reinterpret_cast<const float*>(words + i)),
                b = load(reinterpret_cast<const float*>(words + i) + kLanes);
      const auto unit = [](Vec drawn) STRATA_INLINED {  // its upper 24 bits
        return __builtin_convertvector(reinterpret_cast<IntVec>(reinterpret_cast<WordVec>(drawn) >> 8), Vec);
      };
      const Vec first = (unit(unzip<0>(a, b)) + 1.f) * 0x1p-24f, second = unit(unzip<1>(a, b)) * 0x1p-24f;
      const Vec log = logarithm(first), radius = squareRoot((log > Vec{} ? Vec{} : log) * -2.f) * deviation;
      const VecAngle angle = angleOf(second);
      store(noise + i, zip<0>(radius * angle.cosine, radius * angle.sine));
      store(noise + i + kLanes, zip<kLanes / 2>(radius * angle.cosine, radius * angle.sine));
    }
    const std::int64_t begin = at < 0 ? 0 : at, end = at + kDrawn < n ? at + kDrawn : n;
    for (std::int64_t i = begin; i < end; i += kLanes) {
      const int some = end - i < kLanes ? int(end - i) : kLanes;
      storeSome(to + i, loadSome(from + i, some) + loadSome(noise + (i - at), some), some);
    }
  }
}

}  // namespace strata::STRATA_ISA_NAMESPACE
