/* A sampler's steps between the calls of the UNet, in Q24 (ir/denoising.py). */

#include "dgqc_fixed_point.h"
#include "dgqc_runtime.h"

void dgqc_denoise_begin(const dgqc_denoise_parameters *p, const int16_t *noise, int32_t *state)
{
    for (size_t i = 0; i < p->count; i++) {
        state[i] = noise[i] * (1 << (DGQC_STATE_BITS - DGQC_NOISE_BITS));
    }
}

void dgqc_denoise_sample(const dgqc_denoise_parameters *p, size_t step, const int32_t *state, int16_t *sample)
{
    const int64_t factor = p->sample_factor[step];
    const int32_t shift = p->sample_shift[step];
    for (size_t i = 0; i < p->count; i++) {
        sample[i] = dgqc_saturate16(dgqc_round_shift(state[i] * factor, shift));
    }
}

void dgqc_denoise_update(const dgqc_denoise_parameters *p, size_t step, const int16_t *output, int32_t *state)
{
    for (size_t i = 0; i < p->count; i++) {
        const int64_t x = state[i];
        const int64_t y =
            dgqc_saturate32(dgqc_round_shift(output[i] * (int64_t)p->output_factor[step], p->output_shift[step]));
        const int64_t unclipped = dgqc_saturate32(dgqc_round_shift(
            x * p->clean_of_state[step] + y * p->clean_of_output[step], p->clean_shift[step]));
        const int64_t clean = unclipped < -p->limit ? -p->limit : unclipped > p->limit ? p->limit : unclipped;
        state[i] = dgqc_saturate32(dgqc_round_shift(
            clean * p->next_of_clean[step] + x * p->next_of_state[step] + y * p->next_of_output[step],
            p->next_shift[step]));
    }
}

void dgqc_denoise_end(const dgqc_denoise_parameters *p, const int32_t *state, int16_t *y)
{
    for (size_t i = 0; i < p->count; i++) {
        y[i] = dgqc_saturate16(dgqc_round_shift(state[i], DGQC_STATE_BITS - DGQC_NOISE_BITS));
    }
}
