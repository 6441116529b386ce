/* select/trials.h - random prompts and what the model answers under them: the data from which
 * influence, CondAcc and datamodels work.
 *
 *   icl_trials trials = { 0 };
 *   status = icl_trials_ask(&trials, input, "condacc", options, out->k);
 *   ... icl_trials_accuracies(accuracies, &trials, input) ...
 *   icl_trials_deinit(&trials);
 */
#ifndef ICL_SELECT_TRIALS_H
#define ICL_SELECT_TRIALS_H

#include <stddef.h>

#include <icl/status.h>

#include "select/corpus.h"
#include "select/select.h"

/* The options that icl_trials_ask reads. */
#define ICL_TRIALS_OPTIONS                                                                         \
    { .name = "subsets",                                                                           \
      .type = ICL_OPTION_INT,                                                                      \
      .fallback = "200",                                                                           \
      .minimum = 1,                                                                                \
      .maximum = 1e5,                                                                              \
      .help = "random k-subsets of the candidates (Chang & Jia: 25000 of k=4)" },                  \
        { .name = "orders",                                                                        \
          .type = ICL_OPTION_INT,                                                                  \
          .fallback = "1",                                                                         \
          .minimum = 1,                                                                            \
          .maximum = 100,                                                                          \
          .help = "random orders in which a subset is shown (Chang & Jia: 2)" },                   \
        { .name = "dev",                                                                           \
          .type = ICL_OPTION_INT,                                                                  \
          .fallback = "50",                                                                        \
          .minimum = 1,                                                                            \
          .maximum = 1e5,                                                                          \
          .help = "pool items every prompt is measured on, at most half of each class; they are "  \
                  "no candidates" },                                                               \
    {                                                                                              \
        .name = "candidates", .type = ICL_OPTION_INT, .fallback = "100", .minimum = 0,             \
        .maximum = 1e6,                                                                            \
        .help = "pool items that the subsets are drawn from; 0: all that are not "                 \
                "measured on (Chang & Jia: 1000)"                                                  \
    }

#define ICL_TRIALS_COST "subsets * orders * dev, once for all queries; prompts of k demonstrations"

typedef struct icl_trials {
    icl_split split;
    size_t prompt_count, shots; /* shots: k, or all candidates where they are fewer */
    size_t *shown;              /* [prompt_count][shots] pool indices in order of showing */
    double *log_probabilities;  /* [prompt_count][dev_count][label_count] of the labels, normalised
                                   over them; nats */
} icl_trials;

/* Draws class-balanced subsets and asks all prompts in one call. *out is yours:
 * icl_trials_deinit, which is fine on zeroes. Fails as icl_split_draw and icl_ask_labels do. */
icl_status icl_trials_ask(icl_trials *out, const icl_select_input *input, const char *method,
                          const icl_options *options, size_t k);
void icl_trials_deinit(icl_trials *trials);

/* accuracies [prompt_count]: the share of development items whose own label is the likeliest. */
void icl_trials_accuracies(double *accuracies, const icl_trials *trials,
                           const icl_select_input *input);

/* The prompts that show a pool item: how many, and the sum of their values. */
typedef struct icl_showings {
    size_t count;
    double sum;
} icl_showings;

/* A score for every pool item, NAN where it is not measured, from the showings of accuracies
 * [prompt_count]. */
typedef void icl_trials_score(double *scores, size_t pool_count, const icl_showings *showings,
                              const double *accuracies, size_t prompt_count);

/* A method that only looks at accuracies: asks, scores and chooses. */
icl_status icl_trials_run(icl_selection *out, const icl_select_input *input,
                          const icl_options *options, icl_trials_score *score,
                          const icl_corpus_choice *choice);

/* showings [pool_count] of values [prompt_count]. */
void icl_trials_showings(icl_showings *showings, size_t pool_count, const icl_trials *trials,
                         const double *values);

#endif
