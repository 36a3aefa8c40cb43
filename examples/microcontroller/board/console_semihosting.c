/* Semihosting: a breakpoint that a debugger, or qemu, takes for a request. On a product this would be a UART. */
#include "console.h"

#include <stdint.h>

enum { SYS_WRITE0 = 0x04, SYS_EXIT_EXTENDED = 0x20 };

static const uint32_t APPLICATION_EXIT = 0x20026;

static void request(uint32_t operation, const void *argument)
{
    register uint32_t r0 __asm__("r0") = operation;
    register const void *r1 __asm__("r1") = argument;
    __asm__ volatile("bkpt 0xAB" : "+r"(r0) : "r"(r1) : "memory");
}

void console_write(const char *text)
{
    request(SYS_WRITE0, text);
}

void console_end(int status)
{
    const uint32_t argument[2] = {APPLICATION_EXIT, (uint32_t)status};
    for (;;) {
        request(SYS_EXIT_EXTENDED, argument);
    }
}
