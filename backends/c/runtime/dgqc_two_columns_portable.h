/* Plain C, for every machine: two rows and two columns at a time, which share their loads. */

typedef struct {
    uint32_t s00, s01, s10, s11;
} square;

#define DGQC_MULTIPLY(k)                                                                                      \
    {                                                                                                         \
        const int32_t a = w[k], b = w[DGQC_TWO_COLUMNS_BYTES + (k)];                                          \
        s00 += (uint32_t)(x0[k] * a), s01 += (uint32_t)(x0[k] * b);                                           \
        s10 += (uint32_t)(x1[k] * a), s11 += (uint32_t)(x1[k] * b);                                           \
        DGQC_KEPT(s00) DGQC_KEPT(s01) DGQC_KEPT(s10) DGQC_KEPT(s11)                                           \
    }

static void multiply(const int8_t *weights, const dgqc_part *some, const uint8_t *row0, const uint8_t *row1, square *to)
{
    uint32_t s00 = 0, s01 = 0, s10 = 0, s11 = 0;
    for (const dgqc_run *run = some->runs, *last = run + some->count; run != last; run++) {
        const uint8_t *x0 = row0 + run->code, *x1 = row1 + run->code;
        const int8_t *w = weights + run->quad * DGQC_QUAD, *const end = w + run->quads * DGQC_QUAD;
        for (; w != end; w += DGQC_QUAD, x0 += DGQC_QUAD, x1 += DGQC_QUAD) {
            DGQC_MULTIPLY(0) DGQC_MULTIPLY(1) DGQC_MULTIPLY(2) DGQC_MULTIPLY(3)
        }
    }
    to->s00 = s00, to->s01 = s01, to->s10 = s10, to->s11 = s11;
}
