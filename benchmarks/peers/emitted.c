/* Times an emitted program.
 *
 *     caller INPUTS STEP SCALE [WEIGHTS] OUTPUT THREADS
 *
 * INPUTS: the sample, then the context, int16. OUTPUT becomes the result in float32. Says "ready" after one call,
 * and then answers each number of calls with their seconds.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <omp.h>

#include "model.h"
#if defined(MAPPED)
#include "map_weights.h"
#elif defined(STREAMED)
#include "stream_weights.h"
#endif

static int16_t sample[MODEL_SAMPLE_ELEMENTS], context[MODEL_ENCODER_HIDDEN_STATES_ELEMENTS];
static int16_t output[MODEL_OUTPUT_ELEMENTS];
static float real[MODEL_OUTPUT_ELEMENTS];

static void check(int fine, const char *what)
{
    if (!fine) {
        fprintf(stderr, "%s\n", what);
        exit(1);
    }
}

/* Whether the operating system lets this process use the matrix units of AMX. */
static int matrix_units_permitted(void)
{
#if defined(__linux__) && defined(__x86_64__)
    long answer;
    __asm__ volatile("syscall" : "=a"(answer) : "0"(158L), "D"(0x1023L), "S"(18L) : "rcx", "r11", "memory");
    return answer == 0;
#else
    return 0;
#endif
}

int main(int count, char **arguments)
{
#if defined(MAPPED) || defined(STREAMED)
    enum { WEIGHTS = 4, OUTPUT, THREADS, COUNT };
#endif
#if defined(STREAMED)
    const uint64_t weights_bytes = 0; /* where they begin in the file */
    const dgqc_reader *weights = count == COUNT ? open_weights(arguments[WEIGHTS]) : NULL;
#elif defined(MAPPED)
    size_t weights_bytes = 0;
    const void *weights = count == COUNT ? map_weights(arguments[WEIGHTS], &weights_bytes) : NULL;
#else
    enum { OUTPUT = 4, THREADS, COUNT };
    const size_t weights_bytes = MODEL_WEIGHTS_BYTES;
    const void *weights = &model_weights;
#endif
    model_program program;
    FILE *file;
    int32_t step;
    int calls;
    size_t arena_bytes;
    check(count == COUNT && weights != NULL, "caller INPUTS STEP SCALE [WEIGHTS] OUTPUT THREADS");
    step = atoi(arguments[2]);
    omp_set_num_threads(atoi(arguments[THREADS]));
    file = fopen(arguments[1], "rb");
    check(file != NULL && fread(sample, sizeof sample, 1, file) == 1 && fread(context, sizeof context, 1, file) == 1,
          "the inputs can't be read");
    fclose(file);
    model_use_matrix_units(getenv("WITHOUT_MATRIX_UNITS") == NULL && matrix_units_permitted());
    arena_bytes = (model_arena_bytes() + MODEL_ARENA_ALIGNMENT - 1) / MODEL_ARENA_ALIGNMENT * MODEL_ARENA_ALIGNMENT;
    check(model_init(&program, weights, weights_bytes, aligned_alloc(MODEL_ARENA_ALIGNMENT, arena_bytes),
                     arena_bytes) == MODEL_OK, "the program can't be made ready");
    check(model_run(&program, step, sample, context, output) == MODEL_OK, "the program refuses to run");
    for (size_t i = 0; i < MODEL_OUTPUT_ELEMENTS; i++) {
        real[i] = (float)(output[i] * atof(arguments[3]));
    }
    file = fopen(arguments[OUTPUT], "wb");
    check(file != NULL && fwrite(real, sizeof real, 1, file) == 1, "the output can't be written");
    fclose(file);
    printf("ready\n");
    fflush(stdout);
    while (scanf("%d", &calls) == 1) {
        for (int i = 0; i < calls; i++) {
            const double start = omp_get_wtime();
            model_run(&program, step, sample, context, output);
            printf("%.9f ", omp_get_wtime() - start);
        }
        printf("\n");
        fflush(stdout);
    }
    return 0;
}
