/* Matrix units: registers of 16 rows of 64 bytes, and a product that adds what rows of codes (u8) and 16 quads of a
 * panel (s8) make to sums of 32 bits, modulo 2^32. The machine's own (AMX); or the same in plain C, which is slow and lets
 * everything around it be tested on any machine (DGQC_MATRIX_EMULATED). */
#ifndef DGQC_MATRIX_H
#define DGQC_MATRIX_H

#include "dgqc_words.h"

enum { DGQC_MATRIX_ROWS = 16, DGQC_MATRIX_ROW = 64, DGQC_MATRIX_BYTES = 1024, DGQC_MATRIX_QUADS = 16, DGQC_MATRIX_UNITS = 8 };

/* What a program does with them:
 *   DGQC_MATRIX_HELD(units)   declares what they hold, in the function that uses them;
 *   dgqc_matrix_begin(), dgqc_matrix_end()   make a thread's units ready, and give them back;
 *   DGQC_MATRIX_SHAPE(units, rows, quads)   in the place of `begin`: sums (units 0 to 3) and codes (4, 5) have so many rows;
 *                             the codes of unit 5 and the weights of unit 7 so many quads, of which there may be none;
 *   DGQC_MATRIX_ZERO(units, to)
 *   DGQC_MATRIX_LOAD(units, to, from, stride), DGQC_MATRIX_STORE(units, from, to, stride)   strides of rows in bytes;
 *   DGQC_MATRIX_DOT(units, sums, codes, weights), and DGQC_MATRIX_DOT_UNSIGNED, whose weights are u8.
 * Units are numbers from 0 to 7, written out. */
/* Whether units may be used (dgqc_use_matrix_units). */
int dgqc_matrix_permitted(void);

#if defined(DGQC_MATRIX_EMULATED)
#define DGQC_MATRIX
#include "dgqc_matrix_emulated.h"
#elif defined(__AMX_INT8__) && defined(__AMX_TILE__) && defined(__AVX512BW__) && !defined(DGQC_PORTABLE)
#define DGQC_MATRIX
#include "dgqc_matrix_amx.h"
#endif

#endif
