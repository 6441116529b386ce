/* Ascending relevance: the most relevant demonstration stands next to the query. Of equally
 * relevant ones that which was selected earlier stands nearer; nearest-neighbour selectors put the
 * lower pool index first, so there the lower index is nearer. What a long prompt drops by default,
 * the demonstrations farthest from the query, are the least relevant ones. */
#include "order/by_score.h"

static icl_status order_nearest_last(icl_ordering *out, const icl_order_input *input,
                                     const icl_options *options)
{
    (void)options;
    return icl_order_by_score(out, input, input->scores, ICL_HIGHEST_LAST);
}

const icl_order_method icl_order_nearest_last = {
    .card = { .name = "nearest-last",
              .summary = "The most relevant demonstration next to the query.",
              .paper = "Liu et al. 2022, \"What Makes Good In-Context Examples for GPT-3?\"",
              .cost = "none" },
    .run = order_nearest_last,
};
