/* 64-bit ARM with dot products: 4 rows times 16 columns. Both factors of the dot product are signed, so codes are taken
 * 128 lower, and the weights' own sum, a fifth row of codes that are all -128, makes up for it. */

#include <arm_neon.h>

typedef struct {
    int32x4_t low, high;
} vector;
enum { LEFT_COLUMNS = 8 };

#define DGQC_EVERY_ROW(DO) DO(0) DO(1) DO(2) DO(3)

static inline vector vector_splat(int32_t x)
{
    const vector v = {vdupq_n_s32(x), vdupq_n_s32(x)};
    return v;
}

static inline vector vector_load(const int8_t *x)
{
    const vector v = {vreinterpretq_s32_s8(vld1q_s8(x)), vreinterpretq_s32_s8(vld1q_s8(x + 16))};
    return v;
}

static inline void vector_store(int32_t *y, vector v)
{
    vst1q_s32(y, v.low);
    vst1q_s32(y + 4, v.high);
}

static inline vector vector_multiply(vector a, vector b)
{
    const vector v = {vmulq_s32(a.low, b.low), vmulq_s32(a.high, b.high)};
    return v;
}

static inline void vector_fetch(const char *x)
{
    (void)x;
}

#define SIGNED(x) vreinterpretq_s8_s32(x)

#define DGQC_LOWERED_CODES
static inline vector vector_codes(int32_t four)
{
    const int32x4_t lowered = veorq_s32(vdupq_n_s32(four), vreinterpretq_s32_u8(vdupq_n_u8(128)));
    const vector v = {lowered, lowered};
    return v;
}

static inline vector vector_dot(vector sum, vector codes, vector weights)
{
    sum.low = vdotq_s32(sum.low, SIGNED(codes.low), SIGNED(weights.low));
    sum.high = vdotq_s32(sum.high, SIGNED(codes.low), SIGNED(weights.high));
    return sum;
}

static inline vector vector_subtract(vector a, vector b)
{
    const vector v = {vsubq_s32(a.low, b.low), vsubq_s32(a.high, b.high)};
    return v;
}

static inline vector vector_low_half(vector block)
{
    const vector v = {vreinterpretq_s32_s8(vshrq_n_s8(vshlq_n_s8(SIGNED(block.low), 4), 4)),
                      vreinterpretq_s32_s8(vshrq_n_s8(vshlq_n_s8(SIGNED(block.high), 4), 4))};
    return v;
}

static inline vector vector_high_half(vector block)
{
    const vector v = {vreinterpretq_s32_s8(vshrq_n_s8(SIGNED(block.low), 4)),
                      vreinterpretq_s32_s8(vshrq_n_s8(SIGNED(block.high), 4))};
    return v;
}

/* The other half of a panel's block. */
static inline size_t bytes_to_right(const dgqc_panels *panels, size_t column)
{
    (void)panels, (void)column;
    return LEFT_COLUMNS * DGQC_QUAD;
}

#include "dgqc_tile_vectors.h"
