/* Lanes as four bytes each: products and tables. Of a single lane there are only products of codes: it gains
 * nothing by the others, so that kernels have other ways there. */
#ifndef DGQC_LANES_BYTES_H
#define DGQC_LANES_BYTES_H

#include "dgqc_lanes.h"

#if LANES == 16
#include "dgqc_lanes_bytes_avx512.h"
#elif LANES == 8
#include "dgqc_lanes_bytes_avx2.h"
#elif LANES == 4 && defined(__wasm_simd128__)
#include "dgqc_lanes_bytes_wasm.h"
#elif LANES == 4
#include "dgqc_lanes_bytes_neon.h"
#else
#include "dgqc_lanes_bytes_portable.h"
#endif

#endif
