/* Lanes as four bytes each: products, tables, transposition. There is no portable form: a single lane gains nothing
 * by it, so that kernels have other ways there (LANES > 1 says whether this is there). */
#ifndef DGQC_LANES_BYTES_H
#define DGQC_LANES_BYTES_H

#include "dgqc_lanes.h"

#if LANES == 16
#include "dgqc_lanes_bytes_avx512.h"
#elif LANES == 8
#include "dgqc_lanes_bytes_avx2.h"
#elif LANES == 4
#include "dgqc_lanes_bytes_neon.h"
#endif

#endif
