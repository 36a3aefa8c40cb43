/* Matrix units: registers of 16 rows of 64 bytes, and a product that adds what rows of codes (u8) and 16 quads of a
 * panel (s8) make to sums of 32 bits, modulo 2^32. The machine's own (AMX); or the same in plain C, which is slow and lets
 * everything around it be tested on any machine (DGQC_MATRIX_EMULATED). */
#ifndef DGQC_MATRIX_H
#define DGQC_MATRIX_H

#include "dgqc_words.h"

enum { DGQC_MATRIX_ROWS = 16, DGQC_MATRIX_ROW = 64, DGQC_MATRIX_BYTES = 1024, DGQC_MATRIX_QUADS = 16, DGQC_MATRIX_UNITS = 8 };

/* What a program does with them:
 *   DGQC_MATRIX_HELD(units)   declares what they hold, in the function that uses them;
 *   dgqc_matrix_begin(), dgqc_matrix_end()   make a thread's units ready, and give them back;
 *   DGQC_MATRIX_ZERO(units, to)
 *   DGQC_MATRIX_LOAD(units, to, from, stride), DGQC_MATRIX_STORE(units, from, to, stride)   strides of rows in bytes;
 *   DGQC_MATRIX_DOT(units, sums, codes, weights).
 * Units are numbers from 0 to 7, written out. */
#if defined(DGQC_MATRIX_EMULATED)
#define DGQC_MATRIX

typedef struct {
    uint8_t bytes[DGQC_MATRIX_UNITS][DGQC_MATRIX_BYTES];
} dgqc_matrix_units;

static inline void dgqc_matrix_move(const void *from, size_t from_stride, void *to, size_t to_stride)
{
    for (size_t r = 0; r < DGQC_MATRIX_ROWS; r++) {
        DGQC_COPY_FEW((uint8_t *)to + r * to_stride, (const uint8_t *)from + r * from_stride, DGQC_MATRIX_ROW);
    }
}

static inline void dgqc_matrix_dot(uint8_t *sums, const uint8_t *codes, const uint8_t *weights)
{
    for (size_t i = 0; i < DGQC_MATRIX_BYTES; i += 4) {
        const size_t row = i / DGQC_MATRIX_ROW * DGQC_MATRIX_ROW, column = i % DGQC_MATRIX_ROW;
        uint32_t sum = dgqc_load_word(sums + i);
        for (size_t k = 0; k < DGQC_MATRIX_ROW; k++) {
            const int32_t weight = (int8_t)weights[k / 4 * DGQC_MATRIX_ROW + column + k % 4];
            sum += (uint32_t)(codes[row + k] * weight);
        }
        dgqc_store_word(sums + i, sum);
    }
}

static inline void dgqc_matrix_begin(void)
{
}

static inline void dgqc_matrix_end(void)
{
}

#define DGQC_MATRIX_HELD(units) dgqc_matrix_units units;
#define DGQC_MATRIX_ZERO(units, to) memset((units).bytes[to], 0, DGQC_MATRIX_BYTES)
#define DGQC_MATRIX_LOAD(units, to, from, stride)                                                             \
    dgqc_matrix_move(from, stride, (units).bytes[to], DGQC_MATRIX_ROW)
#define DGQC_MATRIX_STORE(units, from, to, stride)                                                            \
    dgqc_matrix_move((units).bytes[from], DGQC_MATRIX_ROW, to, stride)
#define DGQC_MATRIX_DOT(units, sums, codes, weights)                                                          \
    dgqc_matrix_dot((units).bytes[sums], (units).bytes[codes], (units).bytes[weights])

#elif defined(__AMX_INT8__) && defined(__AMX_TILE__) && defined(__AVX512BW__) && !defined(DGQC_PORTABLE)
#define DGQC_MATRIX

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
#endif

#endif
