/* kNN, KATE: the pool items whose sentence vectors lie nearest to the query's. */
#include <stdlib.h>

#include "base/error.h"
#include "index/dense.h"
#include "select/select.h"

static icl_status select_knn(icl_selection *out, const icl_select_input *input,
                             const icl_options *options)
{
    const size_t count = input->query_count * out->k;
    icl_scored *neighbours = malloc(count * sizeof *neighbours);
    if (neighbours == NULL)
        return icl_error_set(ICL_ENOMEM, "out of memory for %zu neighbours", count);
    const icl_status status =
        icl_dense_search(neighbours, &(icl_dense_input){
                                         .pool = input->pool_vectors,
                                         .queries = input->query_vectors,
                                         .pool_count = input->pool_count,
                                         .query_count = input->query_count,
                                         .columns = input->vector_size,
                                         .exclude = input->query_self,
                                         .k = out->k,
                                         .metric = (icl_distance)icl_options_int(options, "metric"),
                                         .cancelled = input->cancelled,
                                     });
    for (size_t i = 0; status == ICL_OK && i < count; i++) {
        out->indices[i] = neighbours[i].index;
        out->scores[i] = neighbours[i].score;
    }
    free(neighbours);
    return status;
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
