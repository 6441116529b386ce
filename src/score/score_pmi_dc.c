/* Domain conditional PMI: log P(y | C, x) - log P(y | premise), the premise being the template's
 * final words, which lead to any answer of the task ("Label:"). Another premise is
 * score=pmi(text=...). The paper is zero-shot; with demonstrations they stand, unless the option
 * says otherwise, before the question alone. */
#include "score/pmi.h"

static icl_score_wants wants_pmi_dc(const icl_options *options)
{
    return icl_pmi_wants(ICL_GIVEN_PREMISE, options);
}

static const icl_option options[] = {
    ICL_SCORE_OPTION_DEMONSTRATIONS,
};

const icl_score_method icl_score_pmi_dc = {
    .card = { .name = "pmi-dc",
              .summary = "How much likelier the prompt makes the label's words than the task does.",
              ICL_PMI_CARD,
              .options = options,
              .option_count = sizeof options / sizeof *options },
    .wants = wants_pmi_dc,
    .run = icl_pmi_run,
};
