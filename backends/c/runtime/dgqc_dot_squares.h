/* Arm's small cores: two rows and two columns at a time, which is what their registers hold; two values an instruction
 * where they have the DSP extension. */

/* Keeps a compiler from adding products up before they join their sum, for which there are no registers. */
#define DGQC_KEPT __asm__("" : "+r"(s00), "+r"(s01), "+r"(s10), "+r"(s11));

#define DGQC_PRODUCTS(DO, load)                                                                               \
    {                                                                                                         \
        const int32_t a = load(column0), b = load(column1);                                                   \
        int32_t x = load(row0);                                                                               \
        s00 = DO(x, a, s00), s01 = DO(x, b, s01);                                                             \
        x = load(row1);                                                                                       \
        s10 = DO(x, a, s10), s11 = DO(x, b, s11);                                                             \
        DGQC_KEPT                                                                                             \
    }

#define DGQC_ONE(values) (*(values)++)
#define DGQC_ADD_ONE(a, b, sum) ((a) * (b) + (sum))

#ifdef __ARM_FEATURE_SIMD32
#include "dgqc_dot_dsp.h"
#endif

/* tile[0], [1] of the first column, [4], [5] of the second. */
static void add_square(const int16_t *const rows[2], const int16_t *const columns[2], size_t begin, size_t end, int64_t *tile)
{
    const int16_t *row0 = rows[0] + begin, *row1 = rows[1] + begin, *const last = rows[0] + end;
    const int16_t *column0 = columns[0] + begin, *column1 = columns[1] + begin;
    int32_t s00 = 0, s01 = 0, s10 = 0, s11 = 0;
#ifdef __ARM_FEATURE_SIMD32
    for (const int16_t *const even = row0 + (end - begin) / 2 * 2; row0 != even;) {
        DGQC_PRODUCTS(DGQC_ADD_TWO, DGQC_TWO)
    }
#endif
    while (row0 != last) {
        DGQC_PRODUCTS(DGQC_ADD_ONE, DGQC_ONE)
    }
    tile[0] += s00, tile[1] += s10, tile[4] += s01, tile[5] += s11;
}

static void tile_narrow(const int16_t *const rows[4], const int16_t *const columns[4], size_t begin, size_t end,
                        int64_t tile[16])
{
    for (size_t c = 0; c < 4; c += 2) {
        add_square(rows, columns + c, begin, end, tile + 4 * c);
        add_square(rows + 2, columns + c, begin, end, tile + 4 * c + 2);
    }
}
