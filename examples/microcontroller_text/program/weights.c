#include "weights.h"

/* WEIGHTS: the file. The assembler takes it as it is; a C array of it would be five times as long to read. */
__asm__(".pushsection .weights,\"a\"\n"
        ".balign 64\n"
        ".globl weights\n"
        "weights:\n"
        ".incbin \"" WEIGHTS "\"\n"
        ".popsection\n");
