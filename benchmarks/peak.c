/* The most int8 multiply-accumulates the cores can do: one instruction on registers, over and over.
 *
 *     peak THREADS TIMES      reads how many measurements to take from each line, answers with their seconds
 *
 * A thread does TIMES * 12 sums * 64 of them in each measurement.
 */
#include <stdio.h>
#include <stdlib.h>

#include <immintrin.h>
#include <omp.h>

#ifndef __AVX512VNNI__
#error "no vpdpbusd on 512 bits here"
#endif

/* Independent sums, so that none waits for the one before. Each has a name: compilers keep an array in memory. */
#define CHAINS(DO) DO(0) DO(1) DO(2) DO(3) DO(4) DO(5) DO(6) DO(7) DO(8) DO(9) DO(10) DO(11)
#define BEGIN(i) __m512i sum##i = _mm512_set1_epi32(i);
#define DOT(i) sum##i = _mm512_dpbusd_epi32(sum##i, a, b);
#define END(i) total = _mm512_add_epi32(total, sum##i);

static int work(long times)
{
    const __m512i a = _mm512_set1_epi8(3), b = _mm512_set1_epi8((char)(times % 5));
    __m512i total = _mm512_setzero_si512();
    CHAINS(BEGIN)
    for (long n = 0; n < times; n++) {
        CHAINS(DOT)
        __asm__ volatile("" ::: "memory");
    }
    CHAINS(END)
    return _mm512_reduce_add_epi32(total);
}

int main(int count, char **arguments)
{
    const int threads = count == 3 ? atoi(arguments[1]) : 1;
    const long times = count == 3 ? atol(arguments[2]) : 0;
    int measurements, seen = 0;
    omp_set_num_threads(threads);
    printf("ready\n");
    fflush(stdout);
    while (scanf("%d", &measurements) == 1) {
        for (int m = 0; m < measurements; m++) {
            const double start = omp_get_wtime();
#pragma omp parallel reduction(^ : seen)
            seen ^= work(times);
            printf("%.9f ", omp_get_wtime() - start);
        }
        printf("\n");
        fflush(stdout);
    }
    return seen == 1; /* used, so that it is computed */
}
