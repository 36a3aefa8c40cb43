/* Weights of 2 and 3 bits, widened to the 4 that products multiply. A word at a time: four bytes of two fields each. */

#include "dgqc_nibbles.h"

#include "dgqc_words.h"

/* The blocks of a panel of which each holds several of the other's: so many, with their lowest bits, or with their signs. */
static size_t packed_blocks(size_t blocks, size_t each)
{
    return (blocks + each - 1) / each;
}

static inline uint32_t of_two_bits(const uint8_t *lowest, unsigned place)
{
    const uint32_t two = dgqc_load_word(lowest) >> 2 * place & 0x33333333U, sign = two & 0x22222222U;
    return two | sign << 1 | sign << 2;
}

static inline uint32_t of_three_bits(const uint8_t *lowest, unsigned place, const uint8_t *signs, unsigned sign_place)
{
    const uint32_t two = dgqc_load_word(lowest) >> 2 * place & 0x33333333U;
    const uint32_t sign = dgqc_load_word(signs) >> sign_place & 0x11111111U;
    return two | sign << 2 | sign << 3;
}

static void widen_panel(const uint8_t *panel, int bits, size_t blocks, uint8_t *y)
{
    const uint8_t *const signs = panel + packed_blocks(blocks, 2) * DGQC_BLOCK_BYTES;
    for (size_t b = 0; b < blocks; b++, y += DGQC_BLOCK_BYTES) {
        const uint8_t *const lowest = panel + b / 2 * DGQC_BLOCK_BYTES, *const sign = signs + b / 4 * DGQC_BLOCK_BYTES;
        const unsigned place = b % 2, sign_place = b % 4;
        if (bits == 2) {
            for (size_t i = 0; i < DGQC_BLOCK_BYTES; i += sizeof(uint32_t)) {
                dgqc_store_word(y + i, of_two_bits(lowest + i, place));
            }
        } else {
            for (size_t i = 0; i < DGQC_BLOCK_BYTES; i += sizeof(uint32_t)) {
                dgqc_store_word(y + i, of_three_bits(lowest + i, place, sign + i, sign_place));
            }
        }
    }
}

dgqc_panels dgqc_nibbles(const dgqc_panels *panels, void **memory)
{
    const size_t count = (panels->columns + DGQC_PANEL_COLUMNS - 1) / DGQC_PANEL_COLUMNS, blocks = (panels->quads + 1) / 2;
    const size_t from = (packed_blocks(blocks, 2) + (panels->bits == 3 ? packed_blocks(blocks, 4) : 0)) * DGQC_BLOCK_BYTES;
    dgqc_panels found = *panels;
    if (panels->bits >= 4) {
        return found;
    }
    uint8_t *const y = dgqc_take(memory, count * blocks * DGQC_BLOCK_BYTES);
    DGQC_PARALLEL_FROM(count * blocks * DGQC_BLOCK_BYTES)
    for (size_t n = 0; n < count; n++) {
        widen_panel((const uint8_t *)panels->data + n * from, panels->bits, blocks, y + n * blocks * DGQC_BLOCK_BYTES);
    }
    found.data = y;
    found.bits = 4;
    return found;
}
