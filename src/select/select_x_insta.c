/* X-InSTA: neighbours across languages, and a sentence that says which word of the query's language
 * stands for each label. */
#include "select/nearest.h"

static icl_status select_x_insta(icl_selection *out, const icl_select_input *input,
                                 const icl_options *options)
{
    (void)options; /* the prompt takes the aligner */
    return icl_select_nearest(out, input, ICL_METRIC_COSINE);
}

static const icl_option options[] = {
    ICL_SELECT_OPTION_K,
    { .name = "aligner",
      .type = ICL_OPTION_TEXT,
      .fallback = "",
      .help = "sentence between demonstrations and query, such as \"In French, good is bon.\"; "
              "empty: none, and the same as knn" },
};

const icl_select_method icl_select_x_insta = {
    .card = { .name = "x-insta",
              .summary = "Demonstrations in another language that mean nearly the same, then a "
                         "sentence that aligns the labels. Wants a multilingual --encoder; the "
                         "user writes the sentence, the authors' wording is not built in.",
              .paper = "Tanwar et al. 2023, \"Multilingual LLMs are Better Cross-lingual "
                       "In-context Learners with Alignment\"",
              .cost = "none; one sentence vector per pool item and query",
              .needs = ICL_NEEDS_EMBEDDINGS,
              .options = options,
              .option_count = sizeof options / sizeof *options },
    .run = select_x_insta,
    .aligner = "aligner",
};
