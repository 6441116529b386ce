#include "math/matrix.h"

#include <assert.h>
#include <limits.h>
#include <math.h>

#include <cblas.h>

void icl_matrix_multiply_transposed(float *out, const float *a, size_t a_rows, const float *b,
                                    size_t b_rows, size_t columns)
{
    assert(a_rows < INT_MAX && b_rows < INT_MAX && columns < INT_MAX);
    if (a_rows == 0 || b_rows == 0) return;
    const int m = (int)a_rows, n = (int)b_rows, k = (int)columns;
    /* BLAS wants strides of at least 1 even where there is nothing to add up. */
    const int stride = k > 0 ? k : 1;
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, m, n, k, 1.0F, a, stride, b, stride, 0.0F,
                out, n);
}

double icl_vector_dot(const float *a, const float *b, size_t count)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++) sum += (double)a[i] * (double)b[i];
    return sum;
}

double icl_vector_distance_squared(const float *a, const float *b, size_t count)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++) {
        const double difference = (double)a[i] - (double)b[i];
        sum += difference * difference;
    }
    return sum;
}

void icl_matrix_normalise_rows(float *out, const float *in, size_t rows, size_t columns)
{
    for (size_t row = 0; row < rows; row++) {
        const float *from = &in[row * columns];
        float *to = &out[row * columns];
        const double length = sqrt(icl_vector_dot(from, from, columns));
        for (size_t i = 0; i < columns; i++)
            to[i] = length > 0 ? (float)((double)from[i] / length) : 0.0F;
    }
}

size_t icl_matrix_finite_rows(const float *in, size_t rows, size_t columns)
{
    for (size_t row = 0; row < rows; row++) {
        for (size_t i = 0; i < columns; i++)
            if (!isfinite(in[row * columns + i])) return row;
    }
    return rows;
}
