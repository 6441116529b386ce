/* select/set_beam.h - beam search over sets of candidates that swaps one candidate at a time.
 *
 * A set's members and a candidate's place in it are judged by importance and by similarity to the
 * others: score of a set = mean importance - lambda * mean similarity over all pairs, each member
 * with itself included.
 */
#ifndef ICL_SELECT_SET_BEAM_H
#define ICL_SELECT_SET_BEAM_H

#include <stdbool.h>
#include <stddef.h>

#include <icl/status.h>

#include "base/rng.h"
#include "select/infoscore.h"

/* Importance and similarity of candidates 0..count-1. */
typedef struct icl_set_features {
    size_t count, label_count;
    size_t *labels;     /* [count] */
    double *importance; /* [count] mean gain, standardised */
    double *similarity; /* [count][count] cosine of the rows of gains, standardised */
    double lambda;      /* weight of the similarity */
} icl_set_features;

/* From what progressive filtering found; standardised by mean and sample deviation of all entries,
 * all zero where they are equal. *out is yours: icl_set_features_deinit. ICL_ECANCELLED,
 * ICL_ENOMEM. */
icl_status icl_set_features_new(icl_set_features *out, const icl_infoscore *scored,
                                const icl_select_input *input, double lambda);
void icl_set_features_deinit(icl_set_features *features);

double icl_set_score(const icl_set_features *features, const size_t *set, size_t size);

/* child [size] = set with one random member replaced by a candidate of the same label outside it:
 * drawn, by softmax of importance - lambda * mean similarity to those who stay, from the four best.
 * Without such a candidate the child equals the set. ICL_ENOMEM. */
icl_status icl_set_swap(size_t *child, const icl_set_features *features, const size_t *set,
                        size_t size, icl_rng *rng);

/* Distinct sets and their scores, in order of discovery. */
typedef struct icl_set_list {
    size_t size, count, capacity, score_capacity;
    size_t *sets;   /* [count][size] */
    double *scores; /* [count]; of a set just added NAN */
} icl_set_list;

/* Where `set` stands in the list; appended when it is new. ICL_ENOMEM. */
icl_status icl_set_list_add(size_t *out_index, icl_set_list *list, const size_t *set);
void icl_set_list_deinit(icl_set_list *list);

/* Fills in the scores of list->sets from `first` on. */
typedef icl_status icl_set_scorer(void *context, icl_set_list *list, size_t first);

typedef struct icl_set_beam {
    size_t width;
    size_t iterations;
    size_t swaps, shuffles; /* children of a set by each move */
    bool ordered;           /* sets in another order are other sets; else members stand ascending */
    icl_set_scorer *score;
    void *context;
} icl_set_beam;

/* Advances the beam, *beam_count indices into `list` of scored sets: their children are scored, and
 * the best `width` of parents and children stay, best first, of equal ones the earlier found. The
 * beam may start wider than `width`, and has room for that many anyway. */
icl_status icl_set_beam_run(size_t *beam, size_t *beam_count, icl_set_list *list,
                            const icl_set_features *features, const icl_set_beam *search,
                            icl_rng *rng);

#endif
