/* The genetic search of PERO's public code: of a population of random orders the best quarter are
 * parents; a child keeps the beginning or the end of one and has the rest in the order of the
 * other; each of its places is swapped with another one with probability 0.1; the best tenth lives
 * on. The public code has 100 orders and 1000 generations; here a population is at most a quarter
 * of the budget, and the search ends with the budget or when twenty generations brought nothing. */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "order/permutation_engine.h"

enum { POPULATION_MAX = 100, PARENT_SHARE = 4, ELITE_SHARE = 10, PATIENCE = 20 };
static const double mutation = 0.1;

typedef struct population {
    size_t size, stale; /* generations since the best one came */
    double best_value;
    size_t parent_count;
    size_t *parents; /* [size][k] different, best first */
    size_t *child;   /* [k] */
} population;

static void end_genetic(void *state)
{
    population *p = state;
    if (p == NULL) return;
    free(p->child);
    free(p->parents);
    free(p);
}

static icl_status begin(icl_search *search)
{
    const size_t k = search->k, share = icl_search_orders_left(search) / PARENT_SHARE;
    population *p = calloc(1, sizeof *p);
    if (p == NULL) return icl_error_set(ICL_ENOMEM, "out of memory for a population");
    search->state = p;
    p->size = share < PARENT_SHARE ? PARENT_SHARE : share < POPULATION_MAX ? share : POPULATION_MAX;
    p->parents = malloc(p->size * k * sizeof *p->parents);
    p->child = malloc(k * sizeof *p->child);
    if (p->parents == NULL || p->child == NULL)
        return icl_error_set(ICL_ENOMEM, "out of memory for %zu orders of k=%zu", p->size, k);
    p->best_value = search->best_value;
    return icl_search_propose_random(search, p->size);
}

static bool is_parent(const population *p, const size_t *order, size_t k)
{
    for (size_t i = 0; i < p->parent_count; i++)
        if (memcmp(&p->parents[i * k], order, k * sizeof *order) == 0) return true;
    return false;
}

static icl_status choose_parents(population *p, const icl_search *search)
{
    const size_t k = search->k, count = search->answered.count;
    const size_t wanted = p->size / PARENT_SHARE < 2 ? 2 : p->size / PARENT_SHARE;
    size_t *ranked = malloc(count * sizeof *ranked);
    if (ranked == NULL) return icl_error_set(ICL_ENOMEM, "out of memory for %zu orders", count);
    const icl_status status = icl_search_rank_orders(ranked, search, count);
    p->parent_count = 0;
    for (size_t i = 0; status == ICL_OK && i < count && p->parent_count < wanted; i++) {
        const size_t *order = &search->answered.orders[ranked[i] * k];
        if (is_parent(p, order, k)) continue;
        memcpy(&p->parents[p->parent_count++ * k], order, k * sizeof *order);
    }
    free(ranked);
    return status;
}

/* The part of `kept` before or from a random place on stays; the rest stands in `other`'s order. */
static void cross(size_t *child, const size_t *kept, const size_t *other, size_t k, icl_rng *rng)
{
    const size_t cut = 1 + icl_rng_below(rng, k - 1);
    const bool beginning = icl_rng_below(rng, 2) == 0;
    const size_t first = beginning ? 0 : cut, end = beginning ? cut : k;
    size_t place = beginning ? cut : 0;
    memcpy(child + first, kept + first, (end - first) * sizeof *child);
    for (size_t i = 0; i < k; i++) {
        size_t at = first;
        while (at < end && kept[at] != other[i]) at++;
        if (at == end) child[place++] = other[i];
    }
}

static void mutate(size_t *order, size_t k, icl_rng *rng)
{
    for (size_t i = 0; i < k; i++) {
        if (icl_rng_unit(rng) >= mutation) continue;
        const size_t j = (i + 1 + icl_rng_below(rng, k - 1)) % k, moved = order[i];
        order[i] = order[j];
        order[j] = moved;
    }
}

static icl_status propose_generation(icl_search *search, population *p)
{
    const size_t k = search->k, left = icl_search_orders_left(search);
    const size_t elite = p->size / ELITE_SHARE > 0 ? p->size / ELITE_SHARE : 1;
    const size_t children = p->size - elite < left ? p->size - elite : left;
    icl_search_open(search, k, search->item_count);
    for (size_t i = 0; i < elite && i < p->parent_count; i++)
        ICL_TRY(icl_search_propose(search, &p->parents[i * k]));
    for (size_t i = 0; i < children; i++) {
        const size_t kept = icl_rng_below(search->rng, p->parent_count);
        const size_t other = icl_rng_below(search->rng, p->parent_count);
        cross(p->child, &p->parents[kept * k], &p->parents[other * k], k, search->rng);
        mutate(p->child, k, search->rng);
        ICL_TRY(icl_search_propose(search, p->child));
    }
    return ICL_OK;
}

static icl_status next_genetic(icl_search *search)
{
    if (search->k == 1 || icl_search_orders_left(search) == 0) return ICL_OK;
    if (search->turn == 0) return begin(search);
    population *p = search->state;
    p->stale = search->best_value < p->best_value ? 0 : p->stale + 1;
    p->best_value = search->best_value;
    if (p->stale > PATIENCE) return ICL_OK;
    ICL_TRY(choose_parents(p, search));
    return propose_generation(search, p);
}

const icl_engine icl_engine_genetic = { .next = next_genetic, .end = end_genetic };
