/* From totals of a tile to int16. */
#ifndef DGQC_REQUANTIZE_H
#define DGQC_REQUANTIZE_H

#include "dgqc_fixed_point.h"
#include "dgqc_tile.h"

/* Machines whose vectors requantize. */
#if (defined(__AVX2__) || (defined(__AVX512BW__) && defined(__AVX512VL__))) && !defined(DGQC_PORTABLE)
#define DGQC_REQUANTIZES_VECTORS
#endif

/* y[r * y_stride + c] = saturate16((totals[r * DGQC_TILE_COLUMNS + c] * 2^left * m[column + c] + b[column + c]) >> shift),
 * c < columns <= DGQC_TILE_COLUMNS. */
void dgqc_requantize(const int32_t *totals, size_t rows, size_t column, size_t columns,
                     const dgqc_requantizer *by, int16_t *y, size_t y_stride);

/* The same of totals in two parts, of which the one that is `upper` further on counts 256 times; modulo 2^32. */
void dgqc_requantize_split(const int32_t *totals, size_t upper, size_t rows, size_t column, size_t columns,
                           const dgqc_requantizer *by, int16_t *y, size_t y_stride);

/* The same of 64-bit totals, of any size, whose `left` is 0: the result counts modulo 2^64 before the shift. */
void dgqc_requantize_long(const int64_t *totals, size_t rows, size_t column, size_t columns,
                          const dgqc_requantizer *by, int16_t *y, size_t y_stride);

#endif
