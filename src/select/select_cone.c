/* TopK+ConE: of the nearest pool items, those under which the model finds the query's input least
 * surprising. Each is tried alone, and log P(input | item) is summed over the tokens of the input,
 * as in the authors' code; the least H(input | item) = H(item, input) - H(item) wins. */
#include <stdlib.h>

#include "base/error.h"
#include "template/ask.h"
#include "select/nearest.h"

static const char method_name[] = "cone";

/* A question for every neighbour of every query. Returns their number. */
static size_t write_prompts(icl_ask_prompt *out, const icl_selection *neighbours)
{
    size_t count = 0;
    for (size_t q = 0; q < neighbours->query_count; q++)
        for (size_t i = 0; i < icl_neighbour_count(neighbours, q); i++)
            out[count++] = (icl_ask_prompt){ .shown = &neighbours->indices[q * neighbours->k + i],
                                             .shown_count = 1,
                                             .of = ICL_ASK_QUERY,
                                             .item = q };
    return count;
}

/* Equal scores: the nearer item. */
static void rank(icl_selection *out, const icl_selection *neighbours, const icl_ask_text *answers,
                 icl_scored *scored)
{
    for (size_t q = 0; q < out->query_count; q++) {
        const size_t count = icl_neighbour_count(neighbours, q);
        for (size_t i = 0; i < count; i++)
            scored[i] = (icl_scored){ .score = answers[i].nats, .index = i };
        icl_topk(scored, count, out->k);
        for (size_t i = 0; i < out->k; i++) {
            out->indices[q * out->k + i] = neighbours->indices[q * neighbours->k + scored[i].index];
            out->scores[q * out->k + i] = scored[i].score;
        }
        answers += count;
    }
}

static icl_status select_cone(icl_selection *out, const icl_select_input *input,
                              const icl_options *options)
{
    const size_t limit = icl_candidates_limit(input, options, out->k);
    icl_selection neighbours = { 0 };
    ICL_TRY(icl_select_neighbours(&neighbours, input, limit));
    const size_t most = input->query_count * limit;
    icl_ask_prompt *prompts = malloc(most * sizeof *prompts);
    icl_ask_text *answers = malloc(most * sizeof *answers);
    icl_scored *scored = malloc(limit * sizeof *scored);
    icl_status status = ICL_OK;
    if (prompts == NULL || answers == NULL || scored == NULL)
        status = icl_error_set(ICL_ENOMEM, "out of memory for %zu questions", most);
    if (status == ICL_OK)
        status = icl_ask_inputs(answers, input->asker, method_name, prompts,
                                write_prompts(prompts, &neighbours));
    if (status == ICL_OK) rank(out, &neighbours, answers, scored);
    free(scored);
    free(answers);
    free(prompts);
    icl_selection_deinit(&neighbours);
    return status;
}

static const icl_option options[] = {
    ICL_SELECT_OPTION_K,
    { .name = "candidates",
      .type = ICL_OPTION_INT,
      .fallback = "30",
      .minimum = 0,
      .maximum = 1e6,
      .help = "nearest pool items to try, at least k; 0: the whole pool" },
};

const icl_select_method icl_select_cone = {
    .card = { .name = method_name,
              .summary = "Near items that make the query's input most likely, each tried alone, by "
                         "the sum over its tokens (details of the paper from memory).",
              .paper = "Peng et al. 2024, \"Revisiting Demonstration Selection Strategies in "
                       "In-Context Learning\"",
              .cost = "candidates prompts per query, the input scored; a sentence vector each",
              .needs = ICL_NEEDS_EMBEDDINGS | ICL_NEEDS_LABELS | ICL_NEEDS_LOGPROBS,
              .options = options,
              .option_count = sizeof options / sizeof *options },
    .run = select_cone,
};
