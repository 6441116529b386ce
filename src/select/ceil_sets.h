/* select/ceil_sets.h - sets of demonstrations and how the model answers after them, from which CEIL
 * learns which sets are good together. */
#ifndef ICL_SELECT_CEIL_SETS_H
#define ICL_SELECT_CEIL_SETS_H

#include "select/retriever_train.h"

typedef struct icl_ceil_sets {
    size_t pool_count, set_count, size;
    size_t *items;    /* [pool_count][set_count][size] each set nearest first; the sets of an item
                         by the model's answers, best first */
    double *nats;     /* [pool_count][set_count] log P(label of the item | set, item) */
    double *log_dets; /* [pool_count][set_count] log det of the similarities in the set */
} icl_ceil_sets;

typedef struct icl_ceil_sets_options {
    size_t set_count, size;
    size_t candidates; /* nearest of each item, to draw from; at least `size` and less than the
                          pool */
} icl_ceil_sets_options;

/* Draws the sets of every item, its `size` nearest and others at random, and asks pool_count *
 * set_count prompts. */
icl_status icl_ceil_sets_ask(icl_ceil_sets *out, const icl_fit *fit, const icl_select_input *input,
                             const icl_retriever *retriever, const icl_ceil_sets_options *options);
void icl_ceil_sets_deinit(icl_ceil_sets *sets);

/* log det L_S for cosines of the item with the set's members, L as in math/dpp.h but for a
 * constant: sum of (1 + cosine) / (2 lambda), plus log_det. */
double icl_ceil_set_score(const double *cosines, size_t size, double log_det, double lambda);

typedef enum icl_ceil_loss {
    ICL_CEIL_MARGIN,  /* icl_loss_rank_margin, 1 / set_count a rank */
    ICL_CEIL_INFONCE, /* icl_loss_infonce, the best set against the item's others */
} icl_ceil_loss;

typedef struct icl_ceil_terms {
    double temperature, lambda;
    icl_ceil_loss loss;
} icl_ceil_terms;

/* Loss of one item, from its scores [set_count][size], which are cosines / temperature; adds weight
 * * d loss / d scores to `gradient`. ICL_ENOMEM. */
icl_status icl_ceil_sets_loss(double *gradient, double *out_loss, const icl_ceil_sets *sets,
                              size_t item, const double *scores, const icl_ceil_terms *terms,
                              double weight);

#endif
