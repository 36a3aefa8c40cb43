/* Two quads a block, looked up 16 entries a table: a nibble's value times its group's multiple. */

#include "dgqc_unpack.h"

#include "dgqc_words.h"

#if defined(__AVX512BW__) && !defined(DGQC_PORTABLE)
#include <immintrin.h>
typedef __m512i bytes;
#define bytes_load(x) _mm512_loadu_si512(x)
#define bytes_store(x, v) _mm512_storeu_si512(x, v)
#define bytes_table(x) _mm512_broadcast_i32x4(_mm_loadu_si128((const void *)(x)))
#define bytes_look_up(table, places) _mm512_shuffle_epi8(table, places)
#define bytes_low_half(v) _mm512_and_si512(v, _mm512_set1_epi8(15))
#define bytes_high_half(v) bytes_low_half(_mm512_srli_epi16(v, 4))
#define bytes_and(a, b) _mm512_and_si512(a, b)
#define bytes_or(a, b) _mm512_or_si512(a, b)
#define bytes_words(x) _mm512_set1_epi32(x)
#elif defined(__AVX2__) && !defined(DGQC_PORTABLE)
#include <immintrin.h>
typedef __m256i bytes;
#define bytes_load(x) _mm256_loadu_si256((const void *)(x))
#define bytes_store(x, v) _mm256_storeu_si256((void *)(x), v)
#define bytes_table(x) _mm256_broadcastsi128_si256(_mm_loadu_si128((const void *)(x)))
#define bytes_look_up(table, places) _mm256_shuffle_epi8(table, places)
#define bytes_low_half(v) _mm256_and_si256(v, _mm256_set1_epi8(15))
#define bytes_high_half(v) bytes_low_half(_mm256_srli_epi16(v, 4))
#define bytes_and(a, b) _mm256_and_si256(a, b)
#define bytes_or(a, b) _mm256_or_si256(a, b)
#define bytes_words(x) _mm256_set1_epi32(x)
#elif defined(__aarch64__) && !defined(DGQC_PORTABLE)
#include <arm_neon.h>
typedef uint8x16_t bytes;
#define bytes_load(x) vld1q_u8((const void *)(x))
#define bytes_store(x, v) vst1q_u8((void *)(x), v)
#define bytes_table(x) bytes_load(x)
#define bytes_look_up(table, places) vqtbl1q_u8(table, places)
#define bytes_low_half(v) vandq_u8(v, vdupq_n_u8(15))
#define bytes_high_half(v) vshrq_n_u8(v, 4)
#define bytes_and(a, b) vandq_u8(a, b)
#define bytes_or(a, b) vorrq_u8(a, b)
#define bytes_words(x) vreinterpretq_u8_s32(vdupq_n_s32(x))
#endif

/* What each nibble stands for, times 1 to 16. */
#define DGQC_TIMES(m)                                                                                         \
    {0, (m), 2 * (m), 3 * (m), 4 * (m), 5 * (m), 6 * (m), 7 * (m), -8 * (m), -7 * (m), -6 * (m), -5 * (m),    \
     -4 * (m), -3 * (m), -2 * (m), -(m)},
static const int8_t times[DGQC_MOST_ABSORBED][16] = {
    DGQC_TIMES(1) DGQC_TIMES(2) DGQC_TIMES(3) DGQC_TIMES(4) DGQC_TIMES(5) DGQC_TIMES(6) DGQC_TIMES(7) DGQC_TIMES(8)
    DGQC_TIMES(9) DGQC_TIMES(10) DGQC_TIMES(11) DGQC_TIMES(12) DGQC_TIMES(13) DGQC_TIMES(14) DGQC_TIMES(15) DGQC_TIMES(16)
};

#ifdef bytes_load
/* The low or the high half of a block, or both. */
DGQC_IN_PLACE void unpack_block(const uint8_t *block, bytes table, int low, int high, int8_t *y)
{
    for (size_t i = 0; i < DGQC_BLOCK_BYTES; i += sizeof(bytes)) {
        const bytes two = bytes_load(block + i);
        if (low) {
            bytes_store(y + i, bytes_look_up(table, bytes_low_half(two)));
        }
        if (high) {
            bytes_store(y + (low ? DGQC_BLOCK_BYTES : 0) + i, bytes_look_up(table, bytes_high_half(two)));
        }
    }
}

/* Quads that all have one table. */
static void unpack_alike(const uint8_t *panel, const int8_t *table, size_t first, size_t count, int8_t *y)
{
    const bytes looked_up = bytes_table(table);
    const uint8_t *block = panel + first / 2 * DGQC_BLOCK_BYTES;
    if (first % 2 && count > 0) {
        unpack_block(block, looked_up, 0, 1, y);
        block += DGQC_BLOCK_BYTES, y += DGQC_BLOCK_BYTES, count--;
    }
    for (; count > 1; count -= 2, block += DGQC_BLOCK_BYTES, y += 2 * DGQC_BLOCK_BYTES) {
        unpack_block(block, looked_up, 1, 1, y);
    }
    if (count > 0) {
        unpack_block(block, looked_up, 1, 0, y);
    }
}

/* A quad whose channels have tables of their own. */
static void unpack_mixed(const uint8_t *panel, const int8_t *const *tables, size_t quad, int8_t *y)
{
    for (size_t i = 0; i < DGQC_BLOCK_BYTES; i += sizeof(bytes)) {
        const bytes two = bytes_load(panel + quad / 2 * DGQC_BLOCK_BYTES + i);
        const bytes one = quad % 2 ? bytes_high_half(two) : bytes_low_half(two);
        bytes all = bytes_words(0);
        for (int k = 0; k < DGQC_QUAD; k++) {
            const bytes own = bytes_words((int32_t)(255U << (8 * k)));
            all = bytes_or(all, bytes_and(own, bytes_look_up(bytes_table(tables[k]), one)));
        }
        bytes_store(y + i, all);
    }
}
#else
static void unpack_mixed(const uint8_t *panel, const int8_t *const *tables, size_t quad, int8_t *y)
{
    const uint8_t *const block = panel + quad / 2 * DGQC_BLOCK_BYTES;
    for (size_t i = 0; i < DGQC_BLOCK_BYTES; i++) {
        y[i] = tables[i % DGQC_QUAD][quad % 2 ? block[i] >> 4 : block[i] & 15];
    }
}

static void unpack_alike(const uint8_t *panel, const int8_t *table, size_t first, size_t count, int8_t *y)
{
    const int8_t *const tables[DGQC_QUAD] = {table, table, table, table};
    for (size_t quad = first; quad < first + count; quad++, y += DGQC_BLOCK_BYTES) {
        unpack_mixed(panel, tables, quad, y);
    }
}
#endif

/* A quad, from channel `channel` on, that segments share; or the last, with fewer channels. */
static void unpack_shared(const uint8_t *panel, const dgqc_segment *segment, size_t channels, size_t channel,
                          size_t quad, int8_t *y)
{
    const int8_t *tables[DGQC_QUAD];
    for (size_t k = 0; k < DGQC_QUAD; k++) {
        if (channel + k < channels && channel + k >= segment->first + segment->count) {
            segment++;
        }
        tables[k] = times[segment->multiple - 1];
    }
    unpack_mixed(panel, tables, quad, y);
}

void dgqc_unpack(const uint8_t *panel, const dgqc_segment *segments, size_t channels, size_t first, size_t count,
                 int8_t *y)
{
    const size_t of_tap = (channels + DGQC_QUAD - 1) / DGQC_QUAD;
    const dgqc_segment *segment = segments;
    for (size_t quad = first, some; quad < first + count; quad += some, y += some * DGQC_BLOCK_BYTES) {
        const size_t channel = quad % of_tap * DGQC_QUAD;
        if (channel < segment->first) { /* another tap begins */
            segment = segments;
        }
        while (channel >= segment->first + segment->count) {
            segment++;
        }
        const size_t whole = (segment->first + segment->count - channel) / DGQC_QUAD;
        const size_t left = first + count - quad;
        some = whole < left ? whole : left;
        if (some == 0) {
            unpack_shared(panel, segment, channels, channel, quad, y);
            some = 1;
        } else {
            unpack_alike(panel, times[segment->multiple - 1], quad, some, y);
        }
    }
}
