/* From one program's integers to another's, and to bytes (ir/crossing.py). */

#include "dgqc_crossing.h"
#include "dgqc_fixed_point.h"

enum { PIXEL_SHIFT = 24 };

void dgqc_cross(const dgqc_crossing *c, size_t count, const int16_t *x, int16_t *y)
{
    for (size_t i = 0; i < count; i++) {
        const size_t place = i / c->run % c->period;
        y[i] = dgqc_saturate16(dgqc_round_shift(x[i] * (int64_t)c->factor[place], c->shift[place]));
    }
}

void dgqc_pixels(size_t channels, size_t plane, int64_t factor, const int16_t *x, uint8_t *y)
{
    const int64_t middle = (int64_t)255 << (PIXEL_SHIFT - 1);
    for (size_t c = 0; c < channels; c++) {
        for (size_t i = 0; i < plane; i++) {
            const int64_t byte = dgqc_round_shift(x[c * plane + i] * factor + middle, PIXEL_SHIFT);
            y[i * channels + c] = (uint8_t)(byte < 0 ? 0 : byte > 255 ? 255 : byte);
        }
    }
}
