/* What norms share: gains of channels, moments of values, and the slope they lead to. */

#include "dgqc_norm.h"

dgqc_gain dgqc_gain_of(const dgqc_norm_parameters *p, size_t step, size_t channel)
{
    dgqc_gain gain = {0, 0};
    if (channel < p->channels) {
        gain.gain = (int32_t)dgqc_round_shift((int64_t)p->gamma[channel] * p->gamma_factor[step], 31);
        gain.offset = dgqc_round_shift((int64_t)p->beta[channel] * p->beta_factor[step], p->beta_shift[step]);
    }
    return gain;
}

enum { RUN = 8192 }; /* vectors whose sums of int16_t fit 32-bit lanes */

dgqc_moments dgqc_moments_of(const int16_t *x, size_t count)
{
    dgqc_moments moments = {0, 0, (int64_t)count};
    const lanes one = lanes_splat(1);
    for (size_t first = 0; first < count; first += RUN * LANES) {
        const size_t some = count - first < RUN * LANES ? count - first : (size_t)RUN * LANES;
        lanes sum = lanes_splat(0);
        long_lanes squares = long_lanes_splat(0);
        for (size_t i = 0; i < some; i += LANES) {
            const lanes value = lanes_load16_some(x + first + i, some - i);
            sum = lanes_add(sum, value);
            squares = long_lanes_add(squares, lanes_widen_unsigned(lanes_multiply(value, value)));
        }
        moments.sum += long_lanes_total(lanes_multiply_long(sum, one));
        moments.squares += long_lanes_total(squares);
    }
    return moments;
}

dgqc_spread dgqc_spread_of(const dgqc_moments *moments, int64_t epsilon)
{
    const dgqc_moments fine = {16 * moments->sum, 256 * moments->squares, moments->count};
    return dgqc_spread_of_sixteenths(&fine, epsilon);
}

dgqc_spread dgqc_spread_of_sixteenths(const dgqc_moments *moments, int64_t epsilon)
{
    /* floor((2 sum + count) / (2 count)): C divides towards zero, so the rest of a negative one is mended. */
    const int64_t over = 2 * moments->sum + moments->count, under = 2 * moments->count;
    const int64_t mean = over / under - (over % under < 0 ? 1 : 0);
    /* sum (x - mean)^2, which is below 2^62; on the way it may wrap. */
    const uint64_t squares = (uint64_t)moments->squares - 2 * (uint64_t)mean * (uint64_t)moments->sum;
    const uint64_t energy = squares + (uint64_t)moments->count * (uint64_t)mean * (uint64_t)mean;
    dgqc_spread spread;
    spread.mean = (int32_t)mean;
    spread.root = dgqc_reciprocal_root((int64_t)energy + epsilon, &spread.half);
    return spread;
}
