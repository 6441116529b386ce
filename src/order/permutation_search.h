/* order/permutation_search.h - looks for an order of k things that has a low value, for many sets
 * of things side by side: what their searches want to know next is asked together.
 *
 *   icl_search_options options = { .engine = ICL_ENGINE_ANNEALING, .budget = 100 };
 *   ... orders [problems.count][k] hold the orders to start from ...
 *   icl_status status = icl_permutation_search(orders, NULL, &objective, &problems, &options);
 *
 * The result is the best whole order that was valued, so never worse than the start; of equal ones
 * the first, the start before all others. No order is valued twice.
 */
#ifndef ICL_ORDER_PERMUTATION_SEARCH_H
#define ICL_ORDER_PERMUTATION_SEARCH_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include <icl/status.h>

#include "base/rng.h"

/* An order, or a part of one that leaves things out, whose value is wanted. */
typedef struct icl_order_trial {
    size_t problem;
    const size_t *order; /* [places] different numbers below k */
    size_t places;       /* k for a whole order, at least 1 */
    size_t items;        /* measured on the first so many of the objective's items */
} icl_order_trial;

/* What is to be low. out [count] is not NaN and depends on the trial alone. */
typedef struct icl_order_objective {
    void *context;
    size_t item_count; /* that a whole order's value is measured on, at least 1 */
    icl_status (*value)(void *context, double *out, const icl_order_trial *trials, size_t count);
} icl_order_objective;

typedef enum icl_engine_name {
    ICL_ENGINE_EXACT,      /* all orders up to k = 7, whatever the budget; then as sampled */
    ICL_ENGINE_SAMPLED,    /* random orders; all where the budget reaches */
    ICL_ENGINE_BEAM,       /* grown thing by thing, judged by beginnings or by ends */
    ICL_ENGINE_ANNEALING,  /* swaps and moves, worse ones accepted less and less */
    ICL_ENGINE_HALVING,    /* many orders on few items, the better half on twice as many */
    ICL_ENGINE_PRECEDENCE, /* which thing had better stand before which, from random orders */
    ICL_ENGINE_POSITION,   /* how good each thing is at each place, from random orders */
    ICL_ENGINE_GENETIC,    /* crossing and mutating the better quarter */
    ICL_ENGINE_COUNT,
} icl_engine_name;

/* [ICL_ENGINE_COUNT + 1], NULL at the end; the choices of an option. */
extern const char *const icl_engine_names[];

typedef enum icl_budget_unit {
    ICL_BUDGET_ORDERS,         /* valued on all items; on a part of them, that part of an order */
    ICL_BUDGET_DEMONSTRATIONS, /* that the model reads: beginnings shared within a round count once
                                */
} icl_budget_unit;

typedef struct icl_search_options {
    icl_engine_name engine;
    size_t budget; /* for each problem, at least 1, the start included */
    icl_budget_unit unit;
    size_t width;   /* of the beam; 0: as wide as the budget allows */
    bool from_last; /* the beam grows from the last place to the first */
} icl_search_options;

typedef struct icl_search_problems {
    size_t count, k;              /* k at least 1 */
    icl_rng *rngs;                /* [count] what each problem draws by; used up */
    const atomic_bool *cancelled; /* may be NULL */
} icl_search_problems;

typedef struct icl_search_outcome {
    double start_value, value; /* NAN where the budget pays for nothing but the start, which is then
                                  not asked */
    double orders;             /* valued, parts by their share of the items */
    size_t demonstrations;     /* read, see icl_budget_unit */
} icl_search_outcome;

/* orders [problems->count][k] hold the starts, then the best; outcomes [problems->count] or NULL.
 * ICL_ENOMEM, ICL_ECANCELLED, what the objective returns; both outputs are untouched then. */
icl_status icl_permutation_search(size_t *orders, icl_search_outcome *outcomes,
                                  const icl_order_objective *objective,
                                  const icl_search_problems *problems,
                                  const icl_search_options *options);

#endif
