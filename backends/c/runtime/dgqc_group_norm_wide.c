/* Norms over groups of channels and all positions, of wide values or with a wide result. */

#include "dgqc_norm.h"
#include "dgqc_wide.h"

/* What `prepare` leaves for each channel: y = (x - mean) * a * 2^-shift + offset / 256, x in 16ths of a step. */
typedef struct {
    int64_t a, offset;
    int32_t mean, shift;
} channel;

typedef char a_channel_fits[sizeof(channel) <= DGQC_GROUP_NORM_WIDE_CHANNEL_BYTES ? 1 : -1];

/* first: the image's first value. */
static void prepare_image(const dgqc_group_norm_wide_parameters *p, size_t step, const void *x, size_t first,
                          channel *channels)
{
    const dgqc_norm_parameters *const norm = &p->norm;
    const size_t size = norm->channels / norm->groups;
    for (size_t g = 0; g < norm->groups; g++) {
        dgqc_moments moments = {0, 0, (int64_t)(size * norm->elements)};
        for (size_t i = 0; i < norm->elements; i++) {
            for (size_t c = g * size; c < (g + 1) * size; c++) {
                const int64_t value = dgqc_sixteenths_at(x, p->x_wide, first + i * norm->channels + c);
                moments.sum += value;
                moments.squares += value * value;
            }
        }
        const size_t epsilon = norm->epsilon_of_each_group ? step * norm->groups + g : step;
        const dgqc_spread spread = dgqc_spread_of_sixteenths(&moments, norm->epsilon[epsilon]);
        for (size_t c = g * size; c < (g + 1) * size; c++) {
            const dgqc_gain gain = dgqc_gain_of(norm, step, c);
            const dgqc_slope slope = dgqc_slope_of(&spread, gain.gain, norm->gamma_shift[step]);
            const channel found = {slope.a, gain.offset, spread.mean, slope.shift};
            channels[c] = found;
        }
    }
}

void dgqc_group_norm_wide_prepare(const dgqc_group_norm_wide_parameters *p, size_t step, const void *x, void *shared)
{
    for (size_t i = 0; i < p->norm.images; i++) {
        prepare_image(p, step, x, i * p->norm.elements * p->norm.channels, (channel *)shared + i * p->norm.channels);
    }
}

void dgqc_group_norm_wide_rows(const dgqc_group_norm_wide_parameters *p, size_t step, dgqc_rows rows, const void *x,
                               void *y, const void *shared)
{
    const channel *const channels = shared;
    const int left = p->y_wide ? 4 : 8;
    (void)step;
    for (size_t i = 0; i < rows.count * p->norm.channels; i++) {
        const size_t image = (rows.first + i / p->norm.channels) / p->norm.elements;
        const channel *const at = channels + image * p->norm.channels + i % p->norm.channels;
        const dgqc_slope slope = {at->a, at->shift};
        const int64_t scaled = dgqc_sloped(dgqc_sixteenths_at(x, p->x_wide, i) - at->mean, slope);
        dgqc_store_value(y, p->y_wide, i, (scaled + at->offset + (1 << (left - 1))) >> left);
    }
}
