/* Numbers as text, and checksums. */
#ifndef PRINTING_H
#define PRINTING_H

#include <stddef.h>
#include <stdint.h>

void write_number(const char *before, uint64_t number, const char *after);

void write_hexadecimal(uint32_t number, int places);

/* Fletcher's sum of numbers of 16 bits: a changed bit, or two swapped numbers, change it. One after another; from 0. */
typedef struct {
    uint32_t plain, weighted;
} checksum;

void checksum_add(checksum *sum, uint32_t number);

uint32_t checksum_of(const checksum *sum);

#endif
