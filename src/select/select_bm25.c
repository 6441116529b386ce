/* BM25: the pool items that share the most telling words with the query. */
#include <stdlib.h>

#include "base/cancel.h"
#include "base/error.h"
#include "index/bm25.h"
#include "select/letter_case.h"
#include "select/select.h"

static icl_status select_bm25(icl_selection *out, const icl_select_input *input,
                              const icl_options *options)
{
    icl_bm25_options constants = icl_bm25_options_default();
    constants.k1 = icl_options_real(options, "k1");
    constants.b = icl_options_real(options, "b");
    constants.lower = icl_letter_case_ignored(options);

    icl_bm25 *index = NULL;
    icl_status status;
    icl_scored *best = malloc(out->k * sizeof *best);
    if (best == NULL) {
        status = icl_error_set(ICL_ENOMEM, "out of memory for %zu neighbours", out->k);
        goto cleanup;
    }
    status =
        icl_bm25_new(&index, input->pool_texts, input->pool_count, &constants, input->cancelled);
    for (size_t q = 0; status == ICL_OK && q < input->query_count; q++) {
        status =
            icl_bm25_search(best, index, input->query_texts[q], out->k, icl_select_self(input, q));
        for (size_t i = 0; status == ICL_OK && i < out->k; i++) {
            out->indices[q * out->k + i] = best[i].index;
            out->scores[q * out->k + i] = best[i].score;
        }
        if (status == ICL_OK) status = icl_cancel_check(input->cancelled);
    }

cleanup:
    icl_bm25_free(index);
    free(best);
    return status;
}

static const icl_option options[] = {
    ICL_SELECT_OPTION_K,
    ICL_LETTER_CASE_OPTION("keep"),
    { .name = "k1",
      .type = ICL_OPTION_REAL,
      .fallback = "1.5",
      .minimum = 0,
      .maximum = 100,
      .help = "how long repetitions of a word keep counting" },
    { .name = "b",
      .type = ICL_OPTION_REAL,
      .fallback = "0.75",
      .minimum = 0,
      .maximum = 1,
      .help = "how much longer inputs are discounted" },
};

const icl_select_method icl_select_bm25 = {
    .card = { .name = "bm25",
              .summary = "Demonstrations that share rare words with the query.",
              .paper = "Robertson & Zaragoza 2009, \"The Probabilistic Relevance Framework: BM25 "
                       "and Beyond\"",
              .cost = "none",
              .options = options,
              .option_count = sizeof options / sizeof *options },
    .run = select_bm25,
};
