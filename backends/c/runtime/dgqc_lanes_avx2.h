/* 8 lanes: AVX2. */

#include <immintrin.h>

#define LANES 8
/* Elements of 32 bits, not __m256i: gcc would copy sums from one type to the other. */
typedef int32_t lanes __attribute__((vector_size(32)));
typedef struct {
    __m256i even, odd;
} long_lanes;

/* Keeps what was loaded in a register: gcc would load it anew for every use. */
#define LANES_LOADED(v) __asm__("" : "+x"(v))

static inline lanes lanes_splat(int32_t x)
{
    return (lanes)_mm256_set1_epi32(x);
}

static inline lanes lanes_load(const int32_t *x)
{
    return (lanes)_mm256_loadu_si256((const void *)x);
}

static inline void lanes_store(int32_t *y, lanes v)
{
    _mm256_storeu_si256((void *)y, (__m256i)v);
}

/* Two int16_t a lane, or four bytes. */
static inline lanes lanes_load_words(const void *x)
{
    return (lanes)_mm256_loadu_si256(x);
}

static inline void lanes_store_words(void *y, lanes v)
{
    _mm256_storeu_si256(y, (__m256i)v);
}

/* int16_t to int32_t. */
static inline lanes lanes_load16(const int16_t *x)
{
    return (lanes)_mm256_cvtepi16_epi32(_mm_loadu_si128((const void *)x));
}

/* Clamped to int16_t. */
static inline void lanes_store16(int16_t *y, lanes v)
{
    const __m128i low = _mm256_castsi256_si128((__m256i)v), high = _mm256_extracti128_si256((__m256i)v, 1);
    _mm_storeu_si128((void *)y, _mm_packs_epi32(low, high));
}

/* The lowest byte of each lane. */
static inline void lanes_store8(uint8_t *y, lanes v)
{
    const __m256i bytes = _mm256_and_si256((__m256i)v, _mm256_set1_epi32(255));
    const __m128i low = _mm256_castsi256_si128(bytes), high = _mm256_extracti128_si256(bytes, 1);
    const __m128i pairs = _mm_packus_epi32(low, high);
    _mm_storel_epi64((void *)y, _mm_packus_epi16(pairs, pairs));
}

/* Of four vectors, one after the other; bytes hold them. */
static inline void lanes_store8_four(uint8_t *y, lanes a, lanes b, lanes c, lanes d)
{
    /* Packing goes by halves; the permutation puts them in order. */
    const __m256i in_order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
    const __m256i ab = _mm256_packus_epi32((__m256i)a, (__m256i)b), cd = _mm256_packus_epi32((__m256i)c, (__m256i)d);
    _mm256_storeu_si256((void *)y, _mm256_permutevar8x32_epi32(_mm256_packus_epi16(ab, cd), in_order));
}

static inline lanes lanes_add(lanes a, lanes b)
{
    return (lanes)_mm256_add_epi32((__m256i)a, (__m256i)b);
}

static inline lanes lanes_subtract(lanes a, lanes b)
{
    return (lanes)_mm256_sub_epi32((__m256i)a, (__m256i)b);
}

static inline lanes lanes_multiply(lanes a, lanes b)
{
    return (lanes)_mm256_mullo_epi32((__m256i)a, (__m256i)b);
}

static inline lanes lanes_and(lanes a, lanes b)
{
    return (lanes)_mm256_and_si256((__m256i)a, (__m256i)b);
}

static inline lanes lanes_xor(lanes a, lanes b)
{
    return (lanes)_mm256_xor_si256((__m256i)a, (__m256i)b);
}

static inline lanes lanes_maximum(lanes a, lanes b)
{
    return (lanes)_mm256_max_epi32((__m256i)a, (__m256i)b);
}

static inline lanes lanes_minimum_unsigned(lanes a, lanes b)
{
    return (lanes)_mm256_min_epu32((__m256i)a, (__m256i)b);
}

/* By 0 .. 31 bits: arithmetic, as uint32_t, to the left. */
static inline lanes lanes_shift_right(lanes v, int by)
{
    return (lanes)_mm256_srai_epi32((__m256i)v, by);
}

static inline lanes lanes_shift_right_unsigned(lanes v, int by)
{
    return (lanes)_mm256_srli_epi32((__m256i)v, by);
}

static inline lanes lanes_shift_left(lanes v, int by)
{
    return (lanes)_mm256_slli_epi32((__m256i)v, by);
}

/* As uint32_t, each lane by its own number of bits, 0 .. 65535. */
static inline lanes lanes_shift_right_unsigned_each(lanes v, lanes by)
{
    return (lanes)_mm256_srlv_epi32((__m256i)v, (__m256i)by);
}

/* Arithmetic, each lane by its own number of bits, 0 .. 31. */
static inline lanes lanes_shift_right_each(lanes v, lanes by)
{
    return (lanes)_mm256_srav_epi32((__m256i)v, (__m256i)by);
}

/* (a * b) >> 16 of lower halves as int16_t, in the lower half; the upper half may be anything. Not
 * both are -2^15. */
static inline lanes lanes_upper16(lanes a, lanes b)
{
    return (lanes)_mm256_mulhi_epi16((__m256i)a, (__m256i)b);
}

/* sum + a.low * b.low + a.high * b.high, halves of each lane as int16_t. */
static inline lanes lanes_dot16(lanes sum, lanes a, lanes b)
{
#ifdef __AVXVNNI__
    return (lanes)_mm256_dpwssd_avx_epi32((__m256i)sum, (__m256i)a, (__m256i)b);
#else
    return (lanes)_mm256_add_epi32((__m256i)sum, _mm256_madd_epi16((__m256i)a, (__m256i)b));
#endif
}

/* Where 64 bits of a lane lie among LANES of them in memory: the even lanes first. */
static inline size_t lanes_place(size_t lane)
{
    return lane % 2 * (LANES / 2) + lane / 2;
}

static inline long_lanes long_lanes_load(const int64_t *x)
{
    const long_lanes y = {_mm256_loadu_si256((const void *)x), _mm256_loadu_si256((const void *)(x + LANES / 2))};
    return y;
}

static inline void long_lanes_store(int64_t *y, long_lanes v)
{
    _mm256_storeu_si256((void *)y, v.even);
    _mm256_storeu_si256((void *)(y + LANES / 2), v.odd);
}

static inline long_lanes long_lanes_splat(int64_t x)
{
    const long_lanes y = {_mm256_set1_epi64x(x), _mm256_set1_epi64x(x)};
    return y;
}

static inline long_lanes long_lanes_add(long_lanes a, long_lanes b)
{
    const long_lanes y = {_mm256_add_epi64(a.even, b.even), _mm256_add_epi64(a.odd, b.odd)};
    return y;
}

/* The whole product of each lane. */
static inline long_lanes lanes_multiply_long(lanes a, lanes b)
{
    const __m256i odd_a = _mm256_srli_epi64((__m256i)a, 32), odd_b = _mm256_srli_epi64((__m256i)b, 32);
    const long_lanes y = {_mm256_mul_epi32((__m256i)a, (__m256i)b), _mm256_mul_epi32(odd_a, odd_b)};
    return y;
}

/* sums[lane] += a * b of each lane, in their order. */
static inline void lanes_add_products(int64_t *sums, lanes a, lanes b)
{
    __m256i *const low = (void *)sums, *const high = (void *)(sums + LANES / 2);
    const __m256i first = _mm256_mul_epi32(_mm256_cvtepi32_epi64(_mm256_castsi256_si128((__m256i)a)),
                                           _mm256_cvtepi32_epi64(_mm256_castsi256_si128((__m256i)b)));
    const __m256i second = _mm256_mul_epi32(_mm256_cvtepi32_epi64(_mm256_extracti128_si256((__m256i)a, 1)),
                                            _mm256_cvtepi32_epi64(_mm256_extracti128_si256((__m256i)b, 1)));
    _mm256_storeu_si256(low, _mm256_add_epi64(_mm256_loadu_si256(low), first));
    _mm256_storeu_si256(high, _mm256_add_epi64(_mm256_loadu_si256(high), second));
}

/* Lanes as uint32_t. */
static inline long_lanes lanes_widen_unsigned(lanes v)
{
    const long_lanes y = {_mm256_and_si256((__m256i)v, _mm256_set1_epi64x(0xFFFFFFFF)), _mm256_srli_epi64((__m256i)v, 32)};
    return y;
}

static inline long_lanes long_lanes_shift_left(long_lanes v, int by)
{
    const long_lanes y = {_mm256_slli_epi64(v.even, by), _mm256_slli_epi64(v.odd, by)};
    return y;
}

/* The upper 32 bits of each lane. */
static inline lanes long_lanes_upper(long_lanes v)
{
    return (lanes)_mm256_blend_epi32(_mm256_srli_epi64(v.even, 32), v.odd, 0xAA);
}

/* Over all lanes. */
static inline int64_t long_lanes_total(long_lanes v)
{
    int64_t each[4];
    _mm256_storeu_si256((void *)each, _mm256_add_epi64(v.even, v.odd));
    return each[0] + each[1] + each[2] + each[3];
}

static inline int32_t lanes_largest(lanes v)
{
    __m128i four = _mm_max_epi32(_mm256_castsi256_si128((__m256i)v), _mm256_extracti128_si256((__m256i)v, 1));
    four = _mm_max_epi32(four, _mm_shuffle_epi32(four, 0x4E));
    four = _mm_max_epi32(four, _mm_shuffle_epi32(four, 0xB1));
    return _mm_cvtsi128_si32(four);
}

#define LANES_LOOK_UP

/* table[index] of each lane. table: 64 entries. */
static inline lanes lanes_entry(const int32_t *table, lanes index)
{
    return (lanes)_mm256_i32gather_epi32(table, (__m256i)index, 4);
}
