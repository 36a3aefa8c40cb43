/* Plain products on machines without vectors to look bytes up in: weights of two columns are unpacked at a time, some of the
 * summed axis after one another, so that a KB on the stack holds them, and multiplied in long runs. */
#ifndef DGQC_TWO_COLUMNS_H
#define DGQC_TWO_COLUMNS_H

#include "dgqc_product.h"

/* Of the summed axis, as many quads at a time; and bytes from a column's weights to the next one's. */
enum { DGQC_TWO_COLUMNS_QUADS = 144, DGQC_TWO_COLUMNS_BYTES = DGQC_TWO_COLUMNS_QUADS * DGQC_QUAD };

/* What is added to each byte of a weight: Helium's products have both factors signed, or none. */
#if defined(DGQC_TILE_MVE)
enum { DGQC_WEIGHTS_RAISED = 128 };
#else
enum { DGQC_WEIGHTS_RAISED = 0 };
#endif

/* totals[c * DGQC_BLOCK_ROWS + r] += the products of a part for `count` <= DGQC_BLOCK_ROWS rows and both columns, modulo 2^32.
 * weights: [2][DGQC_TWO_COLUMNS_BYTES]. Totals of rows beyond the last, up to a multiple of 4, may be written. */
void dgqc_two_columns_add(const int8_t *weights, const dgqc_part *some, const uint8_t *const *rows, size_t count,
                          uint32_t *totals);

/* sums[r]: of all codes of row r, where weights are raised; else 0. */
void dgqc_two_columns_codes(const dgqc_lines *lines, const uint8_t *const *rows, size_t count, uint32_t *sums);

#endif
