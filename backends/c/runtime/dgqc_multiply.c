#include "dgqc_internal.h"

dgqc_columns dgqc_derive_columns(const dgqc_weights *weights, size_t step, void **scratch)
{
    dgqc_columns derived;
    derived.m = dgqc_take(scratch, weights->columns * sizeof(int64_t));
    derived.b = dgqc_take(scratch, weights->columns * sizeof(int64_t));
    derived.shift = weights->shift[step];
    const int64_t factor = weights->factor[step], bias_factor = weights->bias_factor[step];
    const int32_t bias_shift = weights->bias_shift[step];
    const int64_t half = (int64_t)1 << (derived.shift - 1);
    for (size_t n = 0; n < weights->columns; n++) {
        derived.m[n] = dgqc_round_shift(weights->column[n] * factor, 31);
        derived.b[n] = dgqc_round_shift(weights->bias[n] * bias_factor, bias_shift) + half;
    }
    return derived;
}

/* One row of weights as operand values; `narrow` chooses int16_t or int32_t. */
#define DGQC_DEFINE_UNPACK(name, value)                                                                      \
    static void name##_8(const int8_t *restrict codes, size_t depth, value *restrict y)                       \
    {                                                                                                         \
        for (size_t k = 0; k < depth; k++) {                                                                  \
            y[k] = codes[k];                                                                                  \
        }                                                                                                     \
    }                                                                                                         \
    static void name##_4(const uint8_t *restrict codes, size_t depth, value *restrict y)                      \
    {                                                                                                         \
        for (size_t k = 0; k < depth / 2; k++) {                                                              \
            y[2 * k] = (value)(((codes[k] & 15) ^ 8) - 8);                                                    \
            y[2 * k + 1] = (value)((codes[k] >> 4 ^ 8) - 8);                                                  \
        }                                                                                                     \
        if (depth % 2) {                                                                                      \
            y[depth - 1] = (value)(((codes[depth / 2] & 15) ^ 8) - 8);                                        \
        }                                                                                                     \
    }

DGQC_DEFINE_UNPACK(unpack_narrow, int16_t)
DGQC_DEFINE_UNPACK(unpack_wide, int32_t)

static void unpack(const dgqc_weights *weights, size_t n, int narrow, void *y)
{
    const size_t row_bytes = weights->weight_bits == 4 ? (weights->depth + 1) / 2 : weights->depth;
    const void *codes = dgqc_inside(weights->weight, n * row_bytes);
    if (weights->weight_bits == 4 && narrow) {
        unpack_narrow_4(codes, weights->depth, y);
    } else if (weights->weight_bits == 4) {
        unpack_wide_4(codes, weights->depth, y);
    } else if (narrow) {
        unpack_narrow_8(codes, weights->depth, y);
    } else {
        unpack_wide_8(codes, weights->depth, y);
    }
}

void dgqc_multiply(const dgqc_weights *weights, const dgqc_columns *columns, const dgqc_arithmetic *arithmetic,
                   const void *rows, size_t row_count, int16_t *y, size_t row_stride, size_t column_stride,
                   void *scratch)
{
    const size_t depth = weights->depth, row_bytes = depth * dgqc_value_bytes(arithmetic);
    int64_t sums[DGQC_COLUMNS * DGQC_ROWS];
    for (size_t n = 0; n < weights->columns; n += DGQC_COLUMNS) {
        const size_t left = weights->columns - n;
        const size_t count = left < DGQC_COLUMNS ? left : (size_t)DGQC_COLUMNS;
        for (size_t c = 0; c < count; c++) {
            unpack(weights, n + c, arithmetic->narrow, (unsigned char *)scratch + c * row_bytes);
        }
        dgqc_dot(arithmetic, rows, depth, row_count, scratch, depth, count, depth, sums);
        for (size_t c = 0; c < count; c++) {
            const int64_t m = columns->m[n + c], b = columns->b[n + c];
            int16_t *out = y + (n + c) * column_stride;
            for (size_t r = 0; r < row_count; r++) {
                out[r * row_stride] = dgqc_saturate16((sums[c * DGQC_ROWS + r] * m + b) >> columns->shift);
            }
        }
    }
}
