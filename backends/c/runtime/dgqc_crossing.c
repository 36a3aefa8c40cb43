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

static uint8_t pixel(int64_t factor, int16_t code)
{
    const int64_t middle = (int64_t)255 << (PIXEL_SHIFT - 1);
    const int64_t byte = dgqc_round_shift(code * factor + middle, PIXEL_SHIFT);
    return (uint8_t)(byte < 0 ? 0 : byte > 255 ? 255 : byte);
}

void dgqc_pixels(const dgqc_picture *p, const int16_t *x, uint8_t *y)
{
    const size_t block = p->block, across = p->width * block;
    for (size_t plane = 0; plane < p->channels * block * block; plane++) {
        const size_t channel = plane / (block * block), down = plane / block % block, right = plane % block;
        for (size_t row = 0; row < p->height; row++) {
            for (size_t column = 0; column < p->width; column++) {
                const size_t place = (row * block + down) * across + column * block + right;
                y[place * p->channels + channel] = pixel(p->factor, *x++);
            }
        }
    }
}
