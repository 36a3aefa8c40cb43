/* Weights of 2 and 3 bits as the 4 that products multiply. */
#ifndef DGQC_NIBBLES_H
#define DGQC_NIBBLES_H

#include "dgqc_internal.h"
#include "dgqc_tile.h"

/* The panels with 4 bits in memory cut off `memory`, [columns / 16, rounded up][quads / 2, rounded up][16][4] bytes; those of
 * 4 and 8 bits where they are. */
dgqc_panels dgqc_nibbles(const dgqc_panels *panels, void **memory);

#endif
