/* math/interval.h - 95 % confidence intervals of proportions and of means. */
#ifndef ICL_MATH_INTERVAL_H
#define ICL_MATH_INTERVAL_H

#include <stddef.h>

#include <icl/status.h>

#include "base/rng.h"

typedef struct icl_interval {
    double low, high;
} icl_interval;

/* Wilson score interval of a proportion, without continuity correction; correct <= count, count >
 * 0. Wilson 1927, "Probable Inference, the Law of Succession, and Statistical Inference". */
icl_interval icl_interval_wilson95(size_t correct, size_t count);

/* Percentile bootstrap of the mean: 2.5 % and 97.5 % quantiles (linear interpolation) of the means
 * of `resample_count` samples with replacement. The same rng gives the same interval. ICL_ENOMEM.
 * Efron 1979, "Bootstrap Methods: Another Look at the Jackknife". */
icl_status icl_interval_bootstrap95(icl_interval *out, const double *values, size_t count,
                                    size_t resample_count, icl_rng *rng);

/* The 2.5 % and 97.5 % quantiles of what a bootstrap found; sorts the values. count > 0. */
icl_interval icl_interval_percentile95(double *values, size_t count);

/* Quantile q in 0..1 of ascending values by linear interpolation (NumPy's default). */
double icl_quantile_sorted(const double *ascending, size_t count, double q);

#endif
