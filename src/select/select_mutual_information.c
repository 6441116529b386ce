/* Mutual information: of some random demonstration sets, the same for all queries, that under which
 * the model's answers to unlabelled pool items are sure, each of another label. */
#include <math.h>
#include <stdlib.h>

#include "base/error.h"
#include "math/logspace.h"
#include "template/ask.h"
#include "select/candidate_sets.h"

static const char method_name[] = "mutual-information";

/* The first of equals; rows [set_count][probe_count][label_count] become distributions. */
static size_t most_informative(const icl_candidate_sets *sets, double *rows, size_t label_count,
                               double *mean)
{
    double best_information = -INFINITY;
    size_t best = 0;
    for (size_t s = 0; s < sets->set_count; s++) {
        double *of_set = rows + s * sets->probe_count * label_count;
        for (size_t p = 0; p < sets->probe_count; p++)
            icl_softmax(of_set + p * label_count, of_set + p * label_count, label_count);
        const double information =
            icl_mutual_information_nats(of_set, sets->probe_count, label_count, mean);
        if (information > best_information) {
            best_information = information;
            best = s;
        }
    }
    return best;
}

static icl_status find_best(size_t *out, const icl_select_input *input,
                            const icl_candidate_sets *sets)
{
    const size_t count = sets->set_count * sets->probe_count, labels = input->label_count;
    icl_ask_prompt *prompts = NULL;
    ICL_TRY(icl_candidate_sets_prompts(&prompts, sets));
    double *rows = malloc((count * labels + 1) * sizeof *rows);
    double *mean = malloc((labels + 1) * sizeof *mean);
    icl_status status = ICL_OK;
    if (rows == NULL || mean == NULL)
        status = icl_error_set(ICL_ENOMEM, "out of memory for %zu answers", count);
    if (status == ICL_OK) status = icl_ask_labels(rows, input->asker, method_name, prompts, count);
    if (status == ICL_OK) *out = most_informative(sets, rows, labels, mean);
    free(mean);
    free(rows);
    free(prompts);
    return status;
}

static icl_status select_mutual_information(icl_selection *out, const icl_select_input *input,
                                            const icl_options *options)
{
    return icl_candidate_sets_run(out, input, options, "select-mutual-information", find_best);
}

static const icl_option options[] = {
    ICL_SELECT_OPTION_K,
    ICL_SELECT_OPTION_SETS,
    ICL_SELECT_OPTION_INPUTS,
};

const icl_select_method icl_select_mutual_information = {
    .card = { .name = method_name,
              .summary = "The random set under which sure and varied labels are predicted.",
              .paper = "Sorensen et al. 2022, \"An Information-theoretic Approach to Prompt "
                       "Engineering Without Ground Truth Labels\"",
              .cost = "sets x inputs prompts, all labels scored",
              .needs = ICL_NEEDS_LABELS | ICL_NEEDS_LOGPROBS,
              .options = options,
              .option_count = sizeof options / sizeof *options },
    .run = select_mutual_information,
    .by_lot = true,
};
