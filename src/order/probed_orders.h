/* order/probed_orders.h - what GlobalE and LocalE share: every order of a set is tried on texts
 * that the model writes itself, and the order of the highest entropy wins. */
#ifndef ICL_ORDER_PROBED_ORDERS_H
#define ICL_ORDER_PROBED_ORDERS_H

#include <stddef.h>

#include <icl/status.h>

#include "order/order.h"
#include "order/probing_set.h"

/* Entropy of what one order says of the probing set, rows [row_count][label_count] distributions,
 * row_count > 0; scratch [label_count]. */
typedef double icl_probe_entropy(const double *rows, size_t row_count, size_t label_count,
                                 double *scratch);

/* A method as a whole. The first of equal orders wins; with one order, or nothing to probe with
 * since every pool item is shown and the model writes none, nothing is asked about labels. */
icl_status icl_order_by_probing(icl_ordering *out, const icl_order_input *input,
                                const icl_options *options, const char *method,
                                icl_probe_entropy *entropy);

enum { ICL_PROBED_OPTION_COUNT = 8 };
extern const icl_option icl_probed_options[ICL_PROBED_OPTION_COUNT];

/* Fields of both cards. */
#define ICL_PROBED_CARD                                                                            \
    .paper = "Lu et al. 2022, \"Fantastically Ordered Prompts and Where to Find Them: Overcoming " \
             "Few-Shot Prompt Order Sensitivity\"",                                                \
    .cost = "for each set of demonstrations 2 orders x samples texts, then orders x inputs "       \
            "prompts, all labels scored; selections that differ between queries pay it for every " \
            "query",                                                                               \
    .needs = ICL_NEEDS_LABELS | ICL_NEEDS_LOGPROBS | ICL_NEEDS_GENERATION,                         \
    .options = icl_probed_options, .option_count = ICL_PROBED_OPTION_COUNT

#endif
