#include "score/pmi.h"

icl_score_wants icl_pmi_wants(icl_score_given given, const icl_options *options)
{
    return (icl_score_wants){ .parts = 1u << ICL_SCORE_ANSWER | 1u << ICL_SCORE_UNCONDITIONAL,
                              .given = given,
                              .given_demonstrations = icl_options_bool(options, "demonstrations") };
}

icl_status icl_pmi_run(double *out, const icl_score_input *input, const icl_options *options)
{
    (void)options;
    icl_score_add_information(out, input, ICL_NORMALISE_SUM);
    return ICL_OK;
}
