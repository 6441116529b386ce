/* Ascending relevance: the most relevant demonstration stands next to the query. Of equally
 * relevant ones that which was selected earlier stands nearer; nearest-neighbour selectors put the
 * lower pool index first, so there the lower index is nearer. */
#include <stdlib.h>

#include "base/cancel.h"
#include "base/error.h"
#include "math/topk.h"
#include "order/order.h"

static icl_status order_nearest_last(icl_ordering *out, const icl_order_input *input,
                                     const icl_options *options)
{
    (void)options;
    const size_t k = input->k;
    icl_scored *ranked = malloc(k * sizeof *ranked);
    if (ranked == NULL) return icl_error_set(ICL_ENOMEM, "out of memory for an order of k=%zu", k);
    icl_status status = ICL_OK;
    for (size_t q = 0; status == ICL_OK && q < input->query_count; q++) {
        for (size_t i = 0; i < k; i++)
            ranked[i] = (icl_scored){ .score = input->scores[q * k + i], .index = i };
        icl_topk(ranked, k, k);
        for (size_t i = 0; i < k; i++) out->permutations[q * k + i] = ranked[k - 1 - i].index;
        status = icl_cancel_check(input->cancelled);
    }
    free(ranked);
    return status;
}

const icl_order_method icl_order_nearest_last = {
    .card = { .name = "nearest-last",
              .summary = "The most relevant demonstration next to the query.",
              .paper = "Liu et al. 2022, \"What Makes Good In-Context Examples for GPT-3?\"",
              .cost = "none" },
    .run = order_nearest_last,
};
