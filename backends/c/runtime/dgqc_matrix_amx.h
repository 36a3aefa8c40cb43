/* Matrix units of x86-64. */

#include <immintrin.h>

/* Compilers don't know that these read and write memory. */
#define DGQC_MATRIX_FENCE __asm__ volatile("" ::: "memory")

static inline void dgqc_matrix_begin(void)
{
    /* Of every unit: bytes a row, and rows. The first byte is the format. */
    struct {
        uint8_t format, start, reserved[14];
        uint16_t row[16];
        uint8_t rows[16];
    } shape;
    memset(&shape, 0, sizeof shape);
    shape.format = 1;
    for (int unit = 0; unit < DGQC_MATRIX_UNITS; unit++) {
        shape.row[unit] = DGQC_MATRIX_ROW;
        shape.rows[unit] = DGQC_MATRIX_ROWS;
    }
    DGQC_MATRIX_FENCE;
    _tile_loadconfig(&shape);
}

static inline void dgqc_matrix_end(void)
{
    _tile_release();
}

#define DGQC_MATRIX_HELD(units) DGQC_MATRIX_FENCE;
#define DGQC_MATRIX_ZERO(units, to) _tile_zero(to)
#define DGQC_MATRIX_LOAD(units, to, from, stride) _tile_loadd(to, from, stride)
#define DGQC_MATRIX_STORE(units, from, to, stride)                                                            \
    do {                                                                                                      \
        _tile_stored(from, to, stride);                                                                       \
        DGQC_MATRIX_FENCE;                                                                                    \
    } while (0)
#define DGQC_MATRIX_DOT(units, sums, codes, weights) _tile_dpbusd(sums, codes, weights)
