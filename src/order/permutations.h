/* order/permutations.h - lists of orders of k things: all of them, a sample, a sampled tree.
 *
 *   icl_permutations orders = { 0 };
 *   icl_rng rng = icl_rng_new(input->seed, input->task, groups.keys[g], "order-globale");
 *   ICL_TRY(icl_permutations_sample(&orders, k, 24, &rng));
 *   ... orders.rows[i * orders.k + place] ...
 *   icl_permutations_deinit(&orders);
 *
 * Rows ascend lexicographically and are distinct, so orders that begin alike are neighbours.
 */
#ifndef ICL_ORDER_PERMUTATIONS_H
#define ICL_ORDER_PERMUTATIONS_H

#include <stdbool.h>
#include <stddef.h>

#include <icl/status.h>

#include "base/rng.h"

typedef struct icl_permutations {
    size_t count, k;
    size_t *rows; /* [count][k], each a permutation of 0 .. k - 1 */
} icl_permutations;

/* k!, or SIZE_MAX where that is more than a size_t holds. */
size_t icl_factorial(size_t k);

/* Makes of `row` its successor in lexicographic order; false, and nothing changed, at the last. */
bool icl_permutation_next(size_t *row, size_t k);

/* out [k] = 0, 1, .. k - 1. */
void icl_permutation_identity(size_t *out, size_t k);

/* Each of these makes *out anew: icl_permutations_deinit. ICL_ENOMEM. */

/* All k! orders; k! must fit a size_t. */
icl_status icl_permutations_all(icl_permutations *out, size_t k);

/* `count` orders, every set of so many equally likely; all k! where those are no more. */
icl_status icl_permutations_sample(icl_permutations *out, size_t k, size_t count, icl_rng *rng);

/* `count` orders that share beginnings: all begin with the same `head` things, then r of the rest
 * may follow, r - 1 after each of those, and so on, where r is the smallest number with r! >=
 * count (4 x 3 x 2 for 24); what is left is in random order. Each single order is uniform over all
 * k!. At most (k - head)! orders; head = k - r and count = r! permute the last r things. */
icl_status icl_permutations_sample_tree(icl_permutations *out, size_t k, size_t head, size_t count,
                                        icl_rng *rng);

/* Into lexicographic order, for lists made by hand. ICL_ENOMEM. */
icl_status icl_permutations_sort(icl_permutations *orders);

/* Distinct non-empty beginnings of the rows: demonstrations that a model reads for all of them. */
size_t icl_permutations_segments(const icl_permutations *orders);

void icl_permutations_deinit(icl_permutations *orders);

#endif
