/* How fast products run: multiply-accumulates a second of dgqc_linear and dgqc_conv2d, on one thread, beside what a
 * loop of nothing but the machine's byte products reaches. benchmarks/kernels.py compiles and reads this. */
#define _POSIX_C_SOURCE 199309L

#include "dgqc_matrix.h"
#include "dgqc_product.h"
#include "peaks.h"

#include <stdio.h>
#include <stdlib.h>

enum { GROUPS = 8, ROUNDS = 12, VECTOR = 64 };

/* A product of one layer: rows of a matrix (kernel 1), or positions of a square image. */
typedef struct {
    size_t rows, channels, columns, kernel;
    size_t ends[GROUPS]; /* of groups of neighbouring channels */
} shape;

static uint32_t random_below(uint32_t count)
{
    static uint32_t state = 1;
    state = state * 1664525U + 1013904223U;
    return (uint32_t)((uint64_t)state * count >> 32);
}

static void *memory_of(size_t bytes)
{
    unsigned char *const memory = malloc(bytes + VECTOR);
    if (memory == NULL) {
        fprintf(stderr, "There is no memory for %zu bytes.\n", bytes);
        exit(1);
    }
    return memory + (VECTOR - (uintptr_t)memory % VECTOR); /* never freed: the process ends soon */
}

static void *random_bytes(size_t bytes, uint32_t below)
{
    uint8_t *const memory = memory_of(bytes);
    for (size_t i = 0; i < bytes; i++) {
        memory[i] = (uint8_t)random_below(below);
    }
    return memory;
}

/* Multiples of 4-bit weights are those that weights can take up, as compiled programs have them; `most` is their largest. */
static dgqc_operand operand_of(const shape *of, uint32_t most)
{
    const size_t channels = of->channels;
    int32_t *const zero = memory_of(GROUPS * sizeof *zero), *const multiple = memory_of(GROUPS * sizeof *multiple);
    uint8_t *const group = memory_of(channels);
    for (size_t g = 0; g < GROUPS; g++) {
        zero[g] = (int32_t)random_below(256);
        multiple[g] = 1 + (int32_t)random_below(most);
    }
    for (size_t c = 0, g = 0; c < channels; c++) {
        g += c == of->ends[g];
        group[c] = (uint8_t)g;
    }
    const dgqc_operand operand = {zero, multiple, group, GROUPS, channels, 1, 8};
    return operand;
}

static dgqc_combination combination_of(const dgqc_operand *operand, int bits)
{
    dgqc_segment segments[GROUPS];
    dgqc_combination combination = {GROUPS, 0, 32, 1, NULL, bits == 4};
    dgqc_find_segments(operand, operand->count, 0, segments);
    for (size_t s = 0; s < GROUPS; s++) {
        combination.row_bytes += dgqc_segment_quads(segments + s) * DGQC_QUAD;
    }
    return combination;
}

static int32_t *repeated(size_t count, int32_t value)
{
    int32_t *const table = memory_of(count * sizeof *table);
    for (size_t i = 0; i < count; i++) {
        table[i] = value;
    }
    return table;
}

static dgqc_weights weights_of(const shape *of, int bits)
{
    const size_t quads = of->kernel * of->kernel * ((of->channels + DGQC_QUAD - 1) / DGQC_QUAD);
    dgqc_panels panels = {NULL, of->columns, quads, bits};
    const size_t count = (of->columns + DGQC_PANEL_COLUMNS - 1) / DGQC_PANEL_COLUMNS;
    panels.data = random_bytes(count * dgqc_panel_bytes(&panels), 256);
    const dgqc_weights weights = {
        panels,         repeated(of->columns, 1 << 30), repeated(1, 1 << 30), repeated(1, 44),
        repeated(of->columns, 0), repeated(1, 1),       repeated(1, 1),
    };
    return weights;
}

static size_t side_of(size_t positions)
{
    size_t side = 1;
    while (side * side < positions) {
        side++;
    }
    return side;
}

/* Seconds of what a call prepares, and of its rows. */
typedef struct {
    double begin, rows;
} seconds;

typedef struct {
    dgqc_linear_parameters linear;
    dgqc_conv2d_parameters conv;
    int is_linear;
    uint8_t *x, *shared, *scratch;
    int16_t *y;
} layer;

static layer layer_of(const shape *of, int bits)
{
    const size_t side = side_of(of->rows), k = of->kernel, halo = (side + k - 1) * (side + k - 1);
    const dgqc_operand operand = operand_of(of, bits == 4 ? 16 : 63);
    const dgqc_combination combination = combination_of(&operand, bits);
    const dgqc_weights weights = weights_of(of, bits);
    const dgqc_linear_parameters linear = {of->channels, of->rows, operand, weights, combination};
    const dgqc_window window = {of->channels, side, side, k, k, 1, 1, k / 2, k / 2, side, side, 1};
    const dgqc_conv2d_parameters conv = {window, operand, weights, combination};
    const size_t tables = 65536 + of->columns * 32 + of->channels * 20; /* more than enough */
    layer made = {linear, conv, k == 1, random_bytes(of->rows * of->channels, 256), NULL, NULL, NULL};
    made.shared = memory_of(tables + halo * combination.row_bytes);
    made.scratch = memory_of(DGQC_BLOCK_ROWS * combination.row_bytes);
    made.y = memory_of(of->rows * of->columns * sizeof(int16_t));
    return made;
}

static seconds time_of(const layer *of, size_t row_count)
{
    const dgqc_rows rows = {0, row_count};
    seconds taken;
    const double start = now();
    if (of->is_linear) {
        dgqc_linear_prepare(&of->linear, 0, of->shared);
    } else {
        dgqc_conv2d_prepare(&of->conv, 0, of->x, of->shared);
    }
    const double prepared = now();
    if (of->is_linear) {
        dgqc_linear_rows(&of->linear, 0, rows, of->x, of->y, of->shared, of->scratch);
    } else {
        dgqc_conv2d_rows(&of->conv, 0, rows, of->y, of->shared);
    }
    taken.begin = prepared - start, taken.rows = now() - prepared;
    return taken;
}

/* Prints the best of some rounds, in which peak and product take turns. */
static void measure(const shape *of, int bits)
{
    const layer made = layer_of(of, bits);
    seconds best = {1e9, 1e9};
    double highest = 0, matrix = 0;
    for (int round = 0; round < ROUNDS; round++) {
        const double rate = peak(), matrix_rate = matrix_peak();
        const seconds taken = time_of(&made, of->rows);
        highest = rate > highest ? rate : highest;
        matrix = matrix_rate > matrix ? matrix_rate : matrix;
        best.begin = taken.begin < best.begin ? taken.begin : best.begin;
        best.rows = taken.rows < best.rows ? taken.rows : best.rows;
    }
    const double products = 1e-9 * (double)of->rows * (double)of->columns * (double)of->channels *
                            (double)(of->kernel * of->kernel);
    printf("%.2f %.2f %.2f %.2f\n", highest, matrix, products / best.rows, products / (best.begin + best.rows));
    fflush(stdout);
}

int main(void)
{
    shape of;
    int bits;
    dgqc_use_matrix_units(permitted());
    while (scanf("%zu %zu %zu %zu %d", &of.rows, &of.channels, &of.columns, &of.kernel, &bits) == 5) {
        for (size_t g = 0; g < GROUPS; g++) {
            if (scanf("%zu", &of.ends[g]) != 1) {
                return 1;
            }
        }
        measure(&of, bits);
    }
    return 0;
}
