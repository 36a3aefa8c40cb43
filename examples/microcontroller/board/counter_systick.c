/* Counts with the timer that every Cortex-M has. Under qemu -icount it counts instructions; how many to a tick
 * depends on the machine's clock, so a loop of known length tells. */
#include "counter.h"
#include "memory_map.h"

#define SYSTICK_CONTROL (*(volatile uint32_t *)0xE000E010u)
#define SYSTICK_RELOAD (*(volatile uint32_t *)0xE000E014u)
#define SYSTICK_VALUE (*(volatile uint32_t *)0xE000E018u)

enum { RANGE = 1 << 24, LOOPS = 2000000, INSTRUCTIONS_A_LOOP = 2 };

static volatile uint32_t wraps;
static uint64_t ticks_of_loops, begun;

void systick_handler(void);
void systick_handler(void)
{
    wraps++;
}

static uint64_t ticks(void)
{
    uint32_t before, value;
    do {
        before = wraps;
        value = SYSTICK_VALUE;
    } while (before != wraps);
    return (uint64_t)before * RANGE + (RANGE - 1 - value);
}

static void known_loop(void)
{
    uint32_t left = LOOPS;
    __asm__ volatile("1: subs %0, #1\n\tbne 1b" : "+l"(left) : : "cc");
}

void counter_begin(void)
{
    if (ticks_of_loops == 0) {
        SYSTICK_RELOAD = RANGE - 1;
        SYSTICK_VALUE = 0;
        SYSTICK_CONTROL = 7; /* on, with its interrupt, at the processor's clock */
        while (SYSTICK_VALUE == 0) {
            /* It is loaded at the next tick. */
        }
        begun = ticks();
        known_loop();
        ticks_of_loops = ticks() - begun;
    }
    begun = ticks();
}

uint64_t counter_instructions(void)
{
    return (ticks() - begun) * (LOOPS * INSTRUCTIONS_A_LOOP) / ticks_of_loops;
}

uint32_t counter_stack_bytes(void)
{
    const uint32_t *untouched = memory_stack_end;
    while (*untouched == STACK_PAINT) {
        untouched++;
    }
    return (uint32_t)((const char *)memory_stack_begin - (const char *)untouched);
}
