#include "math/ridge.h"

#include <math.h>
#include <stdlib.h>

#include "base/cancel.h"
#include "base/error.h"

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

/* Cholesky: the lower triangle becomes L with L L^T = matrix. */
static icl_status factorise(double *matrix, size_t rows, const atomic_bool *cancelled)
{
    for (size_t r = 0; r < rows; r++) {
        ICL_TRY(icl_cancel_check(cancelled));
        double *row = &matrix[r * rows];
        for (size_t s = 0; s <= r; s++) {
            const double *other = &matrix[s * rows];
            double rest = row[s];
            for (size_t i = 0; i < s; i++) rest -= row[i] * other[i];
            if (s < r) {
                row[s] = rest / other[s];
            } else {
                if (!(rest > 0))
                    return icl_error_set(ICL_EINVAL,
                                         "ridge regression: row %zu of %zu is not positive "
                                         "definite; raise the penalty",
                                         r, rows);
                row[r] = sqrt(rest);
            }
        }
    }
    return ICL_OK;
}

/* Solves L L^T x = x in place. */
static void solve(double *x, const double *factor, size_t rows)
{
    for (size_t r = 0; r < rows; r++) {
        for (size_t i = 0; i < r; i++) x[r] -= factor[r * rows + i] * x[i];
        x[r] /= factor[r * rows + r];
    }
    for (size_t r = rows; r-- > 0;) {
        x[r] /= factor[r * rows + r];
        for (size_t i = 0; i < r; i++) x[i] -= factor[r * rows + i] * x[r];
    }
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
        solve(dual, products, rows);
    }
    return ICL_OK;
}
