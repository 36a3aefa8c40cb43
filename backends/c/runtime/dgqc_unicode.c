/* Characters: UTF-8, classes, composed forms, small letters (ir/unicode.py). */

#include "dgqc_tokenize.h"

enum { SYLLABLES = 0xAC00, LEADS = 0x1100, VOWELS = 0x1161, TRAILS = 0x11A7 };
enum { LEAD_COUNT = 19, VOWEL_COUNT = 21, TRAIL_COUNT = 28, SYLLABLE_COUNT = 11172, UNKNOWN = 0xFFFD };

int32_t dgqc_character(const uint8_t *text, size_t bytes, size_t *taken)
{
    static const int32_t least[4] = {0, 0x80, 0x800, 0x10000};
    const uint8_t first = text[0];
    const size_t more = first < 0x80 ? 0 : first < 0xC0 ? 4 : first < 0xE0 ? 1 : first < 0xF0 ? 2 : first < 0xF8 ? 3 : 4;
    int32_t point = more == 0 ? first : first & (0x3F >> more);
    *taken = 1;
    if (more >= bytes || more == 4) {
        return UNKNOWN;
    }
    for (size_t i = 1; i <= more; i++) {
        if ((text[i] & 0xC0) != 0x80) {
            return UNKNOWN;
        }
        point = point * 64 + (text[i] & 0x3F);
    }
    if (point < least[more] || point > 0x10FFFF || (point >= 0xD800 && point < 0xE000)) {
        return UNKNOWN;
    }
    *taken = more + 1;
    return point;
}

size_t dgqc_character_bytes(int32_t point, uint8_t bytes[4])
{
    const size_t more = point < 0x80 ? 0 : point < 0x800 ? 1 : point < 0x10000 ? 2 : 3;
    static const uint8_t first[4] = {0, 0xC0, 0xE0, 0xF0};
    for (size_t i = more; i > 0; i--) {
        bytes[i] = (uint8_t)(0x80 | (point & 0x3F));
        point /= 64;
    }
    bytes[0] = (uint8_t)(first[more] | point);
    return more + 1;
}

/* How many of the sorted numbers are at most `wanted`. */
static size_t up_to(const int32_t *sorted, size_t count, int32_t wanted)
{
    size_t low = 0, high = count;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (sorted[middle] <= wanted) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

/* The row of a number, or `count` where there is none. */
static size_t row_of(const int32_t *sorted, size_t count, int32_t wanted)
{
    const size_t place = up_to(sorted, count, wanted);
    return place > 0 && sorted[place - 1] == wanted ? place - 1 : count;
}

int32_t dgqc_class_of(const dgqc_characters *c, int32_t point)
{
    return c->class_of[up_to(c->class_from, c->classes, point) - 1];
}

static int32_t mark_of(const dgqc_characters *c, int32_t point)
{
    return c->mark_of[up_to(c->marks_from, c->marks, point) - 1];
}

/* What a character is made of, up to four points. */
static size_t take_apart(const dgqc_characters *c, int32_t point, int32_t *parts)
{
    int32_t waiting[8];
    size_t left = 1, count = 0;
    waiting[0] = point;
    while (left > 0) {
        const int32_t one = waiting[--left];
        const size_t row = row_of(c->parts_from, c->parts, one);
        if (one >= SYLLABLES && one < SYLLABLES + SYLLABLE_COUNT) {
            const int32_t place = one - SYLLABLES, trail = place % TRAIL_COUNT;
            parts[count++] = LEADS + place / (VOWEL_COUNT * TRAIL_COUNT);
            parts[count++] = VOWELS + place / TRAIL_COUNT % VOWEL_COUNT;
            if (trail != 0) {
                parts[count++] = TRAILS + trail;
            }
        } else if (row == c->parts) {
            parts[count++] = one;
        } else {
            if (c->parts_to[2 * row + 1] != 0) {
                waiting[left++] = c->parts_to[2 * row + 1];
            }
            waiting[left++] = c->parts_to[2 * row];
        }
    }
    return count;
}

/* Marks that follow each other by their place; equal ones stay as they are. */
static void order(const dgqc_characters *c, int32_t *points, size_t count)
{
    for (size_t place = 1; place < count; place++) {
        const int32_t moved = points[place], mark = mark_of(c, moved);
        size_t at = place;
        while (mark != 0 && at > 0 && mark_of(c, points[at - 1]) > mark) {
            points[at] = points[at - 1];
            at--;
        }
        points[at] = moved;
    }
}

/* The character that two make, or 0. */
static int32_t joined(const dgqc_characters *c, int32_t first, int32_t second)
{
    const int32_t lead = first - LEADS, vowel = second - VOWELS, trail = second - TRAILS, place = first - SYLLABLES;
    size_t low = 0, high = c->composes;
    if (lead >= 0 && lead < LEAD_COUNT && vowel >= 0 && vowel < VOWEL_COUNT) {
        return SYLLABLES + (lead * VOWEL_COUNT + vowel) * TRAIL_COUNT;
    }
    if (place >= 0 && place < SYLLABLE_COUNT && place % TRAIL_COUNT == 0 && trail > 0 && trail < TRAIL_COUNT) {
        return first + trail;
    }
    while (low < high) {
        const size_t middle = low + (high - low) / 2, row = (size_t)c->composed[middle];
        const int32_t *made_of = c->parts_to + 2 * row;
        if (made_of[0] == first && made_of[1] == second) {
            return c->parts_from[row];
        }
        if (made_of[0] < first || (made_of[0] == first && made_of[1] < second)) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return 0;
}

/* Puts together in place what makes one character; returns how many are left. */
static size_t compose(const dgqc_characters *c, int32_t *points, size_t count)
{
    size_t made = 0, base = 0;
    int begun = 0;
    int32_t last = 0;
    for (size_t i = 0; i < count; i++) {
        const int32_t point = points[i], mark = mark_of(c, point);
        const int blocked = !begun || (base + 1 < made && (last == 0 || last >= mark));
        const int32_t whole = blocked ? 0 : joined(c, points[base], point);
        if (whole != 0) {
            points[base] = whole;
            continue;
        }
        if (mark == 0) {
            base = made;
            begun = 1;
        }
        points[made++] = point;
        last = mark;
    }
    return made;
}

size_t dgqc_normalize(const dgqc_characters *c, const uint8_t *text, size_t bytes, int32_t *apart, int32_t *points)
{
    size_t count = 0, made = 0, taken;
    int spaced = 0;
    for (size_t i = 0; i < bytes; i += taken) {
        count += take_apart(c, dgqc_character(text + i, bytes - i, &taken), apart + count);
    }
    order(c, apart, count);
    count = compose(c, apart, count);
    for (size_t i = 0; i < count; i++) {
        const int space = dgqc_class_of(c, apart[i]) == DGQC_SPACE;
        const size_t row = row_of(c->small_from, c->smalls, apart[i]);
        if (space && !spaced) {
            points[made++] = ' ';
        } else if (!space && row == c->smalls) {
            points[made++] = apart[i];
        } else if (!space) {
            points[made++] = c->small_to[2 * row];
            if (c->small_to[2 * row + 1] != 0) {
                points[made++] = c->small_to[2 * row + 1];
            }
        }
        spaced = space;
    }
    return made;
}
