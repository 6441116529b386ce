#include "select/hard_cover.h"

#include <stdlib.h>

#include "base/error.h"

icl_status icl_hard_cover_init(icl_hard_cover *out, const icl_neighbour_graph *graph,
                               const size_t *hard, size_t hard_count)
{
    icl_hard_cover cover = { .graph = graph };
    cover.is_hard = calloc(graph->count + 1, sizeof *cover.is_hard);
    cover.times = calloc(graph->count + 1, sizeof *cover.times);
    cover.covered = malloc((graph->count + 1) * sizeof *cover.covered);
    cover.seen = calloc(graph->count + 1, sizeof *cover.seen);
    if (cover.is_hard == NULL || cover.times == NULL || cover.covered == NULL ||
        cover.seen == NULL) {
        icl_hard_cover_deinit(&cover);
        return icl_error_set(ICL_ENOMEM, "out of memory for a cover of %zu items", hard_count);
    }
    for (size_t i = 0; i < hard_count; i++) cover.is_hard[hard[i]] = true;
    *out = cover;
    return ICL_OK;
}

void icl_hard_cover_deinit(icl_hard_cover *cover)
{
    free(cover->seen);
    free(cover->covered);
    free(cover->times);
    free(cover->is_hard);
    *cover = (icl_hard_cover){ 0 };
}

/* Appends the hard supporters of `of` that are new, and are not `item`, to what it covers. */
static size_t add_supporters(icl_hard_cover *cover, size_t count, size_t of, size_t item)
{
    const icl_neighbour_graph *graph = cover->graph;
    for (size_t e = graph->first[of]; e < graph->first[of + 1]; e++) {
        const uint32_t voter = graph->supporters[e];
        if (!cover->is_hard[voter] || cover->seen[voter] || voter == item) continue;
        cover->seen[voter] = true;
        cover->covered[count++] = voter;
    }
    return count;
}

static size_t list_covered(icl_hard_cover *cover, size_t item)
{
    size_t count = add_supporters(cover, 0, item, item);
    const size_t one_hop = cover->two_hops ? count : 0;
    for (size_t i = 0; i < one_hop; i++)
        count = add_supporters(cover, count, cover->covered[i], item);
    for (size_t i = 0; i < count; i++) cover->seen[cover->covered[i]] = false;
    return count;
}

/* Items covered equally often are counted first: equal gains have equal bits. */
double icl_hard_cover_gain(icl_hard_cover *cover, size_t item)
{
    enum { TIMES_MAX = 31 }; /* beyond it decay^t is lost beside any other gain */
    size_t tally[TIMES_MAX + 1] = { 0 };
    const size_t count = list_covered(cover, item);
    for (size_t i = 0; i < count; i++) {
        const size_t times = cover->times[cover->covered[i]];
        tally[times < TIMES_MAX ? times : TIMES_MAX]++;
    }
    double gain = 0, weight = 1;
    for (size_t t = 0; t <= TIMES_MAX; t++) {
        gain += (double)tally[t] * weight;
        weight *= cover->decay;
    }
    return gain;
}

void icl_hard_cover_choose(icl_hard_cover *cover, size_t item)
{
    const size_t count = list_covered(cover, item);
    for (size_t i = 0; i < count; i++) cover->times[cover->covered[i]]++;
}

size_t icl_hard_cover_best(icl_hard_cover *cover, const bool *excluded)
{
    size_t best = SIZE_MAX;
    double best_gain = 0;
    for (size_t item = 0; item < cover->graph->count; item++) {
        if (!cover->is_hard[item] || excluded[item]) continue;
        const double gain = icl_hard_cover_gain(cover, item);
        if (gain <= best_gain) continue;
        best = item;
        best_gain = gain;
    }
    return best;
}
