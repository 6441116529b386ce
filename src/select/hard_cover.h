/* select/hard_cover.h - greedy cover of the items a model is unsure of, by their votes.
 *
 * A hard item u covers the hard items that vote for it and, with two hops, the hard items that vote
 * for those. Its gain is the sum over what it covers of decay^t, t of the chosen items covering it.
 */
#ifndef ICL_SELECT_HARD_COVER_H
#define ICL_SELECT_HARD_COVER_H

#include <icl/status.h>

#include "index/neighbour_graph.h"

typedef struct icl_hard_cover {
    const icl_neighbour_graph *graph; /* borrowed */
    bool two_hops;
    double decay;      /* 0: what is covered counts no more; else at most 0.1 */
    bool *is_hard;     /* [graph->count] */
    uint32_t *times;   /* [graph->count] chosen items that cover an item */
    uint32_t *covered; /* [graph->count] scratch: what one item covers */
    bool *seen;        /* [graph->count] scratch, all false between calls */
} icl_hard_cover;

/* hard [hard_count]: indices into the graph. ICL_ENOMEM. */
icl_status icl_hard_cover_init(icl_hard_cover *out, const icl_neighbour_graph *graph,
                               const size_t *hard, size_t hard_count);
void icl_hard_cover_deinit(icl_hard_cover *cover);

double icl_hard_cover_gain(icl_hard_cover *cover, size_t item);
void icl_hard_cover_choose(icl_hard_cover *cover, size_t item);

/* The hard item of most gain that is not in `excluded` [graph->count], ties by lowest index;
 * SIZE_MAX when no gain is above 0. */
size_t icl_hard_cover_best(icl_hard_cover *cover, const bool *excluded);

#endif
