/* Groups of channels as segments, and the order in which Horner's rule combines them. */

#include <string.h>

#include "dgqc_segments.h"

void dgqc_find_segments(const dgqc_operand *operand, size_t channels, size_t step, dgqc_segment *segments)
{
    const uint8_t *const group = operand->along_depth ? operand->group : NULL;
    size_t code = 0;
    for (size_t first = 0, end; first < channels; first = end, segments++) {
        for (end = first + 1; end < channels && (group == NULL || group[end] == group[first]); end++) {
        }
        const size_t at = step * operand->groups + (group ? group[first] : 0U);
        segments->first = (uint32_t)first;
        segments->count = (uint32_t)(end - first);
        segments->code = (uint32_t)code;
        segments->zero = operand->along_depth ? operand->zero[at] : 0;
        segments->multiple = operand->along_depth ? operand->multiple[at] : 1;
        code += dgqc_segment_quads(segments) * DGQC_QUAD;
    }
}

/* How often 2 divides x. x > 0. */
static uint32_t twos(uint32_t x)
{
    uint32_t count = 0;
    for (; x % 2 == 0; x /= 2) {
        count++;
    }
    return count;
}

/* 1/x modulo 2^32, by Newton's method: x * x is 1 modulo 8, and every turn doubles the bits. x odd. */
static uint32_t inverse(uint32_t x)
{
    uint32_t y = x;
    for (int bits = 3; bits < 32; bits *= 2) {
        y *= 2 - x * y;
    }
    return y;
}

/* The r with previous = r * next modulo 2^32. 2 divides `previous` at least as often as `next`. */
static uint32_t ratio(uint32_t previous, uint32_t next)
{
    const uint32_t shift = twos(next);
    return (previous >> shift) * inverse(next >> shift);
}

/* Whether `a` goes before `b`: multiples that 2 divides more often come first, equal ones side by side. */
static int goes_before(uint32_t a, uint32_t b)
{
    return twos(a) != twos(b) ? twos(a) > twos(b) : a > b;
}

uint32_t dgqc_order_segments(const dgqc_segment *segments, size_t first, size_t end, uint32_t *order, uint32_t *ratios)
{
    for (size_t s = first; s < end; s++) {
        const uint32_t multiple = (uint32_t)segments[s].multiple;
        size_t place = s;
        for (; place > first && goes_before(multiple, (uint32_t)segments[order[place - 1]].multiple); place--) {
            order[place] = order[place - 1];
        }
        order[place] = (uint32_t)s;
    }
    uint32_t previous = (uint32_t)segments[order[first]].multiple;
    ratios[first] = 1;
    for (size_t s = first + 1; s < end; s++) {
        const uint32_t multiple = (uint32_t)segments[order[s]].multiple;
        ratios[s] = ratio(previous, multiple);
        previous = multiple;
    }
    return previous;
}

static void spread_same(const dgqc_segment *segment, int value, uint8_t *y)
{
    memset(y + segment->code, 0, dgqc_segment_quads(segment) * DGQC_QUAD);
    memset(y + segment->code + segment->first % DGQC_QUAD, value, segment->count);
}

void dgqc_spread_ones(const dgqc_segment *segments, size_t count, uint8_t *y)
{
    for (const dgqc_segment *s = segments; s < segments + count; s++) {
        spread_same(s, 1, y);
    }
}

void dgqc_spread_zeros(const dgqc_segment *segments, size_t count, uint8_t *y)
{
    for (const dgqc_segment *s = segments; s < segments + count; s++) {
        spread_same(s, s->zero, y);
    }
}

void dgqc_plain_zeros(const dgqc_segment *segments, size_t count, size_t y_bytes, uint8_t *y)
{
    memset(y, 0, y_bytes);
    for (const dgqc_segment *s = segments; s < segments + count; s++) {
        memset(y + s->first, s->zero, s->count);
    }
}
