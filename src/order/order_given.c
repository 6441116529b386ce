/* The selector's own sequence, unchanged. A selector writes the most relevant demonstration first,
 * so after a nearest-neighbour selection the nearest one stands first and the farthest of the k
 * next to the query, as in OpenICL; after a random selection it is the order of drawing. */
#include "base/cancel.h"
#include "order/order.h"

static icl_status order_given(icl_ordering *out, const icl_order_input *input,
                              const icl_options *options)
{
    (void)options;
    for (size_t q = 0; q < input->query_count; q++)
        for (size_t i = 0; i < input->k; i++) out->permutations[q * input->k + i] = i;
    return icl_cancel_check(input->cancelled);
}

const icl_order_method icl_order_given = {
    .card = { .name = "given",
              .summary = "As selected: the most relevant first, the least relevant by the query.",
              .paper = "folklore",
              .cost = "none" },
    .run = order_given,
};
