#include "train/vector_sample.h"

#include <assert.h>

#include "base/error.h"
#include "math/matrix.h"

icl_status icl_vector_sample_check(const icl_pool *data, const icl_options *options, size_t least)
{
    if (data->vectors == NULL)
        return icl_error_set(ICL_EINVAL, "source %s: pool \"%s\" has no sentence vectors",
                             options->card->name, data->name);
    if (data->vector_count < least)
        return icl_error_set(ICL_EINVAL,
                             "source %s: pool \"%s\" has %zu sentence vectors, too few: this many "
                             "classes need %zu",
                             options->card->name, data->name, data->vector_count, least);
    return ICL_OK;
}

icl_vector_sample icl_vector_sample_draw(const icl_pool *data, size_t count_max, icl_rng *rng)
{
    return (icl_vector_sample){ .data = data,
                                .first = icl_rng_below(rng, data->vector_count),
                                .count = count_max < data->vector_count ? count_max
                                                                        : data->vector_count };
}

size_t icl_vector_sample_item(const icl_vector_sample *sample, size_t place)
{
    assert(place < sample->count);
    return (sample->first + place) % sample->data->vector_count;
}

void icl_vector_sample_dots(float *out, const icl_vector_sample *sample, size_t place)
{
    const icl_pool *data = sample->data;
    const size_t size = data->vector_size, left = data->vector_count - sample->first;
    const size_t before_end = sample->count < left ? sample->count : left;
    const float *vector = data->vectors + icl_vector_sample_item(sample, place) * size;
    icl_vector_dots(out, data->vectors + sample->first * size, before_end, size, vector);
    icl_vector_dots(out + before_end, data->vectors, sample->count - before_end, size, vector);
}

void icl_vector_sample_places(size_t *out, size_t count, const icl_vector_sample *sample,
                              icl_rng *rng)
{
    assert(count <= sample->count);
    for (size_t drawn = 0; drawn < count;) {
        const size_t place = icl_rng_below(rng, sample->count);
        size_t same = 0;
        while (same < drawn && out[same] != place) same++;
        if (same == drawn) out[drawn++] = place;
    }
}

icl_status icl_vector_sample_enrol(icl_episode *episode, const icl_vector_sample *sample,
                                   const size_t *classes, bool *out_enough)
{
    size_t counts[ICL_CLASSES_MAX] = { 0 };
    episode->member_count = 0;
    for (size_t i = 0; i < sample->count; i++) {
        if (classes[i] == ICL_NO_CLASS) continue;
        counts[classes[i]]++;
        ICL_TRY(icl_episode_add(episode, icl_vector_sample_item(sample, i), classes[i]));
    }
    *out_enough = true;
    for (size_t c = 0; c < episode->class_count; c++) *out_enough = *out_enough && counts[c] >= 2;
    return ICL_OK;
}

bool icl_vector_sample_needed(const icl_options *options)
{
    (void)options;
    return true;
}
