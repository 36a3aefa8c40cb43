/* AVX2: 4 rows times 16 columns, or 6 with AVX-VNNI. */

#include <immintrin.h>

typedef __m256i vector;
enum { LEFT_COLUMNS = 8 };

#define vector_splat(x) _mm256_set1_epi32(x)
#define vector_codes(four) vector_splat(four)
#define vector_load(x) _mm256_loadu_si256((const void *)(x))
#define vector_store(x, v) _mm256_storeu_si256((void *)(x), v)
#define vector_multiply(a, b) _mm256_mullo_epi32(a, b)
#define vector_fetch(x) _mm_prefetch(x, _MM_HINT_T1)

#ifdef __AVXVNNI__
#define DGQC_EVERY_ROW(DO) DO(0) DO(1) DO(2) DO(3) DO(4) DO(5)
#define vector_dot(sum, codes, weights) _mm256_dpbusd_avx_epi32(sum, codes, weights)
#else
#define DGQC_EVERY_ROW(DO) DO(0) DO(1) DO(2) DO(3)
/* By way of 16 bits; the product of bytes that AVX2 has saturates. */
static inline vector vector_dot(vector sum, vector codes, vector weights)
{
    const vector even_codes = _mm256_and_si256(codes, _mm256_set1_epi16(255));
    const vector odd_codes = _mm256_srli_epi16(codes, 8);
    const vector even_weights = _mm256_srai_epi16(_mm256_slli_epi16(weights, 8), 8);
    const vector odd_weights = _mm256_srai_epi16(weights, 8);
    sum = _mm256_add_epi32(sum, _mm256_madd_epi16(even_codes, even_weights));
    return _mm256_add_epi32(sum, _mm256_madd_epi16(odd_codes, odd_weights));
}
#endif

/* The low and the high halves of bytes, sign-extended. */
static inline vector vector_low_half(vector block)
{
    const vector extended = _mm256_broadcastsi128_si256(
        _mm_setr_epi8(0, 1, 2, 3, 4, 5, 6, 7, -8, -7, -6, -5, -4, -3, -2, -1));
    return _mm256_shuffle_epi8(extended, _mm256_and_si256(block, _mm256_set1_epi8(15)));
}

static inline vector vector_high_half(vector block)
{
    return vector_low_half(_mm256_srli_epi16(block, 4));
}

/* The other half of a panel's block. */
static inline size_t bytes_to_right(const dgqc_panels *panels, size_t column)
{
    (void)panels, (void)column;
    return LEFT_COLUMNS * DGQC_QUAD;
}

#include "dgqc_tile_vectors.h"
