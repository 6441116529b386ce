#include "math/logspace.h"

#include <assert.h>
#include <math.h>

bool icl_log_all_valid(const double *values, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (isnan(values[i]) || values[i] == INFINITY) return false;
    return true;
}

size_t icl_argmax(const double *values, size_t count)
{
    assert(count > 0);
    size_t best = 0;
    for (size_t i = 1; i < count; i++)
        if (values[i] > values[best] || (isnan(values[best]) && values[i] > -INFINITY)) best = i;
    return best;
}

double icl_logsumexp(const double *values, size_t count)
{
    if (count == 0) return -INFINITY;
    const double maximum = values[icl_argmax(values, count)];
    double sum = 0.0;
    if (maximum == -INFINITY) { /* exp(-inf - -inf) would be NaN */
        for (size_t i = 0; i < count; i++) sum += isnan(values[i]) ? NAN : 0.0;
        return sum + maximum;
    }
    for (size_t i = 0; i < count; i++) sum += exp(values[i] - maximum);
    return maximum + log(sum);
}

void icl_log_softmax(double *out, const double *values, size_t count)
{
    assert(count > 0);
    const double total = icl_logsumexp(values, count);
    const double uniform = -log((double)count);
    for (size_t i = 0; i < count; i++) out[i] = total == -INFINITY ? uniform : values[i] - total;
}

void icl_softmax(double *out, const double *values, size_t count)
{
    icl_log_softmax(out, values, count);
    for (size_t i = 0; i < count; i++) out[i] = exp(out[i]);
}

double icl_entropy_nats(const double *probabilities, size_t count)
{
    double entropy = 0.0;
    for (size_t i = 0; i < count; i++) /* p log p tends to 0 with p */
        if (probabilities[i] != 0.0) entropy -= probabilities[i] * log(probabilities[i]);
    return entropy;
}
