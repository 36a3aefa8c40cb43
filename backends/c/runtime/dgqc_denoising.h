/* What surrounds the calls of a denoising loop. */
#ifndef DGQC_DENOISING_H
#define DGQC_DENOISING_H

#include <stddef.h>
#include <stdint.h>

#include "dgqc_symbols.h"

enum { DGQC_NOISE_BITS = 12, DGQC_GUIDANCE_BITS = 16, DGQC_OUTPUT_BITS = 8, DGQC_OUTPUT_LIMIT = 67108863 };
enum { DGQC_MOST_TERMS = 64 };

/* A sampler's tables: [steps] for the sample; [rows][terms], and [rows] of shifts, for the sums. Terms are
 * states, outputs, noises, kepts and cleans of this call and those before; ir/denoising.py says what they mean. */
typedef struct {
    size_t count;
    const int32_t *sample_factor, *sample_shift;
    const int32_t *next, *next_shift;
    const int32_t *clean, *clean_shift;
    const int32_t *kept, *kept_shift;
    size_t states, outputs, noises, kepts, cleans;
    int limit;
} dgqc_denoise_parameters;

/* Where each kind's values begin in memory that holds `stride` numbers for each term. */
typedef struct {
    int32_t *state, *output, *noise, *kept, *clean;
} dgqc_denoise_places;

/* Standard normal noise in Q12 from a seed, the same on every machine (ir/arithmetic/noise.py): `count` numbers of
 * it from `first` on. */
void dgqc_normal_noise(uint32_t seed, size_t first, size_t count, int16_t *y);

/* What a denoising loop does before, between and after the calls (ir/denoising.py). */
dgqc_denoise_places dgqc_denoise_at(const dgqc_denoise_parameters *p, size_t stride, size_t made, int32_t *held);
void dgqc_denoise_begin(size_t count, const int32_t factors[3], const int16_t *latent, const int16_t *noise,
                        int32_t *state);
void dgqc_denoise_sample(const dgqc_denoise_parameters *p, size_t step, const int32_t *state, int16_t *sample);
void dgqc_denoise_widen(size_t count, int32_t shift, const int16_t *x, int32_t *y);
void dgqc_denoise_guide(size_t count, int32_t guidance, const int16_t *given, int32_t *y);
void dgqc_denoise_follow(const dgqc_denoise_parameters *p, size_t stride, size_t row, size_t made, int32_t *held);
void dgqc_denoise_end(size_t count, int32_t factor, int32_t shift, const int32_t *state, int16_t *y);

#endif
