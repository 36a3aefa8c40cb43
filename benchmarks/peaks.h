/* What one core can do at most: a clock, and loops of nothing but the machine's byte products. A program includes this once,
 * after dgqc_matrix.h. */
#ifndef PEAKS_H
#define PEAKS_H

#include <time.h>

/* Seconds of this process alone, whatever else the core does meanwhile. */
static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Byte products a second, in 10^9, of sums in registers, enough of them to hide their latency. They begin differently
 * (as far as a compiler knows), or they would be computed once. */
#define REPEAT(DO) DO(0) DO(1) DO(2) DO(3) DO(4) DO(5) DO(6) DO(7) DO(8) DO(9) DO(10) DO(11)
enum { SUMS = 12, TURNS = 200000 };

#if defined(__AVX512VNNI__)
#include <immintrin.h>
#define HAS_PEAK
typedef __m512i vector;
#define DOT(i) sum##i = _mm512_dpbusd_epi32(sum##i, a, b);
#elif defined(__AVXVNNI__)
#include <immintrin.h>
#define HAS_PEAK
typedef __m256i vector;
#define DOT(i) sum##i = _mm256_dpbusd_avx_epi32(sum##i, a, b);
#elif defined(__aarch64__) && defined(__ARM_FEATURE_DOTPROD)
#include <arm_neon.h>
#define HAS_PEAK
typedef int32x4_t vector;
#define DOT(i) sum##i = vdotq_s32(sum##i, vreinterpretq_s8_s32(a), vreinterpretq_s8_s32(b));
#endif

/* Whether the operating system lets this process use the matrix units of AMX. */
#if defined(__linux__) && defined(__x86_64__)
static int permitted(void)
{
    long answer;
    __asm__ volatile("syscall" : "=a"(answer) : "0"(158L), "D"(0x1023L), "S"(18L) : "rcx", "r11", "memory");
    return answer == 0;
}
#else
static int permitted(void)
{
    return 0;
}
#endif

#ifdef HAS_PEAK
static double peak(void)
{
    static volatile vector sink;
    const vector a = sink, b = sink;
#define BEGIN(i) vector sum##i = sink;
#define END(i) sink = sum##i;
    REPEAT(BEGIN)
    const double begin = now();
    for (int turn = 0; turn < TURNS; turn++) {
        REPEAT(DOT)
        __asm__ volatile("" ::: "memory");
    }
    const double seconds = now() - begin;
    REPEAT(END)
    return (double)sizeof(vector) * SUMS * TURNS / seconds * 1e-9;
}
#else
static double peak(void)
{
    return 0;
}
#endif

/* Byte products a second, in 10^9, of the machine's matrix units; 0 where it has none, or may not use them. */
#if defined(DGQC_MATRIX) && !defined(DGQC_MATRIX_EMULATED)
static double matrix_peak(void)
{
    static uint8_t codes[2][DGQC_MATRIX_BYTES], weights[2][DGQC_MATRIX_BYTES];
    enum { DOTS = 4 };
    if (!permitted()) {
        return 0;
    }
    DGQC_MATRIX_HELD(units)
    dgqc_matrix_begin();
    DGQC_MATRIX_LOAD(units, 4, codes[0], DGQC_MATRIX_ROW);
    DGQC_MATRIX_LOAD(units, 5, codes[1], DGQC_MATRIX_ROW);
    DGQC_MATRIX_LOAD(units, 6, weights[0], DGQC_MATRIX_ROW);
    DGQC_MATRIX_LOAD(units, 7, weights[1], DGQC_MATRIX_ROW);
    const double begin = now();
    for (int turn = 0; turn < TURNS / 4; turn++) {
        DGQC_MATRIX_DOT(units, 0, 4, 6);
        DGQC_MATRIX_DOT(units, 1, 4, 7);
        DGQC_MATRIX_DOT(units, 2, 5, 6);
        DGQC_MATRIX_DOT(units, 3, 5, 7);
    }
    const double seconds = now() - begin;
    dgqc_matrix_end();
    return (double)(DGQC_MATRIX_BYTES / 4) * DGQC_MATRIX_ROW * DOTS * (TURNS / 4) / seconds * 1e-9;
}
#else
static double matrix_peak(void)
{
    return 0;
}
#endif

#endif
