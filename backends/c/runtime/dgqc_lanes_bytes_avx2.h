/* Bytes of 8 lanes. */

/* sum + the four products of each lane's codes, unsigned, and values, which are bytes less LANES_CODE_BIAS. Up to 2^15
 * products fit. Not by _mm256_maddubs_epi16, which saturates. */
enum { LANES_CODE_BIAS = 128 };

static inline lanes lanes_dot_codes(lanes sum, lanes codes, lanes values)
{
#ifdef __AVXVNNI__
    return (lanes)_mm256_dpbusd_avx_epi32((__m256i)sum, (__m256i)codes, (__m256i)values);
#else
    const __m256i even = _mm256_and_si256((__m256i)codes, _mm256_set1_epi16(255)), odd = _mm256_srli_epi16((__m256i)codes, 8);
    const __m256i even_values = _mm256_srai_epi16(_mm256_slli_epi16((__m256i)values, 8), 8);
    const __m256i odd_values = _mm256_srai_epi16((__m256i)values, 8);
    const __m256i products = _mm256_add_epi32(_mm256_madd_epi16(even, even_values), _mm256_madd_epi16(odd, odd_values));
    return (lanes)_mm256_add_epi32((__m256i)sum, products);
#endif
}

/* table[byte] for every byte; `count` of the 256 entries are in use. */
static inline lanes lanes_lookup(const uint8_t *table, size_t count, lanes bytes)
{
    __m256i found = _mm256_setzero_si256();
    for (size_t first = 0; first < count; first += 16) {
        /* Bytes that aren't among these 16 get their highest bit set, which looks up 0. */
        const __m256i entries = _mm256_broadcastsi128_si256(_mm_loadu_si128((const void *)(table + first)));
        const __m256i place = _mm256_sub_epi8((__m256i)bytes, _mm256_set1_epi8((char)first));
        found = _mm256_or_si256(found, _mm256_shuffle_epi8(entries, _mm256_adds_epu8(place, _mm256_set1_epi8(112))));
    }
    return (lanes)found;
}

/* The first `count` bytes, less than a vector's, zeros after them. */
static inline lanes lanes_load_bytes_some(const void *x, size_t count)
{
    uint8_t bytes[4 * LANES] = {0};
    memcpy(bytes, x, count);
    return lanes_load_words(bytes);
}
