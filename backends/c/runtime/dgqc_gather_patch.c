/* One patch of an image, quantized with its position's group. */

#include "dgqc_internal.h"

typedef struct {
    int32_t multiplier, offset, shift, last;
} quantizer;

static inline uint8_t code_of(int32_t x, const quantizer q)
{
    const int32_t code = (x * q.multiplier + q.offset) >> q.shift;
    return (uint8_t)(code < 0 ? 0 : code > q.last ? q.last : code);
}

static void quantize(const int16_t *restrict x, size_t count, const quantizer q, uint8_t *restrict y)
{
    for (size_t i = 0; i < count; i++) {
        y[i] = code_of(x[i], q);
    }
}

void dgqc_gather_patch(const dgqc_patches *patches, size_t step, const int16_t *x, size_t position, uint8_t *y)
{
    const dgqc_window *const w = &patches->window;
    const dgqc_operand *const operand = &patches->operand;
    const size_t place = position % (w->out_height * w->out_width);
    const size_t at = step * operand->groups + (operand->group ? operand->group[place] : 0U);
    const quantizer q = {patches->multiplier[at], patches->offset[at], patches->shift[at], (1 << patches->bits) - 1};
    const dgqc_corner corner = dgqc_corner_of(w, position);
    const size_t bytes = (w->channels + 3) / 4 * 4;
    for (size_t i = 0; i < w->kernel_height; i++) {
        for (size_t j = 0; j < w->kernel_width; j++, y += bytes) {
            /* Left of and above the image these wrap and become too large. */
            const size_t line = corner.top + i - w->padding_height, column = corner.left + j - w->padding_width;
            if (line < w->height && column < w->width) {
                quantize(x + ((corner.before + line) * w->width + column) * w->channels, w->channels, q, y);
            } else {
                memset(y, code_of(0, q), w->channels);
            }
            memset(y + w->channels, 0, bytes - w->channels);
        }
    }
}
