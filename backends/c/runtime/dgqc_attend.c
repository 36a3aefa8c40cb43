#include "dgqc_internal.h"

/* Bits of a share's lower plane (ir/scratch.py: PLANE). */
enum { PLANE = 8 };

/* Shares are looked up negated: 2^15 fits int16_t only so. Narrow shares of more than 15 fraction bits come as
 * two planes, share = upper * 2^PLANE + lower. */
static void shares_of(const dgqc_attend_parameters *p, const uint8_t *codes, size_t row, unsigned char *y)
{
    if (!p->arithmetic.narrow) {
        int32_t *to = (int32_t *)(void *)y + row * p->keys;
        for (size_t j = 0; j < p->keys; j++) {
            to[j] = -p->shares[codes[j]];
        }
        return;
    }
    int16_t *upper = (int16_t *)(void *)y + row * p->keys, *lower = upper + DGQC_ROWS * p->keys;
    const int drop = p->fraction > 15 ? PLANE : 0;
    for (size_t j = 0; j < p->keys; j++) {
        upper[j] = (int16_t)-(p->shares[codes[j]] >> drop);
    }
    for (size_t j = 0; drop > 0 && j < p->keys; j++) {
        lower[j] = (int16_t)-(p->shares[codes[j]] & ((1 << PLANE) - 1));
    }
}

/* Values of one batch entry, centered and transposed to [columns][keys + start]. */
static void read_values(const dgqc_attend_parameters *p, const int32_t *zero, const int32_t *multiple,
                        const void *values, unsigned char *y)
{
    const size_t tokens = p->keys + (size_t)p->start, value = dgqc_value_bytes(&p->arithmetic);
    for (size_t j = 0; j < tokens; j++) {
        const size_t place = p->values.along_depth ? j : 0;
        dgqc_center(dgqc_inside(values, j * p->columns * (size_t)p->values.code_bits / 8), 1,
                    p->values.code_bits, zero + place, multiple + place, p->values.along_depth ? 0 : 1,
                    p->columns, p->arithmetic.narrow, y + j * value, tokens);
    }
}

/* sums of shares times values for up to DGQC_COLUMNS columns, negated as the shares are. */
static void weigh(const dgqc_attend_parameters *p, const unsigned char *rows, size_t count,
                  const unsigned char *columns, size_t some, int64_t *sums)
{
    const size_t tokens = p->keys + (size_t)p->start, value = dgqc_value_bytes(&p->arithmetic);
    const unsigned char *rest = columns + (size_t)p->start * value;
    dgqc_dot(&p->arithmetic, rows, p->keys, count, rest, tokens, some, p->keys, sums);
    if (p->arithmetic.narrow && p->fraction > 15) {
        int64_t lower[DGQC_COLUMNS * DGQC_ROWS];
        dgqc_dot(&p->arithmetic, rows + DGQC_ROWS * p->keys * value, p->keys, count, rest, tokens, some, p->keys,
                 lower);
        for (size_t c = 0; c < some; c++) {
            for (size_t r = 0; r < count; r++) {
                int64_t *sum = sums + c * DGQC_ROWS + r;
                *sum = *sum * (1 << PLANE) + lower[c * DGQC_ROWS + r];
            }
        }
    }
}

void dgqc_attend(const dgqc_attend_parameters *p, size_t step, const uint8_t *codes, const int32_t *mantissa,
                 const int32_t *exponent, const int32_t *first, const void *values, int16_t *y, void *scratch)
{
    const dgqc_operand *operand = &p->values;
    const size_t value = dgqc_value_bytes(&p->arithmetic), tokens = p->keys + (size_t)p->start;
    int32_t *zero = dgqc_take(&scratch, operand->count * sizeof(int32_t));
    int32_t *multiple = dgqc_take(&scratch, operand->count * sizeof(int32_t));
    unsigned char *rows = dgqc_take(&scratch, DGQC_ROWS * p->keys * sizeof(int32_t));
    unsigned char *columns = dgqc_take(&scratch, p->columns * tokens * value);
    dgqc_expand(operand->zero + step * operand->groups, operand->group, operand->count, zero);
    dgqc_expand(operand->multiple + step * operand->groups, operand->group, operand->count, multiple);
    const int64_t factor = p->factor[step];
    const int32_t shift = p->shift[step];
    int64_t sums[DGQC_COLUMNS * DGQC_ROWS];

    for (size_t at = 0; at < p->batches * p->rows;) {
        const size_t batch = at / p->rows, row = at % p->rows;
        const size_t count = p->rows - row < DGQC_ROWS ? p->rows - row : (size_t)DGQC_ROWS;
        if (row == 0 && batch < p->value_batches) {
            const size_t bytes = tokens * p->columns * (size_t)operand->code_bits / 8;
            read_values(p, zero, multiple, dgqc_inside(values, batch * bytes), columns);
        }
        for (size_t r = 0; r < count; r++) {
            shares_of(p, codes + (at + r) * p->keys, r, rows);
        }
        for (size_t d = 0; d < p->columns; d += DGQC_COLUMNS) {
            const size_t some = p->columns - d < DGQC_COLUMNS ? p->columns - d : (size_t)DGQC_COLUMNS;
            weigh(p, rows, count, columns + d * tokens * value, some, sums);
            for (size_t c = 0; c < some; c++) {
                const void *column = columns + (d + c) * tokens * value;
                const int64_t start = p->arithmetic.narrow ? *(const int16_t *)column : *(const int32_t *)column;
                for (size_t r = 0; r < count; r++) {
                    int64_t mix = -sums[c * DGQC_ROWS + r];
                    if (p->fraction > 15) {
                        mix = dgqc_round_shift(mix, p->fraction - 15);
                    }
                    mix = dgqc_round_shift(mix * mantissa[at + r], 15 + exponent[at + r]);
                    if (p->start) {
                        mix += first[at + r] * start;
                    }
                    y[(at + r) * p->columns + d + c] = dgqc_saturate16(dgqc_round_shift(mix * factor, shift));
                }
            }
        }
        at += count;
    }
}
