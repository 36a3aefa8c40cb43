/* Activation functions of wide values, whose places and products need 64 bits. */

#include "dgqc_gate.h"

/* Prepared: index_factor, index_shift and factor of each column. */
void dgqc_activation_wide_prepare(const dgqc_activation_columns_parameters *p, size_t step, void *shared)
{
    dgqc_activation_columns_prepare(p, step, shared);
}

/* g(-|x|) in Q16 at a place of the table in Q13. */
static int64_t gate(const int32_t *table, int64_t place)
{
    const int64_t last = DGQC_PIECES * 8192 - 1, at = place < last ? place : last, t = (at & 8191) - 4096;
    const int32_t *const piece = table + (at >> 13);
    const int64_t slope = piece[DGQC_PIECES] - dgqc_round_shift(piece[2 * DGQC_PIECES] * t, 15);
    return piece[0] - dgqc_round_shift(slope * t, 15);
}

void dgqc_activation_wide_rows(const dgqc_activation_columns_parameters *p, size_t step, dgqc_rows rows,
                               const int32_t *x, int16_t *y, const void *shared)
{
    const int32_t *const index_factor = dgqc_taken(&shared, p->columns * sizeof(int32_t));
    const int32_t *const index_shift = dgqc_taken(&shared, p->columns * sizeof(int32_t));
    const int32_t *const factor = dgqc_taken(&shared, p->columns * sizeof(int32_t));
    for (size_t r = 0; r < rows.count; r++, x += p->columns, y += p->columns) {
        for (size_t c = 0; c < p->columns; c++) {
            const int64_t value = x[c], magnitude = value < 0 ? -value : value;
            const int64_t below = gate(p->table, magnitude * index_factor[c] >> index_shift[c]);
            const int64_t product = value * (value < 0 ? below : 65536 - below);
            y[c] = dgqc_saturate16(dgqc_round_shift(product * factor[c], p->shift[step]));
        }
    }
}
