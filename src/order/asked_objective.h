/* order/asked_objective.h - what a search among orders minimises, asked of the language model; and
 * methods that are such a search.
 *
 *   const icl_search_plan plan = { .method = "search", .objective = ICL_OBJECTIVE_DEV_LOSS,
 *                                  .items = 20, .search = { .budget = 24 } };
 *   return icl_order_by_search(out, input, &plan);
 */
#ifndef ICL_ORDER_ASKED_OBJECTIVE_H
#define ICL_ORDER_ASKED_OBJECTIVE_H

#include <stddef.h>

#include <icl/status.h>

#include "order/order.h"
#include "order/permutation_search.h"

typedef enum icl_objective_name {
    ICL_OBJECTIVE_PERPLEXITY,     /* of the demonstrations alone, without any query */
    ICL_OBJECTIVE_ENTROPY,        /* of the query's labels; the only one that decides by query */
    ICL_OBJECTIVE_GLOBAL_ENTROPY, /* less the entropy of predicted labels over pool inputs */
    ICL_OBJECTIVE_BALANCE,        /* KL of the mean label distribution over pool inputs from the
                                     uniform one */
    ICL_OBJECTIVE_DEV_LOSS,       /* cross-entropy of labelled pool items */
    ICL_OBJECTIVE_COUNT,
} icl_objective_name;

/* [ICL_OBJECTIVE_COUNT + 1], NULL at the end; the choices of an option. */
extern const char *const icl_objective_names[];

typedef struct icl_search_plan {
    const char *method; /* name of the card */
    icl_objective_name objective;
    size_t items; /* pool items that the last three objectives are measured on, at most */
    icl_search_options search;
} icl_search_plan;

/* A method as a whole: one search for each set of demonstrations, or for each query by its entropy.
 * They start from ascending pool indices, or from nearest-last; that stays where nothing can be
 * measured, since the pool holds nothing besides what is shown. Fails as the questions do. */
icl_status icl_order_by_search(icl_ordering *out, const icl_order_input *input,
                               const icl_search_plan *plan);

#define ICL_ORDER_OPTION_ITEMS                                                                     \
    {                                                                                              \
        .name = "items", .type = ICL_OPTION_INT, .fallback = "20", .minimum = 1, .maximum = 1e5,   \
        .help = "pool items, not shown, that every order is measured on"                           \
    }

#endif
