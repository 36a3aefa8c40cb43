/* Bytes of 4 lanes. */

/* What lanes_dot8 takes off its unsigned bytes: products are of signed bytes. */
enum { LANES_BYTE_BIAS = 128 };

static inline lanes lanes_dot8_signed(lanes sum, int8x16_t a, int8x16_t b)
{
#ifdef __ARM_FEATURE_DOTPROD
    return vdotq_s32(sum, a, b);
#else
    const int16x8_t low = vmull_s8(vget_low_s8(a), vget_low_s8(b)), high = vmull_high_s8(a, b);
    return vaddq_s32(sum, vpaddq_s32(vpaddlq_s16(low), vpaddlq_s16(high)));
#endif
}

/* sum + the four products of each lane's bytes, unsigned (less LANES_BYTE_BIAS) and signed. */
static inline lanes lanes_dot8(lanes sum, lanes bytes, lanes others)
{
    const uint8x16_t turned = veorq_u8(vreinterpretq_u8_s32(bytes), vdupq_n_u8(128));
    return lanes_dot8_signed(sum, vreinterpretq_s8_u8(turned), vreinterpretq_s8_s32(others));
}

/* sum + the four products of each lane's codes, unsigned, and values, which are bytes less LANES_CODE_BIAS. Up to 2^15
 * keys fit. */
enum { LANES_CODE_BIAS = 0 };

static inline lanes lanes_dot_codes(lanes sum, lanes codes, lanes values)
{
#ifdef __ARM_FEATURE_DOTPROD
    return vreinterpretq_s32_u32(vdotq_u32(vreinterpretq_u32_s32(sum), vreinterpretq_u8_s32(codes), vreinterpretq_u8_s32(values)));
#else
    const uint8x16_t a = vreinterpretq_u8_s32(codes), b = vreinterpretq_u8_s32(values);
    const uint16x8_t low = vmull_u8(vget_low_u8(a), vget_low_u8(b)), high = vmull_high_u8(a, b);
    const uint32x4_t products = vpaddq_u32(vpaddlq_u16(low), vpaddlq_u16(high));
    return vaddq_s32(sum, vreinterpretq_s32_u32(products));
#endif
}

/* sum + the four signed bytes of each lane. */
static inline lanes lanes_sum8(lanes sum, lanes bytes)
{
    return lanes_dot8_signed(sum, vdupq_n_s8(1), vreinterpretq_s8_s32(bytes));
}

/* table[byte] for every byte; `count` of the 256 entries are in use. */
static inline lanes lanes_lookup(const int8_t *table, size_t count, lanes bytes)
{
    uint8x16_t place = vreinterpretq_u8_s32(bytes);
    int8x16_t found = vdupq_n_s8(0);
    for (size_t first = 0; first < count; first += 64) {
        /* Places beyond 63 look up 0. */
        const int8x16x4_t entries = vld1q_s8_x4(table + first);
        found = vorrq_s8(found, vqtbl4q_s8(entries, place));
        place = vsubq_u8(place, vdupq_n_u8(64));
    }
    return vreinterpretq_s32_s8(found);
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
    const int64x2_t a = vreinterpretq_s64_s32(vtrn1q_s32(v[0], v[1])), b = vreinterpretq_s64_s32(vtrn2q_s32(v[0], v[1]));
    const int64x2_t c = vreinterpretq_s64_s32(vtrn1q_s32(v[2], v[3])), d = vreinterpretq_s64_s32(vtrn2q_s32(v[2], v[3]));
    v[0] = vreinterpretq_s32_s64(vtrn1q_s64(a, c)), v[1] = vreinterpretq_s32_s64(vtrn1q_s64(b, d));
    v[2] = vreinterpretq_s32_s64(vtrn2q_s64(a, c)), v[3] = vreinterpretq_s32_s64(vtrn2q_s64(b, d));
}
