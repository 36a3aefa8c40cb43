/* What runs before main: the vector table, coprocessors, memory. */
#include "console.h"
#include "memory_map.h"

int main(void);
void reset_handler(void);
void fault_handler(void);
void systick_handler(void);

typedef void (*handler)(void);

__attribute__((section(".vectors"), used)) static const handler vectors[16] = {
    (handler)(uintptr_t)memory_stack_begin,
    reset_handler,
    fault_handler,                                             /* NMI */
    fault_handler, fault_handler, fault_handler, fault_handler, /* hard, memory, bus, usage faults */
    fault_handler, 0, 0, 0, fault_handler, fault_handler, 0, fault_handler,
    systick_handler
};

__attribute__((naked)) void reset_handler(void)
{
    /* No C before the coprocessors are on, since a compiler may use Helium registers anywhere; and the stack is
     * painted before it is used. */
    __asm__ volatile("ldr r0, =0xE000ED88\n\t"
                     "ldr r1, [r0]\n\t"
                     "orr r1, r1, #0x00F00000\n\t"
                     "str r1, [r0]\n\t"
                     "dsb\n\t"
                     "isb\n\t"
                     "ldr r0, =memory_stack_end\n\t"
                     "ldr r1, =memory_stack_begin\n\t"
                     "ldr r2, =0x5A5A5A5A\n"
                     "1:\n\t"
                     "str r2, [r0], #4\n\t"
                     "cmp r0, r1\n\t"
                     "blo 1b\n\t"
                     "b prepare_memory");
}

__attribute__((used)) static void prepare_memory(void)
{
    const uint32_t *from = memory_data_in_flash;
    for (volatile uint32_t *to = memory_data_begin; to < memory_data_end;) {
        *to++ = *from++;
    }
    for (volatile uint32_t *to = memory_bss_begin; to < memory_bss_end;) {
        *to++ = 0;
    }
    console_end(main());
}

void fault_handler(void)
{
    console_write("fault\n");
    console_end(2);
}
