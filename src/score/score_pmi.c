/* PMI: log P(y | C, x) - log P(y | text), how much more likely the answer is than without the
 * question. The text is the authors' single colon; the empty text, the beginning of a document, is
 * what lm-evaluation-harness calls acc_mutual_info. Sums, never divided by a length. */
#include "score/score.h"

static icl_score_wants wants_pmi(const icl_options *options)
{
    return (icl_score_wants){ .parts = 1u << ICL_SCORE_ANSWER | 1u << ICL_SCORE_UNCONDITIONAL,
                              .given = ICL_GIVEN_TEXT,
                              .text = icl_options_text(options, "text"),
                              .given_demonstrations = icl_options_bool(options, "demonstrations") };
}

static icl_status score_pmi(double *out, const icl_score_input *input, const icl_options *options)
{
    (void)options;
    icl_score_add_information(out, input, ICL_NORMALISE_SUM);
    return ICL_OK;
}

static const icl_option options[] = {
    { .name = "text",
      .type = ICL_OPTION_TEXT,
      .fallback = ":",
      .help = "what the answer's own probability is measured after; empty: the beginning of a "
              "text" },
    ICL_SCORE_OPTION_DEMONSTRATIONS,
};

const icl_score_method icl_score_pmi = {
    .card = { .name = "pmi",
              .summary = "How much likelier the prompt makes the label's words than a bare text.",
              .paper = "Holtzman et al. 2021, \"Surface Form Competition: Why the Highest "
                       "Probability Answer Isn't Always Right\"",
              .cost = "as direct, and labels continuations once",
              .needs = ICL_NEEDS_LOGPROBS,
              .options = options,
              .option_count = sizeof options / sizeof *options },
    .wants = wants_pmi,
    .run = score_pmi,
};
