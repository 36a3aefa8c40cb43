/* Memory, rows, blocks of rows, and the threads that share them. */
#ifndef DGQC_ROWS_H
#define DGQC_ROWS_H

#include <stddef.h>

/* Every buffer of the arena, and every part that a kernel cuts off it, begins at a multiple of so many bytes. */
#define DGQC_ALIGNMENT 64

/* Stands before a loop whose turns may run at once, in any order. Results never depend on the number of threads. */
#ifdef _OPENMP
#include <omp.h>
#define DGQC_PRAGMA(directive) _Pragma(#directive)
#define DGQC_PARALLEL DGQC_PRAGMA(omp parallel for schedule(static))
#define DGQC_PARALLEL_AS_THEY_COME DGQC_PRAGMA(omp parallel for schedule(dynamic)) /* cores differ, or have other work */
#define DGQC_PARALLEL_FROM(bytes) DGQC_PRAGMA(omp parallel for schedule(static) if ((bytes) >= DGQC_MANY_BYTES))
#else
#define DGQC_PARALLEL
#define DGQC_PARALLEL_AS_THEY_COME
#define DGQC_PARALLEL_FROM(bytes) (void)(bytes);
#endif

/* What a loop after DGQC_PARALLEL_FROM reads or writes before threads share it: to wait for each other takes them some
 * microseconds. */
#define DGQC_MANY_BYTES ((size_t)65536)

/* Threads that a loop after DGQC_PARALLEL would run on. */
static inline size_t dgqc_threads(void)
{
#ifdef _OPENMP
    return (size_t)omp_get_max_threads();
#else
    return 1;
#endif
}

/* From here on loops run on so many threads. */
static inline void dgqc_use_threads(size_t threads)
{
#ifdef _OPENMP
    omp_set_num_threads((int)threads);
#else
    (void)threads;
#endif
}

/* Whether products run on matrix units from now on, in all programs of this runtime: `wanted`, where it was compiled for some.
 * A process asks its operating system first, and nobody changes this while a program runs. */
int dgqc_use_matrix_units(int wanted);

/* The calling thread's part of the arena, after what all threads share. Only inside a loop after DGQC_PARALLEL: elsewhere
 * the number would be that of a thread in the caller's team. */
static inline void *dgqc_thread_memory(void *arena, size_t shared_bytes, size_t thread_bytes)
{
#ifdef _OPENMP
    shared_bytes += (size_t)omp_get_thread_num() * thread_bytes;
#else
    (void)thread_bytes;
#endif
    return (unsigned char *)arena + shared_bytes;
}

/* A place inside the arena, and inside a tensor that is only read. */
static inline void *dgqc_at(void *arena, size_t offset)
{
    return (unsigned char *)arena + offset;
}

static inline const void *dgqc_inside(const void *tensor, size_t offset)
{
    return (const unsigned char *)tensor + offset;
}

/* Which rows of its result a call computes. */
typedef struct {
    size_t first, count;
} dgqc_rows;

/* Rows cut into `count` blocks of `rows` rows; the last may have fewer. */
typedef struct {
    size_t total, rows, count;
} dgqc_blocks;

/* At most `most` rows a block, and as many blocks for each thread. together: rows that stay in one block. */
static inline dgqc_blocks dgqc_cut(size_t total, size_t most, size_t together, size_t threads)
{
    const size_t turns = (total + most * threads - 1) / (most * threads);
    const size_t even = (total + turns * threads - 1) / (turns * threads);
    const size_t whole = (even + together - 1) / together * together;
    dgqc_blocks blocks = {total, whole < most ? whole : most, 0};
    blocks.count = (total + blocks.rows - 1) / blocks.rows;
    return blocks;
}

static inline dgqc_rows dgqc_block(const dgqc_blocks *blocks, size_t index)
{
    const size_t first = index * blocks->rows, left = blocks->total - first;
    const dgqc_rows rows = {first, left < blocks->rows ? left : blocks->rows};
    return rows;
}

/* The same rows of a value that has several for each of the fusion group's, like the heads of a token. */
static inline dgqc_rows dgqc_finer(dgqc_rows rows, size_t times)
{
    const dgqc_rows finer = {rows.first * times, rows.count * times};
    return finer;
}

#endif
