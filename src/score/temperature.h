/* score/temperature.h - one number over all scores, so that their softmax says how often the
 * largest is right. Guo et al. 2017, "On Calibration of Modern Neural Networks". */
#ifndef ICL_SCORE_TEMPERATURE_H
#define ICL_SCORE_TEMPERATURE_H

#include <stddef.h>

#include <icl/status.h>

/* The T in 1/100 .. 100 with the least mean of -log softmax(scores / T)(gold). scores
 * [count][label_count], gold [count], each below label_count; an item whose gold label is
 * impossible (-inf) tells nothing. `doubt` in 0..1 is the share of each item that belongs to the
 * other labels: 0 fits the items as they are, 1 / (count + 2) keeps items that are all right from
 * making everything certain (Platt 1999, "Probabilistic Outputs for Support Vector Machines").
 * ICL_ENOMEM. */
icl_status icl_temperature_fit(double *out, const double *scores, const size_t *gold, size_t count,
                               size_t label_count, double doubt);

#endif
