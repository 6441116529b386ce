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

/* log(sum(exp(values - maximum))); the maximum is finite. */
static double log_sum_above(const double *values, size_t count, double maximum)
{
    double sum = 0.0;
    for (size_t i = 0; i < count; i++) sum += exp(values[i] - maximum);
    return log(sum);
}

/* NaN when any value is NaN, else 0: what a result must be poisoned with. */
static double nan_of(const double *values, size_t count)
{
    double poison = 0.0;
    for (size_t i = 0; i < count; i++)
        if (isnan(values[i])) poison = NAN;
    return poison;
}

double icl_logsumexp(const double *values, size_t count)
{
    if (count == 0) return -INFINITY;
    const double maximum = values[icl_argmax(values, count)];
    /* exp(-inf - -inf) would be NaN */
    if (!(maximum > -INFINITY)) return -INFINITY + nan_of(values, count);
    return maximum + log_sum_above(values, count, maximum);
}

void icl_log_softmax(double *out, const double *values, size_t count)
{
    assert(count > 0);
    const double maximum = values[icl_argmax(values, count)];
    if (!(maximum > -INFINITY)) {
        const double uniform = -log((double)count) + nan_of(values, count);
        for (size_t i = 0; i < count; i++) out[i] = uniform;
        return;
    }
    /* Subtracting the maximum first keeps the digits that maximum + log_sum would lose. */
    const double log_sum = log_sum_above(values, count, maximum);
    for (size_t i = 0; i < count; i++) out[i] = (values[i] - maximum) - log_sum;
}

void icl_softmax(double *out, const double *values, size_t count)
{
    icl_log_softmax(out, values, count);
    for (size_t i = 0; i < count; i++) out[i] = exp(out[i]);
}

/* log(mean(exp(column))) of one column. */
static double log_mean_of_column(const double *column, size_t row_count, size_t stride)
{
    double maximum = -INFINITY, total = 0.0, sum = 0.0;
    for (size_t r = 0; r < row_count; r++) {
        maximum = fmax(maximum, column[r * stride]);
        total += column[r * stride];
    }
    if (maximum == -INFINITY) return total; /* -inf, or NaN */
    for (size_t r = 0; r < row_count; r++) sum += exp(column[r * stride] - maximum);
    return maximum + log(sum) - log((double)row_count);
}

void icl_log_mixture(double *out, const double *rows, size_t row_count, size_t count)
{
    assert(row_count > 0);
    for (size_t i = 0; i < count; i++) out[i] = log_mean_of_column(rows + i, row_count, count);
    icl_log_softmax(out, out, count);
}

double icl_log_margin(const double *values, size_t count, size_t index)
{
    double other = -INFINITY;
    for (size_t i = 0; i < count; i++)
        if (i != index && values[i] > other) other = values[i];
    return count > 1 ? values[index] - other : 0;
}

double icl_entropy_nats(const double *probabilities, size_t count)
{
    double entropy = 0.0;
    for (size_t i = 0; i < count; i++) /* p log p tends to 0 with p */
        if (probabilities[i] != 0.0) entropy -= probabilities[i] * log(probabilities[i]);
    return entropy;
}

double icl_mutual_information_nats(const double *rows, size_t row_count, size_t count, double *mean)
{
    assert(row_count > 0);
    double entropies = 0.0;
    for (size_t i = 0; i < count; i++) mean[i] = 0.0;
    for (size_t r = 0; r < row_count; r++) {
        for (size_t i = 0; i < count; i++) mean[i] += rows[r * count + i];
        entropies += icl_entropy_nats(rows + r * count, count);
    }
    for (size_t i = 0; i < count; i++) mean[i] /= (double)row_count;
    const double information = icl_entropy_nats(mean, count) - entropies / (double)row_count;
    return information > 0.0 ? information : 0.0; /* rounding */
}
