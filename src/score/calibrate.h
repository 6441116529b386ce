/* score/calibrate.h - bias correction of label scores: a matrix in, a matrix out.
 *
 *   icl_calibration calibration = { 0 };
 *   status = icl_calibrate_run(&calibration, method, &input, &options);
 *   ... predicted = icl_argmax(&calibration.scores[query * label_count], label_count) ...
 *   icl_calibration_deinit(&calibration);
 *
 * Methods never question the model: what a card needs beyond the queries' scores (content-free
 * inputs, random texts of the domain, labelled items to fit on) comes with the input, as much of it
 * as icl_calibrate_wants says. A method is one file and one line in calibrate.def.
 */
#ifndef ICL_SCORE_CALIBRATE_H
#define ICL_SCORE_CALIBRATE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <icl/status.h>

#include "base/card.h"

/* Everything is borrowed. Scores are nats after the chosen normalisation: at most 0, -inf allowed.
 */
typedef struct icl_calibrate_input {
    size_t query_count, label_count;
    const double *logprob_nats; /* [query_count][label_count] */
    /* Queries that show the same demonstrations in the same order share a group, and so the scores
     * of content-free inputs under those demonstrations. */
    size_t group_count;
    const size_t *groups; /* [query_count], each < group_count; NULL: all in group 0 */
    size_t content_free_count;
    const double *content_free_nats; /* [group_count][content_free_count][label_count], or NULL */
    size_t domain_count;             /* random texts of the task's own words */
    const double *domain_nats;       /* [group_count][domain_count][label_count], or NULL */
    /* Labelled items of the pool, scored like queries with demonstrations chosen for them, never
     * themselves. */
    size_t validation_count;
    const double *validation_nats;   /* [validation_count][label_count], or NULL */
    const size_t *validation_labels; /* [validation_count] */
    const size_t *validation_groups; /* [validation_count], as `groups` */
    const size_t *label_counts;      /* [label_count] labelled items of the pool, or NULL */
    const char *const *label_names;  /* [label_count] for messages; NULL: by number */
    const char *task;                /* key of randomness */
    uint64_t seed;
    const atomic_bool *cancelled; /* may be NULL */
} icl_calibrate_input;

typedef struct icl_calibration {
    size_t query_count, label_count;
    double *scores; /* [query_count][label_count] the largest of a row is the prediction; nats,
                       except batch(space=prob): differences of probabilities */
    double *probabilities; /* [query_count][label_count] softmax of the scores of a row */
    bool fell_back; /* there was nothing to calibrate with: the scores are the input's, or what the
                       method in option `of` made of them */
} icl_calibration;

typedef struct icl_calibrate_method {
    icl_card card;
    /* Fills out->scores and out->fell_back; icl_calibrate_run does the probabilities. */
    icl_status (*run)(icl_calibration *out, const icl_calibrate_input *input,
                      const icl_options *options);
} icl_calibrate_method;

/* What the pipeline has to ask for a call of a method: read from the card's needs and from options
 * of these names, its own and those of the call that its option `of` holds. */
typedef struct icl_calibrate_wants {
    bool content_free;       /* ICL_NEEDS_CONTENT_FREE */
    size_t domain_texts;     /* ICL_NEEDS_DOMAIN_TEXTS: option `texts` */
    size_t domain_words;     /* of each; option `words`; 0: the average of the task's texts */
    size_t validation_items; /* option `validation`; 0: none */
    /* Content-free inputs and random texts also under the demonstrations of validation items. */
    bool validation_groups;
} icl_calibrate_wants;

/* ICL_EPARSE, ICL_ENOTFOUND or ICL_EINVAL: what is wrong with the call in option `of`. */
icl_status icl_calibrate_wanted(icl_calibrate_wants *out, const icl_calibrate_method *method,
                                const icl_options *options);

/* All registered methods, and their cards in the same order; static. */
const icl_calibrate_method *const *icl_calibrate_methods(size_t *out_count);
const icl_card *const *icl_calibrate_cards(size_t *out_count);

/* ICL_ENOTFOUND offers the nearest name. */
icl_status icl_calibrate_find(const icl_calibrate_method **out, const char *name);

/* Runs one method. ICL_EMODEL: a score is NaN or +inf; ICL_EINVAL: something that the call wants is
 * missing, or cannot be fitted to. On failure `out` is untouched. */
icl_status icl_calibrate_run(icl_calibration *out, const icl_calibrate_method *method,
                             const icl_calibrate_input *input, const icl_options *options);

void icl_calibration_deinit(icl_calibration *calibration);

#endif
