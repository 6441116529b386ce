/* order/pool_probes.h - pool items on which orders of a set of demonstrations are compared: the
 * first ones of one random order of the pool that the set does not hold.
 *
 *   icl_pool_probes probes = { 0 };
 *   ICL_TRY(icl_pool_probes_draw(&probes, input, &groups, 20));
 *   ... probes.items[g * probes.count + i] ...
 *   icl_pool_probes_deinit(&probes);
 *
 * They hang on pool, set, seed and task alone. Groups by set and self never get the query itself.
 */
#ifndef ICL_ORDER_POOL_PROBES_H
#define ICL_ORDER_POOL_PROBES_H

#include <stddef.h>

#include <icl/status.h>

#include "order/groups.h"
#include "order/order.h"

typedef struct icl_pool_probes {
    size_t count;  /* of a group: as asked, or what the pool holds besides k items and a query; may
                      be 0 */
    size_t *items; /* [groups->count][count] pool indices */
} icl_pool_probes;

/* *out is yours: icl_pool_probes_deinit, which is fine on zeroes. ICL_ENOMEM. */
icl_status icl_pool_probes_draw(icl_pool_probes *out, const icl_order_input *input,
                                const icl_order_groups *groups, size_t count);
void icl_pool_probes_deinit(icl_pool_probes *probes);

#endif
