/* Diversity: a random item, then again and again that whose cosines to the picked ones have the
 * least sum. */
#include <math.h>
#include <stdlib.h>

#include "base/cancel.h"
#include "base/error.h"
#include "base/rng.h"
#include "math/matrix.h"
#include "select/subset.h"
#include "select/unit_rows.h"

typedef struct spread {
    float *rows;    /* [pool_count][vector_size] unit length */
    float *cosines; /* [pool_count] to the last pick */
    double *sums;   /* [pool_count] of cosines to all picks; +inf once picked */
} spread;

static icl_status spread_init(spread *s, const icl_select_input *input)
{
    ICL_TRY(icl_unit_rows(&s->rows, input));
    s->cosines = malloc(input->pool_count * sizeof *s->cosines);
    s->sums = calloc(input->pool_count, sizeof *s->sums);
    if (s->cosines == NULL || s->sums == NULL)
        return icl_error_set(ICL_ENOMEM, "out of memory for %zu cosines", input->pool_count);
    return ICL_OK;
}

static void spread_deinit(spread *s)
{
    free(s->sums);
    free(s->cosines);
    free(s->rows);
}

/* Adds a pick and returns the item that is least like all picks. */
static size_t farthest_after(spread *s, size_t pick, const icl_select_input *input)
{
    const size_t columns = input->vector_size;
    size_t best = 0;
    icl_vector_dots(s->cosines, s->rows, input->pool_count, columns, &s->rows[pick * columns]);
    s->sums[pick] = INFINITY;
    for (size_t i = 0; i < input->pool_count; i++) {
        s->sums[i] += (double)s->cosines[i];
        if (s->sums[i] < s->sums[best]) best = i;
    }
    return best;
}

static icl_status pick_diversity(size_t *out, size_t budget, const icl_select_input *input,
                                 const icl_options *options)
{
    (void)options;
    spread s = { 0 };
    icl_rng rng = icl_rng_new(input->seed, input->task, "", "select-diversity");
    size_t next = icl_rng_below(&rng, input->pool_count);
    icl_status status = spread_init(&s, input);
    for (size_t i = 0; status == ICL_OK && i < budget; i++) {
        out[i] = next;
        next = farthest_after(&s, next, input);
        status = icl_cancel_check(input->cancelled);
    }
    spread_deinit(&s);
    return status;
}

static const icl_option options[] = {
    ICL_SELECT_OPTION_K,
    ICL_SELECT_OPTION_BUDGET,
};

const icl_select_method icl_select_diversity = {
    .card = { .name = "diversity",
              .summary = "The nearest of a budget of items that are unlike each other.",
              .paper = "Su et al. 2023, \"Selective Annotation Makes Language Models Better "
                       "Few-Shot Learners\" (its baseline)",
              .cost = "none; one sentence vector per pool item and query",
              .needs = ICL_NEEDS_EMBEDDINGS,
              .options = options,
              .option_count = sizeof options / sizeof *options },
    .pick = pick_diversity,
};
