/* The loop over two tensors broadcast against each other: `expression` of a_value and b_value (int16_t) is
 * stored. The innermost axis has strides of 0 or 1, one loop for each so that the compiler vectorizes. */
#ifndef DGQC_PAIR_H
#define DGQC_PAIR_H

#include "dgqc_internal.h"

#define DGQC_PAIR_LINE(a_index, b_index, expression)                                                         \
    for (size_t i = 0; i < count; i++) {                                                                      \
        const int16_t a_value = a_line[a_index], b_value = b_line[b_index];                                   \
        y_line[i] = (expression);                                                                             \
    }

#define DGQC_FOR_PAIR(pair, a, b, y, expression)                                                             \
    do {                                                                                                      \
        const size_t *const size = (pair)->size, *const as = (pair)->a_stride, *const bs = (pair)->b_stride;   \
        const size_t count = size[3];                                                                         \
        int16_t *restrict y_line = (y);                                                                       \
        for (size_t line = 0; line < size[0] * size[1] * size[2]; line++, y_line += count) {                  \
            const size_t k = line % size[2], j = line / size[2] % size[1], h = line / size[2] / size[1];       \
            const int16_t *const a_line = (a) + h * as[0] + j * as[1] + k * as[2];                             \
            const int16_t *const b_line = (b) + h * bs[0] + j * bs[1] + k * bs[2];                             \
            if (as[3] && bs[3]) {                                                                             \
                DGQC_PAIR_LINE(i, i, expression)                                                              \
            } else if (as[3]) {                                                                               \
                DGQC_PAIR_LINE(i, 0, expression)                                                              \
            } else if (bs[3]) {                                                                               \
                DGQC_PAIR_LINE(0, i, expression)                                                              \
            } else {                                                                                          \
                DGQC_PAIR_LINE(0, 0, expression)                                                              \
            }                                                                                                 \
        }                                                                                                     \
    } while (0)

#endif
