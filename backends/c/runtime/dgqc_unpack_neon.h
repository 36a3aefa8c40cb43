/* Bytes of 16 lanes, and tables of 16 to look them up in. */

#include <arm_neon.h>

typedef uint8x16_t bytes;
#define bytes_load(x) vld1q_u8((const void *)(x))
#define bytes_store(x, v) vst1q_u8((void *)(x), v)
#define bytes_table(x) bytes_load(x)
#define bytes_look_up(table, places) vqtbl1q_u8(table, places)
#define bytes_low_half(v) vandq_u8(v, vdupq_n_u8(15))
#define bytes_high_half(v) vshrq_n_u8(v, 4)
#define bytes_and(a, b) vandq_u8(a, b)
#define bytes_or(a, b) vorrq_u8(a, b)
#define bytes_words(x) vreinterpretq_u8_s32(vdupq_n_s32(x))
#define bytes_add(a, b) vaddq_u8(a, b)
#define bytes_subtract(a, b) vsubq_u8(a, b)
