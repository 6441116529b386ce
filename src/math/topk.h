/* math/topk.h - the k best of many scored items, in an order that never depends on chance. */
#ifndef ICL_MATH_TOPK_H
#define ICL_MATH_TOPK_H

#include <stdbool.h>
#include <stddef.h>

typedef struct icl_scored {
    double score; /* not NaN */
    size_t index;
} icl_scored;

/* Higher score first; equal scores by lower index. */
bool icl_scored_before(icl_scored a, icl_scored b);

/* Moves the k best items to the front, best first; the rest follows in no promised order. k <=
 * count, indices distinct. O(count log k). */
void icl_topk(icl_scored *items, size_t count, size_t k);

#endif
