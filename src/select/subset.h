/* select/subset.h - demonstrations from the items that a budget labels: what a corpus-level method,
 * one with `pick` and without `run`, shows in a run.
 *
 * The items are picked once, without a look at the queries, so an answer does not depend on which
 * queries share a batch. Each query is shown the k nearest of them by cosine, never itself; where
 * that leaves one too few, the nearest item outside the budget fills the gap.
 */
#ifndef ICL_SELECT_SUBSET_H
#define ICL_SELECT_SUBSET_H

#include "select/select.h"

/* The option `budget` of every method that picks. */
#define ICL_SELECT_OPTION_BUDGET                                                                   \
    {                                                                                              \
        .name = "budget", .type = ICL_OPTION_INT, .fallback = "100", .minimum = 1, .maximum = 1e9, \
        .help = "items to label, at most the pool; each query is shown the k nearest of them"      \
    }

/* The `pick` of a method; see select/select.h. */
typedef icl_status icl_pick_items(size_t *out, size_t budget, const icl_select_input *input,
                                  const icl_options *options);

/* ICL_EINVAL: the budget is below k; what `pick` returns. Needs sentence vectors. */
icl_status icl_subset_run(icl_selection *out, const icl_select_input *input,
                          const icl_options *options, icl_pick_items *pick);

#endif
