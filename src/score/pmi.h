/* score/pmi.h - what PMI and domain conditional PMI share: they differ in what stands in place of
 * the question. */
#ifndef ICL_SCORE_PMI_H
#define ICL_SCORE_PMI_H

#include "score/score.h"

/* The answer after the prompt and after what is given; reads the option `demonstrations`. */
icl_score_wants icl_pmi_wants(icl_score_given given, const icl_options *options);

/* log P(y | C, x) - log P(y | given): sums over the answer's tokens, as in the paper never divided
 * by a length. */
icl_status icl_pmi_run(double *out, const icl_score_input *input, const icl_options *options);

/* Fields of both cards. */
#define ICL_PMI_CARD                                                                               \
    .paper = "Holtzman et al. 2021, \"Surface Form Competition: Why the Highest Probability "      \
             "Answer Isn't Always Right\"",                                                        \
    .cost = "as direct, and labels continuations once", .needs = ICL_NEEDS_LOGPROBS

#endif
