/* The tile of the machine that this is compiled for. */

#include "dgqc_requantize.h"
#include "dgqc_words.h"

#if defined(DGQC_TILE_AVX512)
#include "dgqc_tile_avx512.h"
#elif defined(DGQC_TILE_AVX2)
#include "dgqc_tile_avx2.h"
#elif defined(DGQC_TILE_I8MM)
#include "dgqc_tile_i8mm.h"
#elif defined(DGQC_TILE_NEON)
#include "dgqc_tile_neon.h"
#elif defined(DGQC_TILE_WASM)
#include "dgqc_tile_wasm.h"
#elif defined(DGQC_TILE_MVE)
#include "dgqc_tile_mve.h"
#elif defined(DGQC_TILE_DSP)
#include "dgqc_tile_dsp.h"
#else
#include "dgqc_tile_portable.h"
#endif

void dgqc_tile_requantized(const dgqc_panels *panels, const dgqc_sum *sum, const uint8_t *const *rows,
                           size_t row_count, size_t column, const void *ahead, const dgqc_requantizer *by,
                           int16_t *y, size_t y_stride)
{
#ifdef DGQC_TILE_AVX512
    if (requantized_at_once(panels, sum, rows, row_count, column, ahead, by, y, y_stride)) {
        return;
    }
#endif
    int32_t totals[DGQC_TILE_ROWS * DGQC_TILE_COLUMNS];
    const size_t left = panels->columns - column;
    const size_t columns = left < DGQC_TILE_COLUMNS ? left : (size_t)DGQC_TILE_COLUMNS;
    dgqc_tile(panels, sum, rows, row_count, column, ahead, totals);
    dgqc_requantize(totals, row_count, column, columns, by, y, y_stride);
}
