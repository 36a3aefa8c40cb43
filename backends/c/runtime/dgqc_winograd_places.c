/* Into the places of Winograd's tiles, and back. */

#include "dgqc_lanes_bytes.h"
#include "dgqc_winograd.h"

#ifdef DGQC_WINOGRAD
/* B^T of four vectors, in their place. */
static inline void change_codes(bytes *a, bytes *b, bytes *c, bytes *d)
{
    const bytes second = *b, third = *c;
    *a = bytes_subtract(*a, third);
    *b = bytes_add(second, third);
    *c = bytes_subtract(third, second);
    *d = bytes_subtract(second, *d);
}

static inline void change_patch(const uint8_t *x, size_t next_pixel, size_t next_line, int doubled, uint8_t *y,
                                size_t next_place)
{
    const bytes raised = bytes_words((int32_t)0x80808080U);
    bytes patch[4][4];
    for (size_t i = 0; i < 4; i++) {
        for (size_t j = 0; j < 4; j++) {
            const size_t line = doubled && i == 2 ? 1 : i, pixel = doubled && j == 2 ? 1 : j;
            patch[i][j] = bytes_load(x + line * next_line + pixel * next_pixel);
        }
        change_codes(&patch[i][0], &patch[i][1], &patch[i][2], &patch[i][3]);
    }
    for (size_t j = 0; j < 4; j++) {
        change_codes(&patch[0][j], &patch[1][j], &patch[2][j], &patch[3][j]);
        for (size_t i = 0; i < 4; i++) {
            const int sums_alone = i == 1 && j == 1;
            if (!dgqc_winograd_empty(doubled, 4 * i + j)) {
                bytes_store(y + (4 * i + j) * next_place, sums_alone ? patch[i][j] : bytes_add(patch[i][j], raised));
            }
        }
    }
}

void dgqc_winograd_codes(const uint8_t *x, size_t next_pixel, size_t next_line, size_t count, int doubled, uint8_t *y,
                         size_t next_place)
{
    for (size_t k = 0; k < count; k += sizeof(bytes)) {
        const size_t at = k + sizeof(bytes) <= count ? k : count - sizeof(bytes); /* the last ones twice */
        if (doubled) {
            change_patch(x + at, next_pixel, next_line, 1, y + at, next_place);
        } else {
            change_patch(x + at, next_pixel, next_line, 0, y + at, next_place);
        }
    }
}

/* G of three vectors. */
static inline void change_taps(bytes a, bytes b, bytes c, bytes y[4])
{
    const bytes outer = bytes_add(a, c);
    y[0] = bytes_add(a, a);
    y[1] = bytes_add(outer, b);
    y[2] = bytes_subtract(outer, b);
    y[3] = bytes_add(c, c);
}

static inline void change_weights(const bytes taps[9], int doubled, int8_t *y, size_t next_place)
{
    bytes rows[3][4];
    for (size_t i = 0; i < 3; i++) {
        change_taps(taps[3 * i], taps[3 * i + 1], taps[3 * i + 2], rows[i]);
    }
    for (size_t j = 0; j < 4; j++) {
        bytes places[4];
        change_taps(rows[0][j], rows[1][j], rows[2][j], places);
        for (size_t i = 0; i < 4; i++) {
            if (!dgqc_winograd_empty(doubled, 4 * i + j)) {
                bytes_store(y + (4 * i + j) * next_place, places[i]);
            }
        }
    }
}

/* A quad of a panel of 4 bits, from byte k on. */
static inline bytes quad_of(const uint8_t *panel, size_t quad, size_t k, bytes table)
{
    const bytes two = bytes_load(panel + quad / 2 * DGQC_BLOCK_BYTES + k);
    return bytes_look_up(table, quad % 2 > 0 ? bytes_high_half(two) : bytes_low_half(two));
}

void dgqc_winograd_weights(const uint8_t *panel, size_t tap_quads, size_t quad, size_t count, int doubled, int8_t *y,
                           size_t next_place)
{
    static const int8_t nibbles[16] = {0, 1, 2, 3, 4, 5, 6, 7, -8, -7, -6, -5, -4, -3, -2, -1};
    const bytes table = bytes_table(nibbles);
    for (size_t q = quad; q < quad + count; q++, y += DGQC_BLOCK_BYTES) {
        for (size_t k = 0; k < DGQC_BLOCK_BYTES; k += sizeof(bytes)) {
            bytes taps[9];
            for (size_t t = 0; t < 9; t++) {
                taps[t] = quad_of(panel, t * tap_quads + q, k, table);
            }
            if (doubled) {
                change_weights(taps, 1, y + k, next_place);
            } else {
                change_weights(taps, 0, y + k, next_place);
            }
        }
    }
}

void dgqc_winograd_sums(const uint8_t *panel, size_t first, size_t count, int32_t sums[DGQC_PANEL_COLUMNS])
{
    enum { RAISED = 8, FIT = 17 }; /* which makes nibbles 0 .. 15; so many fit a byte */
    static const int8_t nibbles[16] = {8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7};
    const bytes table = bytes_table(nibbles);
    const size_t end = first + count;
    for (size_t k = 0; k < DGQC_BLOCK_BYTES; k += sizeof(bytes)) {
        lanes total = lanes_splat(-(int32_t)(RAISED * DGQC_QUAD * count));
        for (size_t q = first; q < end;) {
            const size_t last = end - q < FIT ? end : q + FIT;
            uint8_t some[sizeof(bytes)];
            bytes sum = bytes_words(0);
            for (; q < last; q++) {
                sum = bytes_add(sum, quad_of(panel, q, k, table));
            }
            bytes_store(some, sum);
            total = lanes_dot_codes(total, lanes_load_words(some), lanes_splat(0x01010101));
        }
        lanes_store(sums + k / DGQC_QUAD, total);
    }
}

static inline lanes first_of(lanes a, lanes b, lanes c)
{
    return lanes_add(lanes_add(a, b), c);
}

static inline lanes second_of(lanes b, lanes c, lanes d)
{
    return lanes_subtract(lanes_subtract(b, c), d);
}

/* One place's sums, which nobody wrote where it is empty. */
static inline lanes sum_at(const int32_t *sums, size_t next_place, size_t place, int doubled)
{
    return dgqc_winograd_empty(doubled, place) ? lanes_splat(0) : lanes_load(sums + place * next_place);
}

static inline void store_total(lanes sum, uint32_t last, const int32_t *offsets, int32_t *total)
{
    const lanes fourfold = lanes_subtract(lanes_multiply(sum, lanes_splat(dgqc_wrap32(last))), lanes_load(offsets));
    lanes_store(total, lanes_shift_right(fourfold, 2));
}

void dgqc_winograd_totals(const int32_t *sums, size_t next_place, const int32_t *offsets, size_t next_pixel, uint32_t last,
                          int doubled, int32_t *upper, int32_t *lower)
{
    for (size_t c = 0; c < DGQC_TILE_COLUMNS; c += LANES) {
        lanes above[4], below[4];
        for (size_t j = 0; j < 4; j++) {
            const lanes second = sum_at(sums + c, next_place, 4 + j, doubled), third = sum_at(sums + c, next_place, 8 + j, doubled);
            above[j] = first_of(sum_at(sums + c, next_place, j, doubled), second, third);
            below[j] = second_of(second, third, sum_at(sums + c, next_place, 12 + j, doubled));
        }
        store_total(first_of(above[0], above[1], above[2]), last, offsets + c, upper + c);
        store_total(second_of(above[1], above[2], above[3]), last, offsets + next_pixel + c, upper + DGQC_TILE_COLUMNS + c);
        store_total(first_of(below[0], below[1], below[2]), last, offsets + 2 * next_pixel + c, lower + c);
        store_total(second_of(below[1], below[2], below[3]), last, offsets + 3 * next_pixel + c,
                    lower + DGQC_TILE_COLUMNS + c);
    }
}
#else
typedef int dgqc_nothing_to_place; /* a file has to have something in it */
#endif
