/* select/draw.h - drawing without replacement from a list that is used again for the next draw. */
#ifndef ICL_SELECT_DRAW_H
#define ICL_SELECT_DRAW_H

#include <stddef.h>

#include "base/rng.h"

/* Writes out [length]: the first elements of a random order of items [count], length <= count. The
 * items are shuffled in place and put back, so a draw costs `length` steps. swaps [length]:
 * scratch. */
void icl_draw(size_t *out, size_t length, size_t *items, size_t count, size_t *swaps, icl_rng *rng);

/* Writes out [length]: as many of the items [count] in the order they stand in, every such choice
 * as likely as any other; length <= count. */
void icl_draw_in_order(size_t *out, size_t length, const size_t *items, size_t count, icl_rng *rng);

/* On cards of methods that draw once for all queries or, when true, anew for each. */
#define ICL_DRAW_OPTION_PER_QUERY                                                                  \
    {                                                                                              \
        .name = "per_query", .type = ICL_OPTION_BOOL, .fallback = "false",                         \
        .help = "true: a new draw for each query; false: the same demonstrations for all"          \
    }

#endif
