/* Rows of 8-bit codes times a weight matrix: what linear and convolutions share. */
#ifndef DGQC_PRODUCT_H
#define DGQC_PRODUCT_H

#include "dgqc_internal.h"
#include "dgqc_parts.h"
#include "dgqc_segments.h"
#include "dgqc_unpack.h"

/* Rows are multiplied this many at a time, so that they and two panels stay in a core's cache, or, where matrix units get
 * panels ready for all of them, more; and what a
 * dgqc_product and a dgqc_accumulation of it take in shared memory at most. */
#define DGQC_BLOCK_ROWS 64
#define DGQC_MATRIX_BLOCK_ROWS 256
#define DGQC_PRODUCT_BYTES 256
#define DGQC_ACCUMULATION_BYTES 32

#ifdef DGQC_MATRIX
enum { DGQC_MOST_ROWS = DGQC_MATRIX_BLOCK_ROWS };
#else
enum { DGQC_MOST_ROWS = DGQC_BLOCK_ROWS };
#endif

/* The taps of a convolution's window over codes that lie in memory as an image. A matrix has one tap. */
typedef struct {
    size_t height, width; /* taps */
    size_t line;          /* pixels from an image row to the next */
} dgqc_taps;

/* Segments whose sum 32 bits hold, how many, and what it is multiplied by before it joins a total of 64. */
typedef struct {
    dgqc_sum sum;
    uint32_t segments;
    int32_t multiple;
} dgqc_accumulation;

typedef char dgqc_an_accumulation_fits[sizeof(dgqc_accumulation) <= DGQC_ACCUMULATION_BYTES ? 1 : -1];

/* What a call's `prepare` prepares at the beginning of shared memory, for all rows. */
typedef struct {
    dgqc_panels panels;
    dgqc_segment *segments;     /* in the order of channels */
    size_t segment_count;
    uint32_t *order;      /* which segment is summed when, block by block */
    uint32_t *ratios;     /* dgqc_run.ratio of each segment's first run, in that order */
    dgqc_run *runs;       /* in that order */
    size_t segment_runs;     /* of each segment */
    dgqc_accumulation *accumulations; /* a total of 32 bits is the sum of a single one */
    size_t accumulation_count;
    size_t row_bytes;     /* of a row's (a pixel's) codes as runs read them: spread, or whole quads where it absorbs or splits */
    uint8_t *pixel;       /* ones, spread; then the zero points of a row as runs read it, where they are codes */
    int32_t *m;           /* what `requantizer` points at */
    int64_t *b;           /* the same; without what zero points add */
    int32_t *column_sums; /* of the weights, where groups lie along rows; else NULL */
    void *rest;           /* where shared memory goes on */
    dgqc_requantizer requantizer;
    int total_bits;
    dgqc_multiples multiples; /* where it `absorbs` */
    dgqc_lines lines; /* what is left to sum where multiples are weights' already */
    int absorbs;      /* weights of 4 bits are multiplied by their groups' multiples while they are unpacked */
    int splits;       /* matrix units take weights of 8 bits times their multiples as two bytes each (dgqc_two_bytes.h) */
} dgqc_product;

typedef char dgqc_a_product_fits[sizeof(dgqc_product) <= DGQC_PRODUCT_BYTES ? 1 : -1];

/* Prepares a product at the beginning of shared memory. channels: of a row, or of a pixel. rows: how many it is for. */
dgqc_product *dgqc_product_prepare(const dgqc_weights *weights, const dgqc_operand *operand,
                                 const dgqc_combination *combination, size_t channels, const dgqc_taps *taps,
                                 size_t rows, size_t step, void *shared);

/* The codes of rows as runs read them. */
void dgqc_product_codes(const dgqc_product *product, size_t channels, size_t rows, const uint8_t *x, uint8_t *y);

/* The images with their halos, as runs read them. */
void dgqc_conv2d_image(const dgqc_window *w, const dgqc_product *product, const uint8_t *x, uint8_t *image);

/* As dgqc_tile, with totals of 64 bits. */
void dgqc_product_long(const dgqc_product *product, const uint8_t *const *rows, size_t count, size_t column,
                       const void *ahead, int64_t *totals);

/* What zero points add to the totals of a row, for the columns from `column` on. Zero points may have any size, as long
 * as the totals fit. */
void dgqc_product_zeros(const dgqc_product *product, size_t column, int64_t totals[DGQC_TILE_COLUMNS]);

/* Groups along rows: what the codes of a row stand for. */
typedef struct {
    int32_t zero, multiple;
} dgqc_row_group;

/* The groups of the rows first .. first + count - 1, whose tables repeat after `period` rows, in `groups`;
 * NULL where groups lie along the summed axis. */
const dgqc_row_group *dgqc_find_row_groups(const dgqc_operand *operand, size_t step, dgqc_rows rows,
                                           size_t period, dgqc_row_group groups[DGQC_BLOCK_ROWS]);

/* y[r * columns + n] for at most dgqc_product_block rows. groups: of each row, or NULL. next, next_bytes: what will be
 * read for the rows after them, which is fetched meanwhile. */
void dgqc_product_rows(const dgqc_product *product, const uint8_t *const *rows, size_t count,
                       const dgqc_row_group *groups, const uint8_t *next, size_t next_bytes, int16_t *y);

/* Whether matrix units multiply all rows of a product, of which there are so many, with weights that are split into two bytes. */
int dgqc_matrix_splits(const dgqc_product *product, size_t rows);

/* Whether matrix units multiply so many rows, whose groups lie along the summed axis; and their doing so, for count <=
 * DGQC_MATRIX_BLOCK_ROWS. */
int dgqc_matrix_takes(const dgqc_product *product, size_t count);
void dgqc_matrix_rows(const dgqc_product *product, const uint8_t *const *rows, size_t count, int16_t *y);

/* How many of `left` rows dgqc_product_rows takes next. */
static inline size_t dgqc_product_block(const dgqc_product *product, size_t left)
{
    const size_t most = dgqc_matrix_takes(product, left) ? DGQC_MATRIX_BLOCK_ROWS : DGQC_BLOCK_ROWS;
    return left < most ? left : most;
}

/* The same, and whether it does: of products that are plain sums, and of those that absorb multiples. */
int dgqc_takes_two_columns(const dgqc_product *product);
void dgqc_product_two_columns(const dgqc_product *product, const uint8_t *const *rows, size_t count,
                              const dgqc_row_group *groups, int16_t *y);

/* The same of a product that absorbs multiples. */
void dgqc_product_unpacked(const dgqc_product *product, const uint8_t *const *rows, size_t count,
                           const uint8_t *next, size_t next_bytes, int16_t *y);

#endif
