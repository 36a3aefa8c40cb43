/* From a prompt to the ids that a text encoder takes (ir/tokenizer.py, ir/unicode.py). */
#ifndef DGQC_TOKENIZE_H
#define DGQC_TOKENIZE_H

#include <stddef.h>
#include <stdint.h>

#include "dgqc_symbols.h"

/* Memory for byte pairs: numbers for each byte of a prompt, and some more. */
enum { DGQC_NUMBERS_A_BYTE = 14, DGQC_MORE_NUMBERS = 64 };

enum { DGQC_SPACE = 1, DGQC_LETTER = 2, DGQC_NUMBER = 3 };

/* Tables by code point, each sorted; `_to` have two numbers a row, 0 for none. */
typedef struct {
    size_t classes, smalls, parts, composes, marks;
    const int32_t *class_from, *class_of;
    const int32_t *small_from, *small_to;
    const int32_t *parts_from, *parts_to;
    const int32_t *composed;
    const int32_t *marks_from, *mark_of;
} dgqc_characters;

/* A tokenizer: of byte pairs where there are merges, else of whole words. */
typedef struct {
    size_t length;
    int32_t begin, end, pad, unknown;
    const dgqc_characters *characters;
    size_t specials;
    const char *const *special_texts;
    const int32_t *special_ids;
    const uint8_t *special_normalized;
    size_t literals;
    const char *const *literal_texts;
    size_t merges;
    const uint16_t *merge_left, *merge_right, *merge_rank, *merge_result;
    const uint16_t *alone, *last;
    size_t words;
    const uint8_t *word_text;
    const int32_t *word_begins, *word_ids;
} dgqc_tokenizer;

/* A character of UTF-8, and how many of `bytes` it takes; U+FFFD for a byte that begins none. */
int32_t dgqc_character(const uint8_t *text, size_t bytes, size_t *taken);
/* The bytes of a character, one to four. */
size_t dgqc_character_bytes(int32_t point, uint8_t bytes[4]);
int32_t dgqc_class_of(const dgqc_characters *c, int32_t point);
/* Text as points: composed (form C), one space for many, in small letters. apart: room for 2 points a byte; points: likewise.
 * Returns how many there are. */
size_t dgqc_normalize(const dgqc_characters *c, const uint8_t *text, size_t bytes, int32_t *apart, int32_t *points);

/* The ids of a prompt, `length` of them. memory: the numbers above. */
void dgqc_tokenize(const dgqc_tokenizer *t, const uint8_t *text, size_t bytes, int32_t *memory, int32_t *ids);

#endif
