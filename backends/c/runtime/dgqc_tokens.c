/* What text encoders do with the ids of tokens. */

#include "dgqc_internal.h"

void dgqc_embed_rows(const dgqc_embed_parameters *p, size_t step, dgqc_rows rows, const int16_t *ids, int16_t *y)
{
    (void)step;
    for (size_t r = 0; r < rows.count; r++) {
        const size_t row = (uint16_t)ids[rows.first + r] % p->count;
        memcpy(y + r * p->columns, p->table + row * p->columns, p->columns * sizeof(int16_t));
    }
}

void dgqc_end_token(const dgqc_end_token_parameters *p, size_t step, const void *x, const int16_t *ids, void *y)
{
    size_t best = 0;
    int32_t most = -1;
    (void)step;
    for (size_t i = 0; i < p->count; i++) {
        const int32_t id = (uint16_t)ids[i], rank = p->end < 0 ? id : id == p->end;
        if (rank > most) {
            most = rank;
            best = i;
        }
    }
    memcpy(y, (const unsigned char *)x + best * p->row, p->row);
}
