/* What the two ways of an attend share. */
#ifndef DGQC_ATTEND_H
#define DGQC_ATTEND_H

#include "dgqc_internal.h"
#include "dgqc_tile.h"

/* Rows that are computed at once, at most: those of a matrix unit, and more than any tile's. */
#define DGQC_ATTEND_ROWS 16
typedef char dgqc_attend_rows_fit[DGQC_TILE_ROWS <= DGQC_ATTEND_ROWS ? 1 : -1];

/* Limbs (bytes) of a probability at most, and entries of their table. */
#define DGQC_LIMBS 3
#define DGQC_CODES 256

/* What `prepare` leaves: tables of this step, a value for each index of the grouped axis; the limbs of each code's probability,
 * lowest first; and the values as panels. */
typedef struct {
    const int32_t *zero, *multiple;
    const uint8_t *limbs; /* [DGQC_LIMBS][DGQC_CODES] */
    const int8_t *panels;
} dgqc_attend_shared;

/* A block's inputs and result, at its first row. */
typedef struct {
    const uint8_t *codes;
    const int32_t *mantissa, *exponent, *first;
    int16_t *y;
} dgqc_attend_block;

/* Keys of one group side by side, and where their quads begin in the panels. Where segments meet within a
 * quad of keys, each has one there, with zeros in the place of the other's keys. */
typedef struct {
    size_t index, first, end, quad;
} dgqc_attend_segment;

static inline size_t dgqc_attend_segments(const dgqc_attend_parameters *p)
{
    return p->segments > 0 ? p->segments : 1;
}

static inline size_t dgqc_attend_segment_quads(const dgqc_attend_segment *segment)
{
    return (segment->end + DGQC_QUAD - 1) / DGQC_QUAD - segment->first / DGQC_QUAD;
}

static inline dgqc_attend_segment dgqc_attend_first_segment(const dgqc_attend_parameters *p)
{
    const dgqc_attend_segment segment = {0, 0, p->segments > 0 ? (size_t)p->ends[0] : p->keys, 0};
    return segment;
}

/* After the last, its `quad` is the number of all. */
static inline dgqc_attend_segment dgqc_attend_next_segment(const dgqc_attend_parameters *p, const dgqc_attend_segment *segment)
{
    const size_t index = segment->index + 1;
    const dgqc_attend_segment next = {index, segment->end, index < p->segments ? (size_t)p->ends[index] : p->keys,
                                   segment->quad + dgqc_attend_segment_quads(segment)};
    return next;
}

#define DGQC_EVERY_SEGMENT(p, segment)                                                                              \
    dgqc_attend_segment segment = dgqc_attend_first_segment(p);                                                        \
    segment.index < dgqc_attend_segments(p);                                                                        \
    segment = dgqc_attend_next_segment(p, &segment)

/* The panels of one batch of values. */
static inline dgqc_panels dgqc_attend_panels(const dgqc_attend_parameters *p, const int8_t *data)
{
    size_t quads = 0;
    for (DGQC_EVERY_SEGMENT(p, segment)) {
        quads = segment.quad + dgqc_attend_segment_quads(&segment);
    }
    const dgqc_panels panels = {
        .data = data, .columns = p->columns * (size_t)p->value_bytes, .quads = quads, .bits = 8};
    return panels;
}

static inline size_t dgqc_attend_batch_bytes(const dgqc_attend_parameters *p)
{
    const dgqc_panels panels = dgqc_attend_panels(p, NULL);
    return (panels.columns + DGQC_PANEL_COLUMNS - 1) / DGQC_PANEL_COLUMNS * dgqc_panel_bytes(&panels);
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

/* sum: probabilities times values of row r; start: the start token's value, 0 where there is none. */
static inline int16_t dgqc_attend_finish(const dgqc_attend_scale *scale, const dgqc_attend_block *block, size_t r,
                                         int64_t sum, int64_t start)
{
    const int64_t total = scale->drop > 0 ? dgqc_round_shift(sum, scale->drop) : sum;
    const int64_t mix = dgqc_round_shift(total * block->mantissa[r], scale->places + block->exponent[r]);
    return dgqc_saturate16(dgqc_round_shift((mix + block->first[r] * start) * scale->factor, scale->shift));
}

/* Values of one batch as panels. */
void dgqc_attend_pack(const dgqc_attend_parameters *p, const dgqc_attend_shared *s, const void *values, int8_t *panels);

/* `count` rows from row r of the block on, by panels of their batch: at most dgqc_attend_rows_at_once of them. */
size_t dgqc_attend_rows_at_once(void);
void dgqc_attend_tiles(const dgqc_attend_parameters *p, const dgqc_attend_shared *s, const void *values,
                       const int8_t *panels, const dgqc_attend_scale *scale, const dgqc_attend_block *block, size_t r,
                       size_t count, void *scratch);

#endif
