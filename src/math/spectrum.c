#include "math/spectrum.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

#include <lapacke.h>

#include "base/error.h"
#include "math/matrix.h"

/* Upper triangle of rows^T rows, in double. */
static void scatter(double *out, const float *rows, size_t count, size_t columns)
{
    for (size_t row = 0; row < count; row++) {
        const float *x = rows + row * columns;
        for (size_t i = 0; i < columns; i++) {
            const double xi = (double)x[i];
            for (size_t j = i; j < columns; j++) out[i * columns + j] += xi * (double)x[j];
        }
    }
}

/* Eigenvectors come with either sign; this one is the same everywhere. */
static void copy_with_fixed_sign(float *out, const double *vector, size_t count)
{
    size_t largest = 0;
    for (size_t i = 1; i < count; i++) {
        if (fabs(vector[i]) > fabs(vector[largest])) largest = i;
    }
    const double sign = vector[largest] < 0.0 ? -1.0 : 1.0;
    for (size_t i = 0; i < count; i++) out[i] = (float)(sign * vector[i]);
}

icl_status icl_principal_axes(float *axes, size_t axis_count, const float *rows, size_t count,
                              size_t columns)
{
    assert(axis_count <= columns);
    const size_t finite = icl_matrix_finite_rows(rows, count, columns);
    if (finite < count)
        return icl_error_set(ICL_EINVAL, "vector %zu of %zu holds a number that is not finite",
                             finite, count);
    double *matrix = calloc(columns * columns, sizeof *matrix);
    double *values = malloc(columns * sizeof *values);
    icl_status status = ICL_OK;
    if (matrix == NULL || values == NULL) {
        status = icl_error_set(ICL_ENOMEM, "out of memory for the axes of %zu numbers", columns);
        goto cleanup;
    }
    scatter(matrix, rows, count, columns);
    /* Row-major upper is column-major lower; eigenvectors come out as rows, ascending. */
    const lapack_int info = LAPACKE_dsyevd(LAPACK_COL_MAJOR, 'V', 'L', (lapack_int)columns, matrix,
                                           (lapack_int)columns, values);
    if (info != 0) {
        status = icl_error_set(ICL_ENOMEM, "the axes of %zu numbers cannot be found (LAPACK says %d)",
                               columns, (int)info);
        goto cleanup;
    }
    for (size_t axis = 0; axis < axis_count; axis++)
        copy_with_fixed_sign(axes + axis * columns, matrix + (columns - 1 - axis) * columns,
                             columns);

cleanup:
    free(values);
    free(matrix);
    return status;
}
