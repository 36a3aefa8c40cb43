/* What a test program prints with where there is no libc. */
#ifndef FREESTANDING_STDIO_H
#define FREESTANDING_STDIO_H

int printf(const char *format, ...);

#endif
