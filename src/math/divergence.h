/* math/divergence.h - Kullback-Leibler divergence of distributions given as log-probabilities, so
 * that a probability too small for a float does no harm.
 *
 *   KL(p || q) = sum over v of p(v) (log p(v) - log q(v))
 */
#ifndef ICL_MATH_DIVERGENCE_H
#define ICL_MATH_DIVERGENCE_H

#include <stddef.h>
#include <stdint.h>

/* Nats, at least 0; exactly 0 for equal arguments. Places with p = 0 add nothing; +inf when q is 0
 * where p is not. Neither may be NaN. Exponentials are float (relative error 2e-7), the sum double
 * in an order fixed by `count` alone. */
double icl_divergence_nats(const float *log_p, const float *log_q, size_t count);

/* The same over coarser outcomes: `kept` [count] places of q, with log_p [count] parallel to them,
 * and all others as one. At most the divergence over all places, at least that over fewer kept
 * ones. A rest below 2^-23, what rounding leaves of none, counts as 2^-23. */
double icl_divergence_of_kept_nats(const double *log_p, const int32_t *kept, size_t count,
                                   const float *log_q);

#endif
