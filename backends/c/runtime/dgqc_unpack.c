/* Two quads a block, looked up in tables: a nibble's value times its channel's multiple. */

#include "dgqc_unpack.h"

#include "dgqc_words.h"

#if defined(__AVX512BW__) && !defined(DGQC_PORTABLE)
#include "dgqc_unpack_avx512.h"
#elif defined(__AVX2__) && !defined(DGQC_PORTABLE)
#include "dgqc_unpack_avx2.h"
#elif defined(__aarch64__) && !defined(DGQC_PORTABLE)
#include "dgqc_unpack_neon.h"
#endif

/* What each nibble stands for, times 1 to 16. */
#define DGQC_TIMES(m)                                                                                         \
    {0, (m), 2 * (m), 3 * (m), 4 * (m), 5 * (m), 6 * (m), 7 * (m), -8 * (m), -7 * (m), -6 * (m), -5 * (m),    \
     -4 * (m), -3 * (m), -2 * (m), -(m)},
static const int8_t times[DGQC_MOST_ABSORBED][16] = {
    DGQC_TIMES(1) DGQC_TIMES(2) DGQC_TIMES(3) DGQC_TIMES(4) DGQC_TIMES(5) DGQC_TIMES(6) DGQC_TIMES(7) DGQC_TIMES(8)
    DGQC_TIMES(9) DGQC_TIMES(10) DGQC_TIMES(11) DGQC_TIMES(12) DGQC_TIMES(13) DGQC_TIMES(14) DGQC_TIMES(15) DGQC_TIMES(16)
};

/* A quad, from the half of its block. */
#if defined(bytes_look_up_64)
static inline void look_up(const uint8_t *half, int high, const dgqc_multiplied *quad, int alike, int8_t *y)
{
    /* Places 16 k to 16 k + 15 of the table are those of channel k. */
    const bytes channels = bytes_words(0x30201000), two = bytes_load(half), table = bytes_load(quad->table);
    const bytes one = high ? bytes_high_half(two) : bytes_low_half(two);
    (void)alike;
    bytes_store(y, bytes_look_up_64(table, bytes_or(one, channels)));
}
#elif defined(bytes_load)
static inline void look_up(const uint8_t *half, int high, const dgqc_multiplied *quad, int alike, int8_t *y)
{
    for (size_t i = 0; i < DGQC_BLOCK_BYTES; i += sizeof(bytes)) {
        const bytes two = bytes_load(half + i), one = high ? bytes_high_half(two) : bytes_low_half(two);
        bytes all = bytes_look_up(bytes_table(quad->table[0]), one);
        for (int k = 1; k < DGQC_QUAD && !alike; k++) {
            const bytes own = bytes_words((int32_t)(255U << (8 * k))), others = bytes_words((int32_t)~(255U << (8 * k)));
            all = bytes_or(bytes_and(others, all), bytes_and(own, bytes_look_up(bytes_table(quad->table[k]), one)));
        }
        bytes_store(y + i, all);
    }
}
#else
static inline void look_up(const uint8_t *half, int high, const dgqc_multiplied *quad, int alike, int8_t *y)
{
    (void)alike;
    for (size_t i = 0; i < DGQC_BLOCK_BYTES; i++) {
        y[i] = quad->table[i % DGQC_QUAD][high ? half[i] >> 4 : half[i] & 15];
    }
}
#endif

/* Quads of one tap, the first of which is number `quad` of it. */
static void unpack_tap(const uint8_t *panel, const dgqc_multiples *multiples, size_t quad, size_t first, size_t count,
                       int8_t *y)
{
    const dgqc_multiplied *const quads = multiples->quads + quad;
    const uint8_t *const alike = multiples->alike + quad, *block = panel + first / 2 * DGQC_BLOCK_BYTES;
    size_t q = 0;
    if (first % 2 != 0) {
        look_up(block, 1, quads, alike[0], y);
        block += DGQC_BLOCK_BYTES, q = 1;
    }
    for (; q + 1 < count; q += 2, block += DGQC_BLOCK_BYTES) {
        look_up(block, 0, quads + q, alike[q], y + q * DGQC_BLOCK_BYTES);
        look_up(block, 1, quads + q + 1, alike[q + 1], y + (q + 1) * DGQC_BLOCK_BYTES);
    }
    if (q < count) {
        look_up(block, 0, quads + q, alike[q], y + q * DGQC_BLOCK_BYTES);
    }
}

void dgqc_unpack(const uint8_t *panel, const dgqc_multiples *multiples, size_t first, size_t count, int8_t *y)
{
    for (size_t done = 0, some; done < count; done += some) {
        const size_t quad = (first + done) % multiples->count, room = multiples->count - quad, left = count - done;
        some = left < room ? left : room;
        unpack_tap(panel, multiples, quad, first + done, some, y + done * DGQC_BLOCK_BYTES);
    }
}

void dgqc_multiply_nibbles(const dgqc_segment *segments, size_t channels, const dgqc_multiples *to)
{
    const dgqc_segment *segment = segments;
    for (size_t q = 0; q < to->count; q++) {
        to->alike[q] = 1;
        for (size_t k = 0, channel = q * DGQC_QUAD; k < DGQC_QUAD; k++, channel++) {
            /* What is beyond the last channel has weights of 0. */
            if (channel < channels && channel >= segment->first + segment->count) {
                segment++;
                to->alike[q] = k == 0;
            }
            DGQC_COPY_FEW(to->quads[q].table[k], times[segment->multiple - 1], 16);
        }
    }
}
