/* Plain C, for every machine. */

/* Sums of two rows and two columns, which share their loads. */
typedef struct {
    uint32_t s00, s01, s10, s11;
} square;

/* Four weights of a column, sign-extended: bytes of an 8-bit block, or one half of each byte of a 4-bit one. */
static inline int32_t weight_8(const int8_t *block, size_t quad, size_t k)
{
    (void)quad;
    return block[k];
}

static inline int32_t weight_4(const int8_t *block, size_t quad, size_t k)
{
    return quad % 2 ? block[k] >> 4 : (((int32_t)block[k] & 15) ^ 8) - 8;
}

#define DGQC_DEFINE_SQUARE(name, weight, quads_a_block)                                                       \
    static square name(const int8_t *panel, const dgqc_sum *sum, const uint8_t *row0, const uint8_t *row1)    \
    {                                                                                                         \
        square s = {0, 0, 0, 0};                                                                              \
        for (const dgqc_run *run = sum->runs; run < sum->runs + sum->count; run++) {                          \
            size_t code = run->code;                                                                          \
            const size_t end = (size_t)run->quad + run->quads;                                                \
            s.s00 *= run->ratio, s.s01 *= run->ratio, s.s10 *= run->ratio, s.s11 *= run->ratio;               \
            for (size_t quad = run->quad; quad < end; quad++) {                                               \
                const int8_t *const block = panel + quad / (quads_a_block) * DGQC_BLOCK_BYTES;                \
                for (size_t k = 0; k < DGQC_QUAD; k++, code++) {                                              \
                    const int32_t w0 = weight(block, quad, k), w1 = weight(block + DGQC_QUAD, quad, k);       \
                    s.s00 += (uint32_t)(row0[code] * w0), s.s01 += (uint32_t)(row0[code] * w1);               \
                    s.s10 += (uint32_t)(row1[code] * w0), s.s11 += (uint32_t)(row1[code] * w1);               \
                }                                                                                             \
            }                                                                                                 \
        }                                                                                                     \
        s.s00 *= sum->last, s.s01 *= sum->last, s.s10 *= sum->last, s.s11 *= sum->last;                       \
        return s;                                                                                             \
    }

DGQC_DEFINE_SQUARE(square_8, weight_8, 1)
DGQC_DEFINE_SQUARE(square_4, weight_4, 2)

void dgqc_tile(const dgqc_panels *panels, const dgqc_sum *sum, const uint8_t *const *rows, size_t row_count,
               size_t column, const void *ahead, int32_t *totals)
{
    (void)ahead;
    const int8_t *const panel = dgqc_panel(panels, column);
    const size_t left = panels->columns - column;
    const size_t columns = left < DGQC_TILE_COLUMNS ? left : (size_t)DGQC_TILE_COLUMNS;
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
