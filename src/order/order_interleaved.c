/* Round robin over the labels, against the pull of the last label and of the most frequent one.
 * From the query backwards: the most relevant demonstration of each label, then the second of each,
 * and so on; labels in the order of their most relevant demonstrations. Neighbours have different
 * labels as long as two labels are left. */
#include <stdlib.h>

#include "base/error.h"
#include "order/by_score.h"

/* How late each demonstration has its turn, as a score: first its place among those of its label,
 * then the rank of that label's first. firsts and counts [label_count] are scratch. */
static void set_turns(double *turns, const icl_order_input *input, const size_t *selected,
                      size_t *firsts, size_t *counts)
{
    const size_t k = input->k;
    for (size_t label = 0; label < input->label_count; label++) counts[label] = 0;
    for (size_t rank = 0; rank < k; rank++) {
        const size_t label = input->pool_labels[selected[rank]];
        if (counts[label] == 0) firsts[label] = rank;
        turns[rank] = -(double)(counts[label]++ * k + firsts[label]);
    }
}

static icl_status order_interleaved(icl_ordering *out, const icl_order_input *input,
                                    const icl_options *options)
{
    (void)options;
    const size_t queries = input->query_count, k = input->k, labels = input->label_count;
    double *turns = malloc((queries * k + 1) * sizeof *turns);
    size_t *firsts = malloc((labels + 1) * sizeof *firsts);
    size_t *counts = malloc((labels + 1) * sizeof *counts);
    icl_status status = ICL_OK;
    if (turns == NULL || firsts == NULL || counts == NULL) {
        status = icl_error_set(ICL_ENOMEM, "out of memory for orders of %zu queries", queries);
        goto cleanup;
    }
    for (size_t q = 0; q < queries; q++)
        set_turns(turns + q * k, input, input->indices + q * k, firsts, counts);
    status = icl_order_by_score(out, input, turns, ICL_HIGHEST_LAST);

cleanup:
    free(counts);
    free(firsts);
    free(turns);
    return status;
}

const icl_order_method icl_order_interleaved = {
    .card = { .name = "interleaved",
              .summary = "Labels in turn, the most relevant demonstration of each nearest.",
              .paper = "folklore",
              .cost = "none",
              .needs = ICL_NEEDS_LABELS },
    .run = order_interleaved,
};
