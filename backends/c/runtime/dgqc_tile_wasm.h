/* WebAssembly's vectors of 128 bits: 4 rows times 16 columns. Its dot product is of pairs of int16_t, so a block's bytes are
 * laid out by pairs and widened, once for all rows of the tile. */

#include <wasm_simd128.h>

typedef struct {
    v128_t low, high;
} vector;
enum { LEFT_COLUMNS = 8 };

#define DGQC_EVERY_ROW(DO) DO(0) DO(1) DO(2) DO(3)

static inline vector vector_splat(int32_t x)
{
    const vector v = {wasm_i32x4_splat(x), wasm_i32x4_splat(x)};
    return v;
}

static inline vector vector_load(const int8_t *x)
{
    const vector v = {wasm_v128_load(x), wasm_v128_load(x + 16)};
    return v;
}

static inline void vector_store(int32_t *y, vector v)
{
    wasm_v128_store(y, v.low);
    wasm_v128_store(y + 4, v.high);
}

static inline vector vector_multiply(vector a, vector b)
{
    const vector v = {wasm_i32x4_mul(a.low, b.low), wasm_i32x4_mul(a.high, b.high)};
    return v;
}

static inline void vector_fetch(const char *x)
{
    (void)x;
}

/* The first two codes in every lane, and the last two. */
static inline vector vector_codes(int32_t four)
{
    const uint32_t x = (uint32_t)four;
    const uint32_t first = (x & 0xFF) | (x & 0xFF00) << 8, last = (x >> 16 & 0xFF) | (x >> 8 & 0xFF0000);
    const vector v = {wasm_u32x4_splat(first), wasm_u32x4_splat(last)};
    return v;
}

/* Four columns. */
static inline v128_t dot(v128_t sum, vector codes, v128_t weights)
{
    const v128_t pairs =
        wasm_i8x16_shuffle(weights, weights, 0, 1, 4, 5, 8, 9, 12, 13, 2, 3, 6, 7, 10, 11, 14, 15);
    const v128_t first = wasm_i32x4_dot_i16x8(codes.low, wasm_i16x8_extend_low_i8x16(pairs));
    const v128_t last = wasm_i32x4_dot_i16x8(codes.high, wasm_i16x8_extend_high_i8x16(pairs));
    return wasm_i32x4_add(sum, wasm_i32x4_add(first, last));
}

static inline vector vector_dot(vector sum, vector codes, vector weights)
{
    const vector v = {dot(sum.low, codes, weights.low), dot(sum.high, codes, weights.high)};
    return v;
}

static inline vector vector_low_half(vector block)
{
    const vector v = {wasm_i8x16_shr(wasm_i8x16_shl(block.low, 4), 4),
                      wasm_i8x16_shr(wasm_i8x16_shl(block.high, 4), 4)};
    return v;
}

static inline vector vector_high_half(vector block)
{
    const vector v = {wasm_i8x16_shr(block.low, 4), wasm_i8x16_shr(block.high, 4)};
    return v;
}

/* The other half of a panel's block. */
static inline size_t bytes_to_right(const dgqc_panels *panels, size_t column)
{
    (void)panels, (void)column;
    return LEFT_COLUMNS * DGQC_QUAD;
}

#include "dgqc_tile_vectors.h"
