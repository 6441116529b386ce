/* Episodes over a labelled pool: a few of its classes, demonstrations, a query. */
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/error.h"
#include "train/episode.h"

typedef struct labelled_source {
    icl_episode episode;
    const icl_pool *data;
    size_t *items;   /* by label */
    size_t *firsts;  /* [label_count + 1] where a label's items start in `items` */
    size_t *labels;  /* [label_count] scratch: of the episode's classes, first the chosen ones */
    uint64_t *drawn; /* [count] number of the draw that last took the item */
    uint64_t draw_number;
} labelled_source;

static void close_labelled(void *self)
{
    labelled_source *source = self;
    free(source->drawn);
    free(source->labels);
    free(source->firsts);
    free(source->items);
    icl_episode_deinit(&source->episode);
    free(source);
}

static icl_status group_by_label(labelled_source *source)
{
    const icl_pool *data = source->data;
    const size_t count = source->episode.item_count;
    source->items = malloc((count + 1) * sizeof *source->items);
    source->firsts = calloc(data->label_count + 2, sizeof *source->firsts);
    source->labels = malloc((data->label_count + 1) * sizeof *source->labels);
    source->drawn = calloc(data->count + 1, sizeof *source->drawn);
    if (source->items == NULL || source->firsts == NULL || source->labels == NULL ||
        source->drawn == NULL)
        return icl_error_set(ICL_ENOMEM, "out of memory");
    /* Counted two places ahead: filling then moves every start to its own place. */
    for (size_t i = 0; i < count; i++) source->firsts[data->labels[i] + 2]++;
    for (size_t label = 1; label <= data->label_count; label++)
        source->firsts[label + 1] += source->firsts[label];
    for (size_t i = 0; i < count; i++) source->items[source->firsts[data->labels[i] + 1]++] = i;
    return ICL_OK;
}

static size_t label_size(const labelled_source *source, size_t label)
{
    return source->firsts[label + 1] - source->firsts[label];
}

/* A class needs an item for the query and one to show. */
static bool is_usable(const labelled_source *source, size_t label)
{
    return label_size(source, label) >= 2;
}

/* Fills labels with a random choice of class_count classes; with names as labels only such whose
 * names begin with different tokens. Fewer, but at least 2, where there are no more. */
static icl_status choose_classes(labelled_source *source, icl_rng *rng)
{
    icl_episode *episode = &source->episode;
    const size_t label_count = source->data->label_count;
    for (size_t i = 0; i < label_count; i++) source->labels[i] = i;
    size_t chosen = 0;
    for (size_t i = 0; i < label_count && chosen < episode->class_count; i++) {
        const size_t at = i + icl_rng_below(rng, label_count - i), label = source->labels[at];
        source->labels[at] = source->labels[i];
        bool usable = is_usable(source, label);
        if (usable && episode->labels == ICL_LABELS_NAMES)
            ICL_TRY(icl_episode_add_name(episode, source->data->label_names[label], &usable));
        if (usable) source->labels[chosen++] = label;
    }
    episode->class_count = chosen;
    return ICL_OK;
}

static icl_status check_classes(labelled_source *source)
{
    icl_episode *episode = &source->episode;
    icl_rng rng = icl_rng_new(0, "", "", "");
    icl_episode_begin(episode, &rng);
    episode->class_count = ICL_CLASSES_MAX;
    if (episode->labels_asked == ICL_LABELS_MIXED) episode->labels = ICL_LABELS_NAMES;
    ICL_TRY(choose_classes(source, &rng));
    if (episode->class_count >= 2) return ICL_OK;
    return icl_error_set(
        ICL_EINVAL,
        "source labelled: pool \"%s\" has %zu classes with two texts or more%s; "
        "an episode needs two",
        source->data->name, episode->class_count,
        episode->labels == ICL_LABELS_NAMES ? " and names that begin with different tokens" : "");
}

static icl_status open_labelled(void **out_self, const icl_source_world *world,
                                const icl_options *options)
{
    labelled_source *source = calloc(1, sizeof *source);
    if (source == NULL) return icl_error_set(ICL_ENOMEM, "out of memory");
    icl_status status = icl_episode_init(&source->episode, world, options, true);
    source->data = source->episode.data;
    if (status == ICL_OK && source->data->labels == NULL)
        status = icl_error_set(ICL_EINVAL, "source labelled: pool \"%s\" has no labels",
                               source->data->name);
    if (status == ICL_OK) status = group_by_label(source);
    if (status == ICL_OK) status = check_classes(source);
    if (status != ICL_OK) {
        close_labelled(source);
        return status;
    }
    *out_self = source;
    return ICL_OK;
}

/* --- drawing --- */

/* Adds up to `wanted` random items of the classes first..end-1 that no draw has taken yet. */
static icl_status add_members(labelled_source *source, size_t first, size_t end, size_t wanted,
                              icl_rng *rng)
{
    size_t total = 0;
    for (size_t c = first; c < end; c++) total += label_size(source, source->labels[c]);
    /* The query is one of them and taken already; half of them at most are drawn by chance, since
     * drawing the last ones so takes long. */
    const bool all = wanted * 2 >= total;
    size_t added = 0;
    for (size_t at = 0; all ? at < total : added < wanted; at++) {
        size_t place = all ? at : icl_rng_below(rng, total), c = first;
        for (; place >= label_size(source, source->labels[c]); c++)
            place -= label_size(source, source->labels[c]);
        const size_t item = source->items[source->firsts[source->labels[c]] + place];
        if (source->drawn[item] == source->draw_number) continue;
        source->drawn[item] = source->draw_number;
        ICL_TRY(icl_episode_add(&source->episode, item, c));
        added++;
    }
    return ICL_OK;
}

static void draw_query(labelled_source *source, icl_rng *rng)
{
    const size_t class_index = icl_rng_below(rng, source->episode.class_count);
    const size_t label = source->labels[class_index];
    const size_t place = icl_rng_below(rng, label_size(source, label));
    source->episode.query = (icl_member){ .item = source->items[source->firsts[label] + place],
                                          .class_index = class_index };
    source->drawn[source->episode.query.item] = source->draw_number;
}

static icl_status draw_labelled(void *self, icl_sequence *out, icl_rng *rng)
{
    labelled_source *source = self;
    icl_episode *episode = &source->episode;
    source->draw_number++;
    icl_episode_begin(episode, rng);
    ICL_TRY(choose_classes(source, rng));
    draw_query(source, rng);
    if (episode->choose == ICL_CHOOSE_BALANCED) {
        for (size_t c = 0; c < episode->class_count; c++)
            ICL_TRY(add_members(source, c, c + 1, episode->shots, rng));
    } else {
        const size_t wanted = episode->shots > episode->pool ? episode->shots : episode->pool;
        ICL_TRY(add_members(source, 0, episode->class_count, wanted, rng));
    }
    return icl_episode_write(episode, out, rng);
}

static const icl_option options[] = {
    ICL_SOURCE_OPTION_DATA,
    ICL_EPISODE_OPTIONS("2-8", "names"),
};

const icl_source_kind icl_source_labelled = {
    .card = { .name = "labelled",
              .summary = "Classes of a labelled pool, with their names, other words or symbols.",
              .paper = "Min et al. 2022, MetaICL; Wei et al. 2023, Symbol tuning improves "
                       "in-context learning in language models",
              .cost = "none",
              .needs = ICL_NEEDS_LABELS,
              .options = options,
              .option_count = sizeof options / sizeof *options },
    .needs_vectors = icl_episode_needs_vectors,
    .open = open_labelled,
    .close = close_labelled,
    .draw = draw_labelled,
};
