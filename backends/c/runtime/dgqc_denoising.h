/* What surrounds the calls of a denoising loop. */
#ifndef DGQC_DENOISING_H
#define DGQC_DENOISING_H

#include <stddef.h>
#include <stdint.h>

#include "dgqc_symbols.h"

/* A sampler's tables, int32_t [steps] each; ir/denoising.py says what they mean. */
enum { DGQC_NOISE_BITS = 12, DGQC_STATE_BITS = 24 };

typedef struct {
    size_t count;
    const int32_t *sample_factor, *sample_shift;
    const int32_t *output_factor, *output_shift;
    const int32_t *clean_of_state, *clean_of_output, *clean_shift;
    const int32_t *next_of_clean, *next_of_state, *next_of_output, *next_shift;
    int limit;
} dgqc_denoise_parameters;

/* Standard normal noise in Q12 from a seed, the same on every machine (ir/arithmetic/noise.py). */
void dgqc_normal_noise(uint32_t seed, size_t count, int16_t *y);
/* What a denoising loop does before, between and after the calls (ir/denoising.py). */
void dgqc_denoise_begin(const dgqc_denoise_parameters *p, const int16_t *noise, int32_t *state);
void dgqc_denoise_sample(const dgqc_denoise_parameters *p, size_t step, const int32_t *state, int16_t *sample);
void dgqc_denoise_update(const dgqc_denoise_parameters *p, size_t step, const int16_t *output, int32_t *state);
void dgqc_denoise_end(const dgqc_denoise_parameters *p, const int32_t *state, int16_t *y);

#endif
