/* Whether constants in memory are those that the program was compiled with. */

#include "dgqc_runtime.h"

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

int dgqc_weights_whole(const void *weights, const uint64_t *header)
{
    uint64_t total = 0, sums = 0;
    for (uint64_t i = DGQC_WEIGHTS_HEADER * sizeof *header; i < header[2]; i += sizeof(uint32_t)) {
        total += dgqc_load_word(dgqc_inside(weights, (size_t)i));
        sums += total;
    }
    return total == header[3] && sums == header[4];
}
