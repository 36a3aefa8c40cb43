/* Kernels of ops that fewer models hold: functions of one value, masks, means, windows of single channels, and what takes
 * values from other places. dgqc_runtime.h says what all kernels take, and includes this. */
#ifndef DGQC_FORMS_H
#define DGQC_FORMS_H

#include "dgqc_runtime.h"

typedef struct {
    size_t columns;
    const int32_t *table;      /* [steps][384][3]: value, slope and curve of each piece */
    const int32_t *low, *high; /* [steps] */
} dgqc_piecewise_parameters;

typedef struct {
    size_t channels; /* they are last */
    const int32_t *gamma;                      /* [channels] */
    const int32_t *gamma_factor, *gamma_shift; /* [steps] */
    const int64_t *epsilon;                    /* [steps] */
} dgqc_rms_norm_parameters;

typedef struct {
    size_t columns;
    const int32_t *factor, *shift; /* [steps] */
} dgqc_mean_parameters;

typedef struct {
    size_t columns;
    const int32_t *octave_factor, *octave_shift, *factor, *shift; /* [steps] */
} dgqc_softmax_shares_parameters;

typedef struct {
    size_t columns;
    dgqc_side bias;
    int wide;                      /* bytes of an element of bias: 2 or 4 */
    const int32_t *factor, *shift; /* [steps], factors at most 2^30 */
} dgqc_add_logits_parameters;

typedef struct {
    dgqc_window window;
} dgqc_max_pool2d_parameters;

/* 16-bit weights, of which each output channel multiplies one channel; the rest as in dgqc_weights. */
typedef struct {
    dgqc_window window;
    size_t dilation_height, dilation_width;
    size_t columns;        /* a multiple of the channels */
    const int16_t *taps;    /* [kernel_height][kernel_width][columns] */
    const int32_t *column, *factor, *shift, *bias, *bias_factor, *bias_shift;
} dgqc_depthwise_conv2d_parameters;

/* Some indices of an axis: of the last one, or of one that is walked in rows. */
typedef struct {
    size_t count, from;   /* indices along the axis, of the result and of x */
    size_t inner;         /* rows for each index; 0: the axis is the last one */
    size_t item, columns; /* bytes of an element; elements of a row of the result */
    const int32_t *index; /* [count] */
} dgqc_take_parameters;

/* What full calls leave for shallow ones: this, and DGQC_ALIGNMENT bytes after its beginning the values. Memory of zeros holds
 * nothing. */
typedef struct {
    int32_t source;  /* the full call, counted from 1; 0: nothing is held */
    int32_t shallow; /* whether the call that runs now takes what is held */
    int32_t older;   /* the full call of the older value that is held behind it, counted from 1; 0: none */
    int32_t moves;   /* whether what is held becomes the older one before this call leaves its own */
} dgqc_cache;

typedef struct {
    size_t columns;
    const int32_t *factor, *offset; /* [steps][columns], in 2^-15 */
    const int32_t *older;           /* likewise; NULL where one value is held */
} dgqc_cached_parameters;

/* Rows of a table, which the ids' low 16 bits name: modulo the rows, so that any id has one. */
typedef struct {
    size_t count, columns; /* count: at most 2^16 */
    const int16_t *table;  /* [count][columns] */
} dgqc_embed_parameters;

/* The row of the first token `end`, else the first row; of the first largest id where end is negative. */
typedef struct {
    size_t count, row; /* tokens; bytes of a row */
    int end;
} dgqc_end_token_parameters;

void dgqc_piecewise_rows(const dgqc_piecewise_parameters *p, size_t step, dgqc_rows rows, const int16_t *x, int16_t *y);
void dgqc_rms_norm_rows(const dgqc_rms_norm_parameters *p, size_t step, dgqc_rows rows, const int16_t *x, int16_t *y);
/* y has one column. */
void dgqc_mean_rows(const dgqc_mean_parameters *p, size_t step, dgqc_rows rows, const int16_t *x, int16_t *y);
void dgqc_softmax_shares_rows(const dgqc_softmax_shares_parameters *p, size_t step, dgqc_rows rows, const int16_t *x,
                              int16_t *y);
/* bias: int16_t or int32_t, as p->wide says; whole, or at the block's rows. */
void dgqc_add_logits_rows(const dgqc_add_logits_parameters *p, size_t step, dgqc_rows rows, const int32_t *logits,
                          const void *bias, int32_t *y);
/* Rows of the result are its positions; x is read whole. */
void dgqc_max_pool2d_rows(const dgqc_max_pool2d_parameters *p, size_t step, dgqc_rows rows, const int16_t *x,
                          int16_t *y);
void dgqc_depthwise_conv2d_prepare(const dgqc_depthwise_conv2d_parameters *p, size_t step, void *shared);
void dgqc_depthwise_conv2d_rows(const dgqc_depthwise_conv2d_parameters *p, size_t step, dgqc_rows rows,
                                const int16_t *x, int16_t *y, const void *shared);
/* x is at the block's rows where its last axis is taken from, and read whole otherwise. */
void dgqc_take_rows(const dgqc_take_parameters *p, size_t step, dgqc_rows rows, const void *x, void *y);
/* A full call leaves x at `held`, and what was there at `older`, which is NULL where one value is held; a shallow one doesn't
 * read x, which nobody has computed. */
void dgqc_cached_rows(const dgqc_cached_parameters *p, size_t step, dgqc_rows rows, const int16_t *x, int16_t *held,
                      int16_t *older, const dgqc_cache *cache, int16_t *y);
/* A full call's answer y goes beyond a shallow one: by amends, in 2^-15, times the difference. */
void dgqc_amend(size_t count, int32_t amends, const int16_t *shallow, int16_t *y);
/* ids is read whole. */
void dgqc_embed_rows(const dgqc_embed_parameters *p, size_t step, dgqc_rows rows, const int16_t *ids, int16_t *y);
void dgqc_end_token(const dgqc_end_token_parameters *p, size_t step, const void *x, const int16_t *ids, void *y);

/* x_wide, y_wide: 1 where these are wide values, 20 bits in int32_t, whose steps are a 16th of a 16-bit value's. */
typedef struct {
    dgqc_norm_parameters norm;
    int x_wide, y_wide;
} dgqc_group_norm_wide_parameters;

/* As dgqc_add_columns_parameters, columns NULL where there are none, of wide values or 16-bit ones each. */
typedef struct {
    dgqc_pair pair;
    const int32_t *a_factor, *b_factor, *shift, *a_column, *b_column;
    int a_wide, b_wide, y_wide;
} dgqc_add_wide_parameters;

typedef struct {
    size_t columns;
    const int32_t *factor, *shift; /* [steps] */
    int x_wide, y_wide;
} dgqc_rescale_wide_parameters;

void dgqc_activation_columns_prepare(const dgqc_activation_columns_parameters *p, size_t step, void *shared);
void dgqc_activation_columns_rows(const dgqc_activation_columns_parameters *p, size_t step, dgqc_rows rows,
                                  const int16_t *x, int16_t *y, const void *shared);
/* Wide values are int32_t, others int16_t. */
void dgqc_activation_wide_prepare(const dgqc_activation_columns_parameters *p, size_t step, void *shared);
void dgqc_activation_wide_rows(const dgqc_activation_columns_parameters *p, size_t step, dgqc_rows rows,
                               const int32_t *x, int16_t *y, const void *shared);
void dgqc_add_wide_prepare(const dgqc_add_wide_parameters *p, size_t step, void *shared);
void dgqc_add_wide_rows(const dgqc_add_wide_parameters *p, size_t step, dgqc_rows rows, const void *a, const void *b,
                        void *y, const void *shared);
void dgqc_rescale_wide_rows(const dgqc_rescale_wide_parameters *p, size_t step, dgqc_rows rows, const void *x, void *y);
void dgqc_group_norm_wide_prepare(const dgqc_group_norm_wide_parameters *p, size_t step, const void *x, void *shared);
void dgqc_group_norm_wide_rows(const dgqc_group_norm_wide_parameters *p, size_t step, dgqc_rows rows, const void *x,
                               void *y, const void *shared);

/* A norm of an image in parts. */
typedef struct {
    size_t channels, positions;
} dgqc_channel_sums_parameters;

/* before: sums of the parts before, or NULL; y: [2][channels], in 16ths of a step. dgqc_normalize: of such sums, of an image
 * of `elements` positions. */
void dgqc_channel_sums(const dgqc_channel_sums_parameters *p, const int64_t *before, const int16_t *x, int64_t *y);
void dgqc_normalize_prepare(const dgqc_norm_parameters *p, size_t step, const int64_t *sums, void *shared);
void dgqc_normalize_rows(const dgqc_norm_parameters *p, size_t step, dgqc_rows rows, const int16_t *x, int16_t *y,
                         const void *shared);

#endif
