/* select/votes.h - the votes of vote-k: every item votes for its nearest neighbours, and with less
 * weight the more of them were chosen already.
 *
 * score(u) = sum over the supporters i of u that are not chosen of rho^-t(i), where t(i) counts the
 * chosen items that i supports. Scores never rise.
 */
#ifndef ICL_SELECT_VOTES_H
#define ICL_SELECT_VOTES_H

#include <stdbool.h>
#include <stdint.h>

#include "index/neighbour_graph.h"
#include "select/select.h"

/* The options of every method that counts votes. */
#define ICL_VOTES_OPTIONS                                                                          \
    { .name = "neighbours",                                                                        \
      .type = ICL_OPTION_INT,                                                                      \
      .fallback = "150",                                                                           \
      .minimum = 1,                                                                                \
      .maximum = 1e6,                                                                              \
      .help = "items that each item votes for; at most the others of the pool" },                  \
    {                                                                                              \
        .name = "rho", .type = ICL_OPTION_REAL, .fallback = "10", .minimum = 1, .maximum = 1e6,    \
        .help = "what a vote is divided by each time it has been heard"                            \
    }

typedef struct icl_votes {
    const icl_neighbour_graph *graph; /* borrowed */
    bool *is_chosen;                  /* [graph->count] */
    uint32_t *heard;                  /* [graph->count] t(i), at most graph->k */
    double *weights;                  /* [graph->k + 1] rho^-t */
    uint32_t *tally;                  /* [graph->k + 1] scratch, all 0 between calls */
} icl_votes;

/* Who votes for whom: the option `neighbours` of the pool. What icl_neighbour_graph_init returns.
 */
icl_status icl_votes_graph(icl_neighbour_graph *out, const icl_select_input *input,
                           const icl_options *options);

/* Nothing is chosen; rho is at least 1. ICL_ENOMEM. */
icl_status icl_votes_init(icl_votes *out, const icl_neighbour_graph *graph, double rho);
void icl_votes_deinit(icl_votes *votes);

/* The votes of each weight are counted first: equal votes give equal bits in any order. */
double icl_votes_score(icl_votes *votes, size_t item);
void icl_votes_choose(icl_votes *votes, size_t item);
/* What choosing does to the item's own votes, without its supporters being heard. */
void icl_votes_silence(icl_votes *votes, size_t item);

/* Chooses `count` items one after the other, each with the best score, ties by lowest index; count
 * is at most the graph's, of which none is chosen yet. ICL_ECANCELLED, ICL_ENOMEM. */
icl_status icl_votes_pick(size_t *out, size_t count, icl_votes *votes,
                          const atomic_bool *cancelled);

#endif
