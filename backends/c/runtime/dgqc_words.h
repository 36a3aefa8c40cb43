/* A few bytes in one go, at any alignment; what compilers call differently. */
#ifndef DGQC_WORDS_H
#define DGQC_WORDS_H

#include <stdint.h>
#include <string.h>

/* memcpy of a constant number of bytes. To a freestanding compiler memcpy is a function like any other, which it would
 * call even for four of them; its own it always writes out. */
/* Vector paths are written in the words of gcc and clang; other compilers take the portable one, same bits. */
#if !defined(__GNUC__) && !defined(DGQC_PORTABLE)
#define DGQC_PORTABLE
#endif

#ifdef __GNUC__
#define DGQC_COPY_FEW(to, from, bytes) __builtin_memcpy(to, from, bytes)
#else
#define DGQC_COPY_FEW(to, from, bytes) memcpy(to, from, bytes)
#endif

/* A function that a compiler puts in place, even a large one: for loops around a tile that would else be a call each. */
#ifdef __GNUC__
#define DGQC_IN_PLACE static inline __attribute__((always_inline))
#else
#define DGQC_IN_PLACE static inline
#endif

/* Stands after a variable that begins at a multiple of so many bytes. */
#ifdef __GNUC__
#define DGQC_ALIGNED(bytes) __attribute__((aligned(bytes)))
#else
#define DGQC_ALIGNED(bytes)
#endif

/* Brings memory that will be written into the first cache. */
#ifdef __GNUC__
#define DGQC_FETCH_TO_WRITE(x) __builtin_prefetch(x, 1)
#else
#define DGQC_FETCH_TO_WRITE(x) (void)(x)
#endif

static inline uint32_t dgqc_load_word(const void *from)
{
    uint32_t word;
    DGQC_COPY_FEW(&word, from, sizeof word);
    return word;
}

static inline void dgqc_store_word(void *to, uint32_t word)
{
    DGQC_COPY_FEW(to, &word, sizeof word);
}

#endif
