/* Groups of channels as spans, and the order in which Horner's rule combines them. */

#include <string.h>

#include "dgqc_spans.h"

void dgqc_find_spans(const dgqc_operand *operand, size_t channels, size_t step, dgqc_span *spans)
{
    const uint8_t *const group = operand->along_depth ? operand->group : NULL;
    size_t code = 0;
    for (size_t first = 0, end; first < channels; first = end, spans++) {
        for (end = first + 1; end < channels && (group == NULL || group[end] == group[first]); end++) {
        }
        const size_t at = step * operand->groups + (group ? group[first] : 0U);
        spans->first = (uint32_t)first;
        spans->count = (uint32_t)(end - first);
        spans->code = (uint32_t)code;
        spans->zero = operand->along_depth ? operand->zero[at] : 0;
        spans->multiple = operand->along_depth ? operand->multiple[at] : 1;
        code += dgqc_span_quads(spans) * DGQC_QUAD;
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

uint32_t dgqc_order_spans(const dgqc_span *spans, size_t first, size_t end, uint32_t *order, uint32_t *ratios)
{
    for (size_t s = first; s < end; s++) {
        const uint32_t multiple = (uint32_t)spans[s].multiple;
        size_t place = s;
        for (; place > first && goes_before(multiple, (uint32_t)spans[order[place - 1]].multiple); place--) {
            order[place] = order[place - 1];
        }
        order[place] = (uint32_t)s;
    }
    uint32_t previous = (uint32_t)spans[order[first]].multiple;
    ratios[first] = 1;
    for (size_t s = first + 1; s < end; s++) {
        const uint32_t multiple = (uint32_t)spans[order[s]].multiple;
        ratios[s] = ratio(previous, multiple);
        previous = multiple;
    }
    return previous;
}

static void spread_same(const dgqc_span *span, int value, uint8_t *y)
{
    memset(y + span->code, 0, dgqc_span_quads(span) * DGQC_QUAD);
    memset(y + span->code + span->first % DGQC_QUAD, value, span->count);
}

void dgqc_spread_ones(const dgqc_span *spans, size_t count, uint8_t *y)
{
    for (const dgqc_span *s = spans; s < spans + count; s++) {
        spread_same(s, 1, y);
    }
}

void dgqc_spread_zeros(const dgqc_span *spans, size_t count, uint8_t *y)
{
    for (const dgqc_span *s = spans; s < spans + count; s++) {
        spread_same(s, s->zero, y);
    }
}
