/* Domain conditional PMI: log P(y | C, x) - log P(y | premise), the premise being the template's
 * final words, which lead to any answer of the task ("Label:"). Another premise is
 * score=pmi(text=...). The paper is zero-shot; with demonstrations they stand, unless the option
 * says otherwise, before the question alone. */
#include "score/score.h"

static icl_score_wants wants_pmi_dc(const icl_options *options)
{
    return (icl_score_wants){ .parts = 1u << ICL_SCORE_ANSWER | 1u << ICL_SCORE_UNCONDITIONAL,
                              .given = ICL_GIVEN_PREMISE,
                              .given_demonstrations = icl_options_bool(options, "demonstrations") };
}

static icl_status score_pmi_dc(double *out, const icl_score_input *input,
                               const icl_options *options)
{
    (void)options;
    icl_score_add_information(out, input, ICL_NORMALISE_SUM);
    return ICL_OK;
}

static const icl_option options[] = {
    ICL_SCORE_OPTION_DEMONSTRATIONS,
};

const icl_score_method icl_score_pmi_dc = {
    .card = { .name = "pmi-dc",
              .summary = "How much likelier the prompt makes the label's words than the task does.",
              .paper = "Holtzman et al. 2021, \"Surface Form Competition: Why the Highest "
                       "Probability Answer Isn't Always Right\"",
              .cost = "as direct, and labels continuations once",
              .needs = ICL_NEEDS_LOGPROBS,
              .options = options,
              .option_count = sizeof options / sizeof *options },
    .wants = wants_pmi_dc,
    .run = score_pmi_dc,
};
