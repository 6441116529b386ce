/* math/kmeans.h - Lloyd's k-means.
 *
 *   icl_kmeans kmeans = { 0 };
 *   icl_status status = icl_kmeans_init(&kmeans, rows, count, columns, k);
 *   if (status == ICL_OK) status = icl_kmeans_start(&kmeans, &rng, NULL);
 *   if (status == ICL_OK) status = icl_kmeans_run(&kmeans, 300, NULL);
 *   ... kmeans.labels[i], kmeans.centres ...
 *   icl_kmeans_deinit(&kmeans);
 */
#ifndef ICL_MATH_KMEANS_H
#define ICL_MATH_KMEANS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include <icl/status.h>

#include "base/rng.h"

typedef struct icl_kmeans {
    const float *rows; /* [count][columns] borrowed, finite, of length about 1: distances are
                          compared in single precision */
    size_t count, columns, k;
    float *centres; /* [k][columns] */
    size_t *labels; /* [count] the nearest centre, ties to the lowest */
    double inertia; /* sum of the squared distances of rows to their centres */
} icl_kmeans;

/* 1 <= k <= count. All centres are zero. ICL_ENOMEM. */
icl_status icl_kmeans_init(icl_kmeans *out, const float *rows, size_t count, size_t columns,
                           size_t k);
void icl_kmeans_deinit(icl_kmeans *kmeans);

/* Draws the centres from the rows, each with a chance in proportion to its squared distance from
 * those drawn before (k-means++, Arthur & Vassilvitskii 2007). `cancelled` may be NULL.
 * ICL_ECANCELLED, ICL_ENOMEM. */
icl_status icl_kmeans_start(icl_kmeans *kmeans, icl_rng *rng, const atomic_bool *cancelled);

/* Moves the centres until no label changes, at most `rounds_max` times. A centre without rows takes
 * the row that is farthest from its own; where rows are equal it may end without any.
 * ICL_ECANCELLED, ICL_ENOMEM. */
icl_status icl_kmeans_run(icl_kmeans *kmeans, size_t rounds_max, const atomic_bool *cancelled);

#endif
