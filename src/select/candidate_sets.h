/* select/candidate_sets.h - random demonstration sets of which one is chosen for all queries, and
 * the unlabelled pool items on which the model compares them.
 *
 *   icl_candidate_sets sets = { 0 };
 *   status = icl_candidate_sets_draw(&sets, input, &(icl_candidate_sets_shape){
 *       .set_count = 10, .k = out->k, .probe_count = 50, .purpose = "select-mine" });
 *   ... icl_candidate_sets_prompts asked in one call, `best` found ...
 *   icl_candidate_sets_choose(out, input, &sets, best);
 *   icl_candidate_sets_deinit(&sets);
 *
 * Everything hangs on the pool, the seed and the purpose, never on the queries.
 */
#ifndef ICL_SELECT_CANDIDATE_SETS_H
#define ICL_SELECT_CANDIDATE_SETS_H

#include <stddef.h>

#include <icl/status.h>

#include "template/ask.h"
#include "select/select.h"

typedef struct icl_candidate_sets_shape {
    size_t set_count;    /* at least 1 */
    size_t k;            /* at least 1, at most pool_count */
    size_t probe_count;  /* at most; 0: none */
    const char *purpose; /* key of randomness */
} icl_candidate_sets_shape;

typedef struct icl_candidate_sets {
    size_t set_count, k;
    size_t row;         /* k + 1, or k where the pool holds no more */
    size_t *items;      /* [set_count][row] k pool indices in order of showing, then a spare */
    size_t probe_count; /* as asked, or what the pool holds besides a set */
    size_t *probes;     /* [set_count][probe_count] pool indices that the set does not show: the
                           first such ones of one random order of the pool */
} icl_candidate_sets;

/* *out is yours: icl_candidate_sets_deinit, which is fine on zeroes. ICL_ENOMEM. */
icl_status icl_candidate_sets_draw(icl_candidate_sets *out, const icl_select_input *input,
                                   const icl_candidate_sets_shape *shape);
void icl_candidate_sets_deinit(icl_candidate_sets *sets);

/* The questions, [set_count][probe_count]: every probe under the demonstrations of its set.
 * *out is malloc'd, yours; it borrows from `sets`. */
icl_status icl_candidate_sets_prompts(icl_ask_prompt **out, const icl_candidate_sets *sets);

/* Gives every query the set, rank 0 to the item shown last, so that order=nearest-last shows it as
 * it was asked; scores stay 0. Where the set holds the query itself the spare takes its place. */
void icl_candidate_sets_choose(icl_selection *out, const icl_select_input *input,
                               const icl_candidate_sets *sets, size_t set);

/* Which set is best, by what the model says of its probes. */
typedef icl_status icl_candidate_sets_judge(size_t *out_best, const icl_select_input *input,
                                            const icl_candidate_sets *sets);

/* A method as a whole: draws as many sets and probes as its options say, has them judged, and
 * chooses. With one set, or without probes since every set is the whole pool, nothing is asked and
 * the first set is chosen. */
icl_status icl_candidate_sets_run(icl_selection *out, const icl_select_input *input,
                                  const icl_options *options, const char *purpose,
                                  icl_candidate_sets_judge *judge);

#define ICL_SELECT_OPTION_SETS                                                                     \
    {                                                                                              \
        .name = "sets", .type = ICL_OPTION_INT, .fallback = "10", .minimum = 1, .maximum = 1e6,    \
        .help = "random demonstration sets to choose among"                                        \
    }
#define ICL_SELECT_OPTION_INPUTS                                                                   \
    {                                                                                              \
        .name = "inputs", .type = ICL_OPTION_INT, .fallback = "100", .minimum = 1, .maximum = 1e6, \
        .help = "pool inputs, outside the set, that each set is tried on; the papers, from "       \
                "memory, took 500 and more"                                                        \
    }

#endif
