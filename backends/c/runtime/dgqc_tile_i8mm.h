/* 64-bit ARM with matrices of bytes (I8MM: Armv8.6, and Armv8.2 where it is added): 6 rows times 16 columns. One instruction
 * multiplies two rows of eight codes (u8) by two columns of eight weights (s8), which are two quads: sums lie as squares of
 * two rows by two columns. A block of the panels has 16 columns of one quad, so two blocks are interleaved on the way; with
 * 4 bits both quads are in one. All is written out by macros, so that the sums stay in registers. */

#include <arm_neon.h>

/* DO(p, c): pairs of rows, which are a tile's or its first, and pairs of columns. */
#define DGQC_ROWS_6(DO, c) DO(0, c) DO(1, c) DO(2, c)
#define DGQC_ROWS_2(DO, c) DO(0, c)
#define DGQC_EVERY_COLUMN(ROWS, DO)                                                                           \
    ROWS(DO, 0) ROWS(DO, 1) ROWS(DO, 2) ROWS(DO, 3) ROWS(DO, 4) ROWS(DO, 5) ROWS(DO, 6) ROWS(DO, 7)

#define DGQC_BEGIN_ROWS(p, c)                                                                                 \
    const uint8_t *const upper##p = rows[2 * p];                                                              \
    const uint8_t *const lower##p = rows[2 * p + 1];                                                          \
    uint8x16_t codes##p;
#define DGQC_BEGIN(p, c) int32x4_t sum##p##c = vdupq_n_s32(0);
#define DGQC_SCALE(p, c) sum##p##c = vmulq_s32(sum##p##c, ratio);
#define DGQC_ADD(p, c) sum##p##c = vusmmlaq_s32(sum##p##c, codes##p, weights);
#define DGQC_STORE(p, c)                                                                                      \
    vst1_s32(totals + 2 * p * DGQC_TILE_COLUMNS + 2 * c, vget_low_s32(sum##p##c));                            \
    vst1_s32(totals + (2 * p + 1) * DGQC_TILE_COLUMNS + 2 * c, vget_high_s32(sum##p##c));

/* Codes of two quads, and of one, beside zeros. */
#define DGQC_TWO_QUADS(p, c) codes##p = vcombine_u8(vld1_u8(upper##p + code), vld1_u8(lower##p + code));
#define DGQC_ONE_QUAD(p, c) codes##p = vcombine_u8(one_quad(upper##p + code), one_quad(lower##p + code));

static inline uint8x8_t one_quad(const uint8_t *codes)
{
    return vcreate_u8(dgqc_load_word(codes));
}

/* A quarter of a block: four columns of a quad. `half` of every byte, sign-extended, where there are two. */
static inline int8x16_t whole(const int8_t *quarter)
{
    return vld1q_s8(quarter);
}

static inline int8x16_t low_half(const int8_t *quarter)
{
    return vshrq_n_s8(vshlq_n_s8(vld1q_s8(quarter), 4), 4);
}

static inline int8x16_t high_half(const int8_t *quarter)
{
    return vshrq_n_s8(vld1q_s8(quarter), 4);
}

static inline int8x16_t nothing(const int8_t *quarter)
{
    (void)quarter;
    return vdupq_n_s8(0);
}

/* Two columns of two quads, and the next two. */
static inline int8x16_t left_of(int8x16_t first, int8x16_t second)
{
    return vreinterpretq_s8_s32(vzip1q_s32(vreinterpretq_s32_s8(first), vreinterpretq_s32_s8(second)));
}

static inline int8x16_t right_of(int8x16_t first, int8x16_t second)
{
    return vreinterpretq_s8_s32(vzip2q_s32(vreinterpretq_s32_s8(first), vreinterpretq_s32_s8(second)));
}

/* The products of four columns with the weights that FIRST and SECOND take from two blocks, which may be one. */
#define DGQC_FOUR_COLUMNS(ROWS, FIRST, SECOND, second_block, quarter, left, right)                            \
    first = FIRST(panel + 16 * quarter), second = SECOND(second_block + 16 * quarter);                        \
    weights = left_of(first, second);                                                                         \
    ROWS(DGQC_ADD, left)                                                                                      \
    weights = right_of(first, second);                                                                        \
    ROWS(DGQC_ADD, right)

#define DGQC_PRODUCTS(ROWS, CODES, FIRST, SECOND, second_block)                                               \
    ROWS(CODES, 0)                                                                                            \
    DGQC_FOUR_COLUMNS(ROWS, FIRST, SECOND, second_block, 0, 0, 1)                                             \
    DGQC_FOUR_COLUMNS(ROWS, FIRST, SECOND, second_block, 1, 2, 3)                                             \
    DGQC_FOUR_COLUMNS(ROWS, FIRST, SECOND, second_block, 2, 4, 5)                                             \
    DGQC_FOUR_COLUMNS(ROWS, FIRST, SECOND, second_block, 3, 6, 7)

/* The products of a run, with weights of 8 bits. */
#define DGQC_PRODUCTS_8(ROWS)                                                                                 \
    const int8_t *panel = panels + (size_t)run->quad * DGQC_BLOCK_BYTES;                                      \
    for (; left != 0 && left != 1; left -= 2, code += 2 * DGQC_QUAD, panel += 2 * DGQC_BLOCK_BYTES) {         \
        DGQC_PRODUCTS(ROWS, DGQC_TWO_QUADS, whole, whole, panel + DGQC_BLOCK_BYTES)                           \
    }                                                                                                         \
    if (left != 0) {                                                                                          \
        DGQC_PRODUCTS(ROWS, DGQC_ONE_QUAD, whole, nothing, panel)                                             \
    }

/* The same with weights of 4 bits: a block holds two quads, and a run may begin with the second of them. */
#define DGQC_PRODUCTS_4(ROWS)                                                                                 \
    const int8_t *panel = panels + (size_t)(run->quad / 2) * DGQC_BLOCK_BYTES;                                \
    if (run->quad % 2 != 0 && left != 0) {                                                                    \
        DGQC_PRODUCTS(ROWS, DGQC_ONE_QUAD, high_half, nothing, panel)                                         \
        left -= 1, code += DGQC_QUAD, panel += DGQC_BLOCK_BYTES;                                              \
    }                                                                                                         \
    for (; left != 0 && left != 1; left -= 2, code += 2 * DGQC_QUAD, panel += DGQC_BLOCK_BYTES) {             \
        DGQC_PRODUCTS(ROWS, DGQC_TWO_QUADS, low_half, high_half, panel)                                       \
    }                                                                                                         \
    if (left != 0) {                                                                                          \
        DGQC_PRODUCTS(ROWS, DGQC_ONE_QUAD, low_half, nothing, panel)                                          \
    }

#define DGQC_DEFINE_TILE(name, ROWS, PRODUCTS)                                                                \
    static void name(const int8_t *panels, const dgqc_sum *sum, const uint8_t *const *rows, int32_t *totals)  \
    {                                                                                                         \
        int8x16_t first, second, weights;                                                                     \
        ROWS(DGQC_BEGIN_ROWS, 0)                                                                              \
        DGQC_EVERY_COLUMN(ROWS, DGQC_BEGIN)                                                                   \
        for (const dgqc_run *run = sum->runs, *last = run + sum->count; run != last; run++) {                 \
            size_t code = run->code, left = run->quads;                                                       \
            if (run->ratio != 1) {                                                                            \
                const int32x4_t ratio = vdupq_n_s32(dgqc_wrap32(run->ratio));                                 \
                DGQC_EVERY_COLUMN(ROWS, DGQC_SCALE)                                                           \
            }                                                                                                 \
            PRODUCTS(ROWS)                                                                                    \
        }                                                                                                     \
        if (sum->last != 1) {                                                                                 \
            const int32x4_t ratio = vdupq_n_s32(dgqc_wrap32(sum->last));                                      \
            DGQC_EVERY_COLUMN(ROWS, DGQC_SCALE)                                                               \
        }                                                                                                     \
        DGQC_EVERY_COLUMN(ROWS, DGQC_STORE)                                                                   \
    }

DGQC_DEFINE_TILE(tile_8, DGQC_ROWS_6, DGQC_PRODUCTS_8)
DGQC_DEFINE_TILE(tile_4, DGQC_ROWS_6, DGQC_PRODUCTS_4)
DGQC_DEFINE_TILE(pair_8, DGQC_ROWS_2, DGQC_PRODUCTS_8)
DGQC_DEFINE_TILE(pair_4, DGQC_ROWS_2, DGQC_PRODUCTS_4)

void dgqc_tile(const dgqc_panels *panels, const dgqc_sum *sum, const uint8_t *const *rows, size_t row_count,
               size_t column, const void *ahead, int32_t *totals)
{
    const int8_t *const panel = dgqc_panel(panels, column);
    const uint8_t *full[DGQC_TILE_ROWS];
    (void)ahead;
    for (size_t r = 0; r < DGQC_TILE_ROWS; r++) {
        full[r] = rows[r < row_count ? r : row_count - 1];
    }
    if (row_count <= 2) { /* which a whole tile would only slow down */
        (panels->bits == 4 ? pair_4 : pair_8)(panel, sum, full, totals);
    } else {
        (panels->bits == 4 ? tile_4 : tile_8)(panel, sum, full, totals);
    }
}
