/* Whether constants in memory are those that the program was compiled with. */

#include "dgqc_runtime.h"

#include "dgqc_stream.h"
#include "dgqc_words.h"

#if defined(__BYTE_ORDER__) && defined(__ORDER_BIG_ENDIAN__)
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
#error "the constants of emitted programs are laid out for little-endian machines"
#endif
#endif

int dgqc_weights_known(const void *weights, const uint64_t *header)
{
    for (size_t i = 0; i < DGQC_WEIGHTS_HEADER; i++) {
        uint64_t word;
        DGQC_COPY_FEW(&word, dgqc_inside(weights, i * sizeof word), sizeof word);
        if (word != header[i]) {
            return 0;
        }
    }
    return 1;
}

void dgqc_weights_add(const void *constants, size_t bytes, uint64_t *sums)
{
    uint64_t total = sums[0], all = sums[1];
    for (size_t i = 0; i < bytes; i += sizeof(uint32_t)) {
        total += dgqc_load_word(dgqc_inside(constants, i));
        all += total;
    }
    sums[0] = total;
    sums[1] = all;
}

int dgqc_weights_whole(const void *weights, const uint64_t *header)
{
    const size_t begun = DGQC_WEIGHTS_HEADER * sizeof *header;
    uint64_t sums[2] = {0, 0};
    dgqc_weights_add(dgqc_inside(weights, begun), (size_t)header[2] - begun, sums);
    return sums[0] == header[3] && sums[1] == header[4];
}
