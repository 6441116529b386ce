#include "select/set_beam.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/cancel.h"
#include "base/error.h"
#include "math/logspace.h"
#include "math/matrix.h"
#include "math/topk.h"

enum { SWAP_CHOICES = 4 }; /* candidates that a place is drawn from */

/* ---- features ---- */

static void standardise(double *values, size_t count)
{
    double sum = 0, squares = 0;
    for (size_t i = 0; i < count; i++) sum += values[i];
    const double mean = sum / (double)count;
    for (size_t i = 0; i < count; i++) squares += (values[i] - mean) * (values[i] - mean);
    const double deviation = count > 1 ? sqrt(squares / (double)(count - 1)) : 0;
    /* Entries that differ by rounding alone are equal. */
    const bool equal = deviation <= 1e-12 * (1 + fabs(mean));
    for (size_t i = 0; i < count; i++) values[i] = equal ? 0 : (values[i] - mean) / deviation;
}

static double cosine(const double *a, const double *b, size_t count)
{
    const double lengths =
        sqrt(icl_vector_dot_doubles(a, a, count)) * sqrt(icl_vector_dot_doubles(b, b, count));
    return lengths > 0 ? icl_vector_dot_doubles(a, b, count) / lengths : 0;
}

icl_status icl_set_features_new(icl_set_features *out, const icl_infoscore *scored,
                                const icl_select_input *input, double lambda)
{
    const size_t count = scored->candidate_count, probes = scored->probe_count;
    icl_set_features features = { .count = count,
                                  .label_count = input->label_count,
                                  .labels = malloc(count * sizeof *features.labels),
                                  .importance = malloc(count * sizeof *features.importance),
                                  .similarity = malloc(count * count * sizeof *features.similarity),
                                  .lambda = lambda };
    if (features.labels == NULL || features.importance == NULL || features.similarity == NULL) {
        icl_set_features_deinit(&features);
        return icl_error_set(ICL_ENOMEM, "out of memory for similarities of %zu candidates", count);
    }
    for (size_t i = 0; i < count; i++) {
        const icl_status status = icl_cancel_check(input->cancelled);
        if (status != ICL_OK) {
            icl_set_features_deinit(&features);
            return status;
        }
        features.labels[i] = input->pool_labels[scored->candidates[i]];
        features.importance[i] = scored->scores[i];
        for (size_t j = 0; j < count; j++)
            features.similarity[i * count + j] =
                cosine(&scored->gains[i * probes], &scored->gains[j * probes], probes);
    }
    standardise(features.importance, count);
    standardise(features.similarity, count * count);
    *out = features;
    return ICL_OK;
}

void icl_set_features_deinit(icl_set_features *features)
{
    free(features->labels);
    free(features->importance);
    free(features->similarity);
    *features = (icl_set_features){ 0 };
}

double icl_set_score(const icl_set_features *features, const size_t *set, size_t size)
{
    double importance = 0, similarity = 0;
    for (size_t i = 0; i < size; i++) {
        importance += features->importance[set[i]];
        for (size_t j = 0; j < size; j++)
            similarity += features->similarity[set[i] * features->count + set[j]];
    }
    const double members = (double)size;
    return importance / members - features->lambda * similarity / (members * members);
}

/* ---- swapping ---- */

/* Score of a candidate in the place `place` of the set. */
static double place_score(const icl_set_features *features, const size_t *set, size_t size,
                          size_t place, size_t candidate)
{
    double similarity = 0;
    for (size_t i = 0; i < size; i++)
        if (i != place) similarity += features->similarity[candidate * features->count + set[i]];
    const double others = size > 1 ? (double)(size - 1) : 1;
    return features->importance[candidate] - features->lambda * similarity / others;
}

/* One of the best, best first, with the probabilities softmax(score). */
static size_t draw_by_score(const icl_scored *best, size_t count, icl_rng *rng)
{
    assert(count > 0 && count <= SWAP_CHOICES);
    double probabilities[SWAP_CHOICES];
    for (size_t i = 0; i < count; i++) probabilities[i] = best[i].score;
    icl_softmax(probabilities, probabilities, count);
    double left = icl_rng_unit(rng);
    for (size_t i = 0; i + 1 < count; i++) {
        if (left < probabilities[i]) return best[i].index;
        left -= probabilities[i];
    }
    return best[count - 1].index;
}

icl_status icl_set_swap(size_t *child, const icl_set_features *features, const size_t *set,
                        size_t size, icl_rng *rng)
{
    icl_scored *choices = malloc(features->count * sizeof *choices);
    if (choices == NULL)
        return icl_error_set(ICL_ENOMEM, "out of memory for %zu candidates", features->count);
    const size_t place = icl_rng_below(rng, size);
    size_t count = 0;
    for (size_t c = 0; c < features->count; c++) {
        bool fits = features->labels[c] == features->labels[set[place]];
        for (size_t i = 0; fits && i < size; i++) fits = set[i] != c;
        if (fits)
            choices[count++] =
                (icl_scored){ .score = place_score(features, set, size, place, c), .index = c };
    }
    const size_t kept = count < SWAP_CHOICES ? count : SWAP_CHOICES;
    icl_topk(choices, count, kept);
    memmove(child, set, size * sizeof *child);
    if (count > 0) child[place] = draw_by_score(choices, kept, rng);
    free(choices);
    return ICL_OK;
}

/* ---- lists of sets ---- */

icl_status icl_set_list_add(size_t *out_index, icl_set_list *list, const size_t *set)
{
    for (size_t i = 0; i < list->count; i++) {
        if (memcmp(&list->sets[i * list->size], set, list->size * sizeof *set) != 0) continue;
        *out_index = i;
        return ICL_OK;
    }
    ICL_TRY(icl_array_reserve(&list->sets, &list->capacity, (list->count + 1) * list->size));
    ICL_TRY(icl_array_reserve(&list->scores, &list->score_capacity, list->count + 1));
    memcpy(&list->sets[list->count * list->size], set, list->size * sizeof *set);
    list->scores[list->count] = NAN;
    *out_index = list->count++;
    return ICL_OK;
}

void icl_set_list_deinit(icl_set_list *list)
{
    free(list->sets);
    free(list->scores);
    *list = (icl_set_list){ 0 };
}

/* ---- the beam ---- */

static void keep_distinct(size_t *items, size_t *count)
{
    qsort(items, *count, sizeof *items, icl_array_compare_sizes);
    size_t kept = 0;
    for (size_t i = 0; i < *count; i++)
        if (kept == 0 || items[i] != items[kept - 1]) items[kept++] = items[i];
    *count = kept;
}

/* Appends to reached [*reached_count] the index of a child of list->sets[parent]. */
static icl_status add_child(size_t *reached, size_t *reached_count, icl_set_list *list,
                            size_t parent, bool swap, const icl_set_features *features,
                            const icl_set_beam *search, icl_rng *rng)
{
    const size_t size = list->size;
    size_t *child = malloc(size * sizeof *child);
    if (child == NULL) return icl_error_set(ICL_ENOMEM, "out of memory for a set of %zu", size);
    memcpy(child, &list->sets[parent * size], size * sizeof *child);
    icl_status status = ICL_OK;
    if (swap)
        status = icl_set_swap(child, features, &list->sets[parent * size], size, rng);
    else
        icl_rng_shuffle(rng, child, size);
    if (!search->ordered) qsort(child, size, sizeof *child, icl_array_compare_sizes);
    if (status == ICL_OK) status = icl_set_list_add(&reached[*reached_count], list, child);
    if (status == ICL_OK) ++*reached_count;
    free(child);
    return status;
}

/* The best of the reached sets. */
static icl_status keep_beam(size_t *beam, size_t *beam_count, const size_t *reached, size_t count,
                            const icl_set_list *list, size_t width)
{
    icl_scored *ranked = malloc(count * sizeof *ranked);
    if (ranked == NULL) return icl_error_set(ICL_ENOMEM, "out of memory for %zu sets", count);
    for (size_t i = 0; i < count; i++)
        ranked[i] = (icl_scored){ .score = list->scores[reached[i]], .index = reached[i] };
    *beam_count = count < width ? count : width;
    icl_topk(ranked, count, *beam_count);
    for (size_t i = 0; i < *beam_count; i++) beam[i] = ranked[i].index;
    free(ranked);
    return ICL_OK;
}

static icl_status advance(size_t *beam, size_t *beam_count, size_t *reached, icl_set_list *list,
                          const icl_set_features *features, const icl_set_beam *search,
                          icl_rng *rng)
{
    const size_t known = list->count;
    size_t count = *beam_count;
    memcpy(reached, beam, count * sizeof *reached);
    for (size_t b = 0; b < *beam_count; b++)
        for (size_t c = 0; c < search->swaps + search->shuffles; c++)
            ICL_TRY(add_child(reached, &count, list, beam[b], c < search->swaps, features, search,
                              rng));
    keep_distinct(reached, &count);
    ICL_TRY(search->score(search->context, list, known));
    return keep_beam(beam, beam_count, reached, count, list, search->width);
}

icl_status icl_set_beam_run(size_t *beam, size_t *beam_count, icl_set_list *list,
                            const icl_set_features *features, const icl_set_beam *search,
                            icl_rng *rng)
{
    const size_t widest = *beam_count > search->width ? *beam_count : search->width;
    const size_t room = widest * (1 + search->swaps + search->shuffles);
    size_t *reached = malloc(room * sizeof *reached);
    if (reached == NULL) return icl_error_set(ICL_ENOMEM, "out of memory for %zu sets", room);
    icl_status status = ICL_OK;
    for (size_t i = 0; status == ICL_OK && i < search->iterations; i++)
        status = advance(beam, beam_count, reached, list, features, search, rng);
    free(reached);
    return status;
}
