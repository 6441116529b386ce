/* Pairwise precedence: from random orders, how much lower the value is when a stands before b than
 * after it; the order whose pairs sum lowest is looked for by Borda counts, then by exchanging two
 * things as long as that helps. */
#include <stdint.h>
#include <stdlib.h>

#include "base/error.h"
#include "math/topk.h"
#include "order/permutation_engine.h"

/* before [k][k]: mean value of the orders with a before b, 0 where there is none. */
static void mean_values(double *before, size_t *counts, const icl_search *search)
{
    const icl_search_round *round = &search->answered;
    const size_t k = search->k;
    for (size_t i = 0; i < round->count; i++) {
        const size_t *order = &round->orders[i * k];
        for (size_t first = 0; first < k; first++)
            for (size_t second = first + 1; second < k; second++) {
                before[order[first] * k + order[second]] += round->values[i];
                counts[order[first] * k + order[second]]++;
            }
    }
    for (size_t pair = 0; pair < k * k; pair++)
        if (counts[pair] > 0) before[pair] /= (double)counts[pair];
}

/* costs [k][k] of a before b; 0 where only one of the two was seen, which says nothing. */
static void pair_costs(double *costs, const double *before, const size_t *counts, size_t k)
{
    for (size_t a = 0; a < k; a++)
        for (size_t b = 0; b < k; b++) {
            const size_t ab = a * k + b, ba = b * k + a;
            costs[ab] = counts[ab] > 0 && counts[ba] > 0 ? before[ab] - before[ba] : 0;
        }
}

static icl_status order_by_borda(size_t *order, const double *costs, size_t k)
{
    icl_scored *ranked = malloc(k * sizeof *ranked);
    if (ranked == NULL) return icl_error_set(ICL_ENOMEM, "out of memory for an order of k=%zu", k);
    for (size_t a = 0; a < k; a++) {
        ranked[a] = (icl_scored){ .score = 0, .index = a };
        for (size_t b = 0; b < k; b++) ranked[a].score -= costs[a * k + b];
    }
    icl_topk(ranked, k, k);
    for (size_t place = 0; place < k; place++) order[place] = ranked[place].index;
    free(ranked);
    return ICL_OK;
}

/* What exchanging the things at two places adds to the sum over pairs. */
static double exchange_cost(const size_t *order, const double *costs, size_t k, size_t i, size_t j)
{
    const size_t a = order[i], b = order[j];
    double change = costs[b * k + a] - costs[a * k + b];
    for (size_t m = i + 1; m < j; m++) {
        const size_t c = order[m];
        change += costs[b * k + c] + costs[c * k + a] - costs[a * k + c] - costs[c * k + b];
    }
    return change;
}

/* Each exchange lowers the sum, so none comes back; rounding cannot make a circle of the margin. */
static void two_opt(size_t *order, const double *costs, size_t k)
{
    static const double margin = 1e-12;
    for (bool better = true; better;) {
        better = false;
        for (size_t i = 0; i < k; i++)
            for (size_t j = i + 1; j < k; j++) {
                if (exchange_cost(order, costs, k, i, j) >= -margin) continue;
                const size_t kept = order[i];
                order[i] = order[j];
                order[j] = kept;
                better = true;
            }
    }
}

static icl_status propose_linear(icl_search *search)
{
    const size_t k = search->k;
    double *before = calloc(k * k, sizeof *before), *costs = malloc(k * k * sizeof *costs);
    size_t *counts = calloc(k * k, sizeof *counts), *order = malloc(k * sizeof *order);
    icl_status status = ICL_OK;
    if (before == NULL || costs == NULL || counts == NULL || order == NULL) {
        status = icl_error_set(ICL_ENOMEM, "out of memory for %zu pairs", k * k);
        goto cleanup;
    }
    mean_values(before, counts, search);
    pair_costs(costs, before, counts, k);
    status = order_by_borda(order, costs, k);
    if (status != ICL_OK) goto cleanup;
    two_opt(order, costs, k);
    icl_search_open(search, k, search->item_count);
    status = icl_search_propose(search, order);

cleanup:
    free(order);
    free(counts);
    free(costs);
    free(before);
    return status;
}

static icl_status next_precedence(icl_search *search)
{
    if (search->turn == 0 && icl_search_orders_left(search) > 1)
        return icl_search_propose_random(search, SIZE_MAX);
    return search->turn == 1 ? propose_linear(search) : ICL_OK;
}

const icl_engine icl_engine_precedence = { .next = next_precedence };
