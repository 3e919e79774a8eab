// SPDX-License-Identifier: Apache-2.0
// A vector of floats as wide as the instruction set this file is compiled for. Arithmetic is the compiler's own on
// vector types; only what it lacks (masks, compression) is written by hand. Included by kernels_*.cpp alone, each
// within its own namespace.
#pragma once
#include <cstdint>
#include <cstring>
#if defined(__AVX2__)
#include <immintrin.h>
#endif

namespace strata::STRATA_ISA_NAMESPACE {

#if defined(__AVX512F__)
inline constexpr int kLanes = 16;
inline constexpr int kRegisters = 32;
#elif defined(__AVX2__)
inline constexpr int kLanes = 8;
inline constexpr int kRegisters = 16;
#else
inline constexpr int kLanes = 4;
inline constexpr int kRegisters = 16;
#endif

#define STRATA_INLINED __attribute__((always_inline))  ///< of a lambda that a loop calls for each entry
#define STRATA_INLINE inline STRATA_INLINED

typedef float Vec __attribute__((vector_size(kLanes * 4)));
typedef std::int32_t IntVec __attribute__((vector_size(kLanes * 4)));
typedef float LooseVec __attribute__((vector_size(kLanes * 4), aligned(4), may_alias));
typedef std::int32_t LooseIntVec __attribute__((vector_size(kLanes * 4), aligned(4), may_alias));

typedef float HalfVec __attribute__((vector_size(kLanes * 2)));
typedef float LooseHalfVec __attribute__((vector_size(kLanes * 2), aligned(4), may_alias));

STRATA_INLINE HalfVec loadHalf(const float* p) { return *reinterpret_cast<const LooseHalfVec*>(p); }
STRATA_INLINE void store(float* p, HalfVec v) { *reinterpret_cast<LooseHalfVec*>(p) = v; }
STRATA_INLINE Vec load(const float* p) { return *reinterpret_cast<const LooseVec*>(p); }
STRATA_INLINE void store(float* p, Vec v) { *reinterpret_cast<LooseVec*>(p) = v; }
STRATA_INLINE IntVec load(const std::int32_t* p) { return *reinterpret_cast<const LooseIntVec*>(p); }
STRATA_INLINE void store(std::int32_t* p, IntVec v) { *reinterpret_cast<LooseIntVec*>(p) = v; }
STRATA_INLINE Vec all(float x) { return x - Vec{}; }
STRATA_INLINE IntVec all(std::int32_t x) { return x - IntVec{}; }
STRATA_INLINE IntVec ramp() {
  IntVec v{};
  for (int i = 0; i < kLanes; ++i) v[i] = i;
  return v;
}

STRATA_INLINE float sumOf(Vec v) {
  float sum = 0;
  for (int i = 0; i < kLanes; ++i) sum += v[i];
  return sum;
}
STRATA_INLINE std::int32_t sumOf(IntVec v) {
  std::int32_t sum = 0;
  for (int i = 0; i < kLanes; ++i) sum += v[i];
  return sum;
}

/// The first n lanes; n may be more than there are. The rest is zero, and nothing past the n values is read or written.
STRATA_INLINE Vec loadSome(const float* p, int n) {
  if (n >= kLanes) return load(p);
#if defined(__AVX512F__)
  return Vec(_mm512_maskz_loadu_ps(__mmask16((1u << n) - 1), p));
#elif defined(__AVX2__)
  return Vec(_mm256_maskload_ps(p, __m256i(ramp() < all(n))));
#else
  Vec v{};
  for (int i = 0; i < n; ++i) v[i] = p[i];
  return v;
#endif
}
STRATA_INLINE void storeSome(float* p, Vec v, int n) {
  if (n >= kLanes) return store(p, v);
#if defined(__AVX512F__)
  _mm512_mask_storeu_ps(p, __mmask16((1u << n) - 1), __m512(v));
#elif defined(__AVX2__)  // in pieces: masked stores are slow on some processors
  __m128 part = _mm256_castps256_ps128(__m256(v));
  if (n & 4) {
    _mm_storeu_ps(p, part);
    part = _mm256_extractf128_ps(__m256(v), 1);
    p += 4;
  }
  if (n & 2) {
    _mm_storel_pi(reinterpret_cast<__m64*>(p), part);
    part = _mm_movehl_ps(part, part);
    p += 2;
  }
  if (n & 1) _mm_store_ss(p, part);
#else
  for (int i = 0; i < n; ++i) p[i] = v[i];
#endif
}

/// NaN stays NaN.
STRATA_INLINE Vec clamp(Vec x, float low, float high) {
#if defined(__AVX512F__)
  return Vec(_mm512_min_ps(__m512(all(high)), _mm512_max_ps(__m512(all(low)), __m512(x))));
#elif defined(__AVX2__)
  return Vec(_mm256_min_ps(__m256(all(high)), _mm256_max_ps(__m256(all(low)), __m256(x))));
#else
  x = x < all(low) ? all(low) : x;
  return x > all(high) ? all(high) : x;
#endif
}

/// a / b within two units in the last place, where that is quicker than dividing. Not for values of b whose reciprocal
/// is not a normal number, but those of infinity's order of magnitude give 0.
STRATA_INLINE Vec quotient(Vec a, Vec b) {
#if defined(__AVX512F__)
  const Vec near = Vec(_mm512_rcp14_ps(__m512(b)));
  return a * (near + near * (1.f - b * near));  // Newton's step
#else
  return a / b;
#endif
}

/// The whole number n nearest to a value of -126..127, and 2^n.
struct WholePower {
  Vec n, power;
};
STRATA_INLINE WholePower wholePower(Vec v) {
#if defined(__AVX512F__)
  const Vec n = Vec(_mm512_roundscale_ps(__m512(v), _MM_FROUND_TO_NEAREST_INT));
  return {n, Vec(_mm512_scalef_ps(__m512(all(1.f)), __m512(n)))};
#else  // n comes to lie in the lowest bits, from where it goes into the exponent
  const Vec moved = v + 0x1.8p23f;
  return {moved - 0x1.8p23f, reinterpret_cast<Vec>((reinterpret_cast<IntVec>(moved) << 23) + (127 << 23))};
#endif
}

/// kLanes bytes, widened and narrowed. Compilers make scalar code of the generic form.
STRATA_INLINE IntVec loadBytes(const std::uint8_t* p) {
#if defined(__AVX512F__)
  return IntVec(_mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))));
#elif defined(__AVX2__)
  return IntVec(_mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p))));
#else
  IntVec v{};
  for (int i = 0; i < kLanes; ++i) v[i] = p[i];
  return v;
#endif
}
STRATA_INLINE void storeBytes(std::uint8_t* p, IntVec v) {
#if defined(__AVX512F__)
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm512_cvtepi32_epi8(__m512i(v)));
#elif defined(__AVX2__)
  const __m128i words = _mm_packus_epi32(_mm256_castsi256_si128(__m256i(v)), _mm256_extracti128_si256(__m256i(v), 1));
  _mm_storel_epi64(reinterpret_cast<__m128i*>(p), _mm_packus_epi16(words, words));
#else
  for (int i = 0; i < kLanes; ++i) p[i] = std::uint8_t(v[i]);
#endif
}

/// Offset of place `code` of a window, places counted row by row. Divides by a product, exact for a byte: vectors
/// cannot divide.
STRATA_INLINE IntVec windowOffset(IntVec code, int windowW, int rowStep, int colStep) {
  if (windowW == 2) return (code >> 1) * rowStep + (code & 1) * colStep;
  const IntVec row = code * (65536 / windowW + 1) >> 16;
  return row * rowStep + (code - row * windowW) * colStep;
}

/// Lanes First.. of a and b in turn: a[First], b[First], a[First + 1], ...
template <int First>
STRATA_INLINE Vec zip(Vec a, Vec b) {
  constexpr int f = First, n = kLanes;
#if defined(__AVX512F__)
  return __builtin_shufflevector(a, b, f, f + n, f + 1, f + 1 + n, f + 2, f + 2 + n, f + 3, f + 3 + n, f + 4, f + 4 + n,
                                 f + 5, f + 5 + n, f + 6, f + 6 + n, f + 7, f + 7 + n);
#elif defined(__AVX2__)
  return __builtin_shufflevector(a, b, f, f + n, f + 1, f + 1 + n, f + 2, f + 2 + n, f + 3, f + 3 + n);
#else
  return __builtin_shufflevector(a, b, f, f + n, f + 1, f + 1 + n);
#endif
}

/// Every second lane of a and then of b, from lane First on.
template <int First>
STRATA_INLINE Vec unzip(Vec a, Vec b) {
  constexpr int f = First;
#if defined(__AVX512F__)
  return __builtin_shufflevector(a, b, f, f + 2, f + 4, f + 6, f + 8, f + 10, f + 12, f + 14, f + 16, f + 18, f + 20,
                                 f + 22, f + 24, f + 26, f + 28, f + 30);
#elif defined(__AVX2__)
  return __builtin_shufflevector(a, b, f, f + 2, f + 4, f + 6, f + 8, f + 10, f + 12, f + 14);
#else
  return __builtin_shufflevector(a, b, f, f + 2, f + 4, f + 6);
#endif
}

/// zip() within each half of a vector.
template <int First>
STRATA_INLINE Vec zipHalves(Vec a, Vec b) {
  constexpr int f = First, n = kLanes, h = kLanes / 2;
#if defined(__AVX512F__)
  return __builtin_shufflevector(a, b, f, f + n, f + 1, f + 1 + n, f + 2, f + 2 + n, f + 3, f + 3 + n, h + f, h + f + n,
                                 h + f + 1, h + f + 1 + n, h + f + 2, h + f + 2 + n, h + f + 3, h + f + 3 + n);
#elif defined(__AVX2__)
  return __builtin_shufflevector(a, b, f, f + n, f + 1, f + 1 + n, h + f, h + f + n, h + f + 1, h + f + 1 + n);
#else
  return __builtin_shufflevector(a, b, f, f + n, h + f, h + f + n);
#endif
}

/// log2(N) rounds that interleave row i with row i + N / 2, or their halves: of as many rows as lanes, or of half as
/// many with halves, that makes the transpose; of half as many without, neighbouring columns of it side by side.
template <bool Halves, int N>
STRATA_INLINE void interleave(Vec (&rows)[N]) {
#pragma GCC unroll 4
  for (int round = 1; round < N; round *= 2) {
    Vec next[N];
#pragma GCC unroll 8
    for (int i = 0; i < N / 2; ++i) {
      const Vec a = rows[i], b = rows[i + N / 2];
      next[2 * i] = Halves ? zipHalves<0>(a, b) : zip<0>(a, b);
      next[2 * i + 1] = Halves ? zipHalves<kLanes / 4>(a, b) : zip<kLanes / 2>(a, b);
    }
#pragma GCC unroll 16
    for (int i = 0; i < N; ++i) rows[i] = next[i];
  }
}

/// Transposes a square tile in registers.
STRATA_INLINE void transposeTile(Vec (&rows)[kLanes]) {
#if defined(__AVX2__) && \
    !defined(__AVX512F__)  // 24 shuffles, where lanes that cross the halves make the general way cost 48
  __m256 a[8], b[8];
#pragma GCC unroll 4
  for (int i = 0; i < 8; i += 2) {
    a[i] = _mm256_unpacklo_ps(__m256(rows[i]), __m256(rows[i + 1]));
    a[i + 1] = _mm256_unpackhi_ps(__m256(rows[i]), __m256(rows[i + 1]));
  }
#pragma GCC unroll 2
  for (int i = 0; i < 8; i += 4) {
    b[i] = _mm256_shuffle_ps(a[i], a[i + 2], 0x44);
    b[i + 1] = _mm256_shuffle_ps(a[i], a[i + 2], 0xee);
    b[i + 2] = _mm256_shuffle_ps(a[i + 1], a[i + 3], 0x44);
    b[i + 3] = _mm256_shuffle_ps(a[i + 1], a[i + 3], 0xee);
  }
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    rows[i] = Vec(_mm256_permute2f128_ps(b[i], b[i + 4], 0x20));
    rows[i + 4] = Vec(_mm256_permute2f128_ps(b[i], b[i + 4], 0x31));
  }
#else
  interleave<false>(rows);
#endif
}

STRATA_INLINE Vec joinHalves(HalfVec low, HalfVec high) {
#if defined(__AVX512F__)
  return __builtin_shufflevector(low, high, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
#elif defined(__AVX2__)
  return __builtin_shufflevector(low, high, 0, 1, 2, 3, 4, 5, 6, 7);
#else
  return __builtin_shufflevector(low, high, 0, 1, 2, 3);
#endif
}
/// Half the lanes of v, from First on.
template <int First>
STRATA_INLINE HalfVec half(Vec v) {
  constexpr int f = First;
#if defined(__AVX512F__)
  return __builtin_shufflevector(v, v, f, f + 1, f + 2, f + 3, f + 4, f + 5, f + 6, f + 7);
#elif defined(__AVX2__)
  return __builtin_shufflevector(v, v, f, f + 1, f + 2, f + 3);
#else
  return __builtin_shufflevector(v, v, f, f + 1);
#endif
}

/// Transposes two square tiles of half as many lanes at once: the halves of the rows.
STRATA_INLINE void transposeHalves(Vec (&rows)[kLanes / 2]) { interleave<true>(rows); }

/// Transposes a square tile of bytes: row i of the result is at to + i * lanes. Row i of the source lies at from + i *
/// stride; only `count` rows are there, others are anything.
STRATA_INLINE void transposeBytes(const std::uint8_t* from, std::int64_t stride, int count, std::uint8_t* to) {
  typedef std::uint8_t Bytes __attribute__((vector_size(16)));
  constexpr int kBlocks = kLanes * kLanes / 16;
  Bytes block[kBlocks];
  const auto row = [&](int i) { return from + (i < count ? i * stride : 0); };
#if defined(__AVX2__) && !defined(__AVX512F__)
#pragma GCC unroll 4
  for (int i = 0; i < kBlocks; ++i) {
    typedef std::uint64_t Words __attribute__((vector_size(16)));
    Words words{};
    std::memcpy(&words[0], row(2 * i), 8);
    std::memcpy(&words[1], row(2 * i + 1), 8);
    block[i] = Bytes(words);
  }
#else
  alignas(16) std::uint8_t rows[kLanes * kLanes];
  for (int i = 0; i < kLanes; ++i) std::memcpy(rows + i * kLanes, row(i), kLanes);
  std::memcpy(block, rows, sizeof rows);
#endif
#pragma GCC unroll 4
  for (int round = 1; round < kLanes; round *= 2) {  // as transposeTile()
    Bytes next[kBlocks];
    if constexpr (kBlocks == 1) {
      next[0] = __builtin_shufflevector(block[0], block[0], 0, 8, 1, 9, 2, 10, 3, 11, 4, 12, 5, 13, 6, 14, 7, 15);
    } else {
#pragma GCC unroll 8
      for (int i = 0; i < kBlocks / 2; ++i) {
        next[2 * i] = __builtin_shufflevector(block[i], block[i + kBlocks / 2], 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5,
                                              21, 6, 22, 7, 23);
        next[2 * i + 1] = __builtin_shufflevector(block[i], block[i + kBlocks / 2], 8, 24, 9, 25, 10, 26, 11, 27, 12,
                                                  28, 13, 29, 14, 30, 15, 31);
      }
    }
#pragma GCC unroll 16
    for (int i = 0; i < kBlocks; ++i) block[i] = next[i];
  }
  std::memcpy(to, block, sizeof block);
}

/// One bit a lane, from a comparison's result.
STRATA_INLINE unsigned bits(IntVec mask) {
#if defined(__AVX512F__)
  return _mm512_movepi32_mask(reinterpret_cast<__m512i>(mask));
#elif defined(__AVX2__)
  return unsigned(_mm256_movemask_ps(reinterpret_cast<__m256>(mask)));
#else
  unsigned result = 0;
  for (int i = 0; i < kLanes; ++i) result |= unsigned(mask[i] & 1) << i;
  return result;
#endif
}

#if defined(__AVX2__) && !defined(__AVX512F__)
/// kCompress.lanes[m] holds, a byte each, the numbers of the set bits of m in order; kCompress.ranks[m] the place of
/// each set bit among them, and 255 for the others.
struct CompressTable {
  std::uint64_t lanes[256], ranks[256];
  constexpr CompressTable() : lanes(), ranks() {
    for (unsigned m = 0; m < 256; ++m)
      for (unsigned bit = 0, at = 0; bit < 8; ++bit) {
        const bool set = m >> bit & 1;
        ranks[m] |= std::uint64_t{set ? at : 255} << 8 * bit;
        if (set) lanes[m] |= std::uint64_t{bit} << 8 * at++;
      }
  }
};
inline constexpr CompressTable kCompress;
#endif

/// Writes the lanes of `a` and `b` whose bit is set, packed together, and returns how many. May write a whole vector.
STRATA_INLINE int compress(unsigned mask, Vec a, IntVec b, float* pa, std::int32_t* pb) {
#if defined(__AVX512F__)
  store(pa, Vec(_mm512_maskz_compress_ps(__mmask16(mask), __m512(a))));
  store(pb, IntVec(_mm512_maskz_compress_epi32(__mmask16(mask), __m512i(b))));
#elif defined(__AVX2__)
  const __m256i lanes = _mm256_cvtepu8_epi32(_mm_cvtsi64_si128(static_cast<long long>(kCompress.lanes[mask])));
  store(pa, Vec(_mm256_permutevar8x32_ps(__m256(a), lanes)));
  store(pb, IntVec(_mm256_permutevar8x32_epi32(__m256i(b), lanes)));
#else
  int n = 0;
  for (int i = 0; i < kLanes; ++i) {
    pa[n] = a[i];
    pb[n] = b[i];
    n += mask >> i & 1;
  }
#endif
  return __builtin_popcount(mask);
}

/// The same of one vector.
STRATA_INLINE int compress(unsigned mask, Vec a, float* to) {
#if defined(__AVX512F__)
  store(to, Vec(_mm512_maskz_compress_ps(__mmask16(mask), __m512(a))));
#elif defined(__AVX2__)
  store(to, Vec(_mm256_permutevar8x32_ps(
                __m256(a), _mm256_cvtepu8_epi32(_mm_cvtsi64_si128(static_cast<long long>(kCompress.lanes[mask]))))));
#else
  int n = 0;
  for (int i = 0; i < kLanes; ++i) {
    to[n] = a[i];
    n += mask >> i & 1;
  }
#endif
  return __builtin_popcount(mask);
}
STRATA_INLINE int compress(unsigned mask, IntVec a, std::int32_t* to) {
  return compress(mask, reinterpret_cast<Vec>(a), reinterpret_cast<float*>(to));
}

/// The opposite: the values from `from` on into the lanes whose bit is set, in order, zeros into the others. May read a
/// whole vector.
STRATA_INLINE Vec expand(unsigned mask, const float* from) {
#if defined(__AVX512F__)
  return Vec(_mm512_maskz_expand_ps(__mmask16(mask), __m512(load(from))));
#elif defined(__AVX2__)
  const IntVec ranks = IntVec(_mm256_cvtepi8_epi32(_mm_cvtsi64_si128(static_cast<long long>(kCompress.ranks[mask]))));
  return ranks < 0 ? Vec{} : Vec(_mm256_permutevar8x32_ps(__m256(load(from)), __m256i(ranks)));
#else
  Vec v{};
  for (int i = 0; i < kLanes; ++i) {
    if (mask >> i & 1) v[i] = *from++;
  }
  return v;
#endif
}

}  // namespace strata::STRATA_ISA_NAMESPACE
