/* Two columns of bytes times rows of codes, on the machine that this is compiled for. */

#include "dgqc_two_columns.h"

#include "dgqc_words.h"

#if defined(DGQC_TILE_MVE)
#include "dgqc_two_columns_mve.h"
#else
/* Keeps a compiler from adding products up before they join their sum: Arm's small cores have no registers for that. */
#if defined(__GNUC__) && defined(__arm__)
#define DGQC_KEPT(sum) __asm__("" : "+r"(sum));
#else
#define DGQC_KEPT(sum)
#endif

#if defined(DGQC_TILE_DSP)
#include "dgqc_two_columns_dsp.h"
#else
#include "dgqc_two_columns_portable.h"
#endif

void dgqc_two_columns_add(const int8_t *weights, const dgqc_part *some, const uint8_t *const *rows, size_t count,
                          uint32_t *totals)
{
    for (size_t r = 0; r < count; r += 2) {
        square s = {0, 0, 0, 0};
        multiply(weights, some, rows[r], rows[r + 1 < count ? r + 1 : r], &s);
        totals[r] += s.s00, totals[DGQC_BLOCK_ROWS + r] += s.s01;
        totals[r + 1] += s.s10, totals[DGQC_BLOCK_ROWS + r + 1] += s.s11;
    }
}

void dgqc_two_columns_codes(const dgqc_lines *lines, const uint8_t *const *rows, size_t count, uint32_t *sums)
{
    (void)lines, (void)rows;
    memset(sums, 0, count * sizeof *sums);
}
#endif
