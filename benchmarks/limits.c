/* What bounds a call's ops on one core: byte products a second, and bytes that a copy reads and writes.
 * benchmarks/profile_call.py compiles this and calls it between its rounds. */
#define _POSIX_C_SOURCE 199309L

#include "dgqc_matrix.h"
#include "peaks.h"

/* In 10^9 a second. */
double limits_vectors(void)
{
    return peak();
}

/* The same of the machine's matrix units; 0 where there are none, or none that this process may use. */
double limits_matrix_units(void)
{
    return matrix_peak();
}

/* Bytes a second, in 10^9, read and written both, that copies from one half of this memory to the other move. */
double limits_copies(unsigned char *memory, size_t bytes)
{
    enum { LEAST = 1 << 26 };
    const size_t half = bytes / 2, times = LEAST / (half + 1) + 1;
    memcpy(memory + half, memory, half);
    const double begin = now();
    for (size_t turn = 0; turn < times; turn++) {
        memcpy(memory + half, memory, half);
        __asm__ volatile("" ::: "memory");
    }
    return 2e-9 * (double)half * (double)times / (now() - begin);
}
