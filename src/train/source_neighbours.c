/* Classes that are neighbourhoods: the items nearest to each of a few random anchors, new ones for
 * every episode. An item near two anchors belongs to the nearer one. */
#include <stdlib.h>

#include "base/error.h"
#include "math/topk.h"
#include "train/episode.h"
#include "train/vector_sample.h"

typedef struct neighbours_source {
    icl_episode episode;
    size_t reach, sample_max;
    /* Of the sample at hand, all [sample_max]. */
    float *scores;
    double *best; /* nearness to the anchor of its class */
    size_t *classes;
    icl_scored *ranked;
} neighbours_source;

static void close_neighbours(void *self)
{
    neighbours_source *source = self;
    free(source->ranked);
    free(source->classes);
    free(source->best);
    free(source->scores);
    icl_episode_deinit(&source->episode);
    free(source);
}

static icl_status allocate(neighbours_source *source)
{
    const size_t count = source->sample_max;
    source->scores = malloc(count * sizeof *source->scores);
    source->best = malloc(count * sizeof *source->best);
    source->classes = malloc(count * sizeof *source->classes);
    source->ranked = malloc(count * sizeof *source->ranked);
    if (source->scores == NULL || source->best == NULL || source->classes == NULL ||
        source->ranked == NULL)
        return icl_error_set(ICL_ENOMEM, "out of memory");
    return ICL_OK;
}

static icl_status open_neighbours(void **out_self, const icl_source_world *world,
                                  const icl_options *options)
{
    neighbours_source *source = calloc(1, sizeof *source);
    if (source == NULL) return icl_error_set(ICL_ENOMEM, "out of memory");
    source->reach = (size_t)icl_options_int(options, "reach");
    source->sample_max = (size_t)icl_options_int(options, "sample");
    icl_episode *episode = &source->episode;
    icl_status status = icl_episode_init(episode, world, options, false);
    const size_t least = source->reach * episode->classes_range.high;
    if (status == ICL_OK) status = icl_vector_sample_check(episode->data, options, least);
    if (status == ICL_OK && source->sample_max < least)
        status = icl_error_set(ICL_EINVAL,
                               "option sample of neighbours: %zu items are fewer than %zu classes "
                               "of %zu",
                               source->sample_max, episode->classes_range.high, source->reach);
    if (status == ICL_OK) status = allocate(source);
    if (status != ICL_OK) {
        close_neighbours(source);
        return status;
    }
    episode->item_count = episode->data->vector_count;
    *out_self = source;
    return ICL_OK;
}

/* Takes the items nearest to the anchor into class `c`, unless another anchor is nearer. */
static void claim(neighbours_source *source, const icl_vector_sample *sample, size_t anchor,
                  size_t c)
{
    icl_vector_sample_dots(source->scores, sample, anchor);
    for (size_t i = 0; i < sample->count; i++)
        source->ranked[i] = (icl_scored){ .score = (double)source->scores[i], .index = i };
    icl_topk(source->ranked, sample->count, source->reach);
    for (size_t rank = 0; rank < source->reach; rank++) {
        const icl_scored near = source->ranked[rank];
        const bool taken = source->classes[near.index] != ICL_NO_CLASS;
        if (taken && near.score <= source->best[near.index]) continue;
        source->best[near.index] = near.score;
        source->classes[near.index] = c;
    }
}

static icl_status draw_neighbours(void *self, icl_sequence *out, icl_rng *rng)
{
    enum { TRIES = 100 };
    neighbours_source *source = self;
    icl_episode *episode = &source->episode;
    icl_episode_begin(episode, rng);
    bool enough = false;
    for (size_t try = 0; try < TRIES && !enough; try++) {
        const icl_vector_sample sample =
            icl_vector_sample_draw(episode->data, source->sample_max, rng);
        size_t anchors[ICL_CLASSES_MAX];
        icl_vector_sample_places(anchors, episode->class_count, &sample, rng);
        for (size_t i = 0; i < sample.count; i++) source->classes[i] = ICL_NO_CLASS;
        for (size_t c = 0; c < episode->class_count; c++) claim(source, &sample, anchors[c], c);
        ICL_TRY(icl_vector_sample_enrol(episode, &sample, source->classes, &enough));
    }
    if (!enough)
        return icl_error_set(ICL_EINVAL,
                             "source neighbours: no %zu neighbourhoods in pool \"%s\" have two "
                             "texts each; ask for fewer classes or more reach",
                             episode->class_count, episode->data->name);
    return icl_episode_write(episode, out, rng);
}

static const icl_option options[] = {
    ICL_SOURCE_OPTION_DATA,
    ICL_EPISODE_OPTIONS("2-8", "words"),
    { .name = "reach",
      .type = ICL_OPTION_INT,
      .fallback = "30",
      .minimum = 2,
      .maximum = 4096,
      .help = "items of a class: the nearest to its anchor" },
    { .name = "sample",
      .type = ICL_OPTION_INT,
      .fallback = "3000",
      .minimum = 4,
      .maximum = 1 << 20,
      .help = "random items among which the neighbours are looked for" },
};

const icl_source_kind icl_source_neighbours = {
    .card = { .name = "neighbours",
              .summary = "Classes are the neighbourhoods of random texts in the encoder's space.",
              .paper = "folklore; retrieved neighbours as in Gu et al. 2023, Pre-Training to Learn "
                       "in Context",
              .cost = "none",
              .needs = ICL_NEEDS_EMBEDDINGS,
              .options = options,
              .option_count = sizeof options / sizeof *options },
    .needs_vectors = icl_vector_sample_needed,
    .open = open_neighbours,
    .close = close_neighbours,
    .draw = draw_neighbours,
};
