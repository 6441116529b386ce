/* SPELL: of some random demonstration sets, the same for all queries, that whose prompts surprise
 * the model least: the lowest mean perplexity of demonstrations and input together. */
#include <math.h>
#include <stdlib.h>

#include "base/error.h"
#include "template/ask.h"
#include "select/candidate_sets.h"

static const char method_name[] = "perplexity";

/* Mean of perplexities, not perplexity of the mean. */
static size_t least_perplexing(const icl_candidate_sets *sets, const icl_ask_text *texts)
{
    double lowest = INFINITY;
    size_t best = 0;
    for (size_t s = 0; s < sets->set_count; s++) {
        double sum = 0.0;
        for (size_t p = 0; p < sets->probe_count; p++, texts++)
            sum += exp(-texts->nats / (double)texts->tokens);
        if (sum < lowest) {
            lowest = sum;
            best = s;
        }
    }
    return best;
}

static icl_status find_best(size_t *out, const icl_select_input *input,
                            const icl_candidate_sets *sets)
{
    const size_t count = sets->set_count * sets->probe_count;
    icl_ask_prompt *prompts = NULL;
    ICL_TRY(icl_candidate_sets_prompts(&prompts, sets));
    icl_ask_text *texts = malloc((count + 1) * sizeof *texts);
    icl_status status =
        texts == NULL ? icl_error_set(ICL_ENOMEM, "out of memory for %zu answers", count) : ICL_OK;
    if (status == ICL_OK) status = icl_ask_texts(texts, input->asker, method_name, prompts, count);
    if (status == ICL_OK) *out = least_perplexing(sets, texts);
    free(texts);
    free(prompts);
    return status;
}

static icl_status select_perplexity(icl_selection *out, const icl_select_input *input,
                                    const icl_options *options)
{
    return icl_candidate_sets_run(out, input, options, "select-perplexity", find_best);
}

static const icl_option options[] = {
    ICL_SELECT_OPTION_K,
    ICL_SELECT_OPTION_SETS,
    ICL_SELECT_OPTION_INPUTS,
};

const icl_select_method icl_select_perplexity = {
    .card = { .name = method_name,
              .summary = "The random set whose prompts surprise least: mean of their perplexities "
                         "(SPELL; that it is this mean is from memory).",
              .paper = "Gonen et al. 2023, \"Demystifying Prompts in Language Models via "
                       "Perplexity Estimation\"",
              .cost = "sets x inputs prompts, every token scored",
              .needs = ICL_NEEDS_LABELS | ICL_NEEDS_LOGPROBS,
              .options = options,
              .option_count = sizeof options / sizeof *options },
    .run = select_perplexity,
    .by_lot = true,
};
