/* Wide values: 20 bits in an int32_t, whose steps are a 16th of a 16-bit value's. */
#ifndef DGQC_WIDE_H
#define DGQC_WIDE_H

#include "dgqc_internal.h"

static inline int32_t dgqc_saturate20(int64_t x)
{
    const int32_t limit = (1 << 19) - 1;
    return x > limit ? limit : x < -limit - 1 ? -limit - 1 : (int32_t)x;
}

/* The i-th value of a tensor that is wide or not. */
static inline int64_t dgqc_value_at(const void *x, int wide, size_t i)
{
    return wide ? ((const int32_t *)x)[i] : ((const int16_t *)x)[i];
}

/* The same in 16ths of a 16-bit step. */
static inline int64_t dgqc_sixteenths_at(const void *x, int wide, size_t i)
{
    return wide ? ((const int32_t *)x)[i] : 16 * (int32_t)((const int16_t *)x)[i];
}

/* Stores a number as the i-th value of a tensor, saturated to what the tensor holds. */
static inline void dgqc_store_value(void *y, int wide, size_t i, int64_t value)
{
    if (wide) {
        ((int32_t *)y)[i] = dgqc_saturate20(value);
    } else {
        ((int16_t *)y)[i] = dgqc_saturate16(value);
    }
}

/* Where the i-th value of a tensor lies. */
static inline void *dgqc_place_of(void *y, int wide, size_t i)
{
    return (unsigned char *)y + i * (wide ? sizeof(int32_t) : sizeof(int16_t));
}

#endif
