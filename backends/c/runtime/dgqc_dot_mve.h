/* Helium: four rows and one column at a time, eight values an instruction. */

#include <arm_mve.h>

static void add_column(const int16_t *const rows[4], const int16_t *column, size_t begin, size_t end, int64_t sums[4])
{
    const int16_t *row0 = rows[0] + begin, *row1 = rows[1] + begin, *row2 = rows[2] + begin, *row3 = rows[3] + begin;
    int32_t s0 = 0, s1 = 0, s2 = 0, s3 = 0;
    const size_t count = end - begin;
    column += begin;
    for (const int16_t *const last = column + count / 8 * 8; column != last;
         column += 8, row0 += 8, row1 += 8, row2 += 8, row3 += 8) {
        const int16x8_t eight = vld1q_s16(column);
        s0 = vmladavaq_s16(s0, vld1q_s16(row0), eight);
        s1 = vmladavaq_s16(s1, vld1q_s16(row1), eight);
        s2 = vmladavaq_s16(s2, vld1q_s16(row2), eight);
        s3 = vmladavaq_s16(s3, vld1q_s16(row3), eight);
    }
    if (count % 8 > 0) {
        const mve_pred16_t inside = vctp16q((uint32_t)(count % 8));
        const int16x8_t rest = vldrhq_z_s16(column, inside);
        s0 = vmladavaq_s16(s0, vldrhq_z_s16(row0, inside), rest);
        s1 = vmladavaq_s16(s1, vldrhq_z_s16(row1, inside), rest);
        s2 = vmladavaq_s16(s2, vldrhq_z_s16(row2, inside), rest);
        s3 = vmladavaq_s16(s3, vldrhq_z_s16(row3, inside), rest);
    }
    sums[0] += s0, sums[1] += s1, sums[2] += s2, sums[3] += s3;
}

static void tile_narrow(const int16_t *const rows[4], const int16_t *const columns[4], size_t begin, size_t end,
                        int64_t tile[16])
{
    for (size_t c = 0; c < 4; c++) {
        add_column(rows, columns[c], begin, end, tile + 4 * c);
    }
}
