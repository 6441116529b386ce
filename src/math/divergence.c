#include "math/divergence.h"

#include <float.h>
#include <math.h>

#include "math/lanes.h"

typedef double lanes_double __attribute__((vector_size(ICL_LANES * sizeof(double))));

/* p (log p - log q), lane by lane. */
ICL_LANES_INLINE icl_lanes terms(icl_lanes log_p, icl_lanes log_q)
{
    const icl_lanes p = icl_lanes_exp(log_p), none = { 0 };
    return icl_lanes_choose(p > none, p * (log_p - log_q), none);
}

double icl_divergence_nats(const float *log_p, const float *log_q, size_t count)
{
    lanes_double sums = { 0 };
    size_t i = 0;
    for (; i + ICL_LANES <= count; i += ICL_LANES)
        sums += __builtin_convertvector(terms(icl_lanes_load(log_p + i), icl_lanes_load(log_q + i)),
                                        lanes_double);
    const int64_t left = (int64_t)(count - i);
    sums += __builtin_convertvector(terms(icl_lanes_load_some(log_p + i, left, -INFINITY),
                                          icl_lanes_load_some(log_q + i, left, 0)),
                                    lanes_double);
    double sum = 0;
    for (int lane = 0; lane < ICL_LANES; lane++) sum += sums[lane];
    return fmax(sum, 0);
}

double icl_divergence_of_kept_nats(const double *log_p, const int32_t *kept, size_t count,
                                   const float *log_q)
{
    double sum = 0, p_kept = 0, q_kept = 0;
    for (size_t i = 0; i < count; i++) {
        const double p = exp(log_p[i]), of_q = (double)log_q[kept[i]];
        if (p > 0) sum += p * (log_p[i] - of_q);
        p_kept += p;
        q_kept += exp(of_q);
    }
    const double p_rest = fmax(1 - p_kept, FLT_EPSILON), q_rest = fmax(1 - q_kept, FLT_EPSILON);
    return fmax(sum + p_rest * log(p_rest / q_rest), 0);
}
