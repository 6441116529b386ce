/* math/mixture.h - a mixture of Gaussians with full covariances, fitted by expectation
 * maximisation.
 *
 *   icl_mixture mixture = { 0 };
 *   icl_status status = icl_mixture_init(&mixture, rows, count, columns, k);
 *   if (status == ICL_OK) status = icl_mixture_start(&mixture, &rng, NULL);
 *   if (status == ICL_OK) status = icl_mixture_run(&mixture, 100, 1e-3, NULL);
 *   ... mixture.weights, mixture.means; icl_mixture_log_joint(joint, &mixture, row) ...
 *   icl_mixture_deinit(&mixture);
 *
 * What a round computes, and when it stops, is scikit-learn's GaussianMixture.
 */
#ifndef ICL_MATH_MIXTURE_H
#define ICL_MATH_MIXTURE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include <icl/status.h>

#include "base/rng.h"

typedef struct icl_mixture {
    const double *rows; /* [count][columns] borrowed, finite */
    size_t count, columns, k;
    double regulariser;       /* added to the diagonal of every covariance; 1e-6 after init */
    double *weights;          /* [k] sum to 1 */
    double *means;            /* [k][columns] */
    double *factors;          /* [k][columns][columns] lower Cholesky factors of the covariances */
    double *responsibilities; /* [count][k] P(component | row), rows sum to 1 */
    double *scratch;          /* [k + columns] */
    double log_likelihood;    /* nats, mean over the rows */
    size_t rounds;
    bool converged;
} icl_mixture;

/* 1 <= k <= count, columns >= 1. ICL_ENOMEM. */
icl_status icl_mixture_init(icl_mixture *out, const double *rows, size_t count, size_t columns,
                            size_t k);
void icl_mixture_deinit(icl_mixture *mixture);

/* Starts from clusters: k-means++ and k-means, or labels [count], each below k. A cluster without
 * rows becomes a component of weight 0. ICL_EINVAL: a covariance is not positive definite;
 * ICL_ECANCELLED, where `cancelled` may be NULL; ICL_ENOMEM. */
icl_status icl_mixture_start(icl_mixture *mixture, icl_rng *rng, const atomic_bool *cancelled);
icl_status icl_mixture_start_from(icl_mixture *mixture, const size_t *labels);

/* At most rounds_max rounds of expectation and maximisation, until one changes the log-likelihood
 * by less than `tolerance`, and a last expectation. ICL_EINVAL, ICL_ECANCELLED. */
icl_status icl_mixture_run(icl_mixture *mixture, size_t rounds_max, double tolerance,
                           const atomic_bool *cancelled);

/* out [k] = log(weight of the component * its density at row [columns]). */
void icl_mixture_log_joint(double *out, icl_mixture *mixture, const double *row);

#endif
