/* A table by group as a table by index. */

#include "dgqc_internal.h"

void dgqc_expand(const int32_t *table, const uint8_t *group, size_t count, int32_t *y)
{
    for (size_t i = 0; i < count; i++) {
        y[i] = table[group ? group[i] : 0];
    }
}
