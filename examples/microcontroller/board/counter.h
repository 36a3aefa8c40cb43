/* How much a program did: instructions executed and bytes of stack touched. 0 where nobody can say. */
#ifndef COUNTER_H
#define COUNTER_H

#include <stdint.h>

void counter_begin(void);

/* Since counter_begin. Under qemu -icount these are instructions, rounded to a tick of the timer (about 40). */
uint64_t counter_instructions(void);

uint32_t counter_stack_bytes(void);

#endif
