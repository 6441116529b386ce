#include "math/cholesky.h"

#include <math.h>

#include "base/cancel.h"
#include "base/error.h"

icl_status icl_cholesky(size_t *out_good, double *matrix, size_t rows, const atomic_bool *cancelled)
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
            } else if (rest > 0) {
                row[r] = sqrt(rest);
            } else {
                *out_good = r;
                return ICL_OK;
            }
        }
    }
    *out_good = rows;
    return ICL_OK;
}

double icl_cholesky_log_det(const double *factor, size_t rows)
{
    double sum = 0;
    for (size_t r = 0; r < rows; r++) sum += 2 * log(factor[r * rows + r]);
    return sum;
}

void icl_cholesky_solve_lower(double *x, const double *factor, size_t rows)
{
    for (size_t r = 0; r < rows; r++) {
        for (size_t i = 0; i < r; i++) x[r] -= factor[r * rows + i] * x[i];
        x[r] /= factor[r * rows + r];
    }
}

void icl_cholesky_solve(double *x, const double *factor, size_t rows)
{
    icl_cholesky_solve_lower(x, factor, rows);
    for (size_t r = rows; r-- > 0;) {
        x[r] /= factor[r * rows + r];
        for (size_t i = 0; i < r; i++) x[i] -= factor[r * rows + i] * x[r];
    }
}
