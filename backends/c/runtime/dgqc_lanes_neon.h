/* 4 lanes: NEON of 64-bit ARM. */

#include <arm_neon.h>

#define LANES 4
typedef int32x4_t lanes;
typedef struct {
    int64x2_t low, high;
} long_lanes;

/* Instructions take registers here. */
#define LANES_LOADED(v) (void)(v)

static inline lanes lanes_splat(int32_t x)
{
    return vdupq_n_s32(x);
}

static inline lanes lanes_load(const int32_t *x)
{
    return vld1q_s32(x);
}

static inline void lanes_store(int32_t *y, lanes v)
{
    vst1q_s32(y, v);
}

/* Two int16_t a lane, or four bytes. */
static inline lanes lanes_load_words(const void *x)
{
    return vreinterpretq_s32_u8(vld1q_u8(x));
}

static inline void lanes_store_words(void *y, lanes v)
{
    vst1q_u8(y, vreinterpretq_u8_s32(v));
}

/* int16_t to int32_t. */
static inline lanes lanes_load16(const int16_t *x)
{
    return vmovl_s16(vld1_s16(x));
}

/* Clamped to int16_t. */
static inline void lanes_store16(int16_t *y, lanes v)
{
    vst1_s16(y, vqmovn_s32(v));
}

/* The lowest byte of each lane. */
static inline void lanes_store8(uint8_t *y, lanes v)
{
    const uint16x4_t pairs = vmovn_u32(vreinterpretq_u32_s32(v));
    const uint8x8_t bytes = vmovn_u16(vcombine_u16(pairs, pairs));
    dgqc_store_word(y, vget_lane_u32(vreinterpret_u32_u8(bytes), 0));
}

/* Of four vectors, one after the other; bytes hold them. */
static inline void lanes_store8_four(uint8_t *y, lanes a, lanes b, lanes c, lanes d)
{
    const uint16x8_t ab = vuzp1q_u16(vreinterpretq_u16_s32(a), vreinterpretq_u16_s32(b));
    const uint16x8_t cd = vuzp1q_u16(vreinterpretq_u16_s32(c), vreinterpretq_u16_s32(d));
    vst1q_u8(y, vuzp1q_u8(vreinterpretq_u8_u16(ab), vreinterpretq_u8_u16(cd)));
}

static inline lanes lanes_add(lanes a, lanes b)
{
    return vaddq_s32(a, b);
}

static inline lanes lanes_subtract(lanes a, lanes b)
{
    return vsubq_s32(a, b);
}

static inline lanes lanes_multiply(lanes a, lanes b)
{
    return vmulq_s32(a, b);
}

static inline lanes lanes_and(lanes a, lanes b)
{
    return vandq_s32(a, b);
}

static inline lanes lanes_xor(lanes a, lanes b)
{
    return veorq_s32(a, b);
}

static inline lanes lanes_maximum(lanes a, lanes b)
{
    return vmaxq_s32(a, b);
}

static inline lanes lanes_minimum_unsigned(lanes a, lanes b)
{
    return vreinterpretq_s32_u32(vminq_u32(vreinterpretq_u32_s32(a), vreinterpretq_u32_s32(b)));
}

/* By 0 .. 31 bits: arithmetic, as uint32_t, to the left. */
static inline lanes lanes_shift_right(lanes v, int by)
{
    return vshlq_s32(v, vdupq_n_s32(-by));
}

static inline lanes lanes_shift_right_unsigned(lanes v, int by)
{
    return vreinterpretq_s32_u32(vshlq_u32(vreinterpretq_u32_s32(v), vdupq_n_s32(-by)));
}

static inline lanes lanes_shift_left(lanes v, int by)
{
    return vshlq_s32(v, vdupq_n_s32(by));
}

/* As uint32_t, each lane by its own number of bits, 0 .. 65535. */
static inline lanes lanes_shift_right_unsigned_each(lanes v, lanes by)
{
    return vreinterpretq_s32_u32(vshlq_u32(vreinterpretq_u32_s32(v), vnegq_s32(vminq_s32(by, vdupq_n_s32(32)))));
}

/* Arithmetic, each lane by its own number of bits, 0 .. 31. */
static inline lanes lanes_shift_right_each(lanes v, lanes by)
{
    return vshlq_s32(v, vnegq_s32(by));
}

/* (a * b) >> 16 of lower halves as int16_t, in the lower half; the upper half may be anything. Not
 * both are -2^15. */
static inline lanes lanes_upper16(lanes a, lanes b)
{
    const int16x8_t doubled = vqdmulhq_s16(vreinterpretq_s16_s32(a), vreinterpretq_s16_s32(b));
    return vreinterpretq_s32_s16(vshrq_n_s16(doubled, 1));
}

/* sum + a.low * b.low + a.high * b.high, halves of each lane as int16_t. */
static inline lanes lanes_dot16(lanes sum, lanes a, lanes b)
{
    const int16x8_t x = vreinterpretq_s16_s32(a), y = vreinterpretq_s16_s32(b);
    const int32x4_t low = vmull_s16(vget_low_s16(x), vget_low_s16(y)), high = vmull_high_s16(x, y);
    return vaddq_s32(sum, vpaddq_s32(low, high));
}

/* Where 64 bits of a lane lie among LANES of them in memory: in their order. */
static inline size_t lanes_place(size_t lane)
{
    return lane;
}

static inline long_lanes long_lanes_load(const int64_t *x)
{
    const long_lanes y = {vld1q_s64(x), vld1q_s64(x + 2)};
    return y;
}

static inline void long_lanes_store(int64_t *y, long_lanes v)
{
    vst1q_s64(y, v.low);
    vst1q_s64(y + 2, v.high);
}

static inline long_lanes long_lanes_splat(int64_t x)
{
    const long_lanes y = {vdupq_n_s64(x), vdupq_n_s64(x)};
    return y;
}

static inline long_lanes long_lanes_add(long_lanes a, long_lanes b)
{
    const long_lanes y = {vaddq_s64(a.low, b.low), vaddq_s64(a.high, b.high)};
    return y;
}

/* The whole product of each lane. */
static inline long_lanes lanes_multiply_long(lanes a, lanes b)
{
    const long_lanes y = {vmull_s32(vget_low_s32(a), vget_low_s32(b)), vmull_high_s32(a, b)};
    return y;
}

/* sums[lane] += a * b of each lane, in their order. */
static inline void lanes_add_products(int64_t *sums, lanes a, lanes b)
{
    vst1q_s64(sums, vmlal_s32(vld1q_s64(sums), vget_low_s32(a), vget_low_s32(b)));
    vst1q_s64(sums + 2, vmlal_high_s32(vld1q_s64(sums + 2), a, b));
}

/* Lanes as uint32_t. */
static inline long_lanes lanes_widen_unsigned(lanes v)
{
    const uint32x4_t x = vreinterpretq_u32_s32(v);
    const long_lanes y = {vreinterpretq_s64_u64(vmovl_u32(vget_low_u32(x))), vreinterpretq_s64_u64(vmovl_high_u32(x))};
    return y;
}

static inline long_lanes long_lanes_shift_left(long_lanes v, int by)
{
    const long_lanes y = {vshlq_s64(v.low, vdupq_n_s64(by)), vshlq_s64(v.high, vdupq_n_s64(by))};
    return y;
}

/* The upper 32 bits of each lane. */
static inline lanes long_lanes_upper(long_lanes v)
{
    return vuzp2q_s32(vreinterpretq_s32_s64(v.low), vreinterpretq_s32_s64(v.high));
}

/* Over all lanes. */
static inline int64_t long_lanes_total(long_lanes v)
{
    return vaddvq_s64(vaddq_s64(v.low, v.high));
}

static inline int32_t lanes_largest(lanes v)
{
    return vmaxvq_s32(v);
}
