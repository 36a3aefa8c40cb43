/* Bytes of 16 lanes. */

/* sum + the four products of each lane's codes, unsigned, and values, which are bytes less LANES_CODE_BIAS. Up to 2^15
 * products fit. */
enum { LANES_CODE_BIAS = 128 };

static inline lanes lanes_dot_codes(lanes sum, lanes codes, lanes values)
{
#ifdef __AVX512VNNI__
    return (lanes)_mm512_dpbusd_epi32((__m512i)sum, (__m512i)codes, (__m512i)values);
#else
    const __m512i even = _mm512_and_si512((__m512i)codes, _mm512_set1_epi16(255)), odd = _mm512_srli_epi16((__m512i)codes, 8);
    const __m512i even_values = _mm512_srai_epi16(_mm512_slli_epi16((__m512i)values, 8), 8);
    const __m512i odd_values = _mm512_srai_epi16((__m512i)values, 8);
    const __m512i products = _mm512_add_epi32(_mm512_madd_epi16(even, even_values), _mm512_madd_epi16(odd, odd_values));
    return (lanes)_mm512_add_epi32((__m512i)sum, products);
#endif
}

/* table[byte] for every byte; `count` of the 256 entries are in use. */
static inline lanes lanes_lookup(const uint8_t *table, size_t count, lanes bytes)
{
#ifdef __AVX512VBMI__
    if (count <= 64) {
        return (lanes)_mm512_permutexvar_epi8((__m512i)bytes, _mm512_loadu_si512(table));
    }
    const __m512i places = (__m512i)bytes;
    const __m512i low = _mm512_permutex2var_epi8(_mm512_loadu_si512(table), places, _mm512_loadu_si512(table + 64));
    const __m512i high =
        _mm512_permutex2var_epi8(_mm512_loadu_si512(table + 128), places, _mm512_loadu_si512(table + 192));
    return (lanes)_mm512_mask_blend_epi8(_mm512_movepi8_mask(places), low, high);
#else
    __m512i found = _mm512_setzero_si512();
    for (size_t first = 0; first < count; first += 16) {
        /* Bytes that aren't among these 16 get their highest bit set, which looks up 0. */
        const __m512i entries = _mm512_broadcast_i32x4(_mm_loadu_si128((const void *)(table + first)));
        const __m512i place = _mm512_sub_epi8((__m512i)bytes, _mm512_set1_epi8((char)first));
        found = _mm512_or_si512(found, _mm512_shuffle_epi8(entries, _mm512_adds_epu8(place, _mm512_set1_epi8(112))));
    }
    return (lanes)found;
#endif
}

/* The first `count` bytes, less than a vector's, zeros after them. */
static inline lanes lanes_load_bytes_some(const void *x, size_t count)
{
    return (lanes)_mm512_maskz_loadu_epi8(((__mmask64)1 << count) - 1, x);
}
