/* order/permutation_engine.h - the inside of a search: an engine proposes orders, is called again
 * when their values are known, and proposes more; when it proposes nothing the search is over.
 */
#ifndef ICL_ORDER_PERMUTATION_ENGINE_H
#define ICL_ORDER_PERMUTATION_ENGINE_H

#include "order/permutation_search.h"
#include "order/permutations.h"

/* Orders that are valued together, all of as many places on as many items. */
typedef struct icl_search_round {
    size_t count, capacity;
    size_t places, items;
    size_t *orders; /* [count][k], of which the first `places` are meant */
    double *values; /* [count], once answered */
    size_t *slots;  /* [count] where the value is kept; the search's own */
} icl_search_round;

typedef struct icl_search {
    size_t k, item_count;
    const icl_search_options *options;
    icl_rng *rng;
    const atomic_bool *cancelled; /* may be NULL */
    size_t *best;                 /* [k] whole order of the lowest value so far */
    double best_value;
    double left;               /* of the budget, in its unit */
    size_t turn;               /* calls of the engine before this one */
    icl_search_round answered; /* none in turn 0; the start stands before the first whole orders */
    icl_search_round proposed; /* empty when the engine is called */
    void *state;               /* the engine's own */
} icl_search;

typedef struct icl_engine {
    /* Reads `answered`, fills `proposed`. */
    icl_status (*next)(icl_search *search);
    /* Frees `state`; NULL where free() does. */
    void (*end)(void *state);
} icl_engine;

extern const icl_engine icl_engine_sampled, icl_engine_beam, icl_engine_annealing,
    icl_engine_halving, icl_engine_precedence, icl_engine_position, icl_engine_genetic;

/* Proposed orders have so many places and are valued on so many items; call first. */
void icl_search_open(icl_search *search, size_t places, size_t items);
/* order [places] is copied. ICL_ENOMEM. */
icl_status icl_search_propose(icl_search *search, const size_t *order);
/* All rows, as whole orders on all items. */
icl_status icl_search_propose_all(icl_search *search, const icl_permutations *orders);

/* Whole orders that what is left of the budget surely pays for. */
size_t icl_search_orders_left(const icl_search *search);

/* Random whole orders to learn from: at most so many, and such that one more is paid for; at least
 * one. */
icl_status icl_search_propose_random(icl_search *search, size_t most);

/* best [keep], keep <= answered.count: numbers of the answered orders of lowest value, lowest
 * first, equal ones in their order. ICL_ENOMEM. */
icl_status icl_search_rank_orders(size_t *best, const icl_search *search, size_t keep);

#endif
