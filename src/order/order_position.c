/* What each demonstration adds to the loss at each place, learned from random orders as datamodels
 * learn what each adds to a set; the best order is then an assignment of demonstrations to places.
 * It is measured too, and gives way to a better one among the random orders. */
#include "order/asked_objective.h"

static const char method_name[] = "position";

static icl_status order_position(icl_ordering *out, const icl_order_input *input,
                                 const icl_options *options)
{
    const icl_search_plan plan = {
        .method = method_name,
        .objective = ICL_OBJECTIVE_DEV_LOSS,
        .items = (size_t)icl_options_int(options, "items"),
        .search = { .engine = ICL_ENGINE_POSITION,
                    .budget = (size_t)icl_options_int(options, "orders") },
    };
    return icl_order_by_search(out, input, &plan);
}

static const icl_option options[] = {
    { .name = "orders",
      .type = ICL_OPTION_INT,
      .fallback = "64",
      .minimum = 2,
      .maximum = 1500,
      .help = "orders measured for each set of demonstrations, drawn at random; effects have "
              "(k-1)^2 + 1 free parts, so 50 tell those of k=8 apart" },
    ICL_ORDER_OPTION_ITEMS,
};

const icl_order_method icl_order_position = {
    .card = { .name = method_name,
              .summary = "Each demonstration at the place where it lowers the loss most.",
              .paper = "after Chang & Jia 2023, \"Data Curation Alone Can Stabilize In-context "
                       "Learning\", and Kuhn 1955",
              .cost = "orders x items prompts for each set of demonstrations, all labels scored",
              .needs = ICL_NEEDS_LABELS | ICL_NEEDS_LOGPROBS,
              .options = options,
              .option_count = sizeof options / sizeof *options },
    .run = order_position,
};
