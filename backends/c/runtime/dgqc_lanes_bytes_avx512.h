/* Bytes of 16 lanes. */

/* What lanes_dot8 takes off its unsigned bytes. */
enum { LANES_BYTE_BIAS = 0 };

/* sum + the four products of each lane's bytes, unsigned (less LANES_BYTE_BIAS) and signed. */
static inline lanes lanes_dot8(lanes sum, lanes bytes, lanes others)
{
#ifdef __AVX512VNNI__
    return (lanes)_mm512_dpbusd_epi32((__m512i)sum, (__m512i)bytes, (__m512i)others);
#else
    const __m512i even = _mm512_and_si512((__m512i)bytes, _mm512_set1_epi16(255)), odd = _mm512_srli_epi16((__m512i)bytes, 8);
    const __m512i even_others = _mm512_srai_epi16(_mm512_slli_epi16((__m512i)others, 8), 8);
    const __m512i odd_others = _mm512_srai_epi16((__m512i)others, 8);
    const __m512i products = _mm512_add_epi32(_mm512_madd_epi16(even, even_others), _mm512_madd_epi16(odd, odd_others));
    return (lanes)_mm512_add_epi32((__m512i)sum, products);
#endif
}

/* sum + the four products of each lane's codes, unsigned, and values, which are bytes less LANES_CODE_BIAS. Up to 2^15
 * keys fit. */
enum { LANES_CODE_BIAS = 128 };

static inline lanes lanes_dot_codes(lanes sum, lanes codes, lanes values)
{
    return lanes_dot8(sum, codes, values);
}

/* sum + the four signed bytes of each lane. */
static inline lanes lanes_sum8(lanes sum, lanes bytes)
{
    return lanes_dot8(sum, (lanes)_mm512_set1_epi8(1), bytes);
}

/* table[byte] for every byte; `count` of the 256 entries are in use. */
static inline lanes lanes_lookup(const int8_t *table, size_t count, lanes bytes)
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

/* The first `count` bytes, zeros behind them. */
static inline lanes lanes_load_bytes_some(const void *x, size_t count)
{
    return (lanes)_mm512_maskz_loadu_epi8(count < 64 ? ((__mmask64)1 << count) - 1 : ~(__mmask64)0, x);
}

/* Rows become columns. */
static inline void lanes_transpose(lanes v[LANES])
{
    __m512i t[LANES], u[LANES];
    for (size_t i = 0; i < LANES; i += 4) { /* 4 x 4 lanes within each quarter */
        const __m512i a = (__m512i)v[i], b = (__m512i)v[i + 1], c = (__m512i)v[i + 2], d = (__m512i)v[i + 3];
        t[i] = _mm512_unpacklo_epi32(a, b), t[i + 1] = _mm512_unpackhi_epi32(a, b);
        t[i + 2] = _mm512_unpacklo_epi32(c, d), t[i + 3] = _mm512_unpackhi_epi32(c, d);
        u[i] = _mm512_unpacklo_epi64(t[i], t[i + 2]), u[i + 1] = _mm512_unpackhi_epi64(t[i], t[i + 2]);
        u[i + 2] = _mm512_unpacklo_epi64(t[i + 1], t[i + 3]), u[i + 3] = _mm512_unpackhi_epi64(t[i + 1], t[i + 3]);
    }
    for (size_t i = 0; i < 4; i++) { /* then the quarters */
        const __m512i a = _mm512_shuffle_i32x4(u[i], u[i + 4], 0x44), b = _mm512_shuffle_i32x4(u[i], u[i + 4], 0xEE);
        const __m512i c = _mm512_shuffle_i32x4(u[i + 8], u[i + 12], 0x44);
        const __m512i d = _mm512_shuffle_i32x4(u[i + 8], u[i + 12], 0xEE);
        v[i] = (lanes)_mm512_shuffle_i32x4(a, c, 0x88), v[i + 4] = (lanes)_mm512_shuffle_i32x4(a, c, 0xDD);
        v[i + 8] = (lanes)_mm512_shuffle_i32x4(b, d, 0x88), v[i + 12] = (lanes)_mm512_shuffle_i32x4(b, d, 0xDD);
    }
}
