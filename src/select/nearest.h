/* select/nearest.h - nearest neighbours by sentence vectors, for methods that take them as they
 * come and for methods that choose among them. */
#ifndef ICL_SELECT_NEAREST_H
#define ICL_SELECT_NEAREST_H

#include "index/dense.h"
#include "select/select.h"

/* Fills `out` with the k nearest pool items of every query. */
icl_status icl_select_nearest(icl_selection *out, const icl_select_input *input,
                              icl_distance metric);

/* The `count` nearest pool items of every query, cosine; a line ends in SIZE_MAX where the pool
 * holds fewer besides the query itself. *out is yours: icl_selection_deinit. */
icl_status icl_select_neighbours(icl_selection *out, const icl_select_input *input, size_t count);

/* How many neighbours a query may choose among: the option "candidates", where 0 is the whole pool,
 * but at least k, which the card's own number may be below, and at most what the pool holds. */
size_t icl_candidates_limit(const icl_select_input *input, const icl_options *options, size_t k);

/* Items of a line of icl_select_neighbours. */
size_t icl_neighbour_count(const icl_selection *neighbours, size_t query);

/* What one query may choose among; borrowed. */
typedef struct icl_candidates {
    const icl_scored *items; /* [count] cosine with the query and pool index, nearest first */
    const float *vectors;    /* [count][vector_size] scaled to unit length; a zero vector stays */
    size_t count, vector_size;
} icl_candidates;

/* Cosine of two candidates; 0 when either vector is zero. */
double icl_candidates_cosine(const icl_candidates *candidates, size_t i, size_t j);

/* Chooses up to k of the candidates: writes their places out_chosen [*out_count], all different. */
typedef icl_status icl_candidates_choose(size_t *out_chosen, size_t *out_count,
                                         const icl_candidates *candidates, size_t k,
                                         const icl_options *options);

/* select_dpp.c: by the kernel of CEIL with the option "lambda". */
icl_candidates_choose icl_choose_dpp;

/* Lets every query choose k among its nearest pool items, icl_candidates_limit of them. Where fewer
 * than k are chosen the nearest of the others fill up. A line of `out` is in order of nearness, its
 * scores are cosines. */
icl_status icl_select_among_nearest(icl_selection *out, const icl_select_input *input,
                                    icl_candidates_choose *choose, const icl_options *options);

#define ICL_SELECT_OPTION_CANDIDATES                                                               \
    {                                                                                              \
        .name = "candidates", .type = ICL_OPTION_INT, .fallback = "100", .minimum = 0,             \
        .maximum = 1e6,                                                                            \
        .help = "nearest pool items to choose among, at least k; 0: the whole pool"                \
    }

#endif
