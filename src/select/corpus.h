/* select/corpus.h - what methods share that give every pool item one score, for all queries: the
 * part of the pool on which a set is measured, and the way from scores to demonstrations.
 *
 * A score of NaN says "not measured". Such items are ranked after all measured ones, by index, and
 * serve only where the measured ones do not suffice.
 */
#ifndef ICL_SELECT_CORPUS_H
#define ICL_SELECT_CORPUS_H

#include <stdbool.h>
#include <stddef.h>

#include <icl/status.h>

#include "select/select.h"

/* Two disjoint parts of the pool, each class-balanced as far as the classes reach, indices
 * ascending. A class gives at most half of its items to the development items. */
typedef struct icl_split {
    size_t candidate_count, dev_count;
    size_t *candidates; /* [candidate_count] pool indices to choose from */
    size_t *dev;        /* [dev_count] pool indices to measure on; labelled */
} icl_split;

typedef struct icl_split_sizes {
    size_t candidates_max; /* 0: all that are left */
    size_t dev_max;        /* 0: no development items */
} icl_split_sizes;

/* Depends on pool, seed and task, never on the queries; so a query that stands in the pool may be
 * among the items. *out is yours: icl_split_deinit, which is fine on zeroes. ICL_EINVAL, in the
 * name of `method`: development items are wanted and no class has two items. ICL_ENOMEM. */
icl_status icl_split_draw(icl_split *out, const icl_select_input *input, const char *method,
                          const icl_split_sizes *sizes);
void icl_split_deinit(icl_split *split);

/* How many of scores [count] are measured. */
size_t icl_corpus_measured(const double *scores, size_t count);

/* Writes ranking [count], a permutation: measured items by falling score, equal scores by lower
 * index, then the others. ICL_ENOMEM. */
icl_status icl_corpus_rank(size_t *ranking, const double *scores, size_t count);

/* Moves to the front of ranking [count] the first `keep` that are class-balanced: of each class
 * that occurs its first keep / classes, then whoever comes first. Both parts stay in their order.
 * keep <= count. ICL_ENOMEM. */
icl_status icl_corpus_balance(size_t *ranking, size_t count, size_t keep, const size_t *labels,
                              size_t label_count);

/* Gives every query the first k of ranking besides itself, of which the first k + 1, or the whole
 * pool, are looked at. scores [pool_count] go
 * along, one less than the lowest for what is not measured; NULL: the scores stay 0, and an order
 * by relevance keeps the ranking. */
void icl_corpus_deal(icl_selection *out, const icl_select_input *input, const size_t *ranking,
                     const double *scores);

/* Gives every query the set [set_size] that was found in this order of showing: rank 0 to its last
 * member, scores 0, so that an order by relevance shows it as it was found. What is missing, for a
 * query in the pool or because k is larger, comes from the rest by scores [pool_count].
 * ICL_ENOMEM. */
icl_status icl_corpus_show(icl_selection *out, const icl_select_input *input, const size_t *set,
                           size_t set_size, const double *scores);

typedef struct icl_corpus_choice {
    bool balanced;    /* classes take equal shares */
    size_t draw_from; /* draw the k at random from this many best ones; 0: the best k themselves */
    const char *purpose; /* key of the draw */
} icl_corpus_choice;

#define ICL_CORPUS_OPTION_DRAW_FROM                                                                \
    {                                                                                              \
        .name = "draw_from", .type = ICL_OPTION_INT, .fallback = "20", .minimum = 0,               \
        .maximum = 1e6,                                                                            \
        .help = "draw the k at random from this many best ones, class by class "                   \
                "(Chang & Jia: 20); 0: the k best"                                                 \
    }

/* From scores [pool_count] to the demonstrations of all queries; drawn ones have no scores. */
icl_status icl_corpus_choose(icl_selection *out, const icl_select_input *input,
                             const double *scores, const icl_corpus_choice *choice);

#endif
