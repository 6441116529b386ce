/* order/groups.h - queries that are shown the same demonstrations, and so share one decision on
 * their order.
 *
 *   icl_order_groups groups = { 0 };
 *   ICL_TRY(icl_order_groups_make(&groups, input, ICL_GROUP_BY_SET));
 *   ... for each group g, its demonstrations are the pool items groups.sets[g * k + i]; decide
 *       orders[g * k + place] = i ...
 *   icl_order_groups_write(out, &groups, orders);
 *   icl_order_groups_deinit(&groups);
 *
 * A group is known by what it shows, never by which queries are in the batch: draw by its key.
 */
#ifndef ICL_ORDER_GROUPS_H
#define ICL_ORDER_GROUPS_H

#include <stddef.h>

#include <icl/status.h>

#include "order/order.h"

typedef enum icl_group_by {
    ICL_GROUP_BY_SET,      /* equal sets, whatever the ranks */
    ICL_GROUP_BY_SET_SELF, /* and the same place in the pool, or none: for methods that look at
                              labels of pool items, where a query must not see its own */
    ICL_GROUP_BY_QUERY,    /* every query alone: for methods that look at the query */
} icl_group_by;

typedef struct icl_order_groups {
    size_t count, k, query_count;
    size_t *sets;   /* [count][k] pool indices, ascending */
    size_t *first;  /* [count] the first query of a group */
    size_t *selves; /* [count] pool index of the query, or SIZE_MAX; by set alone always SIZE_MAX */
    char **keys;    /* [count] keys of randomness: the sets as text, or the query's id */
    size_t *of;     /* [query_count] group of a query */
    size_t *ranks;  /* [query_count][k] rank, in the query's selection, of its group's i-th item */
} icl_order_groups;

/* Groups in the order of their first queries. ICL_ENOMEM. */
icl_status icl_order_groups_make(icl_order_groups *out, const icl_order_input *input,
                                 icl_group_by by);
void icl_order_groups_deinit(icl_order_groups *groups);

/* Writes every query's line of out->permutations from orders [count][k]: the item of the group's
 * set that stands at each place, nearest to the query last. */
void icl_order_groups_write(icl_ordering *out, const icl_order_groups *groups,
                            const size_t *orders);

#endif
