/* Who reads a program's constants while it runs: from a file, flash or an SD card. The caller brings it.
 *
 * Nothing here is called by two threads at once. What was begun is always finished before anything else is begun, and before
 * a call returns.
 */
#ifndef DGQC_READER_H
#define DGQC_READER_H

#include <stddef.h>
#include <stdint.h>

typedef struct {
    /* Begins to bring `bytes` bytes, the first of them `offset` bytes after the beginning, to `room`, at a multiple of 64.
     * May return at once and go on meanwhile (a thread, DMA), or when all is there. Returns 0, or anything else where it
     * can't: then nothing is written to `room` any more, and `finish` is not called. */
    int (*begin)(void *context, uint64_t offset, void *room, size_t bytes);
    /* Waits for what was begun. Returns 0 when every byte is in `room`, and anything else when not: too short, an error. */
    int (*finish)(void *context);
    void *context; /* what both are given */
} dgqc_reader;

#endif
