#include "math/dpp.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

#include "base/error.h"
#include "math/cholesky.h"
#include "math/matrix.h"

/* A factor of the determinant below it is rounding. */
#define FACTOR_MIN 1e-10

void icl_dpp_relevance(double *out, const double *cosines, size_t count, double lambda)
{
    double largest = -(double)INFINITY;
    for (size_t i = 0; i < count; i++) largest = fmax(largest, cosines[i]);
    for (size_t i = 0; i < count; i++) out[i] = exp((cosines[i] - largest) / 2 / (2 * lambda));
}

double icl_dpp_kernel_at(const icl_dpp_kernel *kernel, size_t i, size_t j)
{
    const float *a = &kernel->vectors[i * kernel->columns];
    const float *b = &kernel->vectors[j * kernel->columns];
    const double similarity = (1 + icl_vector_dot(a, b, kernel->columns)) / 2;
    return kernel->relevance[i] * similarity * kernel->relevance[j];
}

icl_status icl_dpp_log_det(double *out, const icl_dpp_kernel *kernel, const size_t *set,
                           size_t set_count)
{
    double *matrix = malloc((set_count * set_count + 1) * sizeof *matrix);
    if (matrix == NULL)
        return icl_error_set(ICL_ENOMEM, "out of memory for a determinant of %zu rows", set_count);
    for (size_t i = 0; i < set_count; i++)
        for (size_t j = 0; j <= i; j++)
            matrix[i * set_count + j] = icl_dpp_kernel_at(kernel, set[i], set[j]);
    size_t good = 0;
    const icl_status status = icl_cholesky(&good, matrix, set_count, NULL);
    if (status == ICL_OK)
        *out = good == set_count ? icl_cholesky_log_det(matrix, set_count) : -(double)INFINITY;
    free(matrix);
    return status;
}

/* The item with the largest factor, or count when none is worth choosing. */
static size_t best_item(const double *factors, size_t count)
{
    size_t best = count;
    for (size_t i = 0; i < count; i++)
        if (factors[i] >= FACTOR_MIN && (best == count || factors[i] > factors[best])) best = i;
    return best;
}

/* Row `step` of the Cholesky factor as `item` joins the chosen; lowers the others' factors. */
static void choose(double *rows, size_t step, double *factors, const icl_dpp_kernel *kernel,
                   size_t item)
{
    const size_t count = kernel->count;
    double *row = &rows[step * count];
    for (size_t i = 0; i < count; i++) row[i] = icl_dpp_kernel_at(kernel, item, i);
    for (size_t t = 0; t < step; t++) {
        const double *earlier = &rows[t * count], weight = earlier[item];
        for (size_t i = 0; i < count; i++) row[i] -= weight * earlier[i];
    }
    const double root = sqrt(factors[item]);
    for (size_t i = 0; i < count; i++) {
        row[i] /= root;
        factors[i] -= row[i] * row[i];
    }
    factors[item] = -(double)INFINITY; /* never again, whatever rounding left */
}

icl_status icl_dpp_map(size_t *out, size_t *out_count, const icl_dpp_kernel *kernel, size_t k)
{
    assert(k <= kernel->count);
    /* S is a Gram matrix of vectors of one column more, so no larger set has a determinant. */
    const size_t steps = k < kernel->columns + 1 ? k : kernel->columns + 1;
    double *rows = malloc((steps * kernel->count + 1) * sizeof *rows);
    double *factors = malloc((kernel->count + 1) * sizeof *factors);
    icl_status status = ICL_OK;
    if (rows == NULL || factors == NULL) {
        status = icl_error_set(ICL_ENOMEM, "out of memory for %zu of %zu items", k, kernel->count);
        goto cleanup;
    }
    for (size_t i = 0; i < kernel->count; i++) factors[i] = icl_dpp_kernel_at(kernel, i, i);
    size_t chosen = 0;
    for (; chosen < steps; chosen++) {
        const size_t item = best_item(factors, kernel->count);
        if (item == kernel->count) break;
        choose(rows, chosen, factors, kernel, item);
        out[chosen] = item;
    }
    *out_count = chosen;

cleanup:
    free(factors);
    free(rows);
    return status;
}
