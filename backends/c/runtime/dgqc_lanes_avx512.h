/* 16 lanes: AVX512 with its byte, doubleword and vector length extensions, VNNI where it is there. */

#include <immintrin.h>

#define LANES 16
/* Elements of 32 bits, not __m512i: gcc would copy sums from one type to the other. */
typedef int32_t lanes __attribute__((vector_size(64)));
typedef struct {
    __m512i even, odd;
} long_lanes;

/* Keeps what was loaded in a register: gcc would load it anew for every use. */
#define LANES_LOADED(v) __asm__("" : "+v"(v))

static inline lanes lanes_splat(int32_t x)
{
    return (lanes)_mm512_set1_epi32(x);
}

static inline lanes lanes_load(const int32_t *x)
{
    return (lanes)_mm512_loadu_si512(x);
}

static inline void lanes_store(int32_t *y, lanes v)
{
    _mm512_storeu_si512(y, (__m512i)v);
}

/* Two int16_t a lane, or four bytes. */
static inline lanes lanes_load_words(const void *x)
{
    return (lanes)_mm512_loadu_si512(x);
}

static inline void lanes_store_words(void *y, lanes v)
{
    _mm512_storeu_si512(y, (__m512i)v);
}

/* int16_t to int32_t. */
static inline lanes lanes_load16(const int16_t *x)
{
    return (lanes)_mm512_cvtepi16_epi32(_mm256_loadu_si256((const void *)x));
}

/* Clamped to int16_t. */
static inline void lanes_store16(int16_t *y, lanes v)
{
    _mm256_storeu_si256((void *)y, _mm512_cvtsepi32_epi16((__m512i)v));
}

/* The lowest byte of each lane. */
static inline void lanes_store8(uint8_t *y, lanes v)
{
    _mm_storeu_si128((void *)y, _mm512_cvtepi32_epi8((__m512i)v));
}

/* Of four vectors, one after the other; bytes hold them. */
static inline void lanes_store8_four(uint8_t *y, lanes a, lanes b, lanes c, lanes d)
{
    /* Packing goes by quarters; the permutation puts them in order. */
    const __m512i in_order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    const __m512i ab = _mm512_packus_epi32((__m512i)a, (__m512i)b), cd = _mm512_packus_epi32((__m512i)c, (__m512i)d);
    _mm512_storeu_si512(y, _mm512_permutexvar_epi32(in_order, _mm512_packus_epi16(ab, cd)));
}

static inline lanes lanes_add(lanes a, lanes b)
{
    return (lanes)_mm512_add_epi32((__m512i)a, (__m512i)b);
}

static inline lanes lanes_subtract(lanes a, lanes b)
{
    return (lanes)_mm512_sub_epi32((__m512i)a, (__m512i)b);
}

static inline lanes lanes_multiply(lanes a, lanes b)
{
    return (lanes)_mm512_mullo_epi32((__m512i)a, (__m512i)b);
}

static inline lanes lanes_and(lanes a, lanes b)
{
    return (lanes)_mm512_and_si512((__m512i)a, (__m512i)b);
}

static inline lanes lanes_xor(lanes a, lanes b)
{
    return (lanes)_mm512_xor_si512((__m512i)a, (__m512i)b);
}

static inline lanes lanes_maximum(lanes a, lanes b)
{
    return (lanes)_mm512_max_epi32((__m512i)a, (__m512i)b);
}

static inline lanes lanes_minimum_unsigned(lanes a, lanes b)
{
    return (lanes)_mm512_min_epu32((__m512i)a, (__m512i)b);
}

/* By 0 .. 31 bits: arithmetic, as uint32_t, to the left. */
/* A shift by a vector is one operation, by a number that is known only then two. */
static inline lanes lanes_shift_right(lanes v, int by)
{
    return (lanes)(__builtin_constant_p(by) ? _mm512_srai_epi32((__m512i)v, (unsigned)by)
                                            : _mm512_srav_epi32((__m512i)v, _mm512_set1_epi32(by)));
}

static inline lanes lanes_shift_right_unsigned(lanes v, int by)
{
    return (lanes)(__builtin_constant_p(by) ? _mm512_srli_epi32((__m512i)v, (unsigned)by)
                                            : _mm512_srlv_epi32((__m512i)v, _mm512_set1_epi32(by)));
}

static inline lanes lanes_shift_left(lanes v, int by)
{
    return (lanes)(__builtin_constant_p(by) ? _mm512_slli_epi32((__m512i)v, (unsigned)by)
                                            : _mm512_sllv_epi32((__m512i)v, _mm512_set1_epi32(by)));
}

/* As uint32_t, each lane by its own number of bits, 0 .. 65535. */
static inline lanes lanes_shift_right_unsigned_each(lanes v, lanes by)
{
    return (lanes)_mm512_srlv_epi32((__m512i)v, (__m512i)by);
}

/* Arithmetic, each lane by its own number of bits, 0 .. 31. */
static inline lanes lanes_shift_right_each(lanes v, lanes by)
{
    return (lanes)_mm512_srav_epi32((__m512i)v, (__m512i)by);
}

/* (a * b) >> 16 of lower halves as int16_t, in the lower half; the upper half may be anything. Not
 * both are -2^15. */
static inline lanes lanes_upper16(lanes a, lanes b)
{
    return (lanes)_mm512_mulhi_epi16((__m512i)a, (__m512i)b);
}

/* sum + a.low * b.low + a.high * b.high, halves of each lane as int16_t. */
static inline lanes lanes_dot16(lanes sum, lanes a, lanes b)
{
#ifdef __AVX512VNNI__
    return (lanes)_mm512_dpwssd_epi32((__m512i)sum, (__m512i)a, (__m512i)b);
#else
    return (lanes)_mm512_add_epi32((__m512i)sum, _mm512_madd_epi16((__m512i)a, (__m512i)b));
#endif
}

/* Where 64 bits of a lane lie among LANES of them in memory: the even lanes first. */
static inline size_t lanes_place(size_t lane)
{
    return lane % 2 * (LANES / 2) + lane / 2;
}

static inline long_lanes long_lanes_load(const int64_t *x)
{
    const long_lanes y = {_mm512_loadu_si512(x), _mm512_loadu_si512(x + LANES / 2)};
    return y;
}

static inline void long_lanes_store(int64_t *y, long_lanes v)
{
    _mm512_storeu_si512(y, v.even);
    _mm512_storeu_si512(y + LANES / 2, v.odd);
}

static inline long_lanes long_lanes_splat(int64_t x)
{
    const long_lanes y = {_mm512_set1_epi64(x), _mm512_set1_epi64(x)};
    return y;
}

static inline long_lanes long_lanes_add(long_lanes a, long_lanes b)
{
    const long_lanes y = {_mm512_add_epi64(a.even, b.even), _mm512_add_epi64(a.odd, b.odd)};
    return y;
}

/* The whole product of each lane. */
static inline long_lanes lanes_multiply_long(lanes a, lanes b)
{
    /* Shifts would wait for the port that multiplies. */
    const __m512i odd_a = _mm512_shuffle_epi32((__m512i)a, (_MM_PERM_ENUM)0xF5);
    const __m512i odd_b = _mm512_shuffle_epi32((__m512i)b, (_MM_PERM_ENUM)0xF5);
    const long_lanes y = {_mm512_mul_epi32((__m512i)a, (__m512i)b), _mm512_mul_epi32(odd_a, odd_b)};
    return y;
}

/* sums[lane] += a * b of each lane, in their order. */
static inline void lanes_add_products(int64_t *sums, lanes a, lanes b)
{
    const __m512i low = _mm512_mul_epi32(_mm512_cvtepi32_epi64(_mm512_castsi512_si256((__m512i)a)),
                                         _mm512_cvtepi32_epi64(_mm512_castsi512_si256((__m512i)b)));
    const __m512i high = _mm512_mul_epi32(_mm512_cvtepi32_epi64(_mm512_extracti64x4_epi64((__m512i)a, 1)),
                                          _mm512_cvtepi32_epi64(_mm512_extracti64x4_epi64((__m512i)b, 1)));
    _mm512_storeu_si512(sums, _mm512_add_epi64(_mm512_loadu_si512(sums), low));
    _mm512_storeu_si512(sums + LANES / 2, _mm512_add_epi64(_mm512_loadu_si512(sums + LANES / 2), high));
}

/* Lanes as uint32_t. */
static inline long_lanes lanes_widen_unsigned(lanes v)
{
    const long_lanes y = {_mm512_and_si512((__m512i)v, _mm512_set1_epi64(0xFFFFFFFF)), _mm512_srli_epi64((__m512i)v, 32)};
    return y;
}

static inline long_lanes long_lanes_shift_left(long_lanes v, int by)
{
    const long_lanes y = {_mm512_slli_epi64(v.even, (unsigned)by), _mm512_slli_epi64(v.odd, (unsigned)by)};
    return y;
}

/* The upper 32 bits of each lane. */
static inline lanes long_lanes_upper(long_lanes v)
{
    return (lanes)_mm512_mask_shuffle_epi32(v.odd, 0x5555, v.even, (_MM_PERM_ENUM)0xF5);
}

/* Over all lanes. */
static inline int64_t long_lanes_total(long_lanes v)
{
    return _mm512_reduce_add_epi64(_mm512_add_epi64(v.even, v.odd));
}

static inline int32_t lanes_largest(lanes v)
{
    return _mm512_reduce_max_epi32((__m512i)v);
}

#define LANES_LOOK_UP

/* table[index] of each lane. table: 64 entries. */
static inline lanes lanes_entry(const int32_t *table, lanes index)
{
    const __m512i low = _mm512_permutex2var_epi32(_mm512_loadu_si512(table), (__m512i)index, _mm512_loadu_si512(table + 16));
    const __m512i high =
        _mm512_permutex2var_epi32(_mm512_loadu_si512(table + 32), (__m512i)index, _mm512_loadu_si512(table + 48));
    return (lanes)_mm512_mask_blend_epi32(_mm512_test_epi32_mask((__m512i)index, _mm512_set1_epi32(32)), low, high);
}

#define LANES_MASKED

static inline __mmask16 lanes_first_lanes(size_t count)
{
    return count < 16 ? (__mmask16)((1U << count) - 1) : (__mmask16)0xFFFF;
}

/* The first `count` values; the other lanes hold `fill`. */
static inline lanes lanes_load_some(const int32_t *x, size_t count, int32_t fill)
{
    return (lanes)_mm512_mask_loadu_epi32(_mm512_set1_epi32(fill), lanes_first_lanes(count), x);
}

/* The first `count` lanes; the others become 0. */
static inline lanes lanes_keep(lanes v, size_t count)
{
    return (lanes)_mm512_maskz_mov_epi32(lanes_first_lanes(count), (__m512i)v);
}

static inline void lanes_store8_some(uint8_t *y, lanes v, size_t count)
{
    _mm512_mask_cvtepi32_storeu_epi8(y, lanes_first_lanes(count), (__m512i)v);
}
