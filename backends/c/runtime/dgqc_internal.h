/* What kernels share among themselves. A program doesn't include this. */
#ifndef DGQC_INTERNAL_H
#define DGQC_INTERNAL_H

#include <string.h>

#include "dgqc_fixed_point.h"
#include "dgqc_runtime.h"
#include "dgqc_words.h"

/* What stands in a `#define DGQC_NAME number` here and in the other headers is read by the planner as well, which must know
 * how much memory kernels take (backends/c/kernels). */

/* General products are computed for this many rows and columns at a time. */
#define DGQC_ROWS 32
#define DGQC_COLUMNS 4
/* Rows shorter than this are quantized some at a time, with their tables side by side. */
#define DGQC_SHORT_ROW 256

/* Cuts `bytes` off the front of scratch memory, rounded up to DGQC_ALIGNMENT. */
static inline void *dgqc_take(void **scratch, size_t bytes)
{
    void *taken = *scratch;
    *scratch = (unsigned char *)taken + (bytes + DGQC_ALIGNMENT - 1) / DGQC_ALIGNMENT * DGQC_ALIGNMENT;
    return taken;
}

/* Finds again what dgqc_take cut off memory that is only read by now. */
static inline const void *dgqc_taken(const void **shared, size_t bytes)
{
    const void *taken = *shared;
    *shared = (const unsigned char *)taken + (bytes + DGQC_ALIGNMENT - 1) / DGQC_ALIGNMENT * DGQC_ALIGNMENT;
    return taken;
}

/* Bytes of one operand value. */
static inline size_t dgqc_value_bytes(const dgqc_arithmetic *arithmetic)
{
    return arithmetic->narrow ? sizeof(int16_t) : sizeof(int32_t);
}

/* Rows of a block that lie in one batch, at most DGQC_ROWS. row: of its batch. */
typedef struct {
    size_t batch, row, count;
} dgqc_piece;

/* The piece after the first `done` rows of a block. */
static inline dgqc_piece dgqc_next_piece(size_t rows_a_batch, dgqc_rows rows, size_t done)
{
    dgqc_piece piece = {(rows.first + done) / rows_a_batch, (rows.first + done) % rows_a_batch, rows.count - done};
    const size_t left = rows_a_batch - piece.row;
    piece.count = piece.count < left ? piece.count : left;
    piece.count = piece.count < DGQC_ROWS ? piece.count : (size_t)DGQC_ROWS;
    return piece;
}

/* memcpy for runs so short that a call would take longer than the copy. */
static inline void dgqc_copy_short(const void *x, size_t bytes, void *y)
{
    const unsigned char *from = x;
    unsigned char *to = y;
    for (; bytes >= 16; bytes -= 16, from += 16, to += 16) {
        DGQC_COPY_FEW(to, from, 16);
    }
    for (; bytes >= 4; bytes -= 4, from += 4, to += 4) {
        DGQC_COPY_FEW(to, from, 4);
    }
    for (; bytes > 0; bytes--) {
        *to++ = *from++;
    }
}

/* y[i] = table[group[i]], a table of this step. */
void dgqc_expand(const int32_t *table, const uint8_t *group, size_t count, int32_t *y);

/* y[i * y_stride] = multiple * (x[i * x_stride] - zero), i < count, as int16_t (narrow) or int32_t.
 * zero and multiple move by table_stride, 0 or 1. Strides in elements. */
void dgqc_center(const void *x, size_t x_stride, int code_bits, const int32_t *zero, const int32_t *multiple,
                 size_t table_stride, size_t count, int narrow, void *y, size_t y_stride);

/* sums[c * DGQC_ROWS + r] = sum_k rows[r][k] * columns[c][k], r < row_count <= DGQC_ROWS,
 * c < column_count <= DGQC_COLUMNS. Strides in elements. */
void dgqc_dot(const dgqc_arithmetic *arithmetic, const void *rows, size_t row_stride, size_t row_count,
              const void *columns, size_t column_stride, size_t column_count, size_t depth, int64_t *sums);

/* Where an output position's window begins: after so many lines of the images before, and in its own. */
typedef struct {
    size_t before, top, left;
} dgqc_corner;

static inline dgqc_corner dgqc_corner_of(const dgqc_window *w, size_t position)
{
    const size_t line = position / w->out_width, image = line / w->out_height;
    const dgqc_corner corner = {image * w->height, (line - image * w->out_height) * w->stride_height,
                                position % w->out_width * w->stride_width};
    return corner;
}

/* The codes of an output position's patch, every pixel padded with zeros to whole quads. */
void dgqc_gather_patch(const dgqc_patches *patches, size_t step, const int16_t *x, size_t position, uint8_t *y);

#endif
