/* Loops over blocks of rows, shared by OpenMP's threads or by a pool of the caller's. */
#ifndef DGQC_SHARE_H
#define DGQC_SHARE_H

#include "dgqc_pool.h"
#include "dgqc_runtime.h"

/* turn(run, rows, per_thread): computes a block of rows, in memory that nobody else has meanwhile. memory: thread_bytes for
 * each of `threads`. pool: NULL where OpenMP's threads run it, or where there is one. */
typedef struct {
    void (*turn)(const void *run, dgqc_rows rows, void *per_thread);
    const void *run;
    dgqc_blocks blocks;
    void *memory;
    size_t thread_bytes, threads;
    const dgqc_pool *pool;
} dgqc_shared_loop;

/* All blocks, in any order. */
void dgqc_share(const dgqc_shared_loop *loop);

#endif
