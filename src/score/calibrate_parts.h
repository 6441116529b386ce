/* score/calibrate_parts.h - what several calibrations have in common. */
#ifndef ICL_SCORE_CALIBRATE_PARTS_H
#define ICL_SCORE_CALIBRATE_PARTS_H

#include "score/calibrate.h"

/* Divides each label's probability by what other inputs get under the same demonstrations:
 *
 *   bias(y)  = mean over the rows of the query's group of the raw probabilities, over its sum
 *   score(y) = log p(y | C, x) - log bias(y), with p(. | C, x) renormalised over the labels
 *
 * rows [group_count][rows_per_group][label_count] in nats. ICL_ECANCELLED, ICL_ENOMEM. */
icl_status icl_calibrate_divide(icl_calibration *out, const icl_calibrate_input *input,
                                const double *rows, size_t rows_per_group);

/* log p renormalised over the labels, for methods that fit to it: a label of probability 0 gets
 * log(DBL_EPSILON), about -36. out and nats are [row_count][label_count] and may alias. */
void icl_calibrate_finite_rows(double *out, const double *nats, size_t row_count,
                               size_t label_count);

/* "label "angry"", or "label 3" where labels have no names; valid until `text` goes. */
const char *icl_calibrate_label_name(icl_text *text, const icl_calibrate_input *input,
                                     size_t label);

/* The input with the validation items in place of the queries. */
icl_calibrate_input icl_calibrate_validation_as_queries(const icl_calibrate_input *input);

/* The call that option `of` of another holds. */
typedef struct icl_calibrate_call {
    const icl_calibrate_method *method;
    icl_options options;
} icl_calibrate_call;

/* ICL_EPARSE, ICL_ENOTFOUND, ICL_EINVAL: "temperature(of=...)" and what is wrong in it. */
icl_status icl_calibrate_call_init(icl_calibrate_call *out, const icl_options *options);
void icl_calibrate_call_deinit(icl_calibrate_call *call);

/* Runs that call on the queries of `input`. *out is yours: icl_calibration_deinit. */
icl_status icl_calibrate_run_inner(icl_calibration *out, const icl_calibrate_input *input,
                                   const icl_options *options);

/* How methods that work on another's result list the option. */
#define ICL_CALIBRATE_OPTION_OF                                                                    \
    {                                                                                              \
        .name = "of", .type = ICL_OPTION_TEXT, .fallback = "batch",                                \
        .help = "the calibration before it, in quotes if it has options: \"batch(space=prob)\""    \
    }

#endif
