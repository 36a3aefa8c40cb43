/* Cores with the DSP extension: two products of 16-bit values an instruction (dgqc_dot_squares.h). */

#include <arm_acle.h>

#define DGQC_TWO(values) ((values) += 2, (int32_t)dgqc_load_word((values)-2))
#define DGQC_ADD_TWO(a, b, sum) __smlad((int16x2_t)(a), (int16x2_t)(b), sum)
