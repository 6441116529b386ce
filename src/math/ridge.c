#include "math/ridge.h"

#include <stdlib.h>

#include "base/cancel.h"
#include "base/error.h"
#include "math/cholesky.h"

static double mean_of(const double *values, size_t count)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++) sum += values[i];
    return sum / (double)count;
}

/* The products of rows from which the mean row was subtracted. */
static void centre_products(double *products, const double *means, size_t rows)
{
    const double mean = mean_of(means, rows);
    for (size_t r = 0; r < rows; r++)
        for (size_t s = 0; s < rows; s++) products[r * rows + s] += mean - means[r] - means[s];
}

static icl_status factorise(double *matrix, size_t rows, const atomic_bool *cancelled)
{
    size_t good = 0;
    ICL_TRY(icl_cholesky(&good, matrix, rows, cancelled));
    if (good < rows)
        return icl_error_set(ICL_EINVAL,
                             "ridge regression: row %zu of %zu is not positive definite; raise the "
                             "penalty",
                             good, rows);
    return ICL_OK;
}

icl_status icl_ridge_duals(double *duals, double *products, const double *targets, size_t rows,
                           size_t target_count, double penalty, const atomic_bool *cancelled)
{
    double *means = malloc(rows * sizeof *means);
    if (means == NULL) return icl_error_set(ICL_ENOMEM, "out of memory for %zu rows", rows);
    for (size_t r = 0; r < rows; r++) means[r] = mean_of(&products[r * rows], rows);
    centre_products(products, means, rows);
    free(means);
    for (size_t r = 0; r < rows; r++) products[r * rows + r] += penalty;
    ICL_TRY(factorise(products, rows, cancelled));
    for (size_t t = 0; t < target_count; t++) {
        ICL_TRY(icl_cancel_check(cancelled));
        const double *target = &targets[t * rows];
        double *dual = &duals[t * rows];
        const double mean = mean_of(target, rows);
        for (size_t r = 0; r < rows; r++) dual[r] = target[r] - mean;
        icl_cholesky_solve(dual, products, rows);
    }
    return ICL_OK;
}
