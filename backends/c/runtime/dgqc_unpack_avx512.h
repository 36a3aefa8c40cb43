/* Bytes of 64 lanes, and tables of 16 to look them up in. */

#include <immintrin.h>

typedef __m512i bytes;
#define bytes_load(x) _mm512_loadu_si512(x)
#define bytes_store(x, v) _mm512_storeu_si512(x, v)
#define bytes_table(x) _mm512_broadcast_i32x4(_mm_loadu_si128((const void *)(x)))
#define bytes_look_up(table, places) _mm512_shuffle_epi8(table, places)
#define bytes_low_half(v) _mm512_and_si512(v, _mm512_set1_epi8(15))
#define bytes_high_half(v) bytes_low_half(_mm512_srli_epi16(v, 4))
#define bytes_and(a, b) _mm512_and_si512(a, b)
#define bytes_or(a, b) _mm512_or_si512(a, b)
#define bytes_words(x) _mm512_set1_epi32(x)
#define bytes_add(a, b) _mm512_add_epi8(a, b)
#define bytes_subtract(a, b) _mm512_sub_epi8(a, b)
#ifdef __AVX512VBMI__
#define bytes_look_up_64(table, places) _mm512_permutexvar_epi8(places, table) /* in a table of 64 */
#endif
