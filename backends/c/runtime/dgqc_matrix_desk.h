/* What matrix units work on: codes and weights of a part of a sum, laid as units load them, and sums. */
#ifndef DGQC_MATRIX_DESK_H
#define DGQC_MATRIX_DESK_H

#include "dgqc_matrix.h"
#include "dgqc_parts.h"
#include "dgqc_product.h"
#include "dgqc_two_bytes.h"

enum {
    DGQC_MATRIX_STEPS = 12, /* of a part at most, 768 codes: two panels of them, and two units' rows, share a core's first cache */
    DGQC_MATRIX_ROW_TILES = DGQC_MATRIX_BLOCK_ROWS / DGQC_MATRIX_ROWS,
    DGQC_MATRIX_SUMS = DGQC_MATRIX_BYTES / 4,
    DGQC_MATRIX_WAITING = 20 * DGQC_MATRIX_ROW_TILES, /* units of sums that wait between the parts of a long one */
};

/* A thread's working memory, all of it in units of 1 KB: codes of a part that don't lie as units load them, weights of two
 * panels (or both bytes of one's), and sums between parts; and totals of two squares, of which one is requantized. */
typedef struct {
    uint8_t codes[DGQC_MATRIX_ROW_TILES][DGQC_MATRIX_STEPS][DGQC_MATRIX_BYTES];
    int8_t weights[2][DGQC_MATRIX_STEPS][DGQC_MATRIX_BYTES];
    int32_t sums[DGQC_MATRIX_WAITING][DGQC_MATRIX_SUMS]; /* of the columns that are multiplied at once, row by row */
    int32_t totals[2][4 * DGQC_MATRIX_SUMS];
    dgqc_split_quad split[DGQC_MATRIX_STEPS * DGQC_MATRIX_QUADS]; /* of the part, where weights are split */
} dgqc_matrix_desk;

/* Where a unit's codes are: its first row, how far it is to the next, and where each step begins in it. */
typedef struct {
    const uint8_t *first;
    size_t stride;
    const size_t *step;
} dgqc_matrix_codes;

/* What stays the same for a part: where it is among the others, and how many rows there are. */
typedef struct {
    const dgqc_product *product;
    const dgqc_part *part;
    size_t steps, rows;
    size_t width;   /* columns that are multiplied at once */
    size_t waiting; /* units of sums that wait for each unit of rows */
    int first, last;
    dgqc_matrix_codes units[DGQC_MATRIX_ROW_TILES + 1];
    size_t in_place[DGQC_MATRIX_STEPS], laid[DGQC_MATRIX_STEPS]; /* where steps begin in rows as they are given, and as laid */
    dgqc_matrix_desk *desk;
} dgqc_matrix_stage;

/* Where units find their rows. Those that lie as far from each other as any two are loaded from there, others are laid. */
void dgqc_matrix_find_rows(dgqc_matrix_stage *at, const uint8_t *const *rows);

/* Finds the multiples of a part whose weights are split. */
void dgqc_matrix_find_quads(const dgqc_matrix_stage *at);

/* Lays one step of the weights of a column and those beside it: of two panels where they are bytes, of one where they are
 * split into two. */
void dgqc_matrix_lay_weights(const dgqc_matrix_stage *at, size_t column, size_t step);

#endif
