/* math/assignment.h - the heaviest one-to-one assignment of rows to columns (Hungarian method).
 *
 *   size_t columns[ROWS];
 *   icl_status status = icl_assignment(columns, weights, ROWS, COLUMNS);
 *   ... row r is matched with columns[r], unless that is SIZE_MAX ...
 */
#ifndef ICL_MATH_ASSIGNMENT_H
#define ICL_MATH_ASSIGNMENT_H

#include <stddef.h>

#include <icl/status.h>

/* Matches every row with a column of its own, or every column with a row where columns are fewer,
 * so that the weights of the pairs have the largest sum. weights [rows][columns], finite; out
 * [rows] columns, SIZE_MAX for a row that is left over. O(n^2 m) for the smaller side n and the
 * larger m; the same bits everywhere. ICL_EINVAL: a weight is not finite; ICL_ENOMEM. Kuhn 1955,
 * "The Hungarian Method for the Assignment Problem". */
icl_status icl_assignment(size_t *out, const double *weights, size_t rows, size_t columns);

#endif
