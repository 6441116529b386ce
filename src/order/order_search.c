/* Searches the orders of every set of demonstrations for one that is good by what the model says:
 * which objective, by which engine, for how much. The start is among the orders valued, so the
 * result is never worse by the objective. */
#include "order/asked_objective.h"

static const char method_name[] = "search";

static icl_status order_search(icl_ordering *out, const icl_order_input *input,
                               const icl_options *options)
{
    const icl_search_plan plan = {
        .method = method_name,
        .objective = (icl_objective_name)icl_options_int(options, "objective"),
        .items = (size_t)icl_options_int(options, "items"),
        .search = { .engine = (icl_engine_name)icl_options_int(options, "engine"),
                    .budget = (size_t)icl_options_int(options, "budget"),
                    .unit = (icl_budget_unit)icl_options_int(options, "unit"),
                    .width = (size_t)icl_options_int(options, "width"),
                    .from_last = icl_options_bool(options, "from_last") },
    };
    return icl_order_by_search(out, input, &plan);
}

static const char *const units[] = {
    [ICL_BUDGET_ORDERS] = "orders", [ICL_BUDGET_DEMONSTRATIONS] = "demonstrations", NULL
};

static const icl_option options[] = {
    { .name = "objective",
      .type = ICL_OPTION_CHOICE,
      .fallback = "dev-loss",
      .choices = icl_objective_names,
      .help = "what is low: perplexity of the demonstrations; mdl, entropy of the query's labels, "
              "decided for each query; global-entropy or balance, predicted labels or mean "
              "probabilities on pool inputs are all but equal; dev-loss on labelled pool items" },
    { .name = "engine",
      .type = ICL_OPTION_CHOICE,
      .fallback = "sampled",
      .choices = icl_engine_names,
      .help = "exact up to k=7, else sampled at random; beam; annealing; halving, many orders on "
              "few items first; precedence of pairs; position, effects of places; genetic" },
    { .name = "budget",
      .type = ICL_OPTION_INT,
      .fallback = "24",
      .minimum = 1,
      .maximum = 1e6,
      .help = "what a search may cost for one set, the start included; engine exact costs what it "
              "costs, and a beam is at least one wide" },
    { .name = "unit",
      .type = ICL_OPTION_CHOICE,
      .fallback = "orders",
      .choices = units,
      .help = "of the budget: orders valued on all items, or demonstrations that the model reads, "
              "where beginnings that orders share count once and sampled draws a tree" },
    { .name = "width",
      .type = ICL_OPTION_INT,
      .fallback = "0",
      .minimum = 0,
      .maximum = 1e6,
      .help = "of the beam; 0: as wide as the budget allows" },
    { .name = "from_last",
      .type = ICL_OPTION_BOOL,
      .fallback = "false",
      .help = "true: the beam decides first what stands next to the query, and shares no "
              "beginnings" },
    ICL_ORDER_OPTION_ITEMS,
};

const icl_order_method icl_order_search = {
    .card = { .name = method_name,
              .summary = "The best order that a search finds by an objective of your choice.",
              .paper = "folklore; the objectives' papers are those of perplexity, mdl, global-e, "
                       "pdo and pero",
              .cost = "budget prompts for each set of demonstrations, or for each query with mdl; "
                      "times items with the objectives on pool items",
              .needs = ICL_NEEDS_LABELS | ICL_NEEDS_LOGPROBS,
              .options = options,
              .option_count = sizeof options / sizeof *options },
    .run = order_search,
};
