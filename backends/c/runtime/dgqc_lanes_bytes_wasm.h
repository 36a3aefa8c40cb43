/* Bytes of 4 lanes. */

/* sum + the four products of each lane's codes, unsigned, and values, which are bytes less LANES_CODE_BIAS. Up to 2^15
 * products fit. */
enum { LANES_CODE_BIAS = 0 };

static inline lanes lanes_dot_codes(lanes sum, lanes codes, lanes values)
{
    const v128_t low = wasm_u32x4_extadd_pairwise_u16x8(wasm_u16x8_extmul_low_u8x16(codes, values));
    const v128_t high = wasm_u32x4_extadd_pairwise_u16x8(wasm_u16x8_extmul_high_u8x16(codes, values));
    const v128_t even = wasm_i32x4_shuffle(low, high, 0, 2, 4, 6), odd = wasm_i32x4_shuffle(low, high, 1, 3, 5, 7);
    return wasm_i32x4_add(sum, wasm_i32x4_add(even, odd));
}

/* table[byte] for every byte; `count` of the 256 entries are in use. */
static inline lanes lanes_lookup(const uint8_t *table, size_t count, lanes bytes)
{
    v128_t place = bytes, found = wasm_i8x16_splat(0);
    for (size_t first = 0; first < count; first += 16) {
        /* Places beyond 15 look up 0. */
        found = wasm_v128_or(found, wasm_i8x16_swizzle(wasm_v128_load(table + first), place));
        place = wasm_i8x16_sub(place, wasm_i8x16_splat(16));
    }
    return found;
}

/* The first `count` bytes, less than a vector's, zeros after them. */
static inline lanes lanes_load_bytes_some(const void *x, size_t count)
{
    uint8_t bytes[4 * LANES] = {0};
    memcpy(bytes, x, count);
    return lanes_load_words(bytes);
}
