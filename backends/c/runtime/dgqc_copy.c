/* Rows to another place: parts of a concatenation. */

#include "dgqc_internal.h"

void dgqc_copy_rows(dgqc_rows rows, size_t bytes, const void *x, size_t x_stride, void *y, size_t y_stride)
{
    for (size_t i = 0; i < rows.count; i++) {
        memcpy((unsigned char *)y + i * y_stride, (const unsigned char *)x + i * x_stride, bytes);
    }
}

void dgqc_copy(size_t count, size_t bytes, const void *x, size_t x_stride, void *y, size_t y_stride)
{
    DGQC_PARALLEL_FROM(count * bytes)
    for (size_t i = 0; i < count; i++) {
        memcpy((unsigned char *)y + i * y_stride, (const unsigned char *)x + i * x_stride, bytes);
    }
}
