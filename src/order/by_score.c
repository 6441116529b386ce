#include "order/by_score.h"

#include <stdlib.h>

#include "base/cancel.h"
#include "base/error.h"
#include "math/topk.h"

icl_status icl_order_by_score(icl_ordering *out, const icl_order_input *input, const double *scores,
                              icl_score_side side)
{
    const size_t k = input->k;
    icl_scored *ranked = malloc((k + 1) * sizeof *ranked);
    if (ranked == NULL) return icl_error_set(ICL_ENOMEM, "out of memory for an order of k=%zu", k);
    icl_status status = ICL_OK;
    for (size_t q = 0; status == ICL_OK && q < input->query_count; q++) {
        for (size_t i = 0; i < k; i++)
            ranked[i] = (icl_scored){ .score = scores[q * k + i], .index = i };
        icl_topk(ranked, k, k);
        for (size_t i = 0; i < k; i++)
            out->permutations[q * k + (side == ICL_HIGHEST_FIRST ? i : k - 1 - i)] =
                ranked[i].index;
        status = icl_cancel_check(input->cancelled);
    }
    free(ranked);
    return status;
}
