/* select/candidates.h - random demonstration sets of which one is chosen for all queries, and the
 * unlabelled pool items on which the model compares them.
 *
 *   icl_candidates candidates = { 0 };
 *   status = icl_candidates_draw(&candidates, input, &(icl_candidates_shape){ .set_count = 10,
 *                                .k = out->k, .probe_count = 50, .purpose = "select-mine" });
 *   ... icl_candidates_prompt(&candidates, set, probe) asked, `best` found ...
 *   icl_candidates_choose(out, input, &candidates, best);
 *   icl_candidates_deinit(&candidates);
 *
 * Everything hangs on the pool, the seed and the purpose, never on the queries.
 */
#ifndef ICL_SELECT_CANDIDATES_H
#define ICL_SELECT_CANDIDATES_H

#include <stddef.h>

#include <icl/status.h>

#include "select/ask.h"
#include "select/select.h"

typedef struct icl_candidates_shape {
    size_t set_count;    /* at least 1 */
    size_t k;            /* at least 1, at most pool_count */
    size_t probe_count;  /* at most; 0: none */
    const char *purpose; /* key of randomness */
} icl_candidates_shape;

typedef struct icl_candidates {
    size_t set_count, k;
    size_t row;         /* k + 1, or k where the pool holds no more */
    size_t *sets;       /* [set_count][row] k pool indices in order of showing, then a spare */
    size_t probe_count; /* as asked, or what the pool holds besides a set */
    size_t *probes;     /* [set_count][probe_count] pool indices that the set does not show: the
                           first such ones of one random order of the pool */
} icl_candidates;

/* *out is yours: icl_candidates_deinit, which is fine on zeroes. ICL_ENOMEM. */
icl_status icl_candidates_draw(icl_candidates *out, const icl_select_input *input,
                               const icl_candidates_shape *shape);
void icl_candidates_deinit(icl_candidates *candidates);

/* The question: pool item probes[set][probe] under the demonstrations of the set. */
icl_ask_prompt icl_candidates_prompt(const icl_candidates *candidates, size_t set, size_t probe);

/* Gives every query the set, rank 0 to the item shown last, so that order=nearest-last shows it as
 * it was asked; scores stay 0. Where the set holds the query itself the spare takes its place. */
void icl_candidates_choose(icl_selection *out, const icl_select_input *input,
                           const icl_candidates *candidates, size_t set);

#endif
