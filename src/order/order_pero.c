/* PERO: a genetic search among orders, fitness the cross-entropy of labelled items. Of the paper
 * the order only: its learned separator, and subsets other than the selected one, are left out. The
 * public code measures each order on ten examples drawn anew; here all are measured on the same. */
#include "order/asked_objective.h"

static const char method_name[] = "pero";

static icl_status order_pero(icl_ordering *out, const icl_order_input *input,
                             const icl_options *options)
{
    const icl_search_plan plan = {
        .method = method_name,
        .objective = ICL_OBJECTIVE_DEV_LOSS,
        .items = (size_t)icl_options_int(options, "items"),
        .search = { .engine = ICL_ENGINE_GENETIC,
                    .budget = (size_t)icl_options_int(options, "orders") },
    };
    return icl_order_by_search(out, input, &plan);
}

static const icl_option options[] = {
    { .name = "orders",
      .type = ICL_OPTION_INT,
      .fallback = "100",
      .minimum = 1,
      .maximum = 1e6,
      .help = "orders measured for each set of demonstrations; the population is a quarter of "
              "them, at most 100 (the public code: 100 for 1000 generations)" },
    ICL_ORDER_OPTION_ITEMS,
};

const icl_order_method icl_order_pero = {
    .card = { .name = method_name,
              .summary = "Orders bred for a low loss on labelled pool items.",
              .paper = "Kumar & Talukdar 2021, \"Reordering Examples Helps during Priming-based "
                       "Few-Shot Learning\"",
              .cost = "at most orders x items prompts for each set of demonstrations, all labels "
                      "scored",
              .needs = ICL_NEEDS_LABELS | ICL_NEEDS_LOGPROBS,
              .options = options,
              .option_count = sizeof options / sizeof *options },
    .run = order_pero,
};
