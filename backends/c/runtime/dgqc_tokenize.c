/* A prompt's ids: special tokens, pieces, and what each piece is made of (ir/tokenizer.py). */

#include "dgqc_tokenize.h"

enum { NO_RANK = 0x7FFFFFFF, MOST_BYTES = 0x10000 };

static const char *const contractions[] = {"'s", "'t", "'re", "'ve", "'m", "'ll", "'d"};

/* What is being made: as many ids as a prompt has room for. */
typedef struct {
    const dgqc_tokenizer *t;
    size_t count;
    int32_t *ids;
    int32_t *apart, *points, *tokens, *ranks;
} making;

static int full(const making *m)
{
    return m->count + 1 >= m->t->length;
}

static void put(making *m, int32_t id)
{
    if (!full(m)) {
        m->ids[m->count++] = id;
    }
}

static size_t size_of(const char *text)
{
    size_t bytes = 0;
    /* With a bound, compilers don't make a call of strlen out of it. */
    while (bytes < MOST_BYTES && text[bytes] != 0) {
        bytes++;
    }
    return bytes;
}

/* How many points a text takes where it stands at the beginning of others, else 0. */
static size_t stands(const char *text, const int32_t *points, size_t count)
{
    const uint8_t *wanted = (const uint8_t *)text;
    const size_t bytes = size_of(text);
    size_t place = 0, taken;
    for (size_t i = 0; i < bytes; i += taken) {
        const int32_t point = dgqc_character(wanted + i, bytes - i, &taken);
        if (place >= count || points[place] != point) {
            return 0;
        }
        place++;
    }
    return place;
}

/* Where in the table of merges a pair is, or the number of merges. */
static size_t merge_of(const dgqc_tokenizer *t, int32_t left, int32_t right)
{
    size_t low = 0, high = t->merges;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        const int32_t l = t->merge_left[middle], r = t->merge_right[middle];
        if (l == left && r == right) {
            return middle;
        }
        if (l < left || (l == left && r < right)) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return t->merges;
}

static int32_t rank_of(const making *m, size_t place, size_t count)
{
    size_t merge;
    if (place + 1 >= count) {
        return NO_RANK;
    }
    merge = merge_of(m->t, m->tokens[place], m->tokens[place + 1]);
    return merge == m->t->merges ? NO_RANK : m->t->merge_rank[merge];
}

/* Merges the pair that ranks first, the leftmost of equals, until none is left. */
static size_t merge_all(making *m, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        m->ranks[i] = rank_of(m, i, count);
    }
    for (;;) {
        size_t best = 0;
        for (size_t i = 1; i < count; i++) {
            best = m->ranks[i] < m->ranks[best] ? i : best;
        }
        if (m->ranks[best] == NO_RANK) {
            return count;
        }
        m->tokens[best] = m->t->merge_result[merge_of(m->t, m->tokens[best], m->tokens[best + 1])];
        count--;
        for (size_t i = best + 1; i < count; i++) {
            m->tokens[i] = m->tokens[i + 1];
            m->ranks[i] = m->ranks[i + 1];
        }
        m->ranks[best] = rank_of(m, best, count);
        if (best > 0) {
            m->ranks[best - 1] = rank_of(m, best - 1, count);
        }
    }
}

/* The tokens of a piece, one to begin with for each byte. */
static void put_piece(making *m, const int32_t *points, size_t count)
{
    uint8_t bytes[4] = {0};
    size_t tokens = 0, taken = 0;
    for (size_t i = 0; i < count; i++) {
        taken = dgqc_character_bytes(points[i], bytes);
        for (size_t k = 0; k < taken; k++) {
            m->tokens[tokens++] = m->t->alone[bytes[k]];
        }
    }
    m->tokens[tokens - 1] = m->t->last[bytes[taken - 1]];
    tokens = merge_all(m, tokens);
    for (size_t i = 0; i < tokens; i++) {
        put(m, m->tokens[i]);
    }
}

/* The longest of several texts that stands at the beginning of points, in points. */
static size_t longest(const char *const *texts, size_t many, const int32_t *points, size_t count)
{
    size_t found = 0;
    for (size_t i = 0; i < many; i++) {
        const size_t one = stands(texts[i], points, count);
        found = one > found ? one : found;
    }
    return found;
}

/* Letters that follow each other, numbers one by one, ends of words, and what is neither. */
static void put_pieces(making *m, const int32_t *points, size_t count)
{
    const dgqc_characters *c = m->t->characters;
    size_t place = 0, stop = 0;
    while (place < count && !full(m)) {
        size_t end;
        int32_t class;
        if (place >= stop) {
            const size_t literal = longest(m->t->literal_texts, m->t->literals, points + place, count - place);
            stop = literal == 0 ? 0 : place + literal;
        }
        end = place + longest(contractions, sizeof contractions / sizeof *contractions, points + place, count - place);
        class = dgqc_class_of(c, points[place]);
        if (end == place) {
            end++;
            while (class != DGQC_NUMBER && end < (stop > place ? stop : count) && dgqc_class_of(c, points[end]) == class) {
                end++;
            }
        }
        if (class != DGQC_SPACE) {
            put_piece(m, points + place, end - place);
        }
        place = end;
    }
}

/* Which special token stands at the beginning of bytes, and how many it takes; the number of specials for none. */
static size_t special_in_text(const dgqc_tokenizer *t, const uint8_t *text, size_t bytes, size_t *taken)
{
    size_t found = t->specials;
    *taken = 0;
    for (size_t i = 0; i < t->specials; i++) {
        const size_t size = size_of(t->special_texts[i]);
        size_t same = 0;
        while (same < size && same < bytes && text[same] == (uint8_t)t->special_texts[i][same]) {
            same++;
        }
        if (!t->special_normalized[i] && same == size && size > *taken) {
            found = i;
            *taken = size;
        }
    }
    return found;
}

/* Likewise among points, of those that are looked for after normalization. */
static size_t special_in_points(const dgqc_tokenizer *t, const int32_t *points, size_t count, size_t *taken)
{
    size_t found = t->specials;
    *taken = 0;
    for (size_t i = 0; i < t->specials; i++) {
        const size_t size = stands(t->special_texts[i], points, count);
        if (t->special_normalized[i] && size > *taken) {
            found = i;
            *taken = size;
        }
    }
    return found;
}

static void put_pairs(making *m, const uint8_t *text, size_t bytes)
{
    const size_t count = dgqc_normalize(m->t->characters, text, bytes, m->apart, m->points);
    size_t begin = 0, place = 0, taken;
    while (place < count) {
        const size_t special = special_in_points(m->t, m->points + place, count - place, &taken);
        if (special == m->t->specials) {
            place++;
            continue;
        }
        put_pieces(m, m->points + begin, place - begin);
        put(m, m->t->special_ids[special]);
        place += taken;
        begin = place;
    }
    put_pieces(m, m->points + begin, count - begin);
}

/* Whether a word of the table comes before (-1), is (0), or comes after (1) a word of the text. */
static int compared(const dgqc_tokenizer *t, size_t word, const uint8_t *text, size_t bytes)
{
    const uint8_t *known = t->word_text + t->word_begins[word];
    const size_t size = (size_t)(t->word_begins[word + 1] - t->word_begins[word]);
    for (size_t i = 0; i < size && i < bytes; i++) {
        if (known[i] != text[i]) {
            return known[i] < text[i] ? -1 : 1;
        }
    }
    return size == bytes ? 0 : size < bytes ? -1 : 1;
}

static void put_word(making *m, const uint8_t *text, size_t bytes)
{
    size_t low = 0, high = m->t->words;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        const int order = compared(m->t, middle, text, bytes);
        if (order == 0) {
            put(m, m->t->word_ids[middle]);
            return;
        }
        if (order < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    put(m, m->t->unknown);
}

static void put_words(making *m, const uint8_t *text, size_t bytes)
{
    size_t begin = 0, taken;
    for (size_t place = 0; place < bytes; place += taken) {
        if (dgqc_class_of(m->t->characters, dgqc_character(text + place, bytes - place, &taken)) == DGQC_SPACE) {
            if (begin < place) {
                put_word(m, text + begin, place - begin);
            }
            begin = place + taken;
        }
    }
    if (begin < bytes) {
        put_word(m, text + begin, bytes - begin);
    }
}

static void put_text(making *m, const uint8_t *text, size_t bytes)
{
    if (bytes == 0 || full(m)) {
        return;
    }
    if (m->t->merges != 0) {
        put_pairs(m, text, bytes);
    } else {
        put_words(m, text, bytes);
    }
}

void dgqc_tokenize(const dgqc_tokenizer *t, const uint8_t *text, size_t bytes, int32_t *memory, int32_t *ids)
{
    making m;
    size_t begin = 0, place = 0, taken;
    m.t = t;
    m.count = 1;
    m.ids = ids;
    /* 2 + 2 + 5 + 5 numbers a byte; composed small letters take at most 4.5 times the bytes of a text. */
    m.apart = memory;
    m.points = m.apart + 2 * bytes + 8;
    m.tokens = m.points + 2 * bytes + 8;
    m.ranks = m.tokens + 5 * bytes + 8;
    ids[0] = t->begin;
    while (place < bytes) {
        const size_t special = special_in_text(t, text + place, bytes - place, &taken);
        if (special == t->specials) {
            place++;
            continue;
        }
        put_text(&m, text + begin, place - begin);
        put(&m, t->special_ids[special]);
        place += taken;
        begin = place;
    }
    put_text(&m, text + begin, bytes - begin);
    ids[m.count++] = t->end;
    while (m.count < t->length) {
        ids[m.count++] = t->pad;
    }
}
