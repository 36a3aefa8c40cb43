/* Bytes of 32 lanes, and tables of 16 to look them up in. */

#include <immintrin.h>

typedef __m256i bytes;
#define bytes_load(x) _mm256_loadu_si256((const void *)(x))
#define bytes_store(x, v) _mm256_storeu_si256((void *)(x), v)
#define bytes_table(x) _mm256_broadcastsi128_si256(_mm_loadu_si128((const void *)(x)))
#define bytes_look_up(table, places) _mm256_shuffle_epi8(table, places)
#define bytes_low_half(v) _mm256_and_si256(v, _mm256_set1_epi8(15))
#define bytes_high_half(v) bytes_low_half(_mm256_srli_epi16(v, 4))
#define bytes_and(a, b) _mm256_and_si256(a, b)
#define bytes_or(a, b) _mm256_or_si256(a, b)
#define bytes_words(x) _mm256_set1_epi32(x)
#define bytes_add(a, b) _mm256_add_epi8(a, b)
#define bytes_subtract(a, b) _mm256_sub_epi8(a, b)
