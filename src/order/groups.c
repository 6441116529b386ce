#include "order/groups.h"

#include <stdint.h>
#include <stdlib.h>

#include "base/array.h"
#include "base/error.h"
#include "base/string_map.h"
#include "base/text.h"

static icl_status reserve(icl_order_groups *out, const icl_order_input *input)
{
    const size_t queries = input->query_count, items = queries * input->k;
    *out = (icl_order_groups){ .k = input->k, .query_count = queries };
    out->sets = malloc((items + 1) * sizeof *out->sets);
    out->first = malloc((queries + 1) * sizeof *out->first);
    out->selves = malloc((queries + 1) * sizeof *out->selves);
    out->keys = calloc(queries + 1, sizeof *out->keys);
    out->of = malloc((queries + 1) * sizeof *out->of);
    out->ranks = malloc((items + 1) * sizeof *out->ranks);
    if (out->sets == NULL || out->first == NULL || out->selves == NULL || out->keys == NULL ||
        out->of == NULL || out->ranks == NULL)
        return icl_error_set(ICL_ENOMEM, "out of memory for demonstrations of %zu queries",
                             queries);
    return ICL_OK;
}

static size_t self_of(const icl_order_input *input, icl_group_by by, size_t query)
{
    return by == ICL_GROUP_BY_SET || input->query_self == NULL ? SIZE_MAX
                                                               : input->query_self[query];
}

/* "4,17,23", and "@5" where the query is pool item 5 and that matters. */
static icl_status write_key(icl_text *key, const icl_order_input *input, icl_group_by by,
                            size_t query, const size_t *set)
{
    icl_text_clear(key);
    if (by == ICL_GROUP_BY_QUERY) {
        icl_text_append_string(key, input->query_ids[query]);
        return icl_text_status(key);
    }
    for (size_t i = 0; i < input->k; i++) icl_text_printf(key, "%s%zu", i == 0 ? "" : ",", set[i]);
    const size_t self = self_of(input, by, query);
    if (self != SIZE_MAX) icl_text_printf(key, "@%zu", self);
    return icl_text_status(key);
}

/* `set` receives the query's items in ascending order. */
static void sort_set(size_t *set, const size_t *selected, size_t k)
{
    for (size_t i = 0; i < k; i++) set[i] = selected[i];
    qsort(set, k, sizeof *set, icl_array_compare_sizes);
}

static void rank_items(size_t *ranks, const size_t *set, const size_t *selected, size_t k)
{
    for (size_t rank = 0; rank < k; rank++) {
        const size_t *item = bsearch(&selected[rank], set, k, sizeof *set, icl_array_compare_sizes);
        ranks[item - set] = rank;
    }
}

static icl_status add_query(icl_order_groups *out, icl_string_map *known, icl_text *key,
                            const icl_order_input *input, icl_group_by by, size_t query)
{
    const size_t k = out->k, next = out->count;
    const size_t *selected = &input->indices[query * k];
    size_t *set = &out->sets[next * k];
    sort_set(set, selected, k);
    rank_items(&out->ranks[query * k], set, selected, k);
    ICL_TRY(write_key(key, input, by, query, set));
    const size_t same =
        by == ICL_GROUP_BY_QUERY ? SIZE_MAX : icl_string_map_find(known, icl_text_string(key));
    if (same != SIZE_MAX) {
        out->of[query] = same;
        return ICL_OK;
    }
    out->keys[next] = icl_text_take(key, NULL);
    if (out->keys[next] == NULL)
        return icl_error_set(ICL_ENOMEM, "out of memory for the key of a set of demonstrations");
    out->of[query] = next;
    out->first[next] = query;
    out->selves[next] = self_of(input, by, query);
    out->count++;
    return icl_string_map_add(known, out->keys[next], &(size_t){ next });
}

icl_status icl_order_groups_make(icl_order_groups *out, const icl_order_input *input,
                                 icl_group_by by)
{
    icl_order_groups groups = { 0 };
    icl_string_map known = { 0 };
    icl_text key = { 0 };
    icl_status status = reserve(&groups, input);
    for (size_t q = 0; status == ICL_OK && q < input->query_count; q++)
        status = add_query(&groups, &known, &key, input, by, q);
    icl_text_deinit(&key);
    icl_string_map_deinit(&known);
    if (status != ICL_OK)
        icl_order_groups_deinit(&groups);
    else
        *out = groups;
    return status;
}

void icl_order_groups_deinit(icl_order_groups *groups)
{
    for (size_t g = 0; g < groups->count; g++) free(groups->keys[g]);
    free(groups->ranks);
    free(groups->of);
    free(groups->keys);
    free(groups->selves);
    free(groups->first);
    free(groups->sets);
    *groups = (icl_order_groups){ 0 };
}

void icl_order_groups_write(icl_ordering *out, const icl_order_groups *groups, const size_t *orders)
{
    const size_t k = groups->k;
    for (size_t q = 0; q < groups->query_count; q++) {
        const size_t *order = &orders[groups->of[q] * k], *ranks = &groups->ranks[q * k];
        for (size_t place = 0; place < k; place++)
            out->permutations[q * k + place] = ranks[order[place]];
    }
}
