/* Grows orders thing by thing and keeps the best beginnings, or ends. What a part is worth stands
 * for what the whole will be worth, which is a guess; the last round values whole orders. */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "order/permutation_engine.h"

/* Orders valued by a beam of this width: at each size, what all kept parts can grow into. */
static double cost(size_t width, size_t k)
{
    double sum = 0, parts = 1;
    for (size_t places = 1; places <= k; places++) {
        const double kept = parts < (double)width ? parts : (double)width;
        parts = kept * (double)(k - places + 1);
        sum += parts;
    }
    return sum;
}

static size_t width_of(const icl_search *search)
{
    if (search->options->width > 0) return search->options->width;
    const double left = (double)icl_search_orders_left(search);
    const size_t most = icl_factorial(search->k);
    size_t width = 1;
    while (width < most && cost(width + 1, search->k) <= left) width++;
    return width;
}

/* Proposes the part with each thing that it lacks. */
static icl_status grow(icl_search *search, const size_t *part, size_t places, size_t *grown)
{
    const bool from_last = search->options->from_last;
    for (size_t thing = 0; thing < search->k; thing++) {
        size_t at = 0;
        while (at < places && part[at] != thing) at++;
        if (at < places) continue;
        memcpy(grown + (from_last ? 1 : 0), part, places * sizeof *grown);
        grown[from_last ? 0 : places] = thing;
        ICL_TRY(icl_search_propose(search, grown));
    }
    return ICL_OK;
}

static icl_status grow_best(icl_search *search, size_t width)
{
    const icl_search_round *answered = &search->answered;
    const size_t keep = answered->count < width ? answered->count : width;
    size_t *best = malloc((keep + 1) * sizeof *best);
    size_t *grown = malloc(search->k * sizeof *grown);
    icl_status status = ICL_OK;
    if (best == NULL || grown == NULL) {
        status = icl_error_set(ICL_ENOMEM, "out of memory for a beam of width %zu", keep);
        goto cleanup;
    }
    status = icl_search_rank_orders(best, search, keep);
    if (status != ICL_OK) goto cleanup;
    icl_search_open(search, answered->places + 1, search->item_count);
    for (size_t i = 0; status == ICL_OK && i < keep; i++)
        status = grow(search, &answered->orders[best[i] * search->k], answered->places, grown);

cleanup:
    free(grown);
    free(best);
    return status;
}

static icl_status next_beam(icl_search *search)
{
    if (search->turn == 0) {
        size_t *width = malloc(sizeof *width);
        if (width == NULL) return icl_error_set(ICL_ENOMEM, "out of memory for a beam");
        *width = width_of(search);
        search->state = width;
        icl_search_open(search, 1, search->item_count);
        for (size_t thing = 0; thing < search->k; thing++)
            ICL_TRY(icl_search_propose(search, &thing));
        return ICL_OK;
    }
    if (search->answered.places == search->k) return ICL_OK;
    return grow_best(search, *(const size_t *)search->state);
}

const icl_engine icl_engine_beam = { .next = next_beam };
