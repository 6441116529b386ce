/* index/dense.h - exact nearest neighbours of dense vectors.
 *
 *   icl_scored neighbours[QUERIES * 8];
 *   icl_status status = icl_dense_search(neighbours, &(icl_dense_input){
 *       .pool = pool, .pool_count = n, .queries = queries, .query_count = QUERIES,
 *       .columns = 384, .k = 8, .metric = ICL_METRIC_COSINE });
 *
 * Two steps: a blocked single-precision product finds every pool row that can be among the k best,
 * given a bound on its rounding error; those few are scored again in double, in a fixed order, and
 * ranked. So the answer is exact, and the same bytes for any block size, thread count or batch.
 */
#ifndef ICL_INDEX_DENSE_H
#define ICL_INDEX_DENSE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include <icl/status.h>

#include "math/topk.h"

typedef enum icl_distance {
    ICL_METRIC_COSINE, /* score: cosine, in -1..1; 0 when either vector is zero */
    ICL_METRIC_L2,     /* score: minus the Euclidean distance */
} icl_distance;

/* Everything is borrowed. */
typedef struct icl_dense_input {
    const float *pool;    /* [pool_count][columns] */
    const float *queries; /* [query_count][columns] */
    size_t pool_count, query_count, columns;
    const size_t *exclude; /* [query_count] pool row never returned, SIZE_MAX: none; may be NULL */
    size_t k;
    icl_distance metric;
    size_t query_block, pool_block; /* rows per product, 0: chosen here; they change speed alone */
    const atomic_bool *cancelled;   /* may be NULL */
} icl_dense_input;

/* Writes out [query_count][k], best first, equal scores by lower row; where the pool holds fewer
 * than k rows the rest of a line is { -inf, SIZE_MAX }. Memory: two blocks and the candidates of
 * one block of queries. ICL_EINVAL: a component is not finite; ICL_ECANCELLED; ICL_ENOMEM; after a
 * failure the content of `out` means nothing. */
icl_status icl_dense_search(icl_scored *out, const icl_dense_input *input);

#endif
