/* Draws what prompts name and prints it: the same text on every machine, but for the lines that begin with #. */
#include "console.h"
#include "counter.h"
#include "model_parts_draw.h"
#include "printing.h"
#include "weights.h"

enum { GUIDANCE = 98304 /* 1.5 in 2^-16 */, LONGEST = 96 };

static const char *const prompts[] = {
    "a large red circle at the left on a white background",
    "a large yellow triangle at the center on a black background",
    "a large green cross at the right on a grey background",
    "a small blue square at the top on a white background",
    "a large purple circle at the bottom on a black background",
    "a small red triangle at the right on a white background",
};

enum { KNOWN = sizeof prompts / sizeof *prompts };

#ifndef PICTURES
#define PICTURES KNOWN
#endif

static unsigned char arena[MODEL_PARTS_ARENA_BYTES] __attribute__((aligned(MODEL_PARTS_ARENA_ALIGNMENT)));
static unsigned char memory[MODEL_PARTS_DRAW_BYTES(LONGEST)] __attribute__((aligned(MODEL_PARTS_ARENA_ALIGNMENT)));
static uint8_t rgb[MODEL_PARTS_RGB_BYTES];
static model_parts programs;

static void print_picture(void)
{
    checksum sum = {0, 0};
    for (int i = 0; i < MODEL_PARTS_RGB_BYTES; i++) {
        checksum_add(&sum, rgb[i]);
    }
    console_write("checksum ");
    write_hexadecimal(checksum_of(&sum), 8);
    console_write("\n");
    for (int i = 0; i < MODEL_PARTS_RGB_BYTES; i++) {
        write_hexadecimal(rgb[i], 2);
        if ((i + 1) % (MODEL_PARTS_WIDTH * MODEL_PARTS_CHANNELS) == 0) {
            console_write("\n");
        }
    }
}

int main(void)
{
    if (model_parts_init(&programs, weights, MODEL_PARTS_WEIGHTS_BYTES, arena, sizeof arena) != MODEL_OK) {
        console_write("the constants or the arena are refused\n");
        return 1;
    }
    for (uint32_t seed = 0; seed < PICTURES; seed++) {
        const model_parts_drawing drawing = {.prompt = prompts[seed % KNOWN], .guidance = GUIDANCE, .seed = seed};
        counter_begin();
        if (model_parts_draw(&programs, memory, sizeof memory, &drawing, rgb) != MODEL_OK) {
            console_write("the drawing is refused\n");
            return 1;
        }
        write_number("# instructions a picture: ", counter_instructions(), "\n");
        console_write("prompt ");
        console_write(drawing.prompt);
        write_number(", seed ", seed, "\n");
        print_picture();
    }
    write_number("# bytes of stack: ", counter_stack_bytes(), "\n");
    return 0;
}
