/* All constants of the pipeline, where the program is: in flash, read where they lie. */
#ifndef WEIGHTS_H
#define WEIGHTS_H

extern const unsigned char weights[];

#endif
