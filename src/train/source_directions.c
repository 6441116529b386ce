/* Classes made in the encoder's space, new ones for every episode, so that nothing but the
 * demonstrations tells them. Two forms:
 *   anchors     an item belongs to the random anchor it points to most. (Subtracting the anchors'
 *               mean first would change the same number for all of them.)
 *   projection  two classes: on either side of a border along the difference of two random items.
 * Items nearest to a border belong to either side by chance and are left out. */
#include <float.h>
#include <math.h>
#include <stdlib.h>

#include "base/error.h"
#include "train/episode.h"
#include "train/vector_sample.h"

typedef enum form { FORM_ANCHORS, FORM_PROJECTION, FORM_MIXED } form;

typedef struct directions_source {
    icl_episode episode;
    form asked;
    size_t sample_max;
    double ties;
    /* Of the sample at hand, all [sample_max]. */
    float *scores, *best, *margins, *sorted;
    size_t *classes;
} directions_source;

static void close_directions(void *self)
{
    directions_source *source = self;
    free(source->classes);
    free(source->sorted);
    free(source->margins);
    free(source->best);
    free(source->scores);
    icl_episode_deinit(&source->episode);
    free(source);
}

static icl_status allocate(directions_source *source)
{
    const size_t count = source->sample_max;
    source->scores = malloc(count * sizeof *source->scores);
    source->best = malloc(count * sizeof *source->best);
    source->margins = malloc(count * sizeof *source->margins);
    source->sorted = malloc(count * sizeof *source->sorted);
    source->classes = malloc(count * sizeof *source->classes);
    if (source->scores == NULL || source->best == NULL || source->margins == NULL ||
        source->sorted == NULL || source->classes == NULL)
        return icl_error_set(ICL_ENOMEM, "out of memory");
    return ICL_OK;
}

static icl_status open_directions(void **out_self, const icl_source_world *world,
                                  const icl_options *options)
{
    enum { ITEMS_PER_CLASS = 8 };
    directions_source *source = calloc(1, sizeof *source);
    if (source == NULL) return icl_error_set(ICL_ENOMEM, "out of memory");
    source->asked = (form)icl_options_int(options, "form");
    source->sample_max = (size_t)icl_options_int(options, "sample");
    source->ties = icl_options_real(options, "ties");
    icl_episode *episode = &source->episode;
    icl_status status = icl_episode_init(episode, world, options, false);
    if (status == ICL_OK)
        status = icl_vector_sample_check(episode->data, options,
                                         ITEMS_PER_CLASS * episode->classes_range.high);
    if (status == ICL_OK) status = allocate(source);
    if (status != ICL_OK) {
        close_directions(source);
        return status;
    }
    episode->item_count = episode->data->vector_count;
    *out_self = source;
    return ICL_OK;
}

/* --- classes of the sample's items, and how far they are from a border --- */

static void point_to_anchors(directions_source *source, const icl_vector_sample *sample,
                             icl_rng *rng)
{
    const size_t count = source->episode.class_count;
    size_t anchors[ICL_CLASSES_MAX];
    icl_vector_sample_places(anchors, count, sample, rng);
    for (size_t i = 0; i < sample->count; i++) {
        source->best[i] = -FLT_MAX;
        source->margins[i] = FLT_MAX;
    }
    for (size_t c = 0; c < count; c++) {
        icl_vector_sample_dots(source->scores, sample, anchors[c]);
        for (size_t i = 0; i < sample->count; i++) {
            const float ahead = source->scores[i] - source->best[i];
            if (ahead > 0) {
                source->margins[i] = ahead;
                source->best[i] = source->scores[i];
                source->classes[i] = c;
            } else if (-ahead < source->margins[i]) {
                source->margins[i] = -ahead;
            }
        }
    }
}

static int ascending(const void *a, const void *b)
{
    const float one = *(const float *)a, other = *(const float *)b;
    return (one > other) - (one < other);
}

/* The value below which a share of `values` lies. */
static float quantile(directions_source *source, const float *values, size_t count, double share)
{
    for (size_t i = 0; i < count; i++) source->sorted[i] = values[i];
    qsort(source->sorted, count, sizeof *source->sorted, ascending);
    const size_t at = (size_t)(share * (double)count);
    return source->sorted[at < count ? at : count - 1];
}

static void project(directions_source *source, const icl_vector_sample *sample, icl_rng *rng)
{
    size_t ends[2];
    icl_vector_sample_places(ends, 2, sample, rng);
    icl_vector_sample_dots(source->best, sample, ends[0]);
    icl_vector_sample_dots(source->scores, sample, ends[1]);
    for (size_t i = 0; i < sample->count; i++) source->scores[i] -= source->best[i];
    const double share = 0.3 + 0.4 * icl_rng_unit(rng);
    const float border = quantile(source, source->scores, sample->count, share);
    for (size_t i = 0; i < sample->count; i++) {
        source->classes[i] = source->scores[i] > border;
        source->margins[i] = fabsf(source->scores[i] - border);
    }
}

static void leave_out_ties(directions_source *source, size_t count)
{
    const float least = quantile(source, source->margins, count, source->ties);
    for (size_t i = 0; i < count; i++)
        if (source->margins[i] < least) source->classes[i] = ICL_NO_CLASS;
}

static icl_status draw_directions(void *self, icl_sequence *out, icl_rng *rng)
{
    enum { TRIES = 100 };
    directions_source *source = self;
    icl_episode *episode = &source->episode;
    icl_episode_begin(episode, rng);
    const form used =
        source->asked == FORM_MIXED ? (form)icl_rng_below(rng, FORM_MIXED) : source->asked;
    if (used == FORM_PROJECTION) episode->class_count = 2;
    bool enough = false;
    for (size_t try = 0; try < TRIES && !enough; try++) {
        const icl_vector_sample sample =
            icl_vector_sample_draw(episode->data, source->sample_max, rng);
        if (used == FORM_PROJECTION)
            project(source, &sample, rng);
        else
            point_to_anchors(source, &sample, rng);
        leave_out_ties(source, sample.count);
        ICL_TRY(icl_vector_sample_enrol(episode, &sample, source->classes, &enough));
    }
    if (!enough)
        return icl_error_set(ICL_EINVAL,
                             "source directions: no %zu directions in pool \"%s\" have two texts "
                             "each; ask for fewer classes or a larger sample",
                             episode->class_count, episode->data->name);
    return icl_episode_write(episode, out, rng);
}

static const char *const forms[] = { "anchors", "projection", "mixed", NULL };

static const icl_option options[] = {
    ICL_SOURCE_OPTION_DATA,
    ICL_EPISODE_OPTIONS("2-4", "words"),
    { .name = "form",
      .type = ICL_OPTION_CHOICE,
      .fallback = "anchors",
      .choices = forms,
      .help = "the nearest of random anchors, or two sides of a random direction" },
    { .name = "sample",
      .type = ICL_OPTION_INT,
      .fallback = "256",
      .minimum = 8,
      .maximum = 1 << 20,
      .help = "random items that an episode is made of" },
    { .name = "ties",
      .type = ICL_OPTION_REAL,
      .fallback = "0.2",
      .minimum = 0,
      .maximum = 0.9,
      .help = "share of the items, nearest to a border between classes, that is left out" },
};

const icl_source_kind icl_source_directions = {
    .card = { .name = "directions",
              .summary = "Classes by random directions in the encoder's space.",
              .paper = "folklore; self-supervised tasks as in Chen et al. 2022, Improving "
                       "In-Context Few-Shot Learning via Self-Supervised Training",
              .cost = "none",
              .needs = ICL_NEEDS_EMBEDDINGS,
              .options = options,
              .option_count = sizeof options / sizeof *options },
    .needs_vectors = icl_vector_sample_needed,
    .open = open_directions,
    .close = close_directions,
    .draw = draw_directions,
};
