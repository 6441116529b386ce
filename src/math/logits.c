#include "math/logits.h"

#include <math.h>
#include <string.h>

#include "math/lanes.h"

typedef double lanes_double __attribute__((vector_size(ICL_LANES * sizeof(double))));

static float largest(const float *values, size_t count)
{
    icl_lanes maxima = icl_lanes_set(-INFINITY);
    size_t i = 0;
    for (; i + ICL_LANES <= count; i += ICL_LANES) {
        icl_lanes x;
        memcpy(&x, values + i, sizeof x);
        maxima = icl_lanes_max(x, maxima);
    }
    float maximum = -INFINITY;
    for (int l = 0; l < ICL_LANES; l++)
        if (maxima[l] > maximum) maximum = maxima[l];
    for (; i < count; i++)
        if (values[i] > maximum) maximum = values[i];
    return maximum;
}

icl_logits_summary icl_logits_summarise(const float *logits, size_t count)
{
    const float maximum = largest(logits, count);
    size_t best = 0;
    while (best + 1 < count && logits[best] != maximum) best++;
    lanes_double sums = { 0 };
    size_t i = 0;
    icl_lanes_int not_a_number = { 0 };
    for (; i + ICL_LANES <= count; i += ICL_LANES) {
        icl_lanes x;
        memcpy(&x, logits + i, sizeof x);
        sums += __builtin_convertvector(icl_lanes_exp(x - icl_lanes_set(maximum)), lanes_double);
        not_a_number |= x != x; /* the exponential maps NaN to 0, which would hide it */
    }
    double sum = 0;
    for (int l = 0; l < ICL_LANES; l++) sum += not_a_number[l] != 0 ? NAN : sums[l];
    for (; i < count; i++) sum += exp((double)logits[i] - (double)maximum);
    return (icl_logits_summary){ .log_sum = (double)maximum + log(sum), .best = (int32_t)best };
}

double icl_logits_entropy_nats(const float *logits, size_t count, double log_sum)
{
    double entropy = 0;
    for (size_t i = 0; i < count; i++) {
        const double logprob = (double)logits[i] - log_sum;
        const double probability = exp(logprob);
        if (probability > 0) entropy -= probability * logprob;
    }
    return entropy;
}
