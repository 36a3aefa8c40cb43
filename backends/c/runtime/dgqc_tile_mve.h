/* Helium: four rows and one column at a time, four quads a step. Products are of signed bytes, so codes are taken 128
 * lower, and the weights' own sum makes up for it. */

#include <arm_mve.h>

/* Where four consecutive quads of one column lie in 4-byte words, and how to bring their weights to the upper half of
 * each byte: by word offsets, and by shifts to the left of every byte. */
typedef struct {
    uint32x4_t place;
    int8x16_t shift;
} quads_at;

static inline quads_at find_quads(int bits, size_t first)
{
    static const uint32_t places[3][4] = {{0, 64, 128, 192}, {0, 0, 64, 64}, {0, 64, 64, 128}};
    static const uint32_t shifts[2][4] = {{0x04040404, 0, 0x04040404, 0}, {0, 0x04040404, 0, 0x04040404}};
    const size_t odd = first % 2;
    const quads_at four = {vld1q_u32(places[bits == 4 ? 1 + odd : 0]),
                           vreinterpretq_s8_u32(vld1q_u32(shifts[odd]))};
    return four;
}

/* Sums of one column: of each row's codes, less 128, and of the weights alone. */
typedef struct {
    int32_t s0, s1, s2, s3, weights;
} column_sums;

static inline column_sums add_run(column_sums s, const dgqc_panels *panels, const uint8_t *block, const dgqc_run *run,
                                  const uint8_t *const *rows)
{
    const uint8_t *x0 = rows[0] + run->code, *x1 = rows[1] + run->code;
    const uint8_t *x2 = rows[2] + run->code, *x3 = rows[3] + run->code;
    const int half = panels->bits == 4;
    const quads_at four = find_quads(panels->bits, run->quad);
    const size_t stride = half ? 2 * DGQC_BLOCK_BYTES : 4 * DGQC_BLOCK_BYTES;
    const uint8x16_t turn = vdupq_n_u8(128);
    block += (half ? run->quad / 2 : run->quad) * DGQC_BLOCK_BYTES;
    for (int32_t left = (int32_t)run->quads * DGQC_QUAD; left > 0; left -= 16, block += stride) {
        const mve_pred16_t inside = vctp8q((uint32_t)left);
        const uint32x4_t words = vldrwq_gather_offset_z_u32((const uint32_t *)(const void *)block, four.place, inside);
        int8x16_t w = vreinterpretq_s8_u32(words);
        if (half) {
            w = vshrq_n_s8(vshlq_s8(w, four.shift), 4);
        }
        s.weights = vaddvaq_s8(s.weights, w);
        s.s0 = vmladavaq_s8(s.s0, vreinterpretq_s8_u8(veorq_u8(vldrbq_z_u8(x0, inside), turn)), w);
        s.s1 = vmladavaq_s8(s.s1, vreinterpretq_s8_u8(veorq_u8(vldrbq_z_u8(x1, inside), turn)), w);
        s.s2 = vmladavaq_s8(s.s2, vreinterpretq_s8_u8(veorq_u8(vldrbq_z_u8(x2, inside), turn)), w);
        s.s3 = vmladavaq_s8(s.s3, vreinterpretq_s8_u8(veorq_u8(vldrbq_z_u8(x3, inside), turn)), w);
        x0 += 16, x1 += 16, x2 += 16, x3 += 16;
    }
    return s;
}

static inline void scale_sums(column_sums *s, uint32_t by)
{
    s->s0 = dgqc_wrap32((uint32_t)s->s0 * by), s->s1 = dgqc_wrap32((uint32_t)s->s1 * by);
    s->s2 = dgqc_wrap32((uint32_t)s->s2 * by), s->s3 = dgqc_wrap32((uint32_t)s->s3 * by);
    s->weights = dgqc_wrap32((uint32_t)s->weights * by);
}

void dgqc_tile(const dgqc_panels *panels, const dgqc_sum *sum, const uint8_t *const *rows, size_t row_count,
               size_t column, const void *ahead, int32_t *totals)
{
    const uint8_t *const panel = (const uint8_t *)dgqc_panel(panels, column);
    const size_t left = panels->columns - column;
    const size_t columns = left < DGQC_TILE_COLUMNS ? left : (size_t)DGQC_TILE_COLUMNS;
    const uint8_t *four[DGQC_TILE_ROWS];
    (void)ahead;
    for (size_t r = 0; r < DGQC_TILE_ROWS; r++) {
        four[r] = rows[r < row_count ? r : row_count - 1];
    }
    for (size_t c = 0; c < columns; c++) {
        column_sums s = {0, 0, 0, 0, 0};
        int32_t *const to = totals + c;
        for (const dgqc_run *run = sum->runs; run < sum->runs + sum->count; run++) {
            if (run->ratio != 1) {
                scale_sums(&s, run->ratio);
            }
            s = add_run(s, panels, panel + c * DGQC_QUAD, run, four);
        }
        scale_sums(&s, sum->last);
        const uint32_t taken = 128 * (uint32_t)s.weights;
        to[0] = dgqc_wrap32((uint32_t)s.s0 + taken);
        to[DGQC_TILE_COLUMNS] = dgqc_wrap32((uint32_t)s.s1 + taken);
        to[2 * DGQC_TILE_COLUMNS] = dgqc_wrap32((uint32_t)s.s2 + taken);
        to[3 * DGQC_TILE_COLUMNS] = dgqc_wrap32((uint32_t)s.s3 + taken);
    }
}
