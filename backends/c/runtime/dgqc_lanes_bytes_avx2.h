/* Bytes of 8 lanes. */

/* What lanes_dot8 takes off its unsigned bytes. */
enum { LANES_BYTE_BIAS = 0 };

/* sum + the four products of each lane's bytes, unsigned (less LANES_BYTE_BIAS) and signed. Not by
 * _mm256_maddubs_epi16, which saturates. */
static inline lanes lanes_dot8(lanes sum, lanes bytes, lanes others)
{
#ifdef __AVXVNNI__
    return (lanes)_mm256_dpbusd_avx_epi32((__m256i)sum, (__m256i)bytes, (__m256i)others);
#else
    const __m256i even = _mm256_and_si256((__m256i)bytes, _mm256_set1_epi16(255)), odd = _mm256_srli_epi16((__m256i)bytes, 8);
    const __m256i even_others = _mm256_srai_epi16(_mm256_slli_epi16((__m256i)others, 8), 8);
    const __m256i odd_others = _mm256_srai_epi16((__m256i)others, 8);
    const __m256i products = _mm256_add_epi32(_mm256_madd_epi16(even, even_others), _mm256_madd_epi16(odd, odd_others));
    return (lanes)_mm256_add_epi32((__m256i)sum, products);
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
    return lanes_dot8(sum, (lanes)_mm256_set1_epi8(1), bytes);
}

/* table[byte] for every byte; `count` of the 256 entries are in use. */
static inline lanes lanes_lookup(const int8_t *table, size_t count, lanes bytes)
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

/* The first `count` bytes, zeros behind them. */
static inline lanes lanes_load_bytes_some(const void *x, size_t count)
{
    uint8_t bytes[4 * LANES] = {0};
    memcpy(bytes, x, count < sizeof bytes ? count : sizeof bytes);
    return lanes_load_words(bytes);
}

/* Rows become columns. */
static inline void lanes_transpose(lanes v[LANES])
{
    __m256i t[LANES], u[LANES];
    for (size_t i = 0; i < LANES; i += 4) { /* 4 x 4 lanes within each half */
        const __m256i a = (__m256i)v[i], b = (__m256i)v[i + 1], c = (__m256i)v[i + 2], d = (__m256i)v[i + 3];
        t[i] = _mm256_unpacklo_epi32(a, b), t[i + 1] = _mm256_unpackhi_epi32(a, b);
        t[i + 2] = _mm256_unpacklo_epi32(c, d), t[i + 3] = _mm256_unpackhi_epi32(c, d);
        u[i] = _mm256_unpacklo_epi64(t[i], t[i + 2]), u[i + 1] = _mm256_unpackhi_epi64(t[i], t[i + 2]);
        u[i + 2] = _mm256_unpacklo_epi64(t[i + 1], t[i + 3]), u[i + 3] = _mm256_unpackhi_epi64(t[i + 1], t[i + 3]);
    }
    for (size_t i = 0; i < 4; i++) { /* then the halves */
        v[i] = (lanes)_mm256_permute2x128_si256(u[i], u[i + 4], 0x20);
        v[i + 4] = (lanes)_mm256_permute2x128_si256(u[i], u[i + 4], 0x31);
    }
}
