/* Values random orders, or all of them. Where demonstrations are paid for, the sample is a tree, so
 * that as many orders as possible share beginnings. */
#include "base/error.h"
#include "order/permutation_engine.h"

enum { EXACT_THINGS_MAX = 7 };

/* Most orders whose tree has no more than `budget` demonstrations; each costs one or more. */
static icl_status orders_of_tree(size_t *out, size_t k, size_t budget)
{
    const size_t all = icl_factorial(k);
    size_t fits = 1, least_unknown = (all < budget ? all : budget) + 1;
    while (fits + 1 < least_unknown) {
        const size_t tried = fits + (least_unknown - fits) / 2;
        icl_permutations tree = { 0 };
        icl_rng any = icl_rng_new(0, NULL, NULL, NULL); /* the shape does not depend on draws */
        ICL_TRY(icl_permutations_sample_tree(&tree, k, 0, tried, &any));
        if (icl_permutations_segments(&tree) <= budget)
            fits = tried;
        else
            least_unknown = tried;
        icl_permutations_deinit(&tree);
    }
    *out = fits;
    return ICL_OK;
}

static icl_status draw(icl_permutations *out, icl_search *search)
{
    const size_t k = search->k, all = icl_factorial(k);
    const bool exact = search->options->engine == ICL_ENGINE_EXACT && k <= EXACT_THINGS_MAX;
    if (exact) return icl_permutations_all(out, k);
    if (search->options->unit == ICL_BUDGET_DEMONSTRATIONS) {
        size_t count = 0;
        ICL_TRY(orders_of_tree(&count, k, search->left < 1 ? 1 : (size_t)search->left));
        return icl_permutations_sample_tree(out, k, 0, count, search->rng);
    }
    const size_t left = icl_search_orders_left(search);
    /* The start is among all orders, and paid for. */
    return icl_permutations_sample(out, k, left + 1 >= all ? all : left, search->rng);
}

static icl_status next_sampled(icl_search *search)
{
    const bool exact = search->options->engine == ICL_ENGINE_EXACT;
    if (search->turn > 0 || (!exact && icl_search_orders_left(search) == 0)) return ICL_OK;
    icl_permutations orders = { 0 };
    ICL_TRY(draw(&orders, search));
    const icl_status status = icl_search_propose_all(search, &orders);
    icl_permutations_deinit(&orders);
    return status;
}

const icl_engine icl_engine_sampled = { .next = next_sampled };
