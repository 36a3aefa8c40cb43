/* Addresses from the linker script, and what unused stack holds. */
#ifndef MEMORY_MAP_H
#define MEMORY_MAP_H

#include <stdint.h>

enum { STACK_PAINT = 0x5A5A5A5A };

extern uint32_t memory_data_begin[], memory_data_end[], memory_data_in_flash[];
extern uint32_t memory_bss_begin[], memory_bss_end[];
/* The stack grows from its beginning down to its end. */
extern uint32_t memory_stack_begin[], memory_stack_end[];

#endif
