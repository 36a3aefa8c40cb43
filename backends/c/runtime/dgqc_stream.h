/* Constants that are read as they are used: windows of them, one ahead of the one in use. */
#ifndef DGQC_STREAM_H
#define DGQC_STREAM_H

#include "dgqc_reader.h"
#include "dgqc_runtime.h"

#define DGQC_STREAM_ROOMS 2

typedef struct {
    uint64_t offset;
    size_t bytes;
} dgqc_span;

/* windows: in the order of use. rooms: DGQC_STREAM_ROOMS of them, each as large as the largest window. */
typedef struct {
    const dgqc_reader *reader;
    uint64_t first; /* where the constants begin in what the reader reads */
    const dgqc_span *windows;
    size_t count;
    unsigned char *rooms;
    size_t room_bytes;
    size_t next; /* the window that dgqc_stream_next gives */
} dgqc_stream;

/* Begins to read the first window. Returns whether that went well. */
int dgqc_stream_begin(dgqc_stream *stream);

/* The next window, for use until this is called again; NULL where it or the one after it can't be read. Then, and after
 * the last window, nothing is being read. */
const void *dgqc_stream_next(dgqc_stream *stream);

/* Adds the words of some constants to `sums`: the sum of all words, and the sum of that sum's values on the way. */
void dgqc_weights_add(const void *constants, size_t bytes, uint64_t *sums);

/* Whether the reader has constants that begin with `header`. */
int dgqc_stream_known(const dgqc_stream *stream, const uint64_t *header);

/* Reads all windows and adds them up. Returns 1 where they are whole, 0 where not, and -1 where they can't be read. */
int dgqc_stream_whole(dgqc_stream *stream, const uint64_t *header);

#endif
