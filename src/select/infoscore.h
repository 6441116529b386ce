/* select/infoscore.h - progressive filtering: each candidate alone as the demonstration of a
 * growing set of probes, and only the better part of the candidates goes into the next round.
 *
 *   icl_infoscore scored = { 0 };
 *   status = icl_infoscore_filter(&scored, input, "infoscore", options, &split, out->k);
 *   ... scored.candidates[0] is the best, its gains scored.gains[0 .. probe_count - 1] ...
 *   icl_infoscore_deinit(&scored);
 */
#ifndef ICL_SELECT_INFOSCORE_H
#define ICL_SELECT_INFOSCORE_H

#include <stddef.h>

#include <icl/status.h>

#include "select/corpus.h"
#include "select/select.h"

/* Names of the option "metric": "paper", "code", NULL. */
extern const char *const icl_infoscore_metrics[];

/* The options that icl_infoscore_filter reads, and "candidates" for the split. */
#define ICL_INFOSCORE_OPTIONS                                                                      \
    { .name = "metric",                                                                            \
      .type = ICL_OPTION_CHOICE,                                                                   \
      .fallback = "paper",                                                                         \
      .choices = icl_infoscore_metrics,                                                            \
      .help = "gain of P(gold label), or, as the public code has it, loss of the gold label's "    \
              "share in the sum of all labels' negative log-probabilities" },                      \
        { .name = "candidates",                                                                    \
          .type = ICL_OPTION_INT,                                                                  \
          .fallback = "200",                                                                       \
          .minimum = 0,                                                                            \
          .maximum = 1e6,                                                                          \
          .help = "pool items that enter the first round, a balanced draw; 0: all (Li & Qiu)" },   \
        { .name = "m",                                                                             \
          .type = ICL_OPTION_INT,                                                                  \
          .fallback = "0",                                                                         \
          .minimum = 0,                                                                            \
          .maximum = 1e6,                                                                          \
          .help = "candidates that survive (Li & Qiu: 500); 0: a tenth of them, at least 4 k" },   \
        { .name = "n0",                                                                            \
          .type = ICL_OPTION_INT,                                                                  \
          .fallback = "8",                                                                         \
          .minimum = 1,                                                                            \
          .maximum = 1e6,                                                                          \
          .help = "probes of the first round (Li & Qiu: 14 for two labels, 4 for four)" },         \
    {                                                                                              \
        .name = "p", .type = ICL_OPTION_REAL, .fallback = "2", .minimum = 1.1, .maximum = 1e6,     \
        .help = "each round keeps 1/p of the candidates and has p times the probes (Li & Qiu: 2 "  \
                "or 3)"                                                                            \
    }

#define ICL_INFOSCORE_COST                                                                         \
    "about candidates * n0 * log_p(candidates / m) prompts of one demonstration"

typedef struct icl_infoscore {
    size_t candidate_count, probe_count;
    size_t *candidates; /* [candidate_count] pool indices, best first */
    double *scores;     /* [candidate_count] InfoScore: mean gain over the probes but the candidate
                           itself; 0 when it was the only probe */
    double *gains;      /* [candidate_count][probe_count] what the candidate adds to a probe's gold
                           label beside no demonstration; 0 where the probe is the candidate */
} icl_infoscore;

/* Probes are the split's candidates in random order. One call of the model per round. *out is
 * yours: icl_infoscore_deinit, which is fine on zeroes. Fails as icl_ask_labels does. */
icl_status icl_infoscore_filter(icl_infoscore *out, const icl_select_input *input,
                                const char *method, const icl_options *options,
                                const icl_split *split, size_t k);
/* scores [pool_count] by pool item, NaN for what did not survive. */
void icl_infoscore_by_item(double *scores, size_t pool_count, const icl_infoscore *scored);

void icl_infoscore_deinit(icl_infoscore *scored);

#endif
