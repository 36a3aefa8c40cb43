/* Bytes of one lane: their products alone. */

/* sum + the four products of codes and values, which are bytes less LANES_CODE_BIAS. */
enum { LANES_CODE_BIAS = 0 };

static inline lanes lanes_dot_codes(lanes sum, lanes codes, lanes values)
{
    const uint32_t a = (uint32_t)codes, b = (uint32_t)values;
    const uint32_t low = (a & 255) * (b & 255) + (a >> 8 & 255) * (b >> 8 & 255);
    return lanes_add(sum, (int32_t)(low + (a >> 16 & 255) * (b >> 16 & 255) + (a >> 24) * (b >> 24)));
}
