#include "dgqc_stream.h"

static unsigned char *room(const dgqc_stream *stream, size_t window)
{
    return stream->rooms + window % DGQC_STREAM_ROOMS * stream->room_bytes;
}

static int begin(const dgqc_stream *stream, size_t window)
{
    const dgqc_span span = stream->windows[window];
    const dgqc_reader *const reader = stream->reader;
    return reader->begin(reader->context, stream->first + span.offset, room(stream, window), span.bytes) == 0;
}

int dgqc_stream_begin(dgqc_stream *stream)
{
    stream->next = 0;
    return begin(stream, 0);
}

const void *dgqc_stream_next(dgqc_stream *stream)
{
    const size_t window = stream->next;
    if (stream->reader->finish(stream->reader->context) != 0) {
        return NULL;
    }
    if (window + 1 < stream->count && !begin(stream, window + 1)) {
        return NULL;
    }
    stream->next = window + 1;
    return room(stream, window);
}

int dgqc_stream_known(const dgqc_stream *stream, const uint64_t *header)
{
    const dgqc_reader *const reader = stream->reader;
    return reader->begin(reader->context, stream->first, stream->rooms, DGQC_WEIGHTS_HEADER * sizeof *header) == 0 &&
           reader->finish(reader->context) == 0 && dgqc_weights_known(stream->rooms, header);
}

int dgqc_stream_whole(dgqc_stream *stream, const uint64_t *header)
{
    uint64_t sums[2] = {0, 0};
    if (!dgqc_stream_begin(stream)) {
        return -1;
    }
    for (size_t i = 0; i < stream->count; i++) {
        const void *const window = dgqc_stream_next(stream);
        if (window == NULL) {
            return -1;
        }
        dgqc_weights_add(window, stream->windows[i].bytes, sums);
    }
    return sums[0] == header[3] && sums[1] == header[4];
}
