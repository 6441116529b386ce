/* pipeline/search_state.h - the inside of a search, shared by the files that draw its queries, run
 * its rounds and judge its strategies. */
#ifndef ICL_PIPELINE_SEARCH_STATE_H
#define ICL_PIPELINE_SEARCH_STATE_H

#include <icl/search.h>

#include "base/text.h"
#include "pipeline/strategy_list.h"

enum {
    ICL_SEARCH_RESAMPLES = 2000,
    ICL_SEARCH_FIRST_QUERIES = 8, /* of the first round, at least, where there are so many */
    ICL_SEARCH_FIRST_SHARE = 3, /* it may take this part of the budget: few queries drop the best */
    ICL_SEARCH_LEAST_GROWTH = 8, /* a round that adds less than this part is not worth it */
};

typedef struct search_candidate {
    icl_search_candidate figures;
    char *brief;
    bool fits_pool; /* icl_strategy_fits_pool */
    icl_text reason;
    uint32_t *predicted; /* [figures.query_count] of the last round */
    double *resampled;   /* [ICL_SEARCH_RESAMPLES] the metric, or the difference to the leader */
    icl_run *run;        /* of the round at hand, or NULL */
} search_candidate;

struct icl_search {
    icl_engine *engine;
    icl_search_options options;
    icl_strategy_list space;
    icl_task_data data;  /* the whole training file */
    icl_task_data all;   /* train: data's, test: queries in their order, verbalizer: data's */
    icl_task_data apart; /* the same, train: without the queries; NULL: no strategy fits its pool */
    uint32_t *gold;      /* [validation_count] */
    search_candidate *candidates; /* [space.count] in the order of the space */
    size_t *ranking;              /* [space.count] */
    icl_search_round *rounds;
    size_t round_capacity;
    const char **unseen; /* [label_count] */
    icl_search_summary summary;
};

/* search_space.c: the built-in space, cheap strategies first. */
extern const char icl_search_default_space[];

/* search_split.c: queries and, where some strategy fits its pool, a pool apart from them. Every
 * beginning of the queries holds the labels in about the shares of the whole. */
icl_status icl_search_split(icl_search *search, bool some_fit_pool);
/* Names the labels that none of the first so many queries has. */
void icl_search_note_unseen(icl_search *search, size_t query_count);

/* search_round.c: one round of all strategies that remain. *out_more is false when the search is
 * over, and then nothing was asked. */
icl_status icl_search_run_round(bool *out_more, icl_search *search,
                                const icl_search_progress *progress);

/* search_judge.c */
/* After a round: who leads, who is behind. */
icl_status icl_search_judge_round(icl_search *search, icl_search_round *round);
/* In the end: differences to the winner, and the gain of spending twice as much. */
icl_status icl_search_judge_all(icl_search *search);
/* search_claim.c: in the end, what the winner's figure is without the luck of being chosen. */
icl_status icl_search_correct_winner(icl_search *search);
/* Orders the leaderboard. */
void icl_search_rank(icl_search *search);
/* Whether a strategy takes part in the next round. */
bool icl_search_is_in(const search_candidate *candidate);
size_t icl_search_count_in(const icl_search *search);

#endif
