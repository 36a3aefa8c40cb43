/* %s, %d and %lu, and nothing else, on a board's console. */
#include <stdarg.h>

#include "console.h"
#include "stdio.h"

static void write_number(unsigned long number)
{
    char digits[21], *first = &digits[20];
    *first = '\0';
    do {
        *--first = (char)('0' + (int)(number % 10));
        number /= 10;
    } while (number > 0);
    console_write(first);
}

int printf(const char *format, ...)
{
    va_list values;
    va_start(values, format);
    for (; *format != '\0'; format++) {
        if (*format != '%') {
            const char one[2] = {*format, '\0'};
            console_write(one);
        } else if (*++format == 's') {
            console_write(va_arg(values, const char *));
        } else if (*format == 'd') {
            const int number = va_arg(values, int);
            if (number < 0) {
                console_write("-");
            }
            write_number(number < 0 ? 0UL - (unsigned long)number : (unsigned long)number);
        } else {
            format++;
            write_number(va_arg(values, unsigned long));
        }
    }
    va_end(values);
    return 0;
}
