/* Probabilities times values: what is prepared once a call, and the sum for any operands. dgqc_attend_tiles.c has the
 * one for operands of a byte or two. */

#include "dgqc_attend.h"

/* The values of one batch entry as they are given. */
static const void *values_of(const dgqc_attend_parameters *p, const void *values, size_t batch)
{
    const size_t tokens = p->keys + (size_t)p->start;
    return dgqc_inside(values, batch * tokens * p->columns * (size_t)p->values.code_bits / 8);
}

static void read_limbs(const dgqc_attend_parameters *p, uint8_t *limbs)
{
    memset(limbs, 0, DGQC_LIMBS * DGQC_CODES);
    for (size_t code = 0; code < p->codes; code++) {
        for (size_t limb = 0; limb < DGQC_LIMBS; limb++) {
            limbs[limb * DGQC_CODES + code] = (uint8_t)((uint32_t)p->probabilities[code] >> (8 * limb) & 255);
        }
    }
}

void dgqc_attend_prepare(const dgqc_attend_parameters *p, size_t step, const void *values, void *shared)
{
    const dgqc_operand *const operand = &p->values;
    int32_t *const zero = dgqc_take(&shared, operand->count * sizeof(int32_t));
    int32_t *const multiple = dgqc_take(&shared, operand->count * sizeof(int32_t));
    uint8_t *const limbs = dgqc_take(&shared, DGQC_LIMBS * DGQC_CODES);
    const dgqc_attend_shared s = {zero, multiple, limbs, shared};
    dgqc_expand(operand->zero + step * operand->groups, operand->group, operand->count, zero);
    dgqc_expand(operand->multiple + step * operand->groups, operand->group, operand->count, multiple);
    if (p->value_bytes > 0) {
        read_limbs(p, limbs);
        DGQC_PARALLEL_FROM(p->value_batches * dgqc_attend_batch_bytes(p))
        for (size_t batch = 0; batch < p->value_batches; batch++) {
            dgqc_attend_pack(p, &s, values_of(p, values, batch), (int8_t *)shared + batch * dgqc_attend_batch_bytes(p));
        }
    }
}

/* One column of a row; the values of its batch are after the start token. */
static int64_t weigh(const dgqc_attend_parameters *p, const dgqc_attend_shared *s, const int32_t *probabilities,
                     const void *values, size_t column)
{
    int64_t sum = 0;
    for (size_t j = 0; j < p->keys; j++) {
        sum += (int64_t)probabilities[j] * dgqc_attend_value(p, s, values, j + (size_t)p->start, column);
    }
    return sum;
}

static void attend_row(const dgqc_attend_parameters *p, const dgqc_attend_shared *s, const void *values,
                       const dgqc_attend_scale *scale, const dgqc_attend_block *block, size_t r, int32_t *probabilities)
{
    for (size_t j = 0; j < p->keys; j++) {
        probabilities[j] = p->probabilities[block->codes[r * p->keys + j]];
    }
    for (size_t d = 0; d < p->columns; d++) {
        const int64_t start = p->start ? dgqc_attend_value(p, s, values, 0, d) : 0;
        block->y[r * p->columns + d] = dgqc_attend_finish(scale, block, r, weigh(p, s, probabilities, values, d), start);
    }
}

void dgqc_attend_rows(const dgqc_attend_parameters *p, size_t step, dgqc_rows rows, const uint8_t *codes,
                      const int32_t *mantissa, const int32_t *exponent, const int32_t *first, const void *values,
                      int16_t *y, const void *shared, void *scratch)
{
    dgqc_attend_shared s;
    s.zero = dgqc_taken(&shared, p->values.count * sizeof(int32_t));
    s.multiple = dgqc_taken(&shared, p->values.count * sizeof(int32_t));
    s.limbs = dgqc_taken(&shared, DGQC_LIMBS * DGQC_CODES);
    s.panels = shared;
    const int32_t places = p->fraction < 15 ? p->fraction : 15;
    const dgqc_attend_scale scale = {p->fraction - places, places, p->shift[step], p->factor[step]};
    const dgqc_attend_block block = {codes, mantissa, exponent, first, y};
    for (size_t done = 0; done < rows.count;) {
        const dgqc_piece piece = dgqc_next_piece(p->rows, rows, done);
        const size_t batch = piece.batch % p->value_batches;
        const void *const entry = values_of(p, values, batch);
        if (p->value_bytes > 0) {
            const size_t most = dgqc_attend_rows_at_once(), count = piece.count < most ? piece.count : most;
            const int8_t *const panels = s.panels + batch * dgqc_attend_batch_bytes(p);
            dgqc_attend_tiles(p, &s, entry, panels, &scale, &block, done, count, scratch);
            done += count;
        } else {
            attend_row(p, &s, entry, &scale, &block, done, scratch);
            done++;
        }
    }
}
