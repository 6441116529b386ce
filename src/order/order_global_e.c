/* GlobalE: the order under which the labels predicted for a probing set are most balanced. It takes
 * the task to be balanced; where it is not, pdo(prior=pool) is the one to use. The paper reports
 * the mean over its four best orders; this is the best one. */
#include "order/label_distributions.h"
#include "order/probed_orders.h"

static const char method_name[] = "global-e";

static icl_status order_global_e(icl_ordering *out, const icl_order_input *input,
                                 const icl_options *options)
{
    return icl_order_by_probing(out, input, options, method_name, icl_global_entropy_nats);
}

const icl_order_method icl_order_global_e = {
    .card = { .name = method_name,
              .summary = "The order that predicts the labels of texts written by the model evenly.",
              ICL_PROBED_CARD },
    .run = order_global_e,
};
