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

static const icl_option options[] = { ICL_ORDER_OPTION_ORDERS, ICL_PROBING_OPTIONS };

const icl_order_method icl_order_local_e = {
    .card = { .name = method_name,
              .summary = "The order that leaves texts written by the model least certain.",
              .paper = "Lu et al. 2022, \"Fantastically Ordered Prompts and Where to Find Them: "
                       "Overcoming Few-Shot Prompt Order Sensitivity\"",
              .cost = ICL_PROBED_COST,
              .needs = ICL_NEEDS_LABELS | ICL_NEEDS_LOGPROBS | ICL_NEEDS_GENERATION,
              .options = options,
              .option_count = sizeof options / sizeof *options },
    .run = order_local_e,
};
