/* Successive halving: many random orders on few items, then the better half on twice as many, until
 * those that are left are valued on all. An objective of one item leaves nothing to halve. */
#include <stdlib.h>

#include "base/error.h"
#include "order/permutation_engine.h"

static size_t first_items(size_t candidates, size_t item_count)
{
    return candidates >= item_count ? 1 : item_count / candidates;
}

static size_t next_items(size_t candidates, size_t items, size_t item_count)
{
    return candidates == 1 || items >= item_count / 2 ? item_count : 2 * items;
}

/* Whole orders that the rounds cost, or as many k demonstrations. */
static double cost(size_t candidates, const icl_search *search)
{
    const size_t all = search->item_count;
    const bool by_share = search->options->unit == ICL_BUDGET_ORDERS;
    double sum = 0;
    for (size_t items = first_items(candidates, all);;) {
        sum += (double)candidates * (by_share ? (double)items / (double)all : 1);
        if (items == all) return sum;
        candidates = (candidates + 1) / 2;
        items = next_items(candidates, items, all);
    }
}

/* As many candidates as the budget pays for. */
static size_t candidate_count(const icl_search *search)
{
    const double left = (double)icl_search_orders_left(search);
    const size_t most = icl_factorial(search->k);
    size_t count = 1;
    while (count < most && cost(count + 1, search) <= left) count++;
    return count;
}

static icl_status propose_first(icl_search *search)
{
    const size_t count = candidate_count(search);
    icl_permutations orders = { 0 };
    ICL_TRY(icl_permutations_sample(&orders, search->k, count, search->rng));
    icl_search_open(search, search->k, first_items(count, search->item_count));
    icl_status status = ICL_OK;
    for (size_t i = 0; status == ICL_OK && i < orders.count; i++)
        status = icl_search_propose(search, &orders.rows[i * search->k]);
    icl_permutations_deinit(&orders);
    return status;
}

static icl_status next_halving(icl_search *search)
{
    const icl_search_round *answered = &search->answered;
    if (search->turn == 0)
        return icl_search_orders_left(search) == 0 ? ICL_OK : propose_first(search);
    if (answered->items == search->item_count) return ICL_OK;
    const size_t keep = (answered->count + 1) / 2;
    size_t *best = malloc(keep * sizeof *best);
    if (best == NULL) return icl_error_set(ICL_ENOMEM, "out of memory for %zu orders", keep);
    icl_status status = icl_search_rank_orders(best, search, keep);
    icl_search_open(search, search->k, next_items(keep, answered->items, search->item_count));
    for (size_t i = 0; status == ICL_OK && i < keep; i++)
        status = icl_search_propose(search, &answered->orders[best[i] * search->k]);
    free(best);
    return status;
}

const icl_engine icl_engine_halving = { .next = next_halving };
