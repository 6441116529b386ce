/* kNN, KATE: the pool items whose sentence vectors lie nearest to the query's. */
#include "select/nearest.h"

static icl_status select_knn(icl_selection *out, const icl_select_input *input,
                             const icl_options *options)
{
    return icl_select_nearest(out, input, (icl_distance)icl_options_int(options, "metric"));
}

/* Indexed by icl_distance. */
static const char *const metrics[] = { "cosine", "l2", NULL };

static const icl_option options[] = {
    ICL_SELECT_OPTION_K,
    { .name = "metric",
      .type = ICL_OPTION_CHOICE,
      .fallback = "cosine",
      .choices = metrics,
      .help = "cosine: angle between the vectors; l2: their Euclidean distance" },
};

const icl_select_method icl_select_knn = {
    .card = { .name = "knn",
              .summary = "Demonstrations whose inputs mean nearly the same as the query.",
              .paper = "Liu et al. 2022, \"What Makes Good In-Context Examples for GPT-3?\"",
              .cost = "none; one sentence vector per pool item and query",
              .needs = ICL_NEEDS_EMBEDDINGS,
              .options = options,
              .option_count = sizeof options / sizeof *options },
    .run = select_knn,
};
