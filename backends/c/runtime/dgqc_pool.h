/* Threads of the caller's that carry a program, in the place of OpenMP's: an application's, Android's, a browser's. */
#ifndef DGQC_POOL_H
#define DGQC_POOL_H

#include <stddef.h>

typedef struct {
    /* Calls part(argument, i) once for each i from 0 to count - 1, on any threads, at once or one after another, and returns
     * when all have returned. Never called by two threads at once for one program. */
    void (*run)(void *context, size_t count, void (*part)(void *argument, size_t i), void *argument);
    void *context; /* what it is given */
} dgqc_pool;

#endif
