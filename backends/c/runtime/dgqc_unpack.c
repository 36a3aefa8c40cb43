/* Two quads a block, looked up in tables: a nibble's value times its channel's multiple. */

#include "dgqc_unpack.h"

#include "dgqc_bytes.h"
#include "dgqc_words.h"

/* What each nibble stands for, times 1 to 16. */
#define DGQC_TIMES(m)                                                                                         \
    {0, (m), 2 * (m), 3 * (m), 4 * (m), 5 * (m), 6 * (m), 7 * (m), -8 * (m), -7 * (m), -6 * (m), -5 * (m),    \
     -4 * (m), -3 * (m), -2 * (m), -(m)},
static const int8_t times[DGQC_MOST_ABSORBED][16] = {
    DGQC_TIMES(1) DGQC_TIMES(2) DGQC_TIMES(3) DGQC_TIMES(4) DGQC_TIMES(5) DGQC_TIMES(6) DGQC_TIMES(7) DGQC_TIMES(8)
    DGQC_TIMES(9) DGQC_TIMES(10) DGQC_TIMES(11) DGQC_TIMES(12) DGQC_TIMES(13) DGQC_TIMES(14) DGQC_TIMES(15) DGQC_TIMES(16)
};

/* A quad from the half of its block: of channels that have one multiple, and of any. */
#if defined(bytes_load)
#define TABLE bytes
#define TABLE_OF(x) bytes_table(x)
static inline bytes nibbles(const uint8_t *half, int high)
{
    const bytes two = bytes_load(half);
    return high ? bytes_high_half(two) : bytes_low_half(two);
}

static inline void look_up_alike(const uint8_t *half, int high, bytes table, int8_t *y)
{
    for (size_t i = 0; i < DGQC_BLOCK_BYTES; i += sizeof(bytes)) {
        bytes_store(y + i, bytes_look_up(table, nibbles(half + i, high)));
    }
}
#else
#define TABLE const int8_t *
#define TABLE_OF(x) (x)
static inline void look_up_alike(const uint8_t *half, int high, const int8_t *table, int8_t *y)
{
    for (size_t i = 0; i < DGQC_BLOCK_BYTES; i++) {
        y[i] = table[high ? half[i] >> 4 : half[i] & 15];
    }
}
#endif

#if defined(bytes_look_up_64)
static inline void look_up(const uint8_t *half, int high, const dgqc_multiplied *quad, int8_t *y)
{
    /* Places 16 k to 16 k + 15 of the table are those of channel k. */
    const bytes channels = bytes_words(0x30201000), table = bytes_load(quad->table);
    bytes_store(y, bytes_look_up_64(table, bytes_or(nibbles(half, high), channels)));
}
#elif defined(bytes_load)
static inline void look_up(const uint8_t *half, int high, const dgqc_multiplied *quad, int8_t *y)
{
    for (size_t i = 0; i < DGQC_BLOCK_BYTES; i += sizeof(bytes)) {
        const bytes one = nibbles(half + i, high);
        bytes all = bytes_look_up(bytes_table(quad->table[0]), one);
        for (int k = 1; k < DGQC_QUAD; k++) {
            const bytes own = bytes_words((int32_t)(255U << (8 * k))), others = bytes_words((int32_t)~(255U << (8 * k)));
            all = bytes_or(bytes_and(others, all), bytes_and(own, bytes_look_up(bytes_table(quad->table[k]), one)));
        }
        bytes_store(y + i, all);
    }
}
#else
static inline void look_up(const uint8_t *half, int high, const dgqc_multiplied *quad, int8_t *y)
{
    for (size_t i = 0; i < DGQC_BLOCK_BYTES; i++) {
        y[i] = quad->table[i % DGQC_QUAD][high ? half[i] >> 4 : half[i] & 15];
    }
}
#endif

/* The block that has a panel's quad in one of its halves. */
static inline const uint8_t *half_of(const uint8_t *panel, size_t quad)
{
    return panel + quad / 2 * DGQC_BLOCK_BYTES;
}

/* Quads of a panel that have one multiple. */
static void unpack_alike(const uint8_t *panel, const int8_t *table, size_t first, size_t count, int8_t *y)
{
    TABLE const all = TABLE_OF(table);
    size_t q = first % 2;
    if (q > 0) {
        look_up_alike(half_of(panel, first), 1, all, y);
    }
    for (; q + 1 < count; q += 2) {
        look_up_alike(half_of(panel, first + q), 0, all, y + q * DGQC_BLOCK_BYTES);
        look_up_alike(half_of(panel, first + q), 1, all, y + (q + 1) * DGQC_BLOCK_BYTES);
    }
    if (q < count) {
        look_up_alike(half_of(panel, first + q), 0, all, y + q * DGQC_BLOCK_BYTES);
    }
}

/* Quads of one tap, the first of which is number `quad` of it. */
static void unpack_tap(const uint8_t *panel, const dgqc_multiples *multiples, size_t quad, size_t first, size_t count,
                       int8_t *y)
{
    for (size_t q = 0, some; q < count; q += some) {
        const size_t left = count - q, alike = multiples->alike[quad + q];
        int8_t *const to = y + q * DGQC_BLOCK_BYTES;
        some = alike == 0 ? 1 : alike < left ? alike : left;
        if (alike > 0) {
            unpack_alike(panel, multiples->quads[quad + q].table[0], first + q, some, to);
        } else {
            look_up(half_of(panel, first + q), (first + q) % 2 != 0, multiples->quads + quad + q, to);
        }
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

/* What a channel makes of 1, which tells its multiple from others. */
static int8_t multiple_of(const dgqc_multiplied *quad, size_t channel)
{
    return quad->table[channel][1];
}

/* For each quad, how many of them have its multiple, from the last on. */
static void count_alike(const dgqc_multiples *to)
{
    for (size_t q = to->count; q-- > 0;) {
        const dgqc_multiplied *const quad = to->quads + q;
        const int first = multiple_of(quad, 0), goes_on = q + 1 < to->count && multiple_of(quad + 1, 0) == first;
        size_t count = 1 + (goes_on ? (size_t)to->alike[q + 1] : 0);
        for (size_t k = 1; k < DGQC_QUAD; k++) {
            count = multiple_of(quad, k) == first ? count : 0;
        }
        to->alike[q] = (uint8_t)(count < UINT8_MAX ? count : UINT8_MAX);
    }
}

void dgqc_multiply_nibbles(const dgqc_segment *segments, size_t channels, const dgqc_multiples *to)
{
    const dgqc_segment *segment = segments;
    for (size_t q = 0; q < to->count; q++) {
        for (size_t k = 0, channel = q * DGQC_QUAD; k < DGQC_QUAD; k++, channel++) {
            /* What is beyond the last channel has weights of 0. */
            if (channel < channels && channel >= segment->first + segment->count) {
                segment++;
            }
            DGQC_COPY_FEW(to->quads[q].table[k], times[segment->multiple - 1], 16);
        }
    }
    count_alike(to);
}
