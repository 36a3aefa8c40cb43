/* Cores with the DSP extension (Cortex-M4, M7, M33): two rows and two columns at a time. Each register holds two
 * 16-bit values, so that one instruction multiplies and adds two pairs: bytes 0 and 2 of a quad, then 1 and 3.
 * A 4-bit weight enters 8 higher, as a number that isn't negative, and the row's own sum makes up for it. */

#include <arm_acle.h>

/* Sums of two rows and two columns; of the codes of each row alone, where weights are 4 bits. */
typedef struct {
    uint32_t s00, s01, s10, s11, codes0, codes1;
} square;

/* Bytes 0 and 2, or 1 and 3 where the word was turned by 8, as 16-bit values. */
static inline uint32_t pair_of(uint32_t word)
{
    return word & 0x00FF00FFU;
}

static inline uint32_t signed_pair_of(uint32_t word)
{
    return (uint32_t)__sxtb16((int8x4_t)word);
}

static inline uint32_t turned(uint32_t word)
{
    return word >> 8 | word << 24;
}

/* sum + both products, modulo 2^32. */
static inline uint32_t multiply_pairs(uint32_t a, uint32_t b, uint32_t sum)
{
    return (uint32_t)__smlad((int16x2_t)a, (int16x2_t)b, (int32_t)sum);
}

static inline void scale_square(square *s, uint32_t by)
{
    s->s00 *= by, s->s01 *= by, s->s10 *= by, s->s11 *= by, s->codes0 *= by, s->codes1 *= by;
}

#define DGQC_PRODUCTS(code, weight)                                                                           \
    s.s00 = multiply_pairs(code(x0), weight(w0), s.s00), s.s01 = multiply_pairs(code(x0), weight(w1), s.s01);  \
    s.s10 = multiply_pairs(code(x1), weight(w0), s.s10), s.s11 = multiply_pairs(code(x1), weight(w1), s.s11);

static inline square add_run_8(square s, const uint8_t *block, const dgqc_run *run, const uint8_t *row0,
                               const uint8_t *row1)
{
    block += (size_t)run->quad * DGQC_BLOCK_BYTES;
    for (uint32_t quad = 0; quad < run->quads; quad++, block += DGQC_BLOCK_BYTES, row0 += 4, row1 += 4) {
        uint32_t x0 = dgqc_load_word(row0), x1 = dgqc_load_word(row1);
        uint32_t w0 = dgqc_load_word(block), w1 = dgqc_load_word(block + DGQC_QUAD);
        DGQC_PRODUCTS(pair_of, signed_pair_of)
        x0 = turned(x0), x1 = turned(x1), w0 = turned(w0), w1 = turned(w1);
        DGQC_PRODUCTS(pair_of, signed_pair_of)
    }
    return s;
}

/* Four weights, each 8 higher, of a block's even or odd quad. */
static inline uint32_t raised(uint32_t word, uint32_t odd)
{
    return ((word >> (4 * odd)) & 0x0F0F0F0FU) ^ 0x08080808U;
}

static inline square add_run_4(square s, const uint8_t *panel, const dgqc_run *run, const uint8_t *row0,
                               const uint8_t *row1)
{
    const uint32_t end = run->quad + run->quads;
    for (uint32_t quad = run->quad; quad < end; quad++, row0 += 4, row1 += 4) {
        const uint8_t *const block = panel + quad / 2 * DGQC_BLOCK_BYTES;
        uint32_t x0 = dgqc_load_word(row0), x1 = dgqc_load_word(row1);
        uint32_t w0 = raised(dgqc_load_word(block), quad % 2);
        uint32_t w1 = raised(dgqc_load_word(block + DGQC_QUAD), quad % 2);
        s.codes0 = __usada8(x0, 0, s.codes0), s.codes1 = __usada8(x1, 0, s.codes1);
        DGQC_PRODUCTS(pair_of, pair_of)
        x0 = turned(x0), x1 = turned(x1), w0 = turned(w0), w1 = turned(w1);
        DGQC_PRODUCTS(pair_of, pair_of)
    }
    return s;
}

void dgqc_tile(const dgqc_panels *panels, const dgqc_sum *sum, const uint8_t *const *rows, size_t row_count,
               size_t column, const void *ahead, int32_t *totals)
{
    const uint8_t *const panel = (const uint8_t *)dgqc_panel(panels, column);
    const size_t left = panels->columns - column;
    const size_t columns = left < DGQC_TILE_COLUMNS ? left : (size_t)DGQC_TILE_COLUMNS;
    (void)ahead;
    for (size_t r = 0; r < row_count; r += 2) {
        const size_t next = r + 1 < row_count ? r + 1 : r;
        for (size_t c = 0; c < columns; c += 2) { /* panels have an even number of columns */
            const uint8_t *const two = panel + c * DGQC_QUAD;
            square s = {0, 0, 0, 0, 0, 0};
            for (const dgqc_run *run = sum->runs; run < sum->runs + sum->count; run++) {
                const uint8_t *const row0 = rows[r] + run->code, *const row1 = rows[next] + run->code;
                if (run->ratio != 1) {
                    scale_square(&s, run->ratio);
                }
                s = panels->bits == 4 ? add_run_4(s, two, run, row0, row1) : add_run_8(s, two, run, row0, row1);
            }
            scale_square(&s, sum->last);
            int32_t *const t0 = totals + r * DGQC_TILE_COLUMNS + c, *const t1 = totals + next * DGQC_TILE_COLUMNS + c;
            t1[0] = dgqc_wrap32(s.s10 - 8 * s.codes1), t1[1] = dgqc_wrap32(s.s11 - 8 * s.codes1);
            t0[0] = dgqc_wrap32(s.s00 - 8 * s.codes0), t0[1] = dgqc_wrap32(s.s01 - 8 * s.codes0);
        }
    }
}
