/* LocalE: the order under which the model is least sure of the labels of a probing set, on average.
 * It wants high entropy, as the paper's answer to overconfident orders; order=mdl wants low
 * entropy.
 */
#include "order/label_distributions.h"
#include "order/probed_orders.h"

static const char method_name[] = "local-e";

static double local_entropy(const double *rows, size_t row_count, size_t label_count,
                            double *scratch)
{
    (void)scratch;
    return icl_local_entropy_nats(rows, row_count, label_count);
}

static icl_status order_local_e(icl_ordering *out, const icl_order_input *input,
                                const icl_options *options)
{
    return icl_order_by_probing(out, input, options, method_name, local_entropy);
}

const icl_order_method icl_order_local_e = {
    .card = { .name = method_name,
              .summary = "The order that leaves texts written by the model least certain.",
              ICL_PROBED_CARD },
    .run = order_local_e,
};
