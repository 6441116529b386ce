/* Simulated annealing. The first temperature is the standard deviation of the values of ten random
 * orders, of which the best is where it begins; it falls geometrically to a hundredth as the budget
 * is spent, or as steps are made: 5 k^2, or as many as the budget where that is more. Orders that
 * were valued before cost nothing. A step swaps neighbours, swaps any two, or moves one. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "order/permutation_engine.h"

static const double cooled_to = 0.01;
enum { WARM_UP = 10, STEPS_PER_SQUARE = 5 };

typedef struct annealing {
    double deviation, budget; /* when the steps began */
    double value;             /* of the order that the next step goes out from */
    size_t steps, steps_max;
    size_t order[]; /* [k] */
} annealing;

static icl_status warm_up(icl_search *search)
{
    const size_t left = icl_search_orders_left(search), half = (left + 1) / 2;
    icl_permutations orders = { 0 };
    ICL_TRY(
        icl_permutations_sample(&orders, search->k, half < WARM_UP ? half : WARM_UP, search->rng));
    const icl_status status = icl_search_propose_all(search, &orders);
    icl_permutations_deinit(&orders);
    return status;
}

static double standard_deviation(const double *values, size_t count)
{
    double mean = 0, sum = 0;
    for (size_t i = 0; i < count; i++) mean += values[i] / (double)count;
    for (size_t i = 0; i < count; i++) sum += (values[i] - mean) * (values[i] - mean);
    return sqrt(sum / (double)count);
}

static icl_status begin(icl_search *search)
{
    const size_t k = search->k, left = icl_search_orders_left(search);
    annealing *a = malloc(sizeof *a + k * sizeof *a->order);
    if (a == NULL) return icl_error_set(ICL_ENOMEM, "out of memory for an order of k=%zu", k);
    const size_t steps = STEPS_PER_SQUARE * k * k;
    *a = (annealing){ .deviation =
                          standard_deviation(search->answered.values, search->answered.count),
                      .budget = search->left,
                      .value = search->best_value,
                      .steps_max = left > steps ? left : steps };
    memcpy(a->order, search->best, k * sizeof *a->order);
    search->state = a;
    return ICL_OK;
}

static void move(size_t *order, size_t from, size_t to)
{
    const size_t moved = order[from];
    for (; from < to; from++) order[from] = order[from + 1];
    for (; from > to; from--) order[from] = order[from - 1];
    order[to] = moved;
}

static void swap(size_t *order, size_t i, size_t j)
{
    const size_t kept = order[i];
    order[i] = order[j];
    order[j] = kept;
}

static void step(size_t *order, size_t k, icl_rng *rng)
{
    const size_t kind = icl_rng_below(rng, 3), from = icl_rng_below(rng, k);
    const size_t other = (from + 1 + icl_rng_below(rng, k - 1)) % k;
    if (kind == 0)
        swap(order, from, from + 1 < k ? from + 1 : from - 1);
    else if (kind == 1)
        swap(order, from, other);
    else
        move(order, from, other);
}

static double temperature(const annealing *a, const icl_search *search)
{
    const double walked = (double)a->steps / (double)a->steps_max;
    const double spent = 1 - search->left / a->budget;
    return a->deviation * pow(cooled_to, fmax(walked, spent));
}

static void accept(annealing *a, const icl_search *search)
{
    const double value = search->answered.values[0], worse_by = value - a->value;
    if (worse_by > 0 && icl_rng_unit(search->rng) >= exp(-worse_by / temperature(a, search)))
        return;
    a->value = value;
    memcpy(a->order, search->answered.orders, search->k * sizeof *a->order);
}

static icl_status propose_step(icl_search *search, annealing *a)
{
    icl_search_open(search, search->k, search->item_count);
    ICL_TRY(icl_search_propose(search, a->order));
    step(search->proposed.orders, search->k, search->rng);
    a->steps++;
    return ICL_OK;
}

static icl_status next_annealing(icl_search *search)
{
    if (search->k == 1 || icl_search_orders_left(search) == 0) return ICL_OK;
    if (search->turn == 0) return warm_up(search);
    if (search->turn == 1)
        ICL_TRY(begin(search));
    else
        accept(search->state, search);
    annealing *a = search->state;
    return a->steps == a->steps_max ? ICL_OK : propose_step(search, a);
}

const icl_engine icl_engine_annealing = { .next = next_annealing };
