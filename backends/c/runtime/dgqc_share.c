#include "dgqc_share.h"

/* The blocks of one thread of several, in that thread's memory. */
static void share_of(void *argument, size_t thread)
{
    const dgqc_shared_loop *const loop = argument;
    const size_t count = loop->blocks.count;
    const size_t last = count * (thread + 1) / loop->threads;
    void *const per_thread = dgqc_at(loop->memory, thread * loop->thread_bytes);
    for (size_t block = count * thread / loop->threads; block < last; block++) {
        loop->turn(loop->run, dgqc_block(&loop->blocks, block), per_thread);
    }
}

void dgqc_share(const dgqc_shared_loop *loop)
{
    if (loop->threads == 1) {
        dgqc_shared_loop alone = *loop; /* which no loop of OpenMP's is around, whose number would be the caller's */
        share_of(&alone, 0);
        return;
    }
    if (loop->pool != NULL) {
        dgqc_shared_loop shared = *loop;
        loop->pool->run(loop->pool->context, loop->threads, share_of, &shared);
        return;
    }
    DGQC_PARALLEL_AS_THEY_COME
    for (size_t block = 0; block < loop->blocks.count; block++) {
        loop->turn(loop->run, dgqc_block(&loop->blocks, block),
                   dgqc_thread_memory(loop->memory, 0, loop->thread_bytes));
    }
}
