/* Standard normal noise from a hash and a table (ir/arithmetic/noise.py). */

#include "dgqc_fixed_point.h"
#include "dgqc_runtime.h"

/* A hash of 32 bits in which every bit depends on every other (MurmurHash3's last step). */
static uint32_t mix(uint32_t x)
{
    x = (x ^ (x >> 16)) * 0x85EBCA6BU;
    x = (x ^ (x >> 13)) * 0xC2B2AE35U;
    return x ^ (x >> 16);
}

/* 32 random bits as one standard normal number in Q12: a sign, and the portion of magnitudes above. */
static int16_t normal(uint32_t bits)
{
    uint32_t portion = bits & 0x7FFFFFFFU;
    int32_t octave, here, magnitude;
    const int16_t *entry;
    if (portion < 1U << 15) {
        portion = 1U << 15;
    }
    octave = dgqc_floor_log2((int64_t)portion);
    entry = &dgqc_normal_table[(uint32_t)(octave - 15) * 16 + ((portion >> (octave - 4)) & 15U)];
    here = entry[0];
    magnitude = here - (((here - entry[1]) * (int32_t)((portion >> (octave - 12)) & 255U) + 128) >> 8);
    return (int16_t)((bits >> 31) != 0 ? -magnitude : magnitude);
}

void dgqc_normal_noise(uint32_t seed, size_t first, size_t count, int16_t *y)
{
    uint32_t place = mix(seed) + (uint32_t)first * 0x9E3779B9U;
    for (size_t i = 0; i < count; i++) {
        place += 0x9E3779B9U;
        y[i] = normal(mix(place));
    }
}
