#include "math/mixture.h"

#include <assert.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/cancel.h"
#include "base/error.h"
#include "math/cholesky.h"
#include "math/kmeans.h"
#include "math/logspace.h"
#include "math/matrix.h"

enum { KMEANS_ROUNDS_MAX = 300 };

icl_status icl_mixture_init(icl_mixture *out, const double *rows, size_t count, size_t columns,
                            size_t k)
{
    assert(k >= 1 && k <= count && columns >= 1);
    icl_mixture mixture = {
        .rows = rows, .count = count, .columns = columns, .k = k, .regulariser = 1e-6
    };
    mixture.weights = calloc(k, sizeof *mixture.weights);
    mixture.means = calloc(k * columns, sizeof *mixture.means);
    mixture.factors = calloc(k * columns * columns, sizeof *mixture.factors);
    mixture.responsibilities = calloc(count * k, sizeof *mixture.responsibilities);
    mixture.scratch = calloc(k + columns, sizeof *mixture.scratch);
    if (mixture.weights == NULL || mixture.means == NULL || mixture.factors == NULL ||
        mixture.responsibilities == NULL || mixture.scratch == NULL) {
        icl_mixture_deinit(&mixture);
        return icl_error_set(ICL_ENOMEM, "out of memory for %zu Gaussians in %zu dimensions", k,
                             columns);
    }
    *out = mixture;
    return ICL_OK;
}

void icl_mixture_deinit(icl_mixture *mixture)
{
    free(mixture->scratch);
    free(mixture->responsibilities);
    free(mixture->factors);
    free(mixture->means);
    free(mixture->weights);
    *mixture = (icl_mixture){ 0 };
}

/* ---- maximisation ---- */

static void average_rows(double *mean, const icl_mixture *mixture, size_t component, double mass)
{
    const size_t columns = mixture->columns;
    memset(mean, 0, columns * sizeof *mean);
    for (size_t i = 0; i < mixture->count; i++) {
        const double share = mixture->responsibilities[i * mixture->k + component] / mass;
        for (size_t c = 0; c < columns; c++) mean[c] += share * mixture->rows[i * columns + c];
    }
}

/* The lower triangle of the covariance. */
static void spread_rows(double *covariance, const icl_mixture *mixture, size_t component,
                        double mass)
{
    const size_t columns = mixture->columns;
    const double *mean = &mixture->means[component * columns];
    double *apart = mixture->scratch;
    memset(covariance, 0, columns * columns * sizeof *covariance);
    for (size_t i = 0; i < mixture->count; i++) {
        const double share = mixture->responsibilities[i * mixture->k + component] / mass;
        if (!(share > 0)) continue;
        for (size_t c = 0; c < columns; c++) apart[c] = mixture->rows[i * columns + c] - mean[c];
        for (size_t r = 0; r < columns; r++)
            for (size_t c = 0; c <= r; c++)
                covariance[r * columns + c] += share * apart[r] * apart[c];
    }
    for (size_t c = 0; c < columns; c++) covariance[c * columns + c] += mixture->regulariser;
}

static icl_status maximise(icl_mixture *mixture, const atomic_bool *cancelled)
{
    const size_t columns = mixture->columns;
    double total = 0;
    for (size_t g = 0; g < mixture->k; g++) {
        double mass = 10 * DBL_EPSILON; /* a component that no row answers to divides by no zero */
        for (size_t i = 0; i < mixture->count; i++)
            mass += mixture->responsibilities[i * mixture->k + g];
        mixture->weights[g] = mass;
        total += mass;
        average_rows(&mixture->means[g * columns], mixture, g, mass);
        double *factor = &mixture->factors[g * columns * columns];
        spread_rows(factor, mixture, g, mass);
        size_t good = 0;
        ICL_TRY(icl_cholesky(&good, factor, columns, cancelled));
        if (good < columns)
            return icl_error_set(ICL_EINVAL,
                                 "a Gaussian of %zu dimensions cannot be fitted to %zu rows: its "
                                 "covariance is not positive definite",
                                 columns, mixture->count);
    }
    for (size_t g = 0; g < mixture->k; g++) mixture->weights[g] /= total;
    return ICL_OK;
}

/* ---- expectation ---- */

void icl_mixture_log_joint(double *out, icl_mixture *mixture, const double *row)
{
    const double log_two_pi = 1.8378770664093453;
    const size_t columns = mixture->columns;
    double *apart = mixture->scratch + mixture->k;
    for (size_t g = 0; g < mixture->k; g++) {
        const double *factor = &mixture->factors[g * columns * columns];
        for (size_t c = 0; c < columns; c++) apart[c] = row[c] - mixture->means[g * columns + c];
        icl_cholesky_solve_lower(apart, factor, columns);
        const double square = icl_vector_dot_doubles(apart, apart, columns);
        out[g] = log(mixture->weights[g]) - 0.5 * ((double)columns * log_two_pi + square +
                                                   icl_cholesky_log_det(factor, columns));
    }
}

static icl_status expect(icl_mixture *mixture, const atomic_bool *cancelled)
{
    double sum = 0;
    for (size_t i = 0; i < mixture->count; i++) {
        ICL_TRY(icl_cancel_check(cancelled));
        double *row = &mixture->responsibilities[i * mixture->k];
        icl_mixture_log_joint(row, mixture, &mixture->rows[i * mixture->columns]);
        sum += icl_logsumexp(row, mixture->k);
        icl_softmax(row, row, mixture->k);
    }
    mixture->log_likelihood = sum / (double)mixture->count;
    return ICL_OK;
}

/* ---- the start, and the rounds ---- */

icl_status icl_mixture_start_from(icl_mixture *mixture, const size_t *labels)
{
    memset(mixture->responsibilities, 0,
           mixture->count * mixture->k * sizeof *mixture->responsibilities);
    for (size_t i = 0; i < mixture->count; i++) {
        assert(labels[i] < mixture->k);
        mixture->responsibilities[i * mixture->k + labels[i]] = 1;
    }
    return maximise(mixture, NULL);
}

/* k-means wants rows of length about 1. */
static void centre_and_shrink(float *out, const icl_mixture *mixture)
{
    const size_t columns = mixture->columns;
    double longest = 0;
    double *centre = mixture->scratch;
    for (size_t c = 0; c < columns; c++) centre[c] = 0;
    for (size_t i = 0; i < mixture->count * columns; i++)
        centre[i % columns] += mixture->rows[i] / (double)mixture->count;
    for (size_t i = 0; i < mixture->count; i++) {
        double square = 0;
        for (size_t c = 0; c < columns; c++) {
            const double apart = mixture->rows[i * columns + c] - centre[c];
            square += apart * apart;
        }
        longest = fmax(longest, sqrt(square));
    }
    for (size_t i = 0; i < mixture->count * columns; i++)
        out[i] = longest > 0 ? (float)((mixture->rows[i] - centre[i % columns]) / longest) : 0;
}

icl_status icl_mixture_start(icl_mixture *mixture, icl_rng *rng, const atomic_bool *cancelled)
{
    icl_kmeans kmeans = { 0 };
    float *rows = malloc(mixture->count * mixture->columns * sizeof *rows);
    if (rows == NULL)
        return icl_error_set(ICL_ENOMEM, "out of memory for %zu rows", mixture->count);
    centre_and_shrink(rows, mixture);
    icl_status status =
        icl_kmeans_init(&kmeans, rows, mixture->count, mixture->columns, mixture->k);
    if (status == ICL_OK) status = icl_kmeans_start(&kmeans, rng, cancelled);
    if (status == ICL_OK) status = icl_kmeans_run(&kmeans, KMEANS_ROUNDS_MAX, cancelled);
    if (status == ICL_OK) status = icl_mixture_start_from(mixture, kmeans.labels);
    icl_kmeans_deinit(&kmeans);
    free(rows);
    return status;
}

icl_status icl_mixture_run(icl_mixture *mixture, size_t rounds_max, double tolerance,
                           const atomic_bool *cancelled)
{
    double before = -INFINITY;
    mixture->converged = false;
    for (mixture->rounds = 0; !mixture->converged && mixture->rounds < rounds_max;
         mixture->rounds++) {
        ICL_TRY(expect(mixture, cancelled));
        ICL_TRY(maximise(mixture, cancelled));
        mixture->converged = fabs(mixture->log_likelihood - before) < tolerance;
        before = mixture->log_likelihood;
    }
    return expect(mixture, cancelled);
}
