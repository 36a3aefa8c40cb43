/* How long it takes two cores to hand a cache line to each other and back, again and again.
 *
 *     round_trip TIMES      reads how many measurements to take from each line, answers with their seconds
 *
 * They hand it over TIMES times in each measurement.
 */
#include <stdio.h>
#include <stdlib.h>

#include <omp.h>

/* Alone in its line, and in the one that a machine may fetch with it. */
static struct {
    char before[128];
    int owner;
    char behind[128];
} line;

/* Takes it whenever it is this core's turn, and gives it to the other one. */
static void hand_over(int self, long times)
{
    for (long n = 0; n < times; n++) {
        while (__atomic_load_n(&line.owner, __ATOMIC_ACQUIRE) != self) {
        }
        __atomic_store_n(&line.owner, !self, __ATOMIC_RELEASE);
    }
}

int main(int count, char **arguments)
{
    const long times = count == 2 ? atol(arguments[1]) : 0;
    int measurements;
    printf("ready\n");
    fflush(stdout);
    while (scanf("%d", &measurements) == 1) {
        for (int m = 0; m < measurements; m++) {
            const double start = omp_get_wtime();
#pragma omp parallel num_threads(2)
            hand_over(omp_get_thread_num(), times);
            printf("%.9f ", omp_get_wtime() - start);
        }
        printf("\n");
        fflush(stdout);
    }
    return 0;
}
