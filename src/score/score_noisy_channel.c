/* Noisy channel with a prior: log P(x | C', y) + log P(y).
 *
 *   uniform  P(y) is the same for all, as score=channel(reduce=sum)
 *   class    P(y) = (n_y + 1) / (k + labels), n_y of the k demonstrations carry y
 *   lm       P(y) = what the model expects after the demonstrations and the template's final words
 */
#include <math.h>

#include "score/score.h"

typedef enum prior { PRIOR_UNIFORM, PRIOR_CLASS, PRIOR_LM } prior;

static icl_score_wants wants_noisy_channel(const icl_options *options)
{
    unsigned parts = 1u << ICL_SCORE_INPUT;
    if (icl_options_int(options, "prior") == PRIOR_LM) parts |= 1u << ICL_SCORE_UNCONDITIONAL;
    return (icl_score_wants){ .parts = parts,
                              .given = ICL_GIVEN_PREMISE,
                              .given_demonstrations = true };
}

static void add_class_shares(double *out, const icl_score_input *input)
{
    for (size_t r = 0; r < input->row_count; r++) {
        const icl_score_row *row = &input->rows[r];
        const double of = (double)(row->shown_count + input->label_count);
        for (size_t label = 0; label < input->label_count; label++) {
            size_t count = 1;
            for (size_t i = 0; i < row->shown_count; i++) count += row->shown_labels[i] == label;
            out[r * input->label_count + label] += log((double)count / of);
        }
    }
}

static icl_status score_noisy_channel(double *out, const icl_score_input *input,
                                      const icl_options *options)
{
    static const icl_score_term explained = { ICL_SCORE_INPUT, ICL_NORMALISE_SUM, ICL_NAMES_MEAN };
    static const icl_score_term expected = { ICL_SCORE_UNCONDITIONAL, ICL_NORMALISE_SUM,
                                             ICL_NAMES_SUM };
    const prior of = (prior)icl_options_int(options, "prior");
    icl_score_add(out, input, &explained, 1);
    if (of == PRIOR_CLASS) add_class_shares(out, input);
    if (of == PRIOR_LM) icl_score_add(out, input, &expected, 1);
    return ICL_OK;
}

static const char *const priors[] = {
    [PRIOR_UNIFORM] = "uniform", [PRIOR_CLASS] = "class", [PRIOR_LM] = "lm", NULL
};

static const icl_option options[] = {
    { .name = "prior",
      .type = ICL_OPTION_CHOICE,
      .fallback = "class",
      .choices = priors,
      .help = "of a label: uniform, its share of the demonstrations, or what the model expects" },
};

const icl_score_method icl_score_noisy_channel = {
    .card = { .name = "noisy-channel",
              .summary = "Log-probability of the input after the label, plus the label's prior.",
              .paper =
                  "Min et al. 2022, \"Noisy Channel Language Model Prompting for Few-Shot Text "
                  "Classification\"",
              .cost = "as channel; prior=lm: labels continuations more per set of demonstrations",
              .needs = ICL_NEEDS_LOGPROBS,
              .options = options,
              .option_count = sizeof options / sizeof *options },
    .wants = wants_noisy_channel,
    .run = score_noisy_channel,
};
