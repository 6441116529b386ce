/* order/candidate_orders.h - the orders that a method tries on every set of demonstrations, as
 * questions to the model, and the choice among them.
 *
 *   icl_candidate_orders tried = { 0 };
 *   ICL_TRY(icl_candidate_orders_make(&tried, input, options, ICL_GROUP_BY_SET));
 *   ... icl_candidate_prompt(&tried, group, order) with the input that is asked about ...
 *   icl_candidate_orders_choose(out, &tried, chosen);
 *   icl_candidate_orders_deinit(&tried);
 *
 * The orders hang on the set, the seed and the task alone, so methods that try as many try the
 * same, and share answers in the journal.
 */
#ifndef ICL_ORDER_CANDIDATE_ORDERS_H
#define ICL_ORDER_CANDIDATE_ORDERS_H

#include <stddef.h>

#include <icl/status.h>

#include "order/groups.h"
#include "order/order.h"
#include "template/ask.h"

typedef struct icl_candidate_orders {
    icl_order_groups groups;
    size_t count, k; /* orders of a group: all k!, or as many as the option says */
    size_t *orders;  /* [groups.count][count][k] which item of the group's set stands at a place;
                        ascending, so that orders that begin alike are neighbours */
    size_t *shown;   /* [groups.count][count][k] the same as pool indices */
} icl_candidate_orders;

/* Reads the option `orders`. *out is yours: icl_candidate_orders_deinit, which is fine on zeroes.
 * ICL_ENOMEM, ICL_ECANCELLED. */
icl_status icl_candidate_orders_make(icl_candidate_orders *out, const icl_order_input *input,
                                     const icl_options *options, icl_group_by by);
void icl_candidate_orders_deinit(icl_candidate_orders *tried);

/* A prompt that shows an order of a group; what it asks about is left to fill in. */
icl_ask_prompt icl_candidate_prompt(const icl_candidate_orders *tried, size_t group, size_t order);

/* out [groups.count][count][label_count]: distributions after every order of every group where the
 * input carries no content. One call; as icl_content_free_distributions. */
icl_status icl_candidate_ask_content_free(double *out, const icl_candidate_orders *tried,
                                          const icl_order_input *input, const char *method);

/* out [query_count][order_count][label_count]: distributions of each query after orders of its
 * group; orders [groups.count][order_count] says which, NULL: all. One call; as icl_ask_labels. */
icl_status icl_candidate_ask_queries(double *out, const icl_candidate_orders *tried,
                                     const size_t *orders, size_t order_count,
                                     const icl_order_input *input, const char *method);

/* Gives every query its group's order number chosen[query]. */
void icl_candidate_orders_choose(icl_ordering *out, const icl_candidate_orders *tried,
                                 const size_t *chosen);

/* The same for a method that decides once for a group, chosen[group]. */
void icl_candidate_orders_choose_for_groups(icl_ordering *out, const icl_candidate_orders *tried,
                                            const size_t *chosen);

#define ICL_ORDER_OPTION_ORDERS                                                                    \
    {                                                                                              \
        .name = "orders", .type = ICL_OPTION_INT, .fallback = "24", .minimum = 1, .maximum = 1e4,  \
        .help =                                                                                    \
            "orders tried for each set of demonstrations, drawn at random; all where k! is no "    \
            "more"                                                                                 \
    }

#endif
