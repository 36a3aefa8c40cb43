/* Draws digits and prints them: the same text on every machine, but for the lines that begin with #. */
#include "console.h"
#include "counter.h"
#include "model_loop.h"
#include "printing.h"

#ifndef DIGITS
#define DIGITS MODEL_LABELS
#endif

enum { SIDE = 16, ONE = 4096 };

static unsigned char arena[MODEL_ARENA_BYTES] __attribute__((aligned(MODEL_ARENA_ALIGNMENT)));
static int32_t memory[MODEL_DRAW_BYTES / sizeof(int32_t)];
static int16_t noise[MODEL_PICTURE_ELEMENTS], picture[MODEL_PICTURE_ELEMENTS];

/* -1 .. 1 as a grey of 0 .. 255. */
static uint32_t grey(int32_t value)
{
    const int32_t clipped = value < -ONE ? -ONE : value > ONE ? ONE : value;
    return (uint32_t)((clipped + ONE) * 255 + ONE) / (2 * ONE);
}

int main(void)
{
    model_program program;
    if (model_init(&program, &model_weights, MODEL_WEIGHTS_BYTES, arena, sizeof arena) != MODEL_OK) {
        console_write("the constants or the arena are refused\n");
        return 1;
    }
    for (int digit = 0; digit < DIGITS; digit++) {
        const uint32_t seed = (uint32_t)digit;
        checksum sum = {0, 0};
        counter_begin();
        model_noise(seed, noise);
        if (model_draw(&program, memory, noise, model_labels[digit], picture) != MODEL_OK) {
            console_write("the drawing is refused\n");
            return 1;
        }
        write_number("# instructions a step: ", counter_instructions() / MODEL_STEPS, "\n");
        write_number("digit ", (uint64_t)digit, "");
        write_number(", seed ", seed, ", checksum ");
        for (int i = 0; i < MODEL_PICTURE_ELEMENTS; i++) {
            checksum_add(&sum, (uint16_t)picture[i]);
        }
        write_hexadecimal(checksum_of(&sum), 8);
        console_write("\n");
        for (int row = 0; row < SIDE; row++) {
            for (int column = 0; column < SIDE; column++) {
                write_hexadecimal(grey(picture[row * SIDE + column]), 2);
            }
            console_write("\n");
        }
    }
    write_number("# bytes of stack: ", counter_stack_bytes(), "\n");
    return 0;
}
