/* Draws the queries of a search from the labelled examples. */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/rng.h"
#include "pipeline/search_state.h"

/* One example, and where it stands in the sequence of queries when it is the `rank`th of its
 * label: at the fraction (rank + 1/2) / count of it. */
typedef struct drawn {
    size_t item, label, rank, count;
} drawn;

static int compare_places(const void *left, const void *right)
{
    const drawn *a = left, *b = right;
    const size_t place_a = (2 * a->rank + 1) * b->count, place_b = (2 * b->rank + 1) * a->count;
    if (place_a != place_b) return place_a < place_b ? -1 : 1;
    return a->label < b->label ? -1 : a->label > b->label;
}

/* How many of the `count` examples of a label become queries: its share, and one wherever another
 * is left to show. A pool apart from the queries keeps one. */
static size_t share_of(size_t count, size_t queries, size_t all, bool pool_apart)
{
    const size_t share = (2 * count * queries + all) / (2 * all);
    if (count < 2) return 0;
    if (share >= count) return pool_apart ? count - 1 : count;
    return share == 0 ? 1 : share;
}

static size_t wanted_queries(const icl_search *search, size_t all, bool pool_apart)
{
    const size_t most = pool_apart ? all - 1 : all;
    size_t wanted = search->options.validation_max;
    if (wanted == 0) {
        wanted = pool_apart ? all / 2 : all;
        if (wanted > ICL_SEARCH_VALIDATION_MAX) wanted = ICL_SEARCH_VALIDATION_MAX;
    }
    return wanted < most ? wanted : most;
}

typedef struct splitting {
    size_t *shuffled; /* [all] */
    size_t *counts;   /* [label_count] examples */
    size_t *taken;    /* [label_count] queries so far */
    drawn *queries;   /* [all] */
    size_t *items;    /* [all] queries in their order, then the pool in the file's */
    size_t query_count, labels_drawn;
} splitting;

static void splitting_deinit(splitting *self)
{
    free(self->shuffled);
    free(self->counts);
    free(self->taken);
    free(self->queries);
    free(self->items);
}

static icl_status splitting_init(splitting *out, const icl_dataset *all, size_t label_count)
{
    const size_t count = icl_dataset_count(all);
    *out = (splitting){ .shuffled = calloc(count, sizeof *out->shuffled),
                        .counts = calloc(label_count + 1, sizeof *out->counts),
                        .taken = calloc(label_count + 1, sizeof *out->taken),
                        .queries = calloc(count, sizeof *out->queries),
                        .items = calloc(count, sizeof *out->items) };
    if (out->shuffled == NULL || out->counts == NULL || out->taken == NULL ||
        out->queries == NULL || out->items == NULL)
        return icl_error_set(ICL_ENOMEM, "out of memory to split %zu examples", count);
    for (size_t i = 0; i < count; i++) {
        out->shuffled[i] = i;
        out->counts[icl_example_label(icl_dataset_at(all, i))]++;
    }
    return ICL_OK;
}

static void draw_queries(splitting *self, const icl_search *search, bool pool_apart)
{
    const icl_dataset *all = search->data.train;
    const size_t count = icl_dataset_count(all);
    const size_t wanted = wanted_queries(search, count, pool_apart);
    icl_rng rng =
        icl_rng_new(search->options.run.seed,
                    icl_task_text(search->options.run.task, ICL_TASK_NAME), NULL, "search-split");
    icl_rng_shuffle(&rng, self->shuffled, count);
    for (size_t i = 0; i < count; i++) {
        const size_t item = self->shuffled[i], label = icl_example_label(icl_dataset_at(all, item));
        const size_t share = share_of(self->counts[label], wanted, count, pool_apart);
        if (self->taken[label] == share) continue;
        self->labels_drawn += self->taken[label] == 0;
        self->queries[self->query_count++] =
            (drawn){ .item = item, .label = label, .rank = self->taken[label]++, .count = share };
    }
    qsort(self->queries, self->query_count, sizeof *self->queries, compare_places);
}

/* A pool apart keeps the order of the file. */
static void arrange(splitting *self, size_t count)
{
    memset(self->shuffled, 0, count * sizeof *self->shuffled); /* from here on: is a query */
    for (size_t q = 0; q < self->query_count; q++) {
        self->items[q] = self->queries[q].item;
        self->shuffled[self->queries[q].item] = 1;
    }
    size_t at = self->query_count;
    for (size_t i = 0; i < count; i++)
        if (self->shuffled[i] == 0) self->items[at++] = i;
}

static icl_status keep(icl_search *search, const splitting *self, size_t label_count,
                       bool pool_apart)
{
    const icl_dataset *all = search->data.train;
    const size_t apart_count = icl_dataset_count(all) - self->query_count;
    search->gold = calloc(self->query_count, sizeof *search->gold);
    search->unseen = calloc(label_count + 1, sizeof *search->unseen);
    if (search->gold == NULL || search->unseen == NULL)
        return icl_error_set(ICL_ENOMEM, "out of memory for %zu queries", self->query_count);
    for (size_t q = 0; q < self->query_count; q++)
        search->gold[q] = (uint32_t)self->queries[q].label;
    search->all =
        (icl_task_data){ .train = search->data.train, .verbalizer = search->data.verbalizer };
    ICL_TRY(icl_dataset_subset(&search->all.test, all, self->items, self->query_count));
    search->summary.validation_count = self->query_count;
    search->summary.pool_count = icl_dataset_count(all) - 1;
    if (!pool_apart) return ICL_OK;
    search->apart = search->all;
    search->apart.train = NULL;
    search->summary.pool_apart_count = apart_count;
    return icl_dataset_subset(&search->apart.train, all, self->items + self->query_count,
                              apart_count);
}

icl_status icl_search_split(icl_search *search, bool some_fit_pool)
{
    const icl_dataset *all = search->data.train;
    const size_t count = icl_dataset_count(all);
    const size_t labels = icl_label_space_count(icl_verbalizer_labels(search->data.verbalizer));
    splitting split;
    icl_status status = splitting_init(&split, all, labels);
    if (status == ICL_OK) draw_queries(&split, search, some_fit_pool);
    if (status == ICL_OK && split.labels_drawn < 2)
        status = icl_error_set(ICL_EINVAL,
                               "%s: a search takes at least two labels with two examples each, one "
                               "to ask and one to show; %zu of %zu labels have them",
                               icl_dataset_name(all), split.labels_drawn, labels);
    if (status == ICL_OK) arrange(&split, count);
    if (status == ICL_OK) status = keep(search, &split, labels, some_fit_pool);
    splitting_deinit(&split);
    search->summary.train_count = count;
    search->summary.label_count = labels;
    return status;
}

void icl_search_note_unseen(icl_search *search, size_t query_count)
{
    const icl_label_space *labels = icl_verbalizer_labels(search->data.verbalizer);
    icl_search_summary *summary = &search->summary;
    summary->unseen_count = 0;
    for (size_t label = 0; label < summary->label_count; label++) {
        bool seen = false;
        for (size_t q = 0; q < query_count && !seen; q++) seen = search->gold[q] == label;
        if (!seen) search->unseen[summary->unseen_count++] = icl_label_space_name(labels, label);
    }
    summary->unseen = search->unseen;
}
