/* Bytes of 4 lanes. */

/* sum + the four products of each lane's codes, unsigned, and values, which are bytes less LANES_CODE_BIAS. Up to 2^15
 * products fit. */
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

/* table[byte] for every byte; `count` of the 256 entries are in use. */
static inline lanes lanes_lookup(const uint8_t *table, size_t count, lanes bytes)
{
    uint8x16_t place = vreinterpretq_u8_s32(bytes);
    uint8x16_t found = vdupq_n_u8(0);
    for (size_t first = 0; first < count; first += 64) {
        /* Places beyond 63 look up 0. */
        const uint8x16x4_t entries = vld1q_u8_x4(table + first);
        found = vorrq_u8(found, vqtbl4q_u8(entries, place));
        place = vsubq_u8(place, vdupq_n_u8(64));
    }
    return vreinterpretq_s32_u8(found);
}

/* The first `count` bytes, less than a vector's, zeros after them. */
static inline lanes lanes_load_bytes_some(const void *x, size_t count)
{
    uint8_t bytes[4 * LANES] = {0};
    memcpy(bytes, x, count);
    return lanes_load_words(bytes);
}
