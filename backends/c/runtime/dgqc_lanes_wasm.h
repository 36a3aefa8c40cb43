/* 4 lanes: WebAssembly's vectors of 128 bits. */

#include <wasm_simd128.h>

#define LANES 4
typedef v128_t lanes;
typedef struct {
    v128_t low, high;
} long_lanes;

/* Instructions take registers here. */
#define LANES_LOADED(v) (void)(v)

static inline lanes lanes_splat(int32_t x)
{
    return wasm_i32x4_splat(x);
}

static inline lanes lanes_load(const int32_t *x)
{
    return wasm_v128_load(x);
}

static inline void lanes_store(int32_t *y, lanes v)
{
    wasm_v128_store(y, v);
}

/* Two int16_t a lane, or four bytes. */
static inline lanes lanes_load_words(const void *x)
{
    return wasm_v128_load(x);
}

static inline void lanes_store_words(void *y, lanes v)
{
    wasm_v128_store(y, v);
}

/* int16_t to int32_t. */
static inline lanes lanes_load16(const int16_t *x)
{
    return wasm_i32x4_load16x4(x);
}

/* Clamped to int16_t. */
static inline void lanes_store16(int16_t *y, lanes v)
{
    wasm_v128_store64_lane(y, wasm_i16x8_narrow_i32x4(v, v), 0);
}

/* The lowest byte of each lane. */
static inline void lanes_store8(uint8_t *y, lanes v)
{
    wasm_v128_store32_lane(y, wasm_i8x16_shuffle(v, v, 0, 4, 8, 12, 0, 4, 8, 12, 0, 4, 8, 12, 0, 4, 8, 12), 0);
}

/* Of four vectors, one after the other; bytes hold them. */
static inline void lanes_store8_four(uint8_t *y, lanes a, lanes b, lanes c, lanes d)
{
    const v128_t ab = wasm_i8x16_shuffle(a, b, 0, 4, 8, 12, 16, 20, 24, 28, 0, 4, 8, 12, 16, 20, 24, 28);
    const v128_t cd = wasm_i8x16_shuffle(c, d, 0, 4, 8, 12, 16, 20, 24, 28, 0, 4, 8, 12, 16, 20, 24, 28);
    wasm_v128_store(y, wasm_i64x2_shuffle(ab, cd, 0, 2));
}

static inline lanes lanes_add(lanes a, lanes b)
{
    return wasm_i32x4_add(a, b);
}

static inline lanes lanes_subtract(lanes a, lanes b)
{
    return wasm_i32x4_sub(a, b);
}

static inline lanes lanes_multiply(lanes a, lanes b)
{
    return wasm_i32x4_mul(a, b);
}

static inline lanes lanes_and(lanes a, lanes b)
{
    return wasm_v128_and(a, b);
}

static inline lanes lanes_xor(lanes a, lanes b)
{
    return wasm_v128_xor(a, b);
}

static inline lanes lanes_maximum(lanes a, lanes b)
{
    return wasm_i32x4_max(a, b);
}

static inline lanes lanes_minimum_unsigned(lanes a, lanes b)
{
    return wasm_u32x4_min(a, b);
}

/* By 0 .. 31 bits: arithmetic, as uint32_t, to the left. */
static inline lanes lanes_shift_right(lanes v, int by)
{
    return wasm_i32x4_shr(v, (uint32_t)by);
}

static inline lanes lanes_shift_right_unsigned(lanes v, int by)
{
    return wasm_u32x4_shr(v, (uint32_t)by);
}

static inline lanes lanes_shift_left(lanes v, int by)
{
    return wasm_i32x4_shl(v, (uint32_t)by);
}

/* No instruction shifts each lane by its own number of bits. */
#define LANES_EACH(v, by, of_lane)                                                                            \
    wasm_i32x4_make(of_lane(wasm_i32x4_extract_lane(v, 0), wasm_i32x4_extract_lane(by, 0)),                   \
                    of_lane(wasm_i32x4_extract_lane(v, 1), wasm_i32x4_extract_lane(by, 1)),                   \
                    of_lane(wasm_i32x4_extract_lane(v, 2), wasm_i32x4_extract_lane(by, 2)),                   \
                    of_lane(wasm_i32x4_extract_lane(v, 3), wasm_i32x4_extract_lane(by, 3)))

static inline int32_t lane_shifted_unsigned(int32_t v, int32_t by)
{
    return by < 32 ? (int32_t)((uint32_t)v >> by) : 0;
}

static inline int32_t lane_shifted(int32_t v, int32_t by)
{
    return v >> by;
}

/* As uint32_t, each lane by its own number of bits, 0 .. 65535. */
static inline lanes lanes_shift_right_unsigned_each(lanes v, lanes by)
{
    return LANES_EACH(v, by, lane_shifted_unsigned);
}

/* Arithmetic, each lane by its own number of bits, 0 .. 31. */
static inline lanes lanes_shift_right_each(lanes v, lanes by)
{
    return LANES_EACH(v, by, lane_shifted);
}

/* (a * b) >> 16 of lower halves as int16_t, in the lower half; the upper half may be anything. Not
 * both are -2^15. */
static inline lanes lanes_upper16(lanes a, lanes b)
{
    const v128_t x = wasm_i32x4_shr(wasm_i32x4_shl(a, 16), 16), y = wasm_i32x4_shr(wasm_i32x4_shl(b, 16), 16);
    return wasm_i32x4_shr(wasm_i32x4_mul(x, y), 16);
}

/* sum + a.low * b.low + a.high * b.high, halves of each lane as int16_t. */
static inline lanes lanes_dot16(lanes sum, lanes a, lanes b)
{
    return wasm_i32x4_add(sum, wasm_i32x4_dot_i16x8(a, b));
}

/* Where 64 bits of a lane lie among LANES of them in memory: in their order. */
static inline size_t lanes_place(size_t lane)
{
    return lane;
}

static inline long_lanes long_lanes_load(const int64_t *x)
{
    const long_lanes y = {wasm_v128_load(x), wasm_v128_load(x + 2)};
    return y;
}

static inline void long_lanes_store(int64_t *y, long_lanes v)
{
    wasm_v128_store(y, v.low);
    wasm_v128_store(y + 2, v.high);
}

static inline long_lanes long_lanes_splat(int64_t x)
{
    const long_lanes y = {wasm_i64x2_splat(x), wasm_i64x2_splat(x)};
    return y;
}

static inline long_lanes long_lanes_add(long_lanes a, long_lanes b)
{
    const long_lanes y = {wasm_i64x2_add(a.low, b.low), wasm_i64x2_add(a.high, b.high)};
    return y;
}

/* The whole product of each lane. */
static inline long_lanes lanes_multiply_long(lanes a, lanes b)
{
    const long_lanes y = {wasm_i64x2_extmul_low_i32x4(a, b), wasm_i64x2_extmul_high_i32x4(a, b)};
    return y;
}

/* sums[lane] += a * b of each lane, in their order. */
static inline void lanes_add_products(int64_t *sums, lanes a, lanes b)
{
    long_lanes_store(sums, long_lanes_add(long_lanes_load(sums), lanes_multiply_long(a, b)));
}

/* Lanes as uint32_t. */
static inline long_lanes lanes_widen_unsigned(lanes v)
{
    const long_lanes y = {wasm_u64x2_extend_low_u32x4(v), wasm_u64x2_extend_high_u32x4(v)};
    return y;
}

static inline long_lanes long_lanes_shift_left(long_lanes v, int by)
{
    const long_lanes y = {wasm_i64x2_shl(v.low, (uint32_t)by), wasm_i64x2_shl(v.high, (uint32_t)by)};
    return y;
}

/* The upper 32 bits of each lane. */
static inline lanes long_lanes_upper(long_lanes v)
{
    return wasm_i32x4_shuffle(v.low, v.high, 1, 3, 5, 7);
}

/* Over all lanes. */
static inline int64_t long_lanes_total(long_lanes v)
{
    const v128_t sum = wasm_i64x2_add(v.low, v.high);
    return wasm_i64x2_extract_lane(sum, 0) + wasm_i64x2_extract_lane(sum, 1);
}

static inline int32_t lanes_largest(lanes v)
{
    const v128_t two = wasm_i32x4_max(v, wasm_i32x4_shuffle(v, v, 2, 3, 0, 1));
    const v128_t one = wasm_i32x4_max(two, wasm_i32x4_shuffle(two, two, 1, 0, 3, 2));
    return wasm_i32x4_extract_lane(one, 0);
}
