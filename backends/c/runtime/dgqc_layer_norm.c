/* Norms over each row. */

#include "dgqc_norm.h"

/* What `prepare` leaves: offsets in 1/256 steps, and with 128 more in the lanes' order; before all strips the largest of
 * these, in 64 bytes. */
typedef struct {
    int32_t gain[DGQC_STRIP];
    int64_t offset[DGQC_STRIP], placed[DGQC_STRIP];
} strip;

typedef char a_strip_fits[sizeof(strip) <= DGQC_LAYER_NORM_STRIP_BYTES ? 1 : -1];

void dgqc_layer_norm_prepare(const dgqc_norm_parameters *p, size_t step, void *shared)
{
    int64_t *const largest = dgqc_take(&shared, sizeof *largest);
    strip *const strips = shared;
    *largest = 0;
    for (size_t c = 0; c < dgqc_strips(p) * DGQC_STRIP; c++) {
        const dgqc_gain gain = dgqc_gain_of(p, step, c);
        const int64_t above = gain.offset + 128, size = above < 0 ? -above : above;
        strip *const to = strips + c / DGQC_STRIP;
        to->gain[c % DGQC_STRIP] = gain.gain;
        to->offset[c % DGQC_STRIP] = gain.offset;
        to->placed[dgqc_strip_place(c % DGQC_STRIP)] = above;
        *largest = size > *largest ? size : *largest;
    }
}

static void normalize(const dgqc_spread *spread, int32_t shift, const strip *strips, const int16_t *x,
                      size_t channels, int16_t *y)
{
    const int left = dgqc_norm_left(shift), right = shift + left - 24;
    const lanes sixteen = lanes_splat(16 << left), mean = lanes_shift_left(lanes_splat(spread->mean), left);
    /* root is up to 2^31, which doesn't fit a lane, but its halves do. */
    const lanes root = lanes_splat((int32_t)(spread->root / 2));
    const lanes rest = lanes_splat((int32_t)(spread->root - spread->root / 2));
    const long_lanes half = long_lanes_splat((int64_t)1 << (shift + left - 1));
    for (size_t c = 0; c < channels; c += LANES) {
        const strip *const s = strips + c / DGQC_STRIP;
        const lanes value = lanes_load16_some(x + c, channels - c), gain = lanes_load(s->gain + c % DGQC_STRIP);
        const lanes centered = lanes_subtract(lanes_multiply(value, sixteen), mean);
        const long_lanes product = long_lanes_add(lanes_multiply_long(gain, root), lanes_multiply_long(gain, rest));
        const lanes slope = long_lanes_upper(long_lanes_shift_left(product, 1));
        const long_lanes offset = long_lanes_shift_left(long_lanes_load(s->placed + c % DGQC_STRIP), shift + left);
        const long_lanes bias = long_lanes_add(offset, half);
        const long_lanes sum = long_lanes_add(lanes_multiply_long(centered, slope), bias);
        lanes_store16_some(y + c, lanes_shift_right(long_lanes_upper(sum), right), channels - c);
    }
}

void dgqc_layer_norm_rows(const dgqc_norm_parameters *p, size_t step, dgqc_rows rows, const int16_t *x, int16_t *y,
                          const void *shared)
{
    const int64_t *const largest = dgqc_taken(&shared, sizeof *largest);
    const strip *const strips = shared;
    for (size_t r = 0; r < rows.count; r++, x += p->channels, y += p->channels) {
        const dgqc_moments moments = dgqc_moments_of(x, p->channels);
        const dgqc_spread spread = dgqc_spread_of(&moments, p->epsilon[step]);
        const int32_t shift = p->gamma_shift[step] + spread.half + 6;
        if (dgqc_norm_fits(shift, *largest)) {
            normalize(&spread, shift, strips, x, p->channels, y);
            continue;
        }
        for (size_t c = 0; c < p->channels; c++) {
            const strip *const s = strips + c / DGQC_STRIP;
            const dgqc_slope slope = dgqc_slope_of(&spread, s->gain[c % DGQC_STRIP], p->gamma_shift[step]);
            y[c] = dgqc_affine(x[c], spread.mean, slope, s->offset[c % DGQC_STRIP]);
        }
    }
}
