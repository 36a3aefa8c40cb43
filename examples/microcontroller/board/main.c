/* Draws digits and prints them: the same text on every machine, but for the lines that begin with #. */
#include "console.h"
#include "counter.h"
#include "model_loop.h"

#ifndef DIGITS
#define DIGITS MODEL_LABELS
#endif

enum { SIDE = 16, ONE = 4096 };

static unsigned char arena[MODEL_ARENA_BYTES] __attribute__((aligned(MODEL_ARENA_ALIGNMENT)));
static int32_t memory[MODEL_DRAW_BYTES / sizeof(int32_t)];
static int16_t noise[MODEL_PICTURE_ELEMENTS], picture[MODEL_PICTURE_ELEMENTS];

static void write_number(const char *before, uint64_t number, const char *after)
{
    char digits[21], *first = &digits[20];
    *first = '\0';
    do {
        *--first = (char)('0' + (int)(number % 10));
        number /= 10;
    } while (number > 0);
    console_write(before);
    console_write(first);
    console_write(after);
}

static void write_hexadecimal(uint32_t number, int places)
{
    char text[9];
    for (int i = 0; i < places; i++) {
        text[i] = "0123456789abcdef"[(number >> (4 * (places - 1 - i))) & 15u];
    }
    text[places] = '\0';
    console_write(text);
}

/* Fletcher's sum of all 16 bits of every number: a changed bit, or two swapped numbers, change it. */
static uint32_t checksum(void)
{
    uint32_t plain = 0, weighted = 0;
    for (int i = 0; i < MODEL_PICTURE_ELEMENTS; i++) {
        plain = (plain + (uint16_t)picture[i]) % 65535u;
        weighted = (weighted + plain) % 65535u;
    }
    return weighted << 16 | plain;
}

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
        counter_begin();
        model_noise(seed, noise);
        if (model_draw(&program, memory, noise, model_labels[digit], picture) != MODEL_OK) {
            console_write("the drawing is refused\n");
            return 1;
        }
        write_number("# instructions a step: ", counter_instructions() / MODEL_STEPS, "\n");
        write_number("digit ", (uint64_t)digit, "");
        write_number(", seed ", seed, ", checksum ");
        write_hexadecimal(checksum(), 8);
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
