/* Values as the bytes that shares are multiplied with: one that is a code, or two that hold value + 2^15, lower byte
 * first. */

#include "dgqc_attend.h"

#if LANES > 1
#include "dgqc_lanes_bytes.h"
#include "dgqc_words.h"

enum { FOUR = 4, VALUES = 64 }; /* keys, or columns, side by side; values of a key that are read at once */

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

/* A byte of each of four values: the lower or the upper one of value + 2^15 (or of a code), less `less`. */
static inline uint32_t word_of(int16_t found[4][VALUES], size_t i, int upper, uint32_t less)
{
    uint32_t word = 0;
    for (size_t k = 0; k < 4; k++) {
        const uint32_t value = (uint32_t)found[k][i];
        word |= (((upper ? (value >> 8) + 128 : value) - less) & 255) << (8 * k);
    }
    return word;
}

void dgqc_attend_pack(const dgqc_attend_parameters *p, const dgqc_attend_shared *s, const void *values, uint8_t *bytes)
{
    const size_t quads = (p->keys + 3) / 4, size = (size_t)p->value_bytes, start = (size_t)p->start;
    const uint32_t less = p->planes == 0 ? LANES_CODE_BIAS : 0; /* products with digits see to their bias */
    memset(bytes, 0, dgqc_attend_batch_bytes(p));
    for (size_t j = 0; j < p->keys; j += 4) {
        for (size_t d = 0; d < p->columns; d += VALUES) {
            const size_t count = p->columns - d < VALUES ? p->columns - d : (size_t)VALUES;
            int16_t found[4][VALUES] = {{0}};
            for (size_t k = 0; k < 4 && j + k < p->keys; k++) {
                read_values(p, s, values, j + k + start, d, count, found[k]);
            }
            for (size_t i = 0, column = d * size; i < count; i++) {
                for (size_t part = 0; part < size; part++, column++) {
                    uint8_t *const to = bytes + (column / FOUR * quads + j / 4) * 16 + column % FOUR * 4;
                    dgqc_store_word(to, word_of(found, i, part == 1, less));
                }
            }
        }
    }
}
#else
void dgqc_attend_pack(const dgqc_attend_parameters *p, const dgqc_attend_shared *s, const void *values, uint8_t *bytes)
{
    (void)p, (void)s, (void)values, (void)bytes;
}
#endif
