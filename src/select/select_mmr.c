/* Maximal marginal relevance: one after another the candidate that is near to the query and far
 * from what is chosen already. */
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/error.h"
#include "select/nearest.h"

/* A candidate as seen from the chosen ones. */
typedef struct view {
    double redundancy; /* largest cosine with a chosen one */
    bool chosen;
} view;

/* The place of the largest marginal relevance; the nearer one of equals. */
static size_t best_place(const view *views, const icl_candidates *candidates, double lambda)
{
    size_t best = 0;
    double best_value = -(double)INFINITY;
    for (size_t i = 0; i < candidates->count; i++) {
        if (views[i].chosen) continue;
        const double value =
            lambda * candidates->items[i].score - (1 - lambda) * views[i].redundancy;
        if (value <= best_value) continue;
        best_value = value;
        best = i;
    }
    return best;
}

static icl_status choose_mmr(size_t *out_chosen, size_t *out_count,
                             const icl_candidates *candidates, size_t k, const icl_options *options)
{
    const double lambda = icl_options_real(options, "lambda");
    view *views = malloc(candidates->count * sizeof *views);
    if (views == NULL)
        return icl_error_set(ICL_ENOMEM, "out of memory for %zu candidates", candidates->count);
    for (size_t i = 0; i < candidates->count; i++) views[i] = (view){ .redundancy = -1 };
    for (size_t step = 0; step < k; step++) {
        /* The first is the nearest, whatever lambda. */
        const size_t place = step == 0 ? 0 : best_place(views, candidates, lambda);
        views[place].chosen = true;
        out_chosen[step] = place;
        for (size_t i = 0; i < candidates->count; i++)
            views[i].redundancy =
                fmax(views[i].redundancy, icl_candidates_cosine(candidates, place, i));
    }
    *out_count = k;
    free(views);
    return ICL_OK;
}

static icl_status select_mmr(icl_selection *out, const icl_select_input *input,
                             const icl_options *options)
{
    return icl_select_among_nearest(out, input, choose_mmr, options);
}

static const icl_option options[] = {
    ICL_SELECT_OPTION_K,
    { .name = "lambda",
      .type = ICL_OPTION_REAL,
      .fallback = "0.5",
      .minimum = 0,
      .maximum = 1,
      .help = "weight of nearness to the query; 1: as knn, 0: the farthest from the chosen" },
    ICL_SELECT_OPTION_CANDIDATES,
};

const icl_select_method icl_select_mmr = {
    .card = { .name = "mmr",
              .summary = "Near to the query, but unlike one another; given in order of nearness. "
                         "The paper's lambda was not checked.",
              .paper = "Ye et al. 2023, \"Complementary Explanations for Effective In-Context "
                       "Learning\"",
              .cost = "none; one sentence vector per pool item and query",
              .needs = ICL_NEEDS_EMBEDDINGS,
              .options = options,
              .option_count = sizeof options / sizeof *options },
    .run = select_mmr,
};
