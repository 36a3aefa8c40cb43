/* Codes to operand values, for the general products. */

#include "dgqc_internal.h"

/* One loop for each pair of types; constant strides let the compiler vectorize the common cases. */
#define DGQC_DEFINE_CENTER(name, code, value)                                                                \
    static inline void name##_strided(const code *restrict x, size_t x_stride, const int32_t *restrict zero,  \
                                      const int32_t *restrict multiple, size_t table_stride, size_t count,    \
                                      value *restrict y, size_t y_stride)                                     \
    {                                                                                                         \
        for (size_t i = 0; i < count; i++) {                                                                  \
            const int32_t distance = (int32_t)x[i * x_stride] - zero[i * table_stride];                       \
            y[i * y_stride] = (value)(multiple[i * table_stride] * distance);                                 \
        }                                                                                                     \
    }                                                                                                         \
    static void name(const code *x, size_t x_stride, const int32_t *zero, const int32_t *multiple,            \
                     size_t table_stride, size_t count, value *y, size_t y_stride)                            \
    {                                                                                                         \
        if (x_stride == 1 && y_stride == 1 && table_stride == 1) {                                            \
            name##_strided(x, 1, zero, multiple, 1, count, y, 1);                                             \
        } else if (x_stride == 1 && y_stride == 1 && table_stride == 0) {                                     \
            name##_strided(x, 1, zero, multiple, 0, count, y, 1);                                             \
        } else {                                                                                              \
            name##_strided(x, x_stride, zero, multiple, table_stride, count, y, y_stride);                    \
        }                                                                                                     \
    }

DGQC_DEFINE_CENTER(center_8_narrow, uint8_t, int16_t)
DGQC_DEFINE_CENTER(center_8_wide, uint8_t, int32_t)
DGQC_DEFINE_CENTER(center_16_narrow, int16_t, int16_t)
DGQC_DEFINE_CENTER(center_16_wide, int16_t, int32_t)

void dgqc_center(const void *x, size_t x_stride, int code_bits, const int32_t *zero, const int32_t *multiple,
                 size_t table_stride, size_t count, int narrow, void *y, size_t y_stride)
{
    if (code_bits == 8 && narrow) {
        center_8_narrow(x, x_stride, zero, multiple, table_stride, count, y, y_stride);
    } else if (code_bits == 8) {
        center_8_wide(x, x_stride, zero, multiple, table_stride, count, y, y_stride);
    } else if (narrow) {
        center_16_narrow(x, x_stride, zero, multiple, table_stride, count, y, y_stride);
    } else {
        center_16_wide(x, x_stride, zero, multiple, table_stride, count, y, y_stride);
    }
}
