/* math/cholesky.h - symmetric positive definite matrices: factor, determinant, linear systems. All
 * in double and in the same order of summing, so the bits are the same everywhere. Matrices are
 * [rows][rows]; of a symmetric one only the lower triangle is read.
 *
 *   size_t good = 0;
 *   ICL_TRY(icl_cholesky(&good, matrix, rows, cancelled));
 *   if (good == rows) icl_cholesky_solve(x, matrix, rows);
 */
#ifndef ICL_MATH_CHOLESKY_H
#define ICL_MATH_CHOLESKY_H

#include <stdatomic.h>
#include <stddef.h>

#include <icl/status.h>

/* The lower triangle becomes the factor L with L L^T = matrix; the upper one stays. *out_good is
 * `rows`, or the first row up to which the matrix is not positive definite, where it stopped.
 * ICL_ECANCELLED; `cancelled` may be NULL. */
icl_status icl_cholesky(size_t *out_good, double *matrix, size_t rows,
                        const atomic_bool *cancelled);

/* log det(L L^T). */
double icl_cholesky_log_det(const double *factor, size_t rows);

/* Solve L y = x, and L L^T y = x, in place. */
void icl_cholesky_solve_lower(double *x, const double *factor, size_t rows);
void icl_cholesky_solve(double *x, const double *factor, size_t rows);

#endif
