/* What the two ways of an attend share. */
#ifndef DGQC_ATTEND_H
#define DGQC_ATTEND_H

#include "dgqc_internal.h"
#include "dgqc_lanes.h"

/* Byte planes of a share, and entries of their table. */
enum { DGQC_PLANES = 3, DGQC_CODES = 256 };

/* What begin leaves: tables of this step, a value for each index of the grouped axis; -share of each code as digits to
 * the base 256, each -128 .. 127, lowest plane first; and the values as bytes. */
typedef struct {
    const int32_t *zero, *multiple;
    const int8_t *digits; /* [DGQC_PLANES][DGQC_CODES] */
    const uint8_t *bytes;
} dgqc_attend_shared;

/* A block's inputs and result, at its first row. */
typedef struct {
    const uint8_t *codes;
    const int32_t *mantissa, *exponent, *first;
    int16_t *y;
} dgqc_attend_block;

/* Bytes of one batch of values: [columns, in fours][keys, in fours][4 columns][4 keys]. */
static inline size_t dgqc_attend_batch_bytes(const dgqc_attend_parameters *p)
{
    return (p->columns * (size_t)p->value_bytes + 3) / 4 * ((p->keys + 3) / 4) * 16;
}

/* multiple * (code - zero) of one value of the batch at `values`; tokens count from the start token. */
static inline int32_t dgqc_attend_value(const dgqc_attend_parameters *p, const dgqc_attend_shared *s,
                                        const void *values, size_t token, size_t column)
{
    const size_t at = token * p->columns + column, place = p->values.along_depth ? token : column;
    const int32_t code = p->values.code_bits == 8 ? ((const uint8_t *)values)[at] : ((const int16_t *)values)[at];
    return s->multiple[place] * (code - s->zero[place]);
}

/* How sums become int16 at this step. drop: bits of a sum beyond Q15. places: a sum's fraction bits then. */
typedef struct {
    int32_t drop, places, shift;
    int64_t factor;
} dgqc_attend_scale;

/* sum: shares times values of row r; start: the start token's value, 0 where there is none. */
static inline int16_t dgqc_attend_finish(const dgqc_attend_scale *scale, const dgqc_attend_block *block, size_t r,
                                         int64_t sum, int64_t start)
{
    const int64_t total = scale->drop > 0 ? dgqc_round_shift(sum, scale->drop) : sum;
    const int64_t mix = dgqc_round_shift(total * block->mantissa[r], scale->places + block->exponent[r]);
    return dgqc_saturate16(dgqc_round_shift((mix + block->first[r] * start) * scale->factor, scale->shift));
}

/* Rows that dgqc_attend_lanes takes at once. */
static inline size_t dgqc_attend_width(const dgqc_attend_parameters *p)
{
    return p->planes == 0 ? 2 * LANES : LANES;
}

/* Values of one batch as bytes, and `count` rows from row r of the block on. Nothing without vectors. */
void dgqc_attend_pack(const dgqc_attend_parameters *p, const dgqc_attend_shared *s, const void *values,
                      uint8_t *bytes);
void dgqc_attend_lanes(const dgqc_attend_parameters *p, const dgqc_attend_shared *s, const void *values,
                       const uint8_t *bytes, const dgqc_attend_scale *scale, const dgqc_attend_block *block, size_t r,
                       size_t count, void *scratch);

#endif
