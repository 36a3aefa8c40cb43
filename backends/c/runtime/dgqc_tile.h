/* Sums of products of a few rows of codes (u8) and panels of weights (s8): what every product kernel is made of.
 *
 * The summed axis falls into runs: quads that are contiguous in a row's codes and in the panels, such as
 * a tap of a convolution, or a group of channels. The total is
 *
 *     (..((part_0 * ratio_1 + part_1) * ratio_2 + part_2)..) * last    modulo 2^32
 *
 * which adds up the groups' parts, each times a multiple of its own, without leaving registers: dgqc_segments.c finds
 * ratios for any multiples. One run and a `last` of 1 are a plain product.
 */
#ifndef DGQC_TILE_H
#define DGQC_TILE_H

#include "dgqc_runtime.h"

/* The machine's tile: rows and columns that are computed at once. */
#if defined(DGQC_PORTABLE)
enum { DGQC_TILE_ROWS = 4, DGQC_TILE_COLUMNS = 16 };
#elif defined(__AVX512VNNI__) && defined(__AVX512BW__)
#define DGQC_TILE_AVX512
enum { DGQC_TILE_ROWS = 8, DGQC_TILE_COLUMNS = 32 };
#elif defined(__AVXVNNI__)
#define DGQC_TILE_AVX2
enum { DGQC_TILE_ROWS = 6, DGQC_TILE_COLUMNS = 16 };
#elif defined(__AVX2__)
#define DGQC_TILE_AVX2
enum { DGQC_TILE_ROWS = 4, DGQC_TILE_COLUMNS = 16 };
#elif defined(__aarch64__) && defined(__ARM_FEATURE_MATMUL_INT8)
#define DGQC_TILE_I8MM
enum { DGQC_TILE_ROWS = 6, DGQC_TILE_COLUMNS = 16 };
#elif defined(__aarch64__) && defined(__ARM_FEATURE_DOTPROD)
#define DGQC_TILE_NEON
enum { DGQC_TILE_ROWS = 4, DGQC_TILE_COLUMNS = 16 };
#elif defined(__wasm_simd128__)
#define DGQC_TILE_WASM
enum { DGQC_TILE_ROWS = 4, DGQC_TILE_COLUMNS = 16 };
#elif defined(__ARM_FEATURE_MVE)
#define DGQC_TILE_MVE
enum { DGQC_TILE_ROWS = 4, DGQC_TILE_COLUMNS = 16 };
#elif defined(__ARM_FEATURE_SIMD32)
#define DGQC_TILE_DSP
enum { DGQC_TILE_ROWS = 4, DGQC_TILE_COLUMNS = 16 };
#else
enum { DGQC_TILE_ROWS = 4, DGQC_TILE_COLUMNS = 16 };
#endif
#define DGQC_PANEL_COLUMNS 16
#define DGQC_QUAD 4
#define DGQC_BLOCK_BYTES 64

typedef struct {
    uint32_t code; /* bytes after the row's pointer */
    uint32_t quad; /* of the panels */
    uint32_t quads;
    uint32_t ratio; /* 1 in most runs, and of no effect in the first */
} dgqc_run;

#define DGQC_RUN_BYTES 16
typedef char dgqc_a_run_fits[sizeof(dgqc_run) <= DGQC_RUN_BYTES ? 1 : -1];

typedef struct {
    const dgqc_run *runs;
    size_t count;
    uint32_t last;
} dgqc_sum;

/* The int32_t that is congruent to x modulo 2^32. */
static inline int32_t dgqc_wrap32(uint32_t x)
{
    return (int32_t)x;
}

/* Bytes of one panel of 4 or 8 bits. */
static inline size_t dgqc_panel_bytes(const dgqc_panels *panels)
{
    return (panels->bits == 4 ? (panels->quads + 1) / 2 : panels->quads) * DGQC_BLOCK_BYTES;
}

/* The panel of a column, a multiple of 16. */
static inline const int8_t *dgqc_panel(const dgqc_panels *panels, size_t column)
{
    return (const int8_t *)panels->data + column / DGQC_PANEL_COLUMNS * dgqc_panel_bytes(panels);
}

/* totals[r * DGQC_TILE_COLUMNS + c], r < row_count, c < DGQC_TILE_COLUMNS: sums of row r and column `column` + c.
 *
 * rows: row_count <= DGQC_TILE_ROWS pointers to codes, of any alignment; whole quads are read. column: a multiple
 * of 16, below panels->columns. Totals of rows and of columns beyond the matrix mean nothing, but may be written:
 * `totals` holds DGQC_TILE_ROWS * DGQC_TILE_COLUMNS. ahead: memory that will be read soon, which is fetched
 * meanwhile, DGQC_AHEAD bytes for each quad; or NULL. */
void dgqc_tile(const dgqc_panels *panels, const dgqc_sum *sum, const uint8_t *const *rows, size_t row_count,
               size_t column, const void *ahead, int32_t *totals);

#define DGQC_AHEAD 32

/* How totals become int16: saturate16((total * 2^left * m + b) >> shift). Vectors take the upper half of each 64-bit sum,
 * which holds the result from a shift of 32 on: `left` makes a shorter one as long, where totals leave room for it. */
typedef struct {
    const int32_t *m; /* [columns, up to whole panels] */
    const int64_t *b; /* the same; carries the rounding half */
    int32_t shift, left;
} dgqc_requantizer;

/* The same, requantized: y[r * y_stride + c] for the tile's columns that the matrix has. */
void dgqc_tile_requantized(const dgqc_panels *panels, const dgqc_sum *sum, const uint8_t *const *rows,
                           size_t row_count, size_t column, const void *ahead, const dgqc_requantizer *by,
                           int16_t *y, size_t y_stride);

#endif
