/* math/interval.h - 95 % confidence intervals of proportions and of resampled values. */
#ifndef ICL_MATH_INTERVAL_H
#define ICL_MATH_INTERVAL_H

#include <stddef.h>

typedef struct icl_interval {
    double low, high;
} icl_interval;

/* Wilson score interval of a proportion, without continuity correction; correct <= count, count >
 * 0. Wilson 1927, "Probable Inference, the Law of Succession, and Statistical Inference". */
icl_interval icl_interval_wilson95(size_t correct, size_t count);

/* The 2.5 % and 97.5 % quantiles of what a bootstrap found; sorts the values. count > 0. */
icl_interval icl_interval_percentile95(double *values, size_t count);

/* Quantile q in 0..1 of ascending values by linear interpolation (NumPy's default). */
double icl_quantile_sorted(const double *ascending, size_t count, double q);

#endif
