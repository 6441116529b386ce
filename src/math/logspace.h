/* math/logspace.h - sums and distributions of log-probabilities (nats), without overflow.
 *
 * Inputs may be -inf (probability 0). NaN is carried into sums and distributions; icl_argmax counts
 * it as -inf. Code that reads a model's answers rejects NaN with icl_log_all_valid before it gets
 * here.
 */
#ifndef ICL_MATH_LOGSPACE_H
#define ICL_MATH_LOGSPACE_H

#include <stdbool.h>
#include <stddef.h>

/* No value is NaN or +inf. */
bool icl_log_all_valid(const double *values, size_t count);

/* log(sum(exp(values))); -inf for count 0 or when every value is -inf. */
double icl_logsumexp(const double *values, size_t count);

/* out = values - logsumexp(values), and its exponential; both [count], may alias, count > 0. When
 * every value is -inf the distribution is uniform: nothing tells the outcomes apart. */
void icl_log_softmax(double *out, const double *values, size_t count);
void icl_softmax(double *out, const double *values, size_t count);

/* out [count]: log of the mean of the rows' probabilities, then normalised as icl_log_softmax does;
 * rows [row_count][count] log-probabilities, row_count > 0. */
void icl_log_mixture(double *out, const double *rows, size_t row_count, size_t count);

/* Index of the maximum, the first one among equals; count > 0. */
size_t icl_argmax(const double *values, size_t count);

/* values[index] less the largest of the others, which says by how much it wins (positive) or loses;
 * 0 when there is no other. The same for values of which a constant was subtracted. */
double icl_log_margin(const double *values, size_t count, size_t index);

/* Entropy of a distribution given as probabilities that sum to 1, in 0..log(count). */
double icl_entropy_nats(const double *probabilities, size_t count);

/* Mutual information of row and outcome, rows equally likely, each a distribution [count]: the
 * entropy of their mean less the mean of their entropies, in 0..log(count). row_count > 0;
 * mean [count]: receives the mean distribution. */
double icl_mutual_information_nats(const double *rows, size_t row_count, size_t count,
                                   double *mean);

#endif
