#include "printing.h"

#include "console.h"

void write_number(const char *before, uint64_t number, const char *after)
{
    char digits[21], *first = &digits[20];
    *first = '\0';
    do {
        *--first = (char)('0' + (int)(number % 10));
        number /= 10;
    } while (number > 0);
    console_write(before);
    console_write(first);
    console_write(after);
}

void write_hexadecimal(uint32_t number, int places)
{
    char text[9];
    for (int i = 0; i < places; i++) {
        text[i] = "0123456789abcdef"[(number >> (4 * (places - 1 - i))) & 15u];
    }
    text[places] = '\0';
    console_write(text);
}

void checksum_add(checksum *sum, uint32_t number)
{
    sum->plain = (sum->plain + (number & 65535u)) % 65535u;
    sum->weighted = (sum->weighted + sum->plain) % 65535u;
}

uint32_t checksum_of(const checksum *sum)
{
    return sum->weighted << 16 | sum->plain;
}
