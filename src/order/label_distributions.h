/* order/label_distributions.h - label distributions under orders of demonstrations: how fair, how
 * sure, how far from one another they are.
 *
 * Rows are [row_count][label_count]; distributions are probabilities that sum to 1.
 */
#ifndef ICL_ORDER_LABEL_DISTRIBUTIONS_H
#define ICL_ORDER_LABEL_DISTRIBUTIONS_H

#include <stddef.h>

#include <icl/status.h>

#include "template/ask.h"

/* Nats of labels become distributions. */
void icl_label_distributions(double *rows, size_t row_count, size_t label_count);

/* out [label_count]: the mean of distributions; row_count > 0. */
void icl_label_distributions_mean(double *out, const double *rows, size_t row_count,
                                  size_t label_count);

/* GlobalE of Lu et al. 2022: entropy of how often each label is the likeliest one, in
 * 0..log(label_count). A label that never is counts 1e-5, as in the authors' code. histogram
 * [label_count] is scratch. */
double icl_global_entropy_nats(const double *rows, size_t row_count, size_t label_count,
                               double *histogram);

/* LocalE of Lu et al. 2022: mean entropy of the rows, in 0..log(label_count); row_count > 0. */
double icl_local_entropy_nats(const double *rows, size_t row_count, size_t label_count);

/* Divides a distribution by that without content (Zhao et al. 2021), and by the sum of that; a
 * probability of the bias is at least 1e-12. */
void icl_label_distribution_correct(double *row, const double *bias, size_t label_count);

/* KL(p || q) >= 0, where 0 log 0 = 0 and a probability of q is at least 1e-12. */
double icl_kl_nats(const double *p, const double *q, size_t label_count);

/* Half the sum of absolute differences, in 0..1. */
double icl_total_variation(const double *p, const double *q, size_t label_count);

/* out [count][label_count]: the label distribution after the demonstrations of each prompt where
 * the input carries no content: the mean probabilities over the content-free inputs, then divided
 * by their sum. What input a prompt names is not read. As icl_ask_labels. */
icl_status icl_content_free_distributions(double *out, const icl_asker *asker, const char *method,
                                          const icl_ask_prompt *prompts, size_t count);

#endif
