#include "select/nearest.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/cancel.h"
#include "base/error.h"
#include "math/matrix.h"

enum { ITEMS_AT_ONCE = 1 << 20 }; /* candidates held, of as many queries as fit */

static icl_status search(icl_scored *out, const icl_select_input *input, size_t first, size_t count,
                         size_t k, icl_distance metric)
{
    return icl_dense_search(
        out, &(icl_dense_input){
                 .pool = input->pool_vectors,
                 .queries = &input->query_vectors[first * input->vector_size],
                 .pool_count = input->pool_count,
                 .query_count = count,
                 .columns = input->vector_size,
                 .exclude = input->query_self != NULL ? &input->query_self[first] : NULL,
                 .k = k,
                 .metric = metric,
                 .cancelled = input->cancelled,
             });
}

icl_status icl_select_nearest(icl_selection *out, const icl_select_input *input,
                              icl_distance metric)
{
    const size_t count = input->query_count * out->k;
    icl_scored *neighbours = malloc(count * sizeof *neighbours);
    if (neighbours == NULL)
        return icl_error_set(ICL_ENOMEM, "out of memory for %zu neighbours", count);
    const icl_status status = search(neighbours, input, 0, input->query_count, out->k, metric);
    for (size_t i = 0; status == ICL_OK && i < count; i++) {
        out->indices[i] = neighbours[i].index;
        out->scores[i] = neighbours[i].score;
    }
    free(neighbours);
    return status;
}

icl_status icl_select_neighbours(icl_selection *out, const icl_select_input *input, size_t count)
{
    icl_selection found = { .query_count = input->query_count, .k = count };
    found.indices = malloc((input->query_count * count + 1) * sizeof *found.indices);
    found.scores = malloc((input->query_count * count + 1) * sizeof *found.scores);
    icl_status status = ICL_OK;
    if (found.indices == NULL || found.scores == NULL)
        status = icl_error_set(ICL_ENOMEM, "out of memory for %zu neighbours of %zu queries", count,
                               input->query_count);
    if (status == ICL_OK) status = icl_select_nearest(&found, input, ICL_METRIC_COSINE);
    if (status == ICL_OK)
        *out = found;
    else
        icl_selection_deinit(&found);
    return status;
}

size_t icl_neighbour_count(const icl_selection *neighbours, size_t query)
{
    const size_t *line = neighbours->indices + query * neighbours->k;
    size_t count = neighbours->k;
    while (count > 0 && line[count - 1] == SIZE_MAX) count--;
    return count;
}

double icl_candidates_cosine(const icl_candidates *candidates, size_t i, size_t j)
{
    const size_t size = candidates->vector_size;
    return icl_vector_dot(&candidates->vectors[i * size], &candidates->vectors[j * size], size);
}

typedef struct among {
    icl_selection *out;
    const icl_select_input *input;
    icl_candidates_choose *choose;
    const icl_options *options;
    size_t limit;      /* most candidates of a query */
    icl_scored *items; /* [queries at once][limit] */
    float *vectors;    /* [limit][vector_size] */
    size_t *chosen;    /* [limit] */
    bool *taken;       /* [limit] */
} among;

static icl_status among_init(among *a, size_t queries)
{
    a->items = malloc(queries * a->limit * sizeof *a->items);
    a->vectors = malloc((a->limit * a->input->vector_size + 1) * sizeof *a->vectors);
    a->chosen = malloc(a->limit * sizeof *a->chosen);
    a->taken = malloc(a->limit * sizeof *a->taken);
    if (a->items == NULL || a->vectors == NULL || a->chosen == NULL || a->taken == NULL)
        return icl_error_set(ICL_ENOMEM, "out of memory for %zu candidates", queries * a->limit);
    return ICL_OK;
}

static void among_deinit(among *a)
{
    free(a->taken);
    free(a->chosen);
    free(a->vectors);
    free(a->items);
}

static void gather_vectors(const among *a, const icl_candidates *candidates)
{
    const size_t size = candidates->vector_size;
    for (size_t i = 0; i < candidates->count; i++)
        icl_matrix_normalise_rows(&a->vectors[i * size],
                                  &a->input->pool_vectors[candidates->items[i].index * size], 1,
                                  size);
}

/* Marks k candidates: the chosen, then the nearest of the others. */
static void mark(bool *taken, const size_t *chosen, size_t chosen_count, size_t k, size_t count)
{
    memset(taken, 0, count * sizeof *taken);
    for (size_t i = 0; i < chosen_count; i++) taken[chosen[i]] = true;
    for (size_t i = 0, left = k - chosen_count; left > 0; i++) {
        assert(i < count);
        left -= !taken[i];
        taken[i] = true;
    }
}

static icl_status choose_for(const among *a, size_t query, const icl_scored *items)
{
    const size_t k = a->out->k;
    icl_candidates candidates = { .items = items,
                                  .vectors = a->vectors,
                                  .vector_size = a->input->vector_size };
    while (candidates.count < a->limit && items[candidates.count].index != SIZE_MAX)
        candidates.count++;
    gather_vectors(a, &candidates);
    size_t chosen_count = 0;
    ICL_TRY(a->choose(a->chosen, &chosen_count, &candidates, k, a->options));
    mark(a->taken, a->chosen, chosen_count, k, candidates.count);
    for (size_t i = 0, to = query * k; i < candidates.count; i++) {
        if (!a->taken[i]) continue;
        a->out->indices[to] = items[i].index;
        a->out->scores[to++] = items[i].score;
    }
    return icl_cancel_check(a->input->cancelled);
}

size_t icl_candidates_limit(const icl_select_input *input, const icl_options *options, size_t k)
{
    const size_t wanted = (size_t)icl_options_int(options, "candidates");
    if (wanted == 0 || wanted > input->pool_count) return input->pool_count;
    return wanted > k ? wanted : k;
}

icl_status icl_select_among_nearest(icl_selection *out, const icl_select_input *input,
                                    icl_candidates_choose *choose, const icl_options *options)
{
    among a = { .out = out, .input = input, .choose = choose, .options = options };
    a.limit = icl_candidates_limit(input, options, out->k);
    size_t queries = a.limit < ITEMS_AT_ONCE ? ITEMS_AT_ONCE / a.limit : 1;
    if (queries > input->query_count) queries = input->query_count;
    icl_status status = among_init(&a, queries);
    for (size_t first = 0; status == ICL_OK && first < input->query_count; first += queries) {
        const size_t left = input->query_count - first, some = left < queries ? left : queries;
        status = search(a.items, input, first, some, a.limit, ICL_METRIC_COSINE);
        for (size_t q = 0; status == ICL_OK && q < some; q++)
            status = choose_for(&a, first + q, &a.items[q * a.limit]);
    }
    among_deinit(&a);
    return status;
}
