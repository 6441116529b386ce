#include "select/subset.h"

#include <stdlib.h>

#include "base/array.h"
#include "base/error.h"
#include "index/dense.h"
#include "math/matrix.h"

/* Some rows of the pool, gathered. */
typedef struct subset {
    size_t *items; /* [count] pool indices */
    size_t count;
    float *vectors; /* [count][vector_size] */
} subset;

static icl_status subset_gather(subset *s, const icl_select_input *input)
{
    const size_t size = input->vector_size;
    /* One more than needed: malloc(0) may return NULL. */
    s->vectors = malloc((s->count * size + 1) * sizeof *s->vectors);
    if (s->vectors == NULL)
        return icl_error_set(ICL_ENOMEM, "out of memory for %zu sentence vectors", s->count);
    icl_matrix_gather_rows(s->vectors, input->pool_vectors, s->items, s->count, size);
    return ICL_OK;
}

static void subset_deinit(subset *s)
{
    free(s->vectors);
    free(s->items);
}

/* Writes lines [count][k] of the queries from `first` on: places within the subset. exclude
 * [count]: the place of a query itself; NULL: none. */
static icl_status nearest(icl_scored *lines, const subset *s, const icl_select_input *input,
                          size_t first, size_t count, size_t k, const size_t *exclude)
{
    return icl_dense_search(
        lines, &(icl_dense_input){ .pool = s->vectors,
                                   .pool_count = s->count,
                                   .queries = input->query_vectors + first * input->vector_size,
                                   .query_count = count,
                                   .columns = input->vector_size,
                                   .exclude = exclude,
                                   .k = k,
                                   .metric = ICL_METRIC_COSINE,
                                   .cancelled = input->cancelled });
}

/* Where each query itself stands in the subset, or SIZE_MAX. */
static icl_status find_selves(size_t **out, const subset *s, const icl_select_input *input)
{
    size_t *places = malloc(input->pool_count * sizeof *places);
    size_t *selves = malloc(input->query_count * sizeof *selves);
    if (places == NULL || selves == NULL) {
        free(places);
        free(selves);
        return icl_error_set(ICL_ENOMEM, "out of memory for %zu queries", input->query_count);
    }
    for (size_t i = 0; i < input->pool_count; i++) places[i] = SIZE_MAX;
    for (size_t i = 0; i < s->count; i++) places[s->items[i]] = i;
    for (size_t q = 0; q < input->query_count; q++) {
        const size_t self = icl_select_self(input, q);
        selves[q] = self != SIZE_MAX ? places[self] : SIZE_MAX;
    }
    free(places);
    *out = selves;
    return ICL_OK;
}

/* The pool without the subset. */
static icl_status subset_rest(subset *out, const subset *s, const icl_select_input *input)
{
    bool *taken = calloc(input->pool_count, sizeof *taken);
    out->items = malloc((input->pool_count - s->count + 1) * sizeof *out->items);
    icl_status status = ICL_OK;
    if (taken == NULL || out->items == NULL)
        status = icl_error_set(ICL_ENOMEM, "out of memory for %zu pool items", input->pool_count);
    for (size_t i = 0; status == ICL_OK && i < s->count; i++) taken[s->items[i]] = true;
    for (size_t i = 0; status == ICL_OK && i < input->pool_count; i++)
        if (!taken[i]) out->items[out->count++] = i;
    if (status == ICL_OK) status = subset_gather(out, input);
    free(taken);
    return status;
}

/* A query that was picked itself, in a budget of k: the nearest item of the rest joins its line. */
static icl_status fill_gaps(icl_selection *out, const subset *s, const icl_select_input *input,
                            const size_t *selves)
{
    const size_t k = out->k;
    subset rest = { 0 };
    icl_status status = subset_rest(&rest, s, input);
    for (size_t q = 0; status == ICL_OK && q < input->query_count; q++) {
        if (selves[q] == SIZE_MAX) continue;
        icl_scored filler;
        status = nearest(&filler, &rest, input, q, 1, 1, NULL);
        if (status != ICL_OK) break;
        const icl_scored joins = { .score = filler.score, .index = rest.items[filler.index] };
        size_t at = q * k + k - 1;
        for (; at > q * k && joins.score > out->scores[at - 1]; at--) {
            out->indices[at] = out->indices[at - 1];
            out->scores[at] = out->scores[at - 1];
        }
        out->indices[at] = joins.index;
        out->scores[at] = joins.score;
    }
    subset_deinit(&rest);
    return status;
}

static icl_status show_nearest(icl_selection *out, const subset *s, const icl_select_input *input)
{
    const size_t count = input->query_count * out->k;
    icl_scored *lines = malloc(count * sizeof *lines);
    size_t *selves = NULL;
    icl_status status = ICL_OK;
    if (lines == NULL)
        status = icl_error_set(ICL_ENOMEM, "out of memory for %zu neighbours", count);
    if (status == ICL_OK) status = find_selves(&selves, s, input);
    if (status == ICL_OK) status = nearest(lines, s, input, 0, input->query_count, out->k, selves);
    for (size_t i = 0; status == ICL_OK && i < count; i++) {
        if (lines[i].index == SIZE_MAX) continue;
        out->indices[i] = s->items[lines[i].index];
        out->scores[i] = lines[i].score;
    }
    if (status == ICL_OK && s->count == out->k) status = fill_gaps(out, s, input, selves);
    free(selves);
    free(lines);
    return status;
}

icl_status icl_subset_run(icl_selection *out, const icl_select_input *input,
                          const icl_options *options, icl_pick_items *pick)
{
    const size_t asked = (size_t)icl_options_int(options, "budget");
    if (asked < out->k)
        return icl_error_set(ICL_EINVAL,
                             "k=%zu demonstrations asked, but %s(budget=%zu) labels %zu", out->k,
                             options->card->name, asked, asked);
    subset s = { .count = asked < input->pool_count ? asked : input->pool_count };
    icl_status status = ICL_OK;
    s.items = malloc(s.count * sizeof *s.items);
    if (s.items == NULL) status = icl_error_set(ICL_ENOMEM, "out of memory for %zu picks", s.count);
    if (status == ICL_OK) status = pick(s.items, s.count, input, options);
    if (status == ICL_OK) {
        /* So that of equally near items the lowest of the pool is shown, as elsewhere. */
        qsort(s.items, s.count, sizeof *s.items, icl_array_compare_sizes);
        status = subset_gather(&s, input);
    }
    if (status == ICL_OK) status = show_nearest(out, &s, input);
    subset_deinit(&s);
    return status;
}
