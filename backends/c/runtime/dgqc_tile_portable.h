/* Plain C, for every machine: two rows and two columns at a time, which share their loads. */

typedef struct {
    uint32_t s00, s01, s10, s11;
} square;

static inline void scale_square(square *s, uint32_t by)
{
    s->s00 *= by, s->s01 *= by, s->s10 *= by, s->s11 *= by;
}

/* Byte k of both rows' codes, times weights of the words w0 and w1: the lowest `bits` of byte k, sign-extended. */
#define DGQC_MULTIPLY(k, bits)                                                                                \
    {                                                                                                         \
        const int32_t a = (int32_t)(w0 << (32 - (bits) - 8 * (k))) >> (32 - (bits));                          \
        const int32_t b = (int32_t)(w1 << (32 - (bits) - 8 * (k))) >> (32 - (bits));                          \
        s.s00 += (uint32_t)(x0[k] * a), s.s01 += (uint32_t)(x0[k] * b);                                       \
        s.s10 += (uint32_t)(x1[k] * a), s.s11 += (uint32_t)(x1[k] * b);                                       \
    }

/* A square over all runs. Written out, so that no compiler carries `bits` around. */
#define DGQC_DEFINE_SQUARE(name, bits)                                                                        \
    static square name(const int8_t *panel, const dgqc_sum *sum, const uint8_t *row0, const uint8_t *row1)    \
    {                                                                                                         \
        square s = {0, 0, 0, 0};                                                                              \
        for (const dgqc_run *run = sum->runs, *last = run + sum->count; run != last; run++) {                 \
            const uint8_t *x0 = row0 + run->code, *x1 = row1 + run->code;                                     \
            const uint32_t end = run->quad + run->quads;                                                      \
            if (run->ratio != 1) {                                                                            \
                scale_square(&s, run->ratio);                                                                 \
            }                                                                                                 \
            for (uint32_t quad = run->quad; quad < end; quad++, x0 += DGQC_QUAD, x1 += DGQC_QUAD) {           \
                const int8_t *const block = panel + quad * (bits) / 8 * DGQC_BLOCK_BYTES;                     \
                const uint32_t half = quad * (bits) % 8;                                                      \
                const uint32_t w0 = dgqc_load_word(block) >> half;                                            \
                const uint32_t w1 = dgqc_load_word(block + DGQC_QUAD) >> half;                                \
                DGQC_MULTIPLY(0, bits) DGQC_MULTIPLY(1, bits)                                                 \
                DGQC_MULTIPLY(2, bits) DGQC_MULTIPLY(3, bits)                                                 \
            }                                                                                                 \
        }                                                                                                     \
        scale_square(&s, sum->last);                                                                          \
        return s;                                                                                             \
    }

DGQC_DEFINE_SQUARE(square_8, 8)
DGQC_DEFINE_SQUARE(square_4, 4)

void dgqc_tile(const dgqc_panels *panels, const dgqc_sum *sum, const uint8_t *const *rows, size_t row_count,
               size_t column, const void *ahead, int32_t *totals)
{
    const int8_t *const panel = dgqc_panel(panels, column);
    const size_t left = panels->columns - column;
    const size_t columns = left < DGQC_TILE_COLUMNS ? left : (size_t)DGQC_TILE_COLUMNS;
    (void)ahead;
    for (size_t r = 0; r < row_count; r += 2) {
        const size_t next = r + 1 < row_count ? r + 1 : r;
        for (size_t c = 0; c < columns; c += 2) { /* panels have an even number of columns */
            const int8_t *const two = panel + c * DGQC_QUAD;
            const square s = (panels->bits == 4 ? square_4 : square_8)(two, sum, rows[r], rows[next]);
            int32_t *const t0 = totals + r * DGQC_TILE_COLUMNS + c, *const t1 = totals + next * DGQC_TILE_COLUMNS + c;
            t1[0] = dgqc_wrap32(s.s10), t1[1] = dgqc_wrap32(s.s11);
            t0[0] = dgqc_wrap32(s.s00), t0[1] = dgqc_wrap32(s.s01);
        }
    }
}
