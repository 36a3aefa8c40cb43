/* A sampler's steps between the calls of the UNet (ir/denoising.py). */

#include "dgqc_fixed_point.h"
#include "dgqc_runtime.h"

/* Terms of one kind: a ring of `depth`, of which call `made` writes the place `made % depth`. */
typedef struct {
    size_t depth, begin;
} ring;

static int32_t *place(ring one, size_t stride, size_t made, size_t age, int32_t *held)
{
    return held + (one.begin + (made + one.depth - age) % one.depth) * stride;
}

/* The rings in the order of the tables' terms. */
static void rings_of(const dgqc_denoise_parameters *p, ring rings[5])
{
    const size_t depths[5] = {p->states, p->outputs, p->noises, p->kepts, p->cleans};
    size_t begin = 0;
    for (size_t kind = 0; kind < 5; kind++) {
        rings[kind].depth = depths[kind];
        rings[kind].begin = begin;
        begin += depths[kind];
    }
}

dgqc_denoise_places dgqc_denoise_at(const dgqc_denoise_parameters *p, size_t stride, size_t made, int32_t *held)
{
    ring rings[5];
    int32_t *found[5];
    rings_of(p, rings);
    for (size_t kind = 0; kind < 5; kind++) {
        found[kind] = rings[kind].depth == 0 ? NULL : place(rings[kind], stride, made, 0, held);
    }
    return (dgqc_denoise_places){found[0], found[1], found[2], found[3], found[4]};
}

void dgqc_denoise_begin(size_t count, const int32_t factors[3], const int16_t *latent, const int16_t *noise,
                        int32_t *state)
{
    for (size_t i = 0; i < count; i++) {
        const int64_t begun = latent == NULL ? 0 : latent[i] * (int64_t)factors[0];
        state[i] = dgqc_saturate32(dgqc_round_shift(begun + noise[i] * (int64_t)factors[1], factors[2]));
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

void dgqc_denoise_widen(size_t count, int32_t shift, const int16_t *x, int32_t *y)
{
    for (size_t i = 0; i < count; i++) {
        y[i] = x[i] * (1 << shift);
    }
}

void dgqc_denoise_guide(size_t count, int32_t guidance, const int16_t *given, int32_t *y)
{
    for (size_t i = 0; i < count; i++) {
        const int64_t without = y[i] / (1 << DGQC_OUTPUT_BITS); /* exact: what `widen` wrote */
        const int64_t wide = without * (1 << DGQC_GUIDANCE_BITS) + guidance * (given[i] - without);
        const int64_t guided = dgqc_round_shift(wide, DGQC_GUIDANCE_BITS - DGQC_OUTPUT_BITS);
        y[i] = (int32_t)(guided < -DGQC_OUTPUT_LIMIT  ? -DGQC_OUTPUT_LIMIT
                         : guided > DGQC_OUTPUT_LIMIT ? DGQC_OUTPUT_LIMIT
                                                      : guided);
    }
}

/* One element of a sum, which tables keep below 2^61. */
static int32_t sum(const int32_t *const *values, size_t terms, size_t i, const int32_t *factors, int32_t shift)
{
    int64_t total = 0;
    for (size_t term = 0; term < terms; term++) {
        total += values[term][i] * (int64_t)factors[term];
    }
    return dgqc_saturate32(dgqc_round_shift(total, shift));
}

void dgqc_denoise_follow(const dgqc_denoise_parameters *p, size_t stride, size_t row, size_t made, int32_t *held)
{
    const int32_t *values[DGQC_MOST_TERMS];
    const dgqc_denoise_places now = dgqc_denoise_at(p, stride, made, held);
    int32_t *following = dgqc_denoise_at(p, stride, made + 1, held).state;
    size_t terms = 0, first;
    ring rings[5];
    rings_of(p, rings);
    for (size_t kind = 0; kind < 5; kind++) {
        for (size_t age = 0; age < rings[kind].depth; age++) {
            /* What is kept is of the call before: there is one place, which this call writes last. */
            values[terms++] = place(rings[kind], stride, made, age, held);
        }
    }
    first = row * terms;
    /* Element by element, since the next state may take the place of the oldest. */
    for (size_t i = 0; i < p->count; i++) {
        int32_t next;
        if (now.clean != NULL) {
            const int32_t clean = sum(values, terms, i, p->clean + first, p->clean_shift[row]);
            now.clean[i] = clean < -p->limit ? -p->limit : clean > p->limit ? p->limit : clean;
        }
        next = sum(values, terms, i, p->next + first, p->next_shift[row]);
        if (now.kept != NULL) {
            now.kept[i] = sum(values, terms, i, p->kept + first, p->kept_shift[row]);
        }
        following[i] = next;
    }
}

void dgqc_denoise_end(size_t count, int32_t factor, int32_t shift, const int32_t *state, int16_t *y)
{
    for (size_t i = 0; i < count; i++) {
        y[i] = dgqc_saturate16(dgqc_round_shift(state[i] * (int64_t)factor, shift));
    }
}
