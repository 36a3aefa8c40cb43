/* a @ b^T, two activations: what is prepared once a call. dgqc_matmul_pairs.c multiplies. */

#include "dgqc_lanes.h"
#include "dgqc_matmul.h"

/* Tables of this step for one operand, a value for each index of its grouped axis. */
typedef struct {
    const int32_t *zero, *multiple;
} tables;

static tables expand(const dgqc_operand *operand, size_t step, void **shared)
{
    int32_t *const zero = dgqc_take(shared, operand->count * sizeof(int32_t));
    int32_t *const multiple = dgqc_take(shared, operand->count * sizeof(int32_t));
    dgqc_expand(operand->zero + step * operand->groups, operand->group, operand->count, zero);
    dgqc_expand(operand->multiple + step * operand->groups, operand->group, operand->count, multiple);
    const tables t = {zero, multiple};
    return t;
}

static tables expanded(const dgqc_operand *operand, const void **shared)
{
    tables t;
    t.zero = dgqc_taken(shared, operand->count * sizeof(int32_t));
    t.multiple = dgqc_taken(shared, operand->count * sizeof(int32_t));
    return t;
}

/* Values of row `row` (of its batch), `count` of them from index k on, one after another. */
static void center(const dgqc_operand *operand, const tables *t, const void *codes, size_t row, size_t k,
                   size_t count, int narrow, void *y)
{
    const size_t place = operand->along_depth ? k : row;
    dgqc_center(dgqc_inside(codes, k * (size_t)operand->code_bits / 8), 1, operand->code_bits, t->zero + place,
                t->multiple + place, operand->along_depth ? 1 : 0, count, narrow, y, 1);
}

enum { CHUNK = 64 };

/* A column's values as pairs, 16 columns apart. What pads the last pair is 0. */
static void pack(const dgqc_matmul_parameters *p, const tables *t, const void *codes, size_t column, int16_t *y)
{
    for (size_t k = 0; k < p->depth; k += CHUNK) {
        const size_t count = p->depth - k < CHUNK ? p->depth - k : (size_t)CHUNK;
        int16_t values[CHUNK + 1] = {0};
        center(&p->right, t, codes, column, k, count, 1, values);
        values[count] = 0;
        for (size_t i = 0; i < count; i += 2) {
            DGQC_COPY_FEW(y + (k + i) * DGQC_PANEL, values + i, 2 * sizeof(int16_t));
        }
    }
}

void dgqc_matmul_prepare(const dgqc_matmul_parameters *p, size_t step, const void *b, void *shared)
{
    expand(&p->left, step, &shared);
    const tables right = expand(&p->right, step, &shared);
    const size_t pairs = dgqc_pairs(p->depth), bytes = dgqc_matmul_right_bytes(p);
    const size_t code_bytes = p->depth * (size_t)p->right.code_bits / 8;
    const int left_shift = dgqc_matmul_left_shift(p, step);
    DGQC_PARALLEL_FROM(p->right_batches * p->columns * code_bytes)
    for (size_t n = 0; n < p->right_batches * p->columns; n++) {
        const size_t batch = n / p->columns, column = n % p->columns;
        const void *const codes = dgqc_inside(b, n * code_bytes);
        unsigned char *const to = (unsigned char *)shared + batch * bytes;
        if (p->by_codes) {
            const size_t place = p->right.along_depth ? 0 : column; /* a single group may lie along either axis */
            dgqc_matmul_pack_codes(p, right.zero[place], right.multiple[place] << left_shift, codes, column, to);
        } else if (p->arithmetic.narrow) {
            const size_t panel = column / DGQC_PANEL * pairs * DGQC_PANEL + column % DGQC_PANEL;
            pack(p, &right, codes, column, (int16_t *)(void *)to + panel * 2);
        } else {
            center(&p->right, &right, codes, column, 0, p->depth, 0, to + column * p->depth * sizeof(int32_t));
        }
    }
}

/* Rows of one batch as values, then their products. row: of the batch. */
static void multiply_values(const dgqc_matmul_parameters *p, size_t step, const tables *left, const void *codes,
                            size_t row, size_t count, const void *right, void *y, void *scratch)
{
    const size_t stride = p->arithmetic.narrow ? 2 * dgqc_pairs(p->depth) : p->depth;
    const size_t value = dgqc_value_bytes(&p->arithmetic), code_bytes = p->depth * (size_t)p->left.code_bits / 8;
    for (size_t r = 0; r < count; r++) {
        unsigned char *const to = (unsigned char *)scratch + r * stride * value;
        center(&p->left, left, dgqc_inside(codes, r * code_bytes), row + r, 0, p->depth, p->arithmetic.narrow, to);
        if (stride > p->depth) {
            memset(to + p->depth * value, 0, value);
        }
    }
    if (p->arithmetic.narrow) {
        dgqc_matmul_pairs(p, step, scratch, count, right, y);
    } else {
        dgqc_matmul_wide(p, step, scratch, count, right, y);
    }
}

void dgqc_matmul_rows(const dgqc_matmul_parameters *p, size_t step, dgqc_rows rows, const void *a, void *y,
                      const void *shared, void *scratch)
{
    const tables left = expanded(&p->left, &shared);
    expanded(&p->right, &shared);
    for (size_t done = 0; done < rows.count;) {
        const dgqc_piece piece = dgqc_next_piece(p->rows, rows, done);
        const void *const codes = dgqc_inside(a, done * p->depth * (size_t)p->left.code_bits / 8);
        const void *const right = dgqc_inside(shared, piece.batch % p->right_batches * dgqc_matmul_right_bytes(p));
        void *const to = dgqc_at(y, done * p->columns * (size_t)p->width / 8);
        if (p->by_codes) {
            const size_t moves = p->left.along_depth ? 0 : 1; /* a single group may lie along either axis */
            dgqc_matmul_codes(p, step, codes, left.zero + moves * piece.row, left.multiple + moves * piece.row, moves,
                              piece.count, right, to);
        } else {
            multiply_values(p, step, &left, codes, piece.row, piece.count, right, to, scratch);
        }
        done += piece.count;
    }
}

static int64_t sum_of(const int32_t *a, const int32_t *b, size_t count)
{
    long_lanes total = long_lanes_splat(0);
    size_t k = 0;
    for (; k + LANES <= count; k += LANES) {
        total = long_lanes_add(total, lanes_multiply_long(lanes_load(a + k), lanes_load(b + k)));
    }
    if (k < count) {
        const lanes left = lanes_load_some(a + k, count - k, 0), right = lanes_load_some(b + k, count - k, 0);
        total = long_lanes_add(total, lanes_multiply_long(left, right));
    }
    return long_lanes_total(total);
}

void dgqc_matmul_wide(const dgqc_matmul_parameters *p, size_t step, const int32_t *rows, size_t count,
                      const int32_t *columns, void *y)
{
    const int64_t factor = p->factor[step];
    const int32_t shift = p->shift[step];
    for (size_t r = 0; r < count; r++) {
        for (size_t n = 0; n < p->columns; n++) {
            const int64_t sum = sum_of(rows + r * p->depth, columns + n * p->depth, p->depth);
            const int64_t scaled = dgqc_round_shift(sum * factor, shift);
            if (p->width == 16) {
                ((int16_t *)y)[r * p->columns + n] = dgqc_saturate16(scaled);
            } else {
                ((int32_t *)y)[r * p->columns + n] = dgqc_saturate32(scaled);
            }
        }
    }
}
