/* Vectors of bytes, on machines that look bytes up in tables of 16; `bytes_load` isn't defined on others. */
#ifndef DGQC_BYTES_H
#define DGQC_BYTES_H

#if defined(__AVX512BW__) && !defined(DGQC_PORTABLE)
#include "dgqc_unpack_avx512.h"
#elif defined(__AVX2__) && !defined(DGQC_PORTABLE)
#include "dgqc_unpack_avx2.h"
#elif defined(__aarch64__) && !defined(DGQC_PORTABLE)
#include "dgqc_unpack_neon.h"
#endif

#endif
