#include "math/interval.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

static const double normal_quantile_975 = 1.959963984540054;

icl_interval icl_interval_wilson95(size_t correct, size_t count)
{
    assert(count > 0 && correct <= count);
    const double z2 = normal_quantile_975 * normal_quantile_975;
    const double n = (double)count, p = (double)correct / n;
    const double center = (p + z2 / (2.0 * n)) / (1.0 + z2 / n);
    const double half =
        normal_quantile_975 * sqrt(p * (1.0 - p) / n + z2 / (4.0 * n * n)) / (1.0 + z2 / n);
    /* The ends are exact at 0 and n; rounding would leave 1e-17 beside them. */
    return (icl_interval){ .low = correct == 0 ? 0.0 : center - half,
                           .high = correct == count ? 1.0 : center + half };
}

double icl_quantile_sorted(const double *ascending, size_t count, double q)
{
    assert(count > 0 && q >= 0.0 && q <= 1.0);
    const double position = q * (double)(count - 1);
    const size_t below = (size_t)position;
    if (below + 1 >= count) return ascending[count - 1];
    return ascending[below] +
           (position - (double)below) * (ascending[below + 1] - ascending[below]);
}

static int compare_doubles(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

icl_interval icl_interval_percentile95(double *values, size_t count)
{
    qsort(values, count, sizeof *values, compare_doubles);
    return (icl_interval){ .low = icl_quantile_sorted(values, count, 0.025),
                           .high = icl_quantile_sorted(values, count, 0.975) };
}
