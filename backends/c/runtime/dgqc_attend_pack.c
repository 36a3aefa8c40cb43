/* Values as panels of signed bytes (dgqc_tile.h): one that is a code less 128, or two, of which the lower is less 128. */

#include "dgqc_attend.h"

enum { VALUES = 64 }; /* values of a key that are read at once */

/* Values of a key from column d on: the codes, or what they stand for. key: counts from the start token. */
static void read_values(const dgqc_attend_parameters *p, const dgqc_attend_shared *s, const void *values, size_t key,
                        size_t d, size_t count, int16_t *y)
{
    const size_t place = p->values.along_depth ? key : d, at = key * p->columns + d;
    if (p->value_bytes == 1) {
        const uint8_t *const codes = (const uint8_t *)values + at;
        for (size_t i = 0; i < count; i++) {
            y[i] = codes[i];
        }
    } else {
        dgqc_center(dgqc_inside(values, at * (size_t)p->values.code_bits / 8), 1, p->values.code_bits,
                    s->zero + place, s->multiple + place, p->values.along_depth ? 0 : 1, count, 1, y, 1);
    }
}

/* A byte of each of four values, the lower or the upper one. Keys outside [first, last) are 0. */
static inline uint32_t word_of(int16_t found[DGQC_QUAD][VALUES], size_t i, int upper, size_t first, size_t last)
{
    uint32_t word = 0;
    for (size_t k = first; k < last; k++) {
        const uint32_t value = (uint32_t)found[k][i];
        word |= ((upper ? value >> 8 : value - 128) & 255) << (8 * k);
    }
    return word;
}

/* The keys of a quad that belong to a segment, in the quad-th place of the panels. */
static void pack_quad(const dgqc_attend_parameters *p, const dgqc_attend_shared *s, const void *values,
                      const dgqc_attend_segment *segment, size_t key, size_t quad, size_t panel, int8_t *panels)
{
    const size_t size = (size_t)p->value_bytes, start = (size_t)p->start;
    const size_t first = key < segment->first ? segment->first - key : 0;
    const size_t last = segment->end - key < DGQC_QUAD ? segment->end - key : (size_t)DGQC_QUAD;
    for (size_t d = 0; d < p->columns; d += VALUES) {
        const size_t count = p->columns - d < VALUES ? p->columns - d : (size_t)VALUES;
        int16_t found[DGQC_QUAD][VALUES];
        for (size_t k = first; k < last; k++) {
            read_values(p, s, values, key + k + start, d, count, found[k]);
        }
        for (size_t i = 0, column = d * size; i < count; i++) {
            for (size_t part = 0; part < size; part++, column++) {
                int8_t *const to = panels + column / DGQC_PANEL_COLUMNS * panel + quad * DGQC_BLOCK_BYTES;
                dgqc_store_word(to + column % DGQC_PANEL_COLUMNS * DGQC_QUAD, word_of(found, i, part == 1, first, last));
            }
        }
    }
}

void dgqc_attend_pack(const dgqc_attend_parameters *p, const dgqc_attend_shared *s, const void *values, int8_t *panels)
{
    const dgqc_panels all = dgqc_attend_panels(p, panels);
    memset(panels, 0, dgqc_attend_batch_bytes(p)); /* columns beyond the last */
    for (DGQC_EVERY_SEGMENT(p, segment)) {
        const size_t key = segment.first / DGQC_QUAD * DGQC_QUAD, quads = dgqc_attend_segment_quads(&segment);
        for (size_t q = 0; q < quads; q++) {
            pack_quad(p, s, values, &segment, key + q * DGQC_QUAD, segment.quad + q, dgqc_panel_bytes(&all), panels);
        }
    }
}
