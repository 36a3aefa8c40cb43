/* Helium: four rows and one column at a time, 16 codes an instruction. Products are of unsigned bytes, so weights are 128
 * higher, and the sum of a row's codes makes up for it. */

#include <arm_mve.h>

static inline uint32_t add_codes(const uint8_t *codes, size_t bytes, uint32_t sum)
{
    for (int32_t left = (int32_t)bytes; left > 0; left -= 16, codes += 16) {
        sum = vaddvaq_u8(sum, vldrbq_z_u8(codes, vctp8q((uint32_t)left)));
    }
    return sum;
}

void dgqc_two_columns_codes(const dgqc_lines *lines, const uint8_t *const *rows, size_t count, uint32_t *sums)
{
    for (size_t r = 0; r < count; r++) {
        uint32_t sum = 0;
        for (size_t line = 0; line < lines->count; line++) {
            sum = add_codes(rows[r] + line * lines->bytes, lines->quads * DGQC_QUAD, sum);
        }
        sums[r] = sum;
    }
}

static void add_column(const uint8_t *weights, const dgqc_part *some, const uint8_t *const *four, uint32_t *totals)
{
    uint32_t s0 = totals[0], s1 = totals[1], s2 = totals[2], s3 = totals[3];
    for (const dgqc_run *run = some->runs, *last = run + some->count; run != last; run++) {
        const uint8_t *x0 = four[0] + run->code, *x1 = four[1] + run->code;
        const uint8_t *x2 = four[2] + run->code, *x3 = four[3] + run->code;
        const uint8_t *w = weights + run->quad * DGQC_QUAD;
        const size_t bytes = run->quads * DGQC_QUAD;
        for (const uint8_t *const end = w + bytes / 16 * 16; w != end; w += 16, x0 += 16, x1 += 16, x2 += 16, x3 += 16) {
            const uint8x16_t sixteen = vld1q_u8(w);
            s0 = vmladavaq_u8(s0, vld1q_u8(x0), sixteen);
            s1 = vmladavaq_u8(s1, vld1q_u8(x1), sixteen);
            s2 = vmladavaq_u8(s2, vld1q_u8(x2), sixteen);
            s3 = vmladavaq_u8(s3, vld1q_u8(x3), sixteen);
        }
        if (bytes % 16) {
            const mve_pred16_t inside = vctp8q((uint32_t)(bytes % 16));
            const uint8x16_t rest = vldrbq_z_u8(w, inside);
            s0 = vmladavaq_u8(s0, vldrbq_z_u8(x0, inside), rest);
            s1 = vmladavaq_u8(s1, vldrbq_z_u8(x1, inside), rest);
            s2 = vmladavaq_u8(s2, vldrbq_z_u8(x2, inside), rest);
            s3 = vmladavaq_u8(s3, vldrbq_z_u8(x3, inside), rest);
        }
    }
    totals[0] = s0, totals[1] = s1, totals[2] = s2, totals[3] = s3;
}

void dgqc_two_columns_add(const int8_t *weights, const dgqc_part *some, const uint8_t *const *rows, size_t count,
                          uint32_t *totals)
{
    const uint8_t *const first = (const uint8_t *)weights;
    for (size_t r = 0; r < count; r += 4) {
        const uint8_t *four[4];
        for (size_t i = 0; i < 4; i++) {
            four[i] = rows[r + i < count ? r + i : count - 1];
        }
        add_column(first, some, four, totals + r);
        add_column(first + DGQC_TWO_COLUMNS_BYTES, some, four, totals + DGQC_BLOCK_ROWS + r);
    }
}
