/* Cores with the DSP extension: two rows and two columns at a time, in registers of two 16-bit values (dgqc_tile_dsp.h). */

#include <arm_acle.h>

typedef struct {
    uint32_t s00, s01, s10, s11;
} square;

static inline uint32_t even_codes(uint32_t word)
{
    return word & 0x00FF00FFU;
}

static inline uint32_t even_weights(uint32_t word)
{
    return (uint32_t)__sxtb16((int8x4_t)word);
}

/* Bytes 1 and 3, which compilers would turn the word for. */
static inline uint32_t odd_codes(uint32_t word)
{
    uint32_t pair;
    __asm__("uxtb16 %0, %1, ror #8" : "=r"(pair) : "r"(word));
    return pair;
}

static inline uint32_t odd_weights(uint32_t word)
{
    uint32_t pair;
    __asm__("sxtb16 %0, %1, ror #8" : "=r"(pair) : "r"(word));
    return pair;
}

/* sum + both products, modulo 2^32. */
static inline uint32_t multiply_pairs(uint32_t a, uint32_t b, uint32_t sum)
{
    return (uint32_t)__smlad((int16x2_t)a, (int16x2_t)b, (int32_t)sum);
}

#define DGQC_PRODUCTS(half)                                                                                   \
    {                                                                                                         \
        const uint32_t a = half##_weights(w0), b = half##_weights(w1);                                        \
        uint32_t x = half##_codes(x0);                                                                        \
        s00 = multiply_pairs(x, a, s00), s01 = multiply_pairs(x, b, s01);                                     \
        x = half##_codes(x1);                                                                                 \
        s10 = multiply_pairs(x, a, s10), s11 = multiply_pairs(x, b, s11);                                     \
        DGQC_KEPT(s00) DGQC_KEPT(s01) DGQC_KEPT(s10) DGQC_KEPT(s11)                                           \
    }

static void multiply(const int8_t *weights, const dgqc_part *some, const uint8_t *row0, const uint8_t *row1, square *to)
{
    uint32_t s00 = 0, s01 = 0, s10 = 0, s11 = 0;
    for (const dgqc_run *run = some->runs, *last = run + some->count; run != last; run++) {
        const uint8_t *code0 = row0 + run->code, *code1 = row1 + run->code;
        const int8_t *w = weights + run->quad * DGQC_QUAD, *const end = w + run->quads * DGQC_QUAD;
        for (; w != end; w += DGQC_QUAD, code0 += DGQC_QUAD, code1 += DGQC_QUAD) {
            const uint32_t x0 = dgqc_load_word(code0), x1 = dgqc_load_word(code1);
            const uint32_t w0 = dgqc_load_word(w), w1 = dgqc_load_word(w + DGQC_TWO_COLUMNS_BYTES);
            DGQC_PRODUCTS(even)
            DGQC_PRODUCTS(odd)
        }
    }
    to->s00 = s00, to->s01 = s01, to->s10 = s10, to->s11 = s11;
}
