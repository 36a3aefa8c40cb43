/* The kernels that an emitted program calls.
 *
 * Every kernel takes its constants in one const struct, the step (the UNet call's index in the schedule, 0 .. steps-1),
 * its tensors (contiguous, one sample) and, where it needs it, memory to work in, all owned by the caller.
 * A per-step table's first axis is the step. Kernels never allocate, never fail and use integers only; that
 * their arguments are right is proved when the program is compiled.
 *
 * A kernel that works row by row (a row is everything along the last axis) has up to two functions:
 *   dgqc_X_prepare runs once a call and prepares what all rows need in `shared`;
 *   dgqc_X_rows computes some rows of the result. What it reads row by row, and what it writes, points at the first
 *   of these rows; what it reads whole points at its beginning. It may run for several blocks of rows at once.
 * `scratch` holds nothing between two calls. Either is left out where a kernel doesn't need it.
 */
#ifndef DGQC_RUNTIME_H
#define DGQC_RUNTIME_H

#include <stddef.h>
#include <stdint.h>

#include "dgqc_denoising.h"
#include "dgqc_rows.h"
#include "dgqc_symbols.h"

/* Codes that enter a product: multiple * (code - zero), both of the index's group. */
typedef struct {
    const int32_t *zero;     /* [steps][groups] */
    const int32_t *multiple; /* [steps][groups], at least 1 */
    const uint8_t *group;    /* [count], or NULL: every index is of group 0 */
    size_t groups;
    size_t count;            /* indices along the grouped axis */
    int along_depth;         /* 1: groups lie along the axis that is summed over, 0: along the other */
    int code_bits;           /* 8: uint8_t, 16: int16_t */
} dgqc_operand;

/* How a sum is carried. narrow 1: operands as int16_t, `block` products at a time in int32_t, which provably holds them;
 * narrow 0: operands as int32_t, sums in int64_t. */
typedef struct {
    int narrow;
    size_t block;
    int wide;  /* 1: the result is wide: 20 bits in int32_t */
    int plain; /* 1: operands are int16_t as they lie, zero 0 and multiple 1, and narrow */
} dgqc_arithmetic;

/* A weight matrix as panels of 16 columns, in quads of the summed axis: blocks [16][4], int8_t. With 4 bits a block holds two
 * quads, the first in the low halves of its bytes; with 2, or the lowest 2 of 3, two of those blocks, nibble by nibble; behind
 * these stand blocks of third bits, for four of those. A convolution's taps come before its channels. What pads is 0. */
typedef struct {
    const void *data; /* [columns / 16, rounded up][blocks of a panel][16][4] */
    size_t columns, quads;
    int bits;         /* 8, 4, 3 or 2 */
} dgqc_panels;

/* How the sums of several groups of channels become one. */
typedef struct {
    size_t segments;     /* of neighbouring channels of one group */
    size_t row_bytes; /* of a row's (a pixel's) codes, each segment padded to the quads of the panels that it touches */
    int total_bits;   /* 32, or 64 where the whole sum needs that */
    size_t accumulations; /* blocks of segments whose sums 32 bits hold; of 64, a single segment without its multiple */
    const int32_t *ends; /* [accumulations]: the number of segments up to there; NULL: a single one */
    int absorbs; /* 1: weights of 4 bits can take up all multiples */
} dgqc_combination;

/* A weight matrix and the way from its sums to int16:
 * y = saturate16((sum * m + b + half) >> shift), m = column * factor * 2^-31, b = bias * bias_factor * 2^-bias_shift. */
typedef struct {
    dgqc_panels panels;
    const int32_t *column; /* [columns] */
    const int32_t *factor; /* [steps] */
    const int32_t *shift;  /* [steps] */
    const int32_t *bias;   /* [columns] */
    const int32_t *bias_factor, *bias_shift; /* [steps] */
    const int32_t *sums; /* [segments][columns]: each segment's weights added up; NULL: a call does that itself */
} dgqc_weights;

typedef struct {
    size_t columns;
    size_t count; /* indices of the grouped axis: columns, or rows of which `inner` have the same index */
    size_t inner; /* 0 where groups lie along the columns */
    const int32_t *multiplier, *offset, *shift; /* [steps][groups] */
    const uint8_t *group;                       /* [count], or NULL */
    size_t groups;
    int bits;
} dgqc_quantize_parameters;

typedef struct {
    size_t depth;           /* a row's length */
    size_t rows_per_sample; /* rows of the grouped axis where groups lie along it */
    dgqc_operand operand;   /* 8-bit codes */
    dgqc_weights weights;
    dgqc_combination combination;
} dgqc_linear_parameters;

typedef struct {
    size_t depth, rows_per_sample;
    dgqc_operand operand;
    dgqc_weights weights;
    dgqc_arithmetic arithmetic;
} dgqc_linear_general_parameters;

typedef struct {
    size_t channels, height, width;
    size_t kernel_height, kernel_width;
    size_t stride_height, stride_width;
    size_t padding_height, padding_width;
    size_t out_height, out_width, images; /* so many of this size, one after another */
} dgqc_window;

typedef struct {
    dgqc_window window;
    dgqc_operand operand; /* 8-bit codes, zeros 0 .. 255 */
    dgqc_weights weights;
    dgqc_combination combination;
    int32_t doubled; /* whether each pixel lies there four times, in squares that begin at even lines and places */
} dgqc_conv2d_parameters;

typedef struct {
    dgqc_window window;
    dgqc_operand operand;
    dgqc_weights weights;
    dgqc_arithmetic arithmetic;
} dgqc_conv2d_general_parameters;

/* Patches of an image of 16-bit values: that of each output position is quantized with the position's group. */
typedef struct {
    dgqc_window window;
    const int32_t *multiplier, *offset, *shift; /* [steps][groups], as in dgqc_quantize_parameters */
    int bits;
    dgqc_operand operand; /* groups of output positions */
} dgqc_patches;

typedef struct {
    dgqc_patches patches;
    dgqc_weights weights;
    dgqc_combination combination;
} dgqc_conv2d_pixel_parameters;

typedef struct {
    dgqc_patches patches;
    dgqc_weights weights;
    dgqc_arithmetic arithmetic;
} dgqc_conv2d_pixel_general_parameters;

typedef struct {
    size_t batches, right_batches; /* right_batches: equal to batches, or 1 for one right side shared by all */
    size_t rows, depth, columns;   /* of a batch */
    dgqc_operand left, right;
    const int32_t *factor, *shift; /* [steps] */
    int width;                     /* 16 or 32 bits of output */
    dgqc_arithmetic arithmetic;    /* narrow: block is even, every `block` products from a multiple of it on fit
                                      int32, and so does the whole sum times 2^(32 - shift) where shift < 32 */
    int by_codes;                  /* 1: 8-bit codes, zeros too, in whole quads, with groups along the rows of both sides
                                      or a single one; left multiples fit int16, 255 * 255 * depth times right ones
                                      int32; shift >= 32 */
} dgqc_matmul_parameters;

typedef struct {
    size_t rows, keys; /* of the whole value */
    int start;   /* 1: the first key is kept apart */
    int bits;    /* of a uniform code; log2 codes take limit instead */
    int limit;   /* largest log2 code */
    const int32_t *inverse, *shift, *mantissa, *exponent; /* [steps]: static scales only, else NULL */
} dgqc_softmax_parameters;

typedef struct {
    size_t batches, value_batches;
    size_t rows, keys, columns; /* of a batch; keys: without the start token */
    int start;
    const int32_t *probabilities; /* [codes], what a code stands for, in Q`fraction` */
    size_t codes;          /* at most 256 */
    int fraction;          /* 0, or at least 15 */
    int limbs;      /* bytes of a probability, at most 3; 0: each code stands for itself */
    int value_bytes; /* 1: 8-bit codes, with groups along the columns, or along keys in `segments`; 2: values fit int16_t;
                        0: any others. 1 and 2 take at most 2^16 keys */
    size_t segments;        /* of keys of one group side by side, where codes are probabilities; else 0 */
    const int32_t *ends; /* [segments], the key after each */
    dgqc_operand values;
    const int32_t *factor, *shift; /* [steps] */
} dgqc_attend_parameters;

typedef struct {
    size_t channels;         /* they are last */
    size_t groups, elements, images; /* group_norm only: elements of a channel of an image, each by itself */
    const int32_t *gamma, *beta;       /* [channels] */
    const int32_t *gamma_factor, *gamma_shift, *beta_factor, *beta_shift; /* [steps] */
    const int64_t *epsilon; /* [steps], or [steps][groups] */
    int epsilon_of_each_group;
} dgqc_norm_parameters;

typedef struct {
    size_t columns;
    const int32_t *table;                      /* [3][64]: values, slopes and curves of 64 parabolas */
    const int32_t *index_factor, *index_shift; /* [steps], factors below 2^16 */
    const int32_t *factor, *shift;             /* [steps] */
} dgqc_activation_parameters;

/* The same where a step of a column is 2^(exponent / 4) times as large; index_factor is that of exponent 0, below 2^15
 * where there are exponents. With columns a result's factor is round_shift(column * factor, 31). */
typedef struct {
    size_t columns;
    const int32_t *table;
    const int32_t *index_factor, *index_shift, *factor, *shift; /* [steps] */
    const int32_t *exponent, *column;                           /* [columns] or NULL, 0 or more */
} dgqc_activation_columns_parameters;

#define DGQC_PAIR_AXES 3

/* One of two tensors that are broadcast against each other to rows of `columns`. */
typedef struct {
    int whole;                 /* 1: it is broadcast over rows and given whole, 0: it is given at the block's rows */
    size_t size[DGQC_PAIR_AXES], stride[DGQC_PAIR_AXES]; /* axes of the rows, and how far it moves along each; not whole: stride[2] a row */
    int single;                /* 1: one value for all columns */
} dgqc_side;

typedef struct {
    size_t columns;
    dgqc_side a, b;
} dgqc_pair;

typedef struct {
    dgqc_pair pair;
    const int32_t *a_factor, *b_factor, *shift; /* [steps], factors at most 2^30 */
} dgqc_add_parameters;

/* The same where a factor of a column is column * factor / 2^31. */
typedef struct {
    dgqc_pair pair;
    const int32_t *a_factor, *b_factor, *shift, *a_column, *b_column; /* [steps], the last two [columns], 0 or more */
} dgqc_add_columns_parameters;

typedef struct {
    dgqc_pair pair;
    const int32_t *factor, *shift; /* [steps] */
} dgqc_mul_parameters;

typedef struct {
    size_t columns;
    const int32_t *factor, *shift; /* [steps] */
} dgqc_rescale_parameters;

typedef struct {
    size_t bytes; /* of a position */
    size_t height, width, out_height, out_width;
} dgqc_upsample_parameters;

typedef struct {
    size_t channels, height, width, out_height, out_width;
    size_t kernel, stride;
} dgqc_pool_parameters;

#define DGQC_PERMUTE_AXES 6
typedef struct {
    size_t size[DGQC_PERMUTE_AXES], stride[DGQC_PERMUTE_AXES]; /* of y, in elements of x; the last is a row */
    size_t item;
} dgqc_permute_parameters;

#define DGQC_GATHER_RUN 64
#define DGQC_GATHER_PAGE 128
typedef struct {
    size_t outer, count, inner; /* axes before, along and after the permuted one; count below 2^15 */
    const int16_t *order;       /* [count] */
    const uint8_t *pages;       /* [count / DGQC_GATHER_RUN rounded up][2], along the last axis: order / DGQC_GATHER_PAGE lies between these */
    size_t item;                /* bytes of an element: 1, 2 or 4 */
} dgqc_gather_parameters;

/* 64-bit words at the beginning of a program's block of constants: magic, format and header bytes, all bytes, the
 * sum of all 32-bit words after the header, and the sum of that sum's values on the way. */
#define DGQC_WEIGHTS_HEADER 8

/* Whether a block begins with this header. weights: at least DGQC_WEIGHTS_HEADER words. */
int dgqc_weights_known(const void *weights, const uint64_t *header);
/* Whether a block's sums are those of its header; reads all of it. */
int dgqc_weights_whole(const void *weights, const uint64_t *header);

void dgqc_quantize_prepare(const dgqc_quantize_parameters *p, size_t step, void *shared);
void dgqc_quantize_rows(const dgqc_quantize_parameters *p, size_t step, dgqc_rows rows, const int16_t *x,
                        uint8_t *y, const void *shared);
/* Products of codes and weights. The general ones take any codes and any sums, and are slower: twice at least. */
void dgqc_linear_prepare(const dgqc_linear_parameters *p, size_t step, void *shared);
void dgqc_linear_rows(const dgqc_linear_parameters *p, size_t step, dgqc_rows rows, const uint8_t *x, int16_t *y,
                      const void *shared, void *scratch);
void dgqc_linear_general_prepare(const dgqc_linear_general_parameters *p, size_t step, void *shared);
void dgqc_linear_general_rows(const dgqc_linear_general_parameters *p, size_t step, dgqc_rows rows, const void *x,
                              void *y, const void *shared, void *scratch);
void dgqc_conv2d_prepare(const dgqc_conv2d_parameters *p, size_t step, const uint8_t *x, void *shared);
void dgqc_conv2d_rows(const dgqc_conv2d_parameters *p, size_t step, dgqc_rows rows, int16_t *y, const void *shared);
/* The same, tile by tile of four results (dgqc_winograd.h). */
void dgqc_winograd_prepare(const dgqc_conv2d_parameters *p, size_t step, const uint8_t *x, void *shared);
void dgqc_winograd_rows(const dgqc_conv2d_parameters *p, size_t step, dgqc_rows rows, int16_t *y, const void *shared, void *scratch);
void dgqc_conv2d_general_prepare(const dgqc_conv2d_general_parameters *p, size_t step, void *shared);
void dgqc_conv2d_general_rows(const dgqc_conv2d_general_parameters *p, size_t step, dgqc_rows rows, const void *x,
                              void *y, const void *shared, void *scratch);
void dgqc_conv2d_pixel_prepare(const dgqc_conv2d_pixel_parameters *p, size_t step, void *shared);
void dgqc_conv2d_pixel_rows(const dgqc_conv2d_pixel_parameters *p, size_t step, dgqc_rows rows, const int16_t *x,
                            int16_t *y, const void *shared, void *scratch);
void dgqc_conv2d_pixel_general_prepare(const dgqc_conv2d_pixel_general_parameters *p, size_t step, void *shared);
void dgqc_conv2d_pixel_general_rows(const dgqc_conv2d_pixel_general_parameters *p, size_t step, dgqc_rows rows,
                                    const int16_t *x, int16_t *y, const void *shared, void *scratch);
/* a @ b^T: rows of a are [rows of all batches][depth], b is [right_batches][columns][depth]. y: int16_t or int32_t, as
 * wide as p->width says. */
void dgqc_matmul_prepare(const dgqc_matmul_parameters *p, size_t step, const void *b, void *shared);
void dgqc_matmul_rows(const dgqc_matmul_parameters *p, size_t step, dgqc_rows rows, const void *a, void *y,
                      const void *shared, void *scratch);
/* -log2 of the probabilities of rows of logits as codes: [rows][keys - start]; mantissa, exponent, first: [rows].
 * shared: NULL, or where the sample has one scale what two more functions left there, which run before
 * any of these: dgqc_softmax_reduce_rows for each block of logits, on any number of threads, then
 * dgqc_softmax_reduce_end once. It holds 64 bytes and 8 for each row. */
void dgqc_softmax_reduce_rows(const dgqc_softmax_parameters *p, size_t step, dgqc_rows rows, const int32_t *logits, void *shared);
void dgqc_softmax_reduce_end(const dgqc_softmax_parameters *p, size_t step, void *shared);
void dgqc_softmax_log2_rows(const dgqc_softmax_parameters *p, size_t step, dgqc_rows rows, const int32_t *logits,
                            uint8_t *codes, int32_t *mantissa, int32_t *exponent, int32_t *first,
                            const void *shared);
void dgqc_softmax_uniform_rows(const dgqc_softmax_parameters *p, size_t step, dgqc_rows rows,
                               const int32_t *logits, uint8_t *codes, int32_t *mantissa, int32_t *exponent,
                               int32_t *first, const void *shared);
void dgqc_softmax_static_rows(const dgqc_softmax_parameters *p, size_t step, dgqc_rows rows,
                              const int32_t *logits, uint8_t *codes, int32_t *mantissa, int32_t *exponent,
                              int32_t *first, const void *shared);
/* codes, mantissa, exponent, first: at the block's rows; values: [value_batches][keys + start][columns]. */
void dgqc_attend_prepare(const dgqc_attend_parameters *p, size_t step, const void *values, void *shared);
void dgqc_attend_rows(const dgqc_attend_parameters *p, size_t step, dgqc_rows rows, const uint8_t *codes,
                      const int32_t *mantissa, const int32_t *exponent, const int32_t *first, const void *values,
                      int16_t *y, const void *shared, void *scratch);
void dgqc_group_norm_prepare(const dgqc_norm_parameters *p, size_t step, const int16_t *x, void *shared);
void dgqc_group_norm_rows(const dgqc_norm_parameters *p, size_t step, dgqc_rows rows, const int16_t *x, int16_t *y, const void *shared);
void dgqc_layer_norm_prepare(const dgqc_norm_parameters *p, size_t step, void *shared);
void dgqc_layer_norm_rows(const dgqc_norm_parameters *p, size_t step, dgqc_rows rows, const int16_t *x, int16_t *y, const void *shared);
void dgqc_activation_rows(const dgqc_activation_parameters *p, size_t step, dgqc_rows rows, const int16_t *x, int16_t *y);
void dgqc_add_columns_prepare(const dgqc_add_columns_parameters *p, size_t step, void *shared);
void dgqc_add_columns_rows(const dgqc_add_columns_parameters *p, size_t step, dgqc_rows rows, const int16_t *a,
                           const int16_t *b, int16_t *y, const void *shared);
void dgqc_add_rows(const dgqc_add_parameters *p, size_t step, dgqc_rows rows, const int16_t *a, const int16_t *b,
                   int16_t *y);
void dgqc_mul_rows(const dgqc_mul_parameters *p, size_t step, dgqc_rows rows, const int16_t *a, const int16_t *b,
                   int16_t *y);
void dgqc_rescale_rows(const dgqc_rescale_parameters *p, size_t step, dgqc_rows rows, const int16_t *x, int16_t *y);
/* Rows of the result are its positions; x is read whole. */
void dgqc_upsample_nearest_rows(const dgqc_upsample_parameters *p, size_t step, dgqc_rows rows, const void *x, void *y);
void dgqc_avg_pool2d_rows(const dgqc_pool_parameters *p, size_t step, dgqc_rows rows, const int16_t *x, int16_t *y);
/* `bytes` bytes of each row; strides in bytes. */
void dgqc_copy_rows(dgqc_rows rows, size_t bytes, const void *x, size_t x_stride, void *y, size_t y_stride);
void dgqc_copy(size_t count, size_t bytes, const void *x, size_t x_stride, void *y, size_t y_stride);
/* Along the last axis, and along any other. */
void dgqc_gather_rows(const dgqc_gather_parameters *p, size_t step, dgqc_rows rows, const void *x, void *y);
void dgqc_gather(const dgqc_gather_parameters *p, const void *x, void *y);
/* x is read whole. */
void dgqc_permute_rows(const dgqc_permute_parameters *p, size_t step, dgqc_rows rows, const void *x, void *y);

#include "dgqc_forms.h" /* the kernels of ops that fewer models hold */

#endif
