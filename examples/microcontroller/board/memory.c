/* All of libc that the program needs. */
#include <stddef.h>
#include <stdint.h>

void *memcpy(void *restrict to, const void *restrict from, size_t count);
void *memmove(void *to, const void *from, size_t count);
void *memset(void *to, int value, size_t count);

/* Else the compiler would recognise these loops and have the functions call themselves. */
#pragma GCC optimize("no-tree-loop-distribute-patterns")

/* Memory may hold any type, and is moved four bytes at a time. */
typedef uint32_t __attribute__((may_alias)) word;

static void copy_upwards(void *to, const void *from, size_t count)
{
    unsigned char *target = to;
    const unsigned char *source = from;
    if (((uintptr_t)target | (uintptr_t)source) % sizeof(word) == 0) {
        for (; count >= sizeof(word); count -= sizeof(word)) {
            *(word *)(void *)target = *(const word *)(const void *)source;
            target += sizeof(word);
            source += sizeof(word);
        }
    }
    while (count-- > 0) {
        *target++ = *source++;
    }
}

void *memcpy(void *restrict to, const void *restrict from, size_t count)
{
    copy_upwards(to, from, count);
    return to;
}

void *memmove(void *to, const void *from, size_t count)
{
    unsigned char *target = to;
    const unsigned char *source = from;
    if ((uintptr_t)target - (uintptr_t)source >= count) {
        copy_upwards(to, from, count);
    } else {
        while (count-- > 0) {
            target[count] = source[count];
        }
    }
    return to;
}

void *memset(void *to, int value, size_t count)
{
    unsigned char *target = to;
    const word four = (unsigned char)value * 0x01010101u;
    while (count > 0 && (uintptr_t)target % sizeof(word) != 0) {
        *target++ = (unsigned char)value;
        count--;
    }
    for (; count >= sizeof(word); count -= sizeof(word)) {
        *(word *)(void *)target = four;
        target += sizeof(word);
    }
    while (count-- > 0) {
        *target++ = (unsigned char)value;
    }
    return to;
}
