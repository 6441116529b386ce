/* math/ridge.h - ridge regression with many targets and more features than rows.
 *
 * For rows x_r and targets y_r the weights w and the free bias b minimise
 *     sum over r of (y_r - w.x_r - b)^2  +  penalty * |w|^2,
 * and w = sum over r of dual_r * x_r. Only the products of rows are needed, and one factorisation
 * serves all targets.
 */
#ifndef ICL_MATH_RIDGE_H
#define ICL_MATH_RIDGE_H

#include <stdatomic.h>
#include <stddef.h>

#include <icl/status.h>

/* duals [target_count][rows] from products [rows][rows], products[r][s] = x_r . x_s, and targets
 * [target_count][rows]; may alias targets. penalty > 0, rows > 0. products are used up. ICL_EINVAL:
 * the products and the penalty are not positive definite; ICL_ECANCELLED, where `cancelled` may be
 * NULL; ICL_ENOMEM. O(rows^3 / 6 + target_count * rows^2), in double, the same bits everywhere. */
icl_status icl_ridge_duals(double *duals, double *products, const double *targets, size_t rows,
                           size_t target_count, double penalty, const atomic_bool *cancelled);

#endif
