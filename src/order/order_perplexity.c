/* The order whose demonstrations surprise the model least: what the paper does for wordings of a
 * prompt, done for orders. No query is looked at, and all orders of a call share one trie, so that
 * the k! orders cost e k! demonstrations instead of k k!. */
#include "order/asked_objective.h"

static const char method_name[] = "perplexity";

static icl_status order_perplexity(icl_ordering *out, const icl_order_input *input,
                                   const icl_options *options)
{
    const icl_search_plan plan = {
        .method = method_name,
        .objective = ICL_OBJECTIVE_PERPLEXITY,
        .search = { .engine = ICL_ENGINE_SAMPLED,
                    .budget = (size_t)icl_options_int(options, "orders") },
    };
    return icl_order_by_search(out, input, &plan);
}

static const icl_option options[] = {
    { .name = "orders",
      .type = ICL_OPTION_INT,
      .fallback = "24",
      .minimum = 1,
      .maximum = 1e4,
      .help = "orders tried for each set of demonstrations, drawn at random; all where k! is no "
              "more: 24 for k=4, 120 for k=5, 5040 for k=7" },
};

const icl_order_method icl_order_perplexity = {
    .card = { .name = method_name,
              .summary = "The order whose demonstrations have the lowest perplexity.",
              .paper = "after Gonen et al. 2023, \"Demystifying Prompts in Language Models via "
                       "Perplexity Estimation\"",
              .cost = "orders texts of k demonstrations for each set of demonstrations",
              .needs = ICL_NEEDS_LABELS | ICL_NEEDS_LOGPROBS,
              .options = options,
              .option_count = sizeof options / sizeof *options },
    .run = order_perplexity,
};
