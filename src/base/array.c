#include "base/array.h"

#include <stdint.h>
#include <stdlib.h>

#include "base/error.h"

icl_status icl_array_grow(void **items, size_t *capacity, size_t needed, size_t item_bytes)
{
    if (needed <= *capacity) return ICL_OK;
    /* Doubling overshoots by less than twice, so it cannot overflow below. */
    if (needed > SIZE_MAX / 2 / item_bytes)
        return icl_error_set(ICL_ENOMEM, "%zu items are too many", needed);
    size_t larger = *capacity < 16 ? 16 : *capacity;
    while (larger < needed) larger *= 2;
    void *grown = realloc(*items, larger * item_bytes);
    if (grown == NULL)
        return icl_error_set(ICL_ENOMEM, "out of memory for %zu items of %zu bytes", larger,
                             item_bytes);
    *items = grown;
    *capacity = larger;
    return ICL_OK;
}

int icl_array_compare_sizes(const void *left, const void *right)
{
    const size_t a = *(const size_t *)left, b = *(const size_t *)right;
    return (a > b) - (a < b);
}
