/* The most int8 multiply-accumulates the cores can do: one instruction on registers, over and over.
 *
 *     peak THREADS TIMES      reads how many measurements to take from each line, answers with their seconds
 *
 * A thread does TIMES * CHAINS * LANES of them in each measurement.
 */
#include <stdio.h>
#include <stdlib.h>

#include <immintrin.h>
#include <omp.h>

#ifndef __AVX512VNNI__
#error "no vpdpbusd on 512 bits here"
#endif

enum { CHAINS = 16 }; /* independent sums, so that none waits for the one before */

static int work(long times)
{
    __m512i sum[CHAINS], total = _mm512_setzero_si512();
    const __m512i a = _mm512_set1_epi8(3), b = _mm512_set1_epi8((char)(times % 5));
    for (int i = 0; i < CHAINS; i++) {
        sum[i] = _mm512_set1_epi32(i);
    }
    for (long n = 0; n < times; n++) {
        for (int i = 0; i < CHAINS; i++) {
            sum[i] = _mm512_dpbusd_epi32(sum[i], a, b);
        }
    }
    for (int i = 0; i < CHAINS; i++) {
        total = _mm512_add_epi32(total, sum[i]);
    }
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
