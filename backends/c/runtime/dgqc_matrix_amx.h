/* Matrix units of x86-64. */

#include <immintrin.h>

/* What units hold is in registers of the machine. */
typedef struct {
    char nothing;
} dgqc_matrix_units;

/* Compilers don't know that these read and write memory. */
#define DGQC_MATRIX_FENCE __asm__ volatile("" ::: "memory")

/* Sums and codes have so many rows; unit 5 of codes and unit 7 of weights so many quads. */
static inline void dgqc_matrix_shape(size_t rows, size_t quads)
{
    /* Of every unit: bytes a row, and rows; of one that isn't used, neither. The first byte is the format. */
    struct {
        uint8_t format, start, reserved[14];
        uint16_t row[16];
        uint8_t rows[16];
    } shape;
    memset(&shape, 0, sizeof shape);
    shape.format = 1;
    for (int unit = 0; unit < DGQC_MATRIX_UNITS; unit++) {
        const size_t row = unit == 5 ? quads * 4 : (size_t)DGQC_MATRIX_ROW;
        const size_t high = unit < 6 ? rows : unit == 7 ? quads : (size_t)DGQC_MATRIX_QUADS;
        shape.row[unit] = (uint16_t)(high > 0 ? row : 0);
        shape.rows[unit] = (uint8_t)(row > 0 ? high : 0);
    }
    DGQC_MATRIX_FENCE;
    _tile_loadconfig(&shape);
}

static inline void dgqc_matrix_begin(void)
{
    dgqc_matrix_shape(DGQC_MATRIX_ROWS, DGQC_MATRIX_QUADS);
}

static inline void dgqc_matrix_end(void)
{
    _tile_release();
}

#define DGQC_MATRIX_HELD(units)                                                                               \
    dgqc_matrix_units units;                                                                                  \
    (void)units;                                                                                              \
    DGQC_MATRIX_FENCE;
#define DGQC_MATRIX_SHAPE(units, rows, quads) dgqc_matrix_shape(rows, quads)
#define DGQC_MATRIX_ZERO(units, to) _tile_zero(to)
#define DGQC_MATRIX_LOAD(units, to, from, stride) _tile_loadd(to, from, stride)
#define DGQC_MATRIX_STORE(units, from, to, stride)                                                            \
    do {                                                                                                      \
        _tile_stored(from, to, stride);                                                                       \
        DGQC_MATRIX_FENCE;                                                                                    \
    } while (0)
#define DGQC_MATRIX_DOT(units, sums, codes, weights) _tile_dpbusd(sums, codes, weights)
#define DGQC_MATRIX_DOT_UNSIGNED(units, sums, codes, weights) _tile_dpbuud(sums, codes, weights)
