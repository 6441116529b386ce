/* math/dpp.h - determinantal point processes over unit vectors: sets whose items are relevant and
 * unlike one another have a large determinant.
 *
 *   double cosines[N], relevance[N];           // of the items with the query
 *   icl_dpp_relevance(relevance, cosines, N, 0.1);
 *   const icl_dpp_kernel kernel = { .vectors = vectors, .relevance = relevance, .count = N,
 *                                   .columns = 384 };
 *   size_t chosen[8], count = 0;
 *   icl_status status = icl_dpp_map(chosen, &count, &kernel, 8);
 *
 * The kernel of Ye et al. 2023, "Compositional Exemplars for In-context Learning" (CEIL):
 *   L_ij = r_i S_ij r_j,  S_ij = (1 + v_i . v_j) / 2
 */
#ifndef ICL_MATH_DPP_H
#define ICL_MATH_DPP_H

#include <stddef.h>

#include <icl/status.h>

/* Everything is borrowed. */
typedef struct icl_dpp_kernel {
    const float *vectors;    /* [count][columns] of unit length, or zero */
    const double *relevance; /* [count] r_i > 0 */
    size_t count, columns;
} icl_dpp_kernel;

/* r_i = exp(((1 + cosine_i) / 2 - the largest of these) / (2 lambda)), so the most relevant item
 * has 1. A large lambda forgets the query. May alias. */
void icl_dpp_relevance(double *out, const double *cosines, size_t count, double lambda);

/* L_ij. */
double icl_dpp_kernel_at(const icl_dpp_kernel *kernel, size_t i, size_t j);

/* log det L_S of the items set [set_count]; 0 for the empty set, -INFINITY for a singular one.
 * ICL_ENOMEM. */
icl_status icl_dpp_log_det(double *out, const icl_dpp_kernel *kernel, const size_t *set,
                           size_t set_count);

/* Greedy maximisation of det L_S: item by item the one that multiplies the determinant by most, the
 * lowest index of equal ones. Stops before k items when every factor is below 1e-10: what is left
 * lies in the span of what is chosen. Writes out [*out_count], in the order of choosing, *out_count
 * <= k <= count. Chen, Zhang & Zhou 2018, "Fast Greedy MAP Inference for Determinantal Point
 * Process to Improve Recommendation Diversity": O(count (columns + k)) for each choice, and count
 * min(k, columns + 1) numbers of memory, for the kernel is never stored. ICL_ENOMEM. */
icl_status icl_dpp_map(size_t *out, size_t *out_count, const icl_dpp_kernel *kernel, size_t k);

#endif
