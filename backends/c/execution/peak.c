/* The most int8 multiply-accumulates the cores can do: one instruction on registers, over and over.
 *
 *     peak                    says how many a thread does each time
 *     peak THREADS TIMES      reads how many measurements to take from each line, answers with their seconds
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#ifdef _OPENMP
#include <omp.h>
#endif

/* Independent sums, so that none waits for the one before. Each has a name: compilers keep an array in memory. */
#define CHAINS(DO) DO(0) DO(1) DO(2) DO(3) DO(4) DO(5) DO(6) DO(7) DO(8) DO(9) DO(10) DO(11)
enum { SUMS = 12 };

#if defined(__AVX512VNNI__)
#include <immintrin.h>
enum { AT_ONCE = 64 };
typedef __m512i vector;
#define ALL(number) _mm512_set1_epi32(number)
#define DOT(i) sum##i = _mm512_dpbusd_epi32(sum##i, a, b);
#define END(i) total = _mm512_add_epi32(total, sum##i);
#define RESULT(total) _mm512_reduce_add_epi32(total)
#elif defined(__AVX2__)
#include <immintrin.h>
enum { AT_ONCE = 16 };
typedef __m256i vector;
#define ALL(number) _mm256_set1_epi32(number)
#define DOT(i) sum##i = _mm256_add_epi32(sum##i, _mm256_madd_epi16(a, _mm256_xor_si256(b, sum##i)));
#define END(i) total = _mm256_add_epi32(total, sum##i);
#define RESULT(total) _mm256_extract_epi32(total, 0)
#elif defined(__ARM_FEATURE_DOTPROD)
#include <arm_neon.h>
enum { AT_ONCE = 16 };
typedef int32x4_t vector;
#define ALL(number) vdupq_n_s32(number)
#define DOT(i) sum##i = vdotq_s32(sum##i, vreinterpretq_s8_s32(a), vreinterpretq_s8_s32(b));
#define END(i) total = vaddq_s32(total, sum##i);
#define RESULT(total) vaddvq_s32(total)
#else
enum { AT_ONCE = 1 };
typedef int vector;
#define ALL(number) (number)
#define DOT(i) sum##i += a * (b ^ sum##i);
#define END(i) total += sum##i;
#define RESULT(total) (total)
#endif
#define BEGIN(i) vector sum##i = ALL(i);

static int work(long times)
{
    const vector a = ALL(0x03030303), b = ALL((int)(times % 5));
    vector total = ALL(0);
    CHAINS(BEGIN)
    for (long n = 0; n < times; n++) {
        CHAINS(DOT)
        __asm__ volatile("" ::: "memory");
    }
    CHAINS(END)
    return RESULT(total);
}

static double now(void)
{
    struct timespec found;
    timespec_get(&found, TIME_UTC);
    return (double)found.tv_sec + 1e-9 * (double)found.tv_nsec;
}

int main(int count, char **arguments)
{
    int measurements, seen = 0;
    if (count != 3) {
        printf("%d\n", SUMS * AT_ONCE);
        return 0;
    }
    const long times = atol(arguments[2]);
#ifdef _OPENMP
    omp_set_num_threads(atoi(arguments[1]));
#endif
    printf("ready\n");
    fflush(stdout);
    while (scanf("%d", &measurements) == 1) {
        for (int m = 0; m < measurements; m++) {
            const double start = now();
#pragma omp parallel reduction(^ : seen)
            seen ^= work(times);
            printf("%.9f ", now() - start);
        }
        printf("\n");
        fflush(stdout);
    }
    return seen == 1; /* used, so that it is computed */
}
