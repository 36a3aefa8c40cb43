/* What the softmaxes share: a row's largest logit and its sum of powers of 2. */

#include "dgqc_softmax.h"

static int32_t largest_of(const int32_t *x, size_t count)
{
    lanes largest = lanes_splat(x[0]), other = largest;
    size_t j = 0;
    for (; j + 2 * LANES <= count; j += 2 * LANES) {
        largest = lanes_maximum(largest, lanes_load(x + j));
        other = lanes_maximum(other, lanes_load(x + j + LANES));
    }
    for (; j < count; j += LANES) {
        largest = lanes_maximum(largest, lanes_load_some(x + j, count - j, x[0]));
    }
    return lanes_largest(lanes_maximum(largest, other));
}

/* sum_j 2^(x_j - largest) in Q30. Two terms fit 32 bits. */
static int64_t exp2_total(const int32_t *x, size_t count, int32_t largest)
{
    const lanes top = lanes_splat(largest);
    long_lanes total = long_lanes_splat(0);
    size_t j = 0;
    for (; j + 2 * LANES <= count; j += 2 * LANES) {
        const lanes one = lanes_exp2_negative(lanes_subtract(top, lanes_load(x + j)));
        const lanes two = lanes_exp2_negative(lanes_subtract(top, lanes_load(x + j + LANES)));
        total = long_lanes_add(total, lanes_widen_unsigned(lanes_add(one, two)));
    }
    for (; j < count; j += LANES) {
        const lanes some = lanes_load_some(x + j, count - j, largest);
        const lanes power = lanes_exp2_negative(lanes_subtract(top, some));
        total = long_lanes_add(total, lanes_widen_unsigned(lanes_keep(power, count - j)));
    }
    return long_lanes_total(total);
}

/* Shared memory: the sample's best in the first DGQC_ALIGNMENT bytes, then every row's. */
enum { ROWS_BEGIN = DGQC_ALIGNMENT / sizeof(int64_t) };

dgqc_softmax_row dgqc_softmax_look(const dgqc_softmax_parameters *p, const int32_t *logits)
{
    const size_t start = (size_t)p->start;
    dgqc_softmax_row row = {logits + start, p->keys - start, 0, 0};
    row.largest = largest_of(row.logits, row.keys);
    return row;
}

/* Whether a first key that is kept apart has the largest logit of all. */
static int first_is_largest(const dgqc_softmax_parameters *p, const dgqc_softmax_row *row)
{
    return p->start && row->logits[-1] > row->largest;
}

/* total: over the quantized keys, below the largest logit of all. */
static int64_t best_of(const dgqc_softmax_parameters *p, const dgqc_softmax_row *row, int64_t total)
{
    const int32_t largest = first_is_largest(p, row) ? row->logits[-1] : row->largest;
    if (p->start) {
        total += dgqc_exp2_negative((uint32_t)largest - (uint32_t)row->logits[-1]);
    }
    return (int64_t)largest - row->largest + dgqc_log2(total) - ((int64_t)30 << 16);
}

void dgqc_softmax_weigh(const dgqc_softmax_parameters *p, dgqc_softmax_row *row, int64_t total)
{
    const int again = first_is_largest(p, row);
    row->best = best_of(p, row, again ? exp2_total(row->logits, row->keys, row->logits[-1]) : total);
}

dgqc_softmax_row dgqc_softmax_read(const dgqc_softmax_parameters *p, const int32_t *logits, const void *shared,
                                   size_t index)
{
    dgqc_softmax_row row = dgqc_softmax_look(p, logits);
    if (shared != NULL) {
        row.best = ((const int64_t *)shared)[ROWS_BEGIN + index];
    } else {
        const int32_t largest = first_is_largest(p, &row) ? logits[0] : row.largest;
        row.best = best_of(p, &row, exp2_total(row.logits, row.keys, largest));
    }
    return row;
}

void dgqc_softmax_reduce_rows(const dgqc_softmax_parameters *p, size_t step, dgqc_rows rows, const int32_t *logits,
                              void *shared)
{
    int64_t *const bests = (int64_t *)shared + ROWS_BEGIN + rows.first;
    (void)step;
    for (size_t i = 0; i < rows.count; i++) {
        bests[i] = dgqc_softmax_read(p, logits + i * p->keys, NULL, 0).best;
    }
}

void dgqc_softmax_reduce_end(const dgqc_softmax_parameters *p, size_t step, void *shared)
{
    int64_t *const best = shared;
    const int64_t *const bests = best + ROWS_BEGIN;
    (void)step;
    *best = bests[0];
    for (size_t i = 1; i < p->rows; i++) {
        *best = bests[i] < *best ? bests[i] : *best;
    }
}

/* 2^-z, z: int64_t >= 0 in Q16. */
static int32_t exp2_of(int64_t z)
{
    return dgqc_exp2_negative((uint32_t)(z < UINT32_MAX ? z : UINT32_MAX));
}

int64_t dgqc_softmax_scale(const dgqc_softmax_row *row, const void *shared, int64_t below, int32_t *mantissa,
                           int32_t *exponent)
{
    const int64_t best = shared == NULL ? row->best : *(const int64_t *)shared;
    const int64_t whole = (best + below) >> 16;
    *mantissa = (int32_t)dgqc_round_shift(exp2_of((best + below) & 65535), 15);
    *exponent = (int32_t)(whole < 40 ? whole : 40); /* ir/ops/attention.py: MAX_EXPONENT */
    return row->best - best;
}

int32_t dgqc_softmax_first(const dgqc_softmax_parameters *p, const dgqc_softmax_row *row)
{
    return p->start ? (int32_t)dgqc_round_shift(exp2_of(row->best + row->largest - row->logits[-1]), 15) : 0;
}
