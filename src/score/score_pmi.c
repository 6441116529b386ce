/* PMI: log P(y | C, x) - log P(y | text), how much more likely the answer is than without the
 * question. The text is the authors' single colon; the empty text, the beginning of a document, is
 * what lm-evaluation-harness calls acc_mutual_info. */
#include "score/pmi.h"

static icl_score_wants wants_pmi(const icl_options *options)
{
    icl_score_wants wants = icl_pmi_wants(ICL_GIVEN_TEXT, options);
    wants.text = icl_options_text(options, "text");
    return wants;
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
              ICL_PMI_CARD,
              .options = options,
              .option_count = sizeof options / sizeof *options },
    .wants = wants_pmi,
    .run = icl_pmi_run,
};
