#include "dgqc_internal.h"

void dgqc_gate(const dgqc_gate_parameters *p, size_t step, const int16_t *x, int16_t *y)
{
    const int64_t index_factor = p->index_factor[step], factor = p->factor[step];
    const int32_t index_shift = p->index_shift[step], shift = p->shift[step];
    for (size_t i = 0; i < p->count; i++) {
        const int32_t wide = x[i];
        const int64_t far = ((wide < 0 ? -wide : wide) * index_factor) >> index_shift;
        const int32_t place = (int32_t)(far < (512 << 10) - 1 ? far : (512 << 10) - 1);
        const int32_t here = p->table[place >> 10], next = p->table[(place >> 10) + 1];
        const int32_t below = here - (((here - next) * (place & 1023) + 512) >> 10);
        const int64_t product = (int64_t)wide * (wide < 0 ? below : 65536 - below);
        y[i] = dgqc_saturate16(dgqc_round_shift(product * factor, shift));
    }
}
