/* base/array.h - growing plain arrays. */
#ifndef ICL_BASE_ARRAY_H
#define ICL_BASE_ARRAY_H

#include <stddef.h>

#include <icl/status.h>

/* Grows *items (a malloc'd array of `item_bytes` elements) so that `needed` fit; doubles.
 * ICL_ENOMEM leaves it as it was. Call through icl_array_reserve(&array, &capacity, needed). */
icl_status icl_array_grow(void **items, size_t *capacity, size_t needed, size_t item_bytes);

#define icl_array_reserve(items, capacity, needed)                                                 \
    icl_array_grow((void **)(items), (capacity), (needed), sizeof **(items))

/* For qsort of size_t, ascending. */
int icl_array_compare_sizes(const void *left, const void *right);

#endif
