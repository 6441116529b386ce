/* AdaICL: the items next to the centres of k-means are labelled first; then the model, shown those,
 * says of which half of the rest it is unsure, and what is picked represents that half.
 *   adaicl  greedy cover over votes of two hops; once all is covered the model is asked again
 *   plus    votes of one hop that lose weight when heard, in rounds of equal size
 *   base    the items next to the centres of k-means over the half, not the longest ones */
#include <stdlib.h>
#include <string.h>

#include "base/cancel.h"
#include "base/error.h"
#include "base/rng.h"
#include "math/kmeans.h"
#include "math/matrix.h"
#include "math/topk.h"
#include "select/annotate.h"
#include "select/hard_cover.h"
#include "select/subset.h"
#include "select/unit_rows.h"

enum { VARIANT_ADAICL, VARIANT_PLUS, VARIANT_BASE };
enum { KMEANS_ROUNDS_MAX = 300 };

typedef struct adaicl {
    icl_annotation annotation;
    float *rows; /* [pool_count][vector_size] unit length */
    icl_neighbour_graph graph;
    size_t *hard; /* [hard_count] what the model is least sure of, that first */
    size_t hard_count, budget;
} adaicl;

/* ---- k-means ---- */

/* The candidate nearest to a centre that is not picked and, where there is one, not too long. */
static size_t nearest_free(const adaicl *a, const float *centre, const size_t *items, size_t count,
                           const bool *too_long)
{
    const size_t columns = a->annotation.input->vector_size;
    size_t best = SIZE_MAX;
    double best_distance = 0;
    for (size_t i = 0; i < count; i++) {
        if (a->annotation.is_picked[items[i]] || (too_long != NULL && too_long[items[i]])) continue;
        const double distance =
            icl_vector_distance_squared(a->rows + items[i] * columns, centre, columns);
        if (best != SIZE_MAX && distance >= best_distance) continue;
        best = items[i];
        best_distance = distance;
    }
    if (best == SIZE_MAX && too_long != NULL) return nearest_free(a, centre, items, count, NULL);
    return best;
}

/* Picks the nearest of `items` [count] to each of as many centres as are wanted. */
static icl_status pick_centres(adaicl *a, const size_t *items, size_t count, size_t wanted,
                               const bool *too_long)
{
    const icl_select_input *input = a->annotation.input;
    const size_t columns = input->vector_size, k = wanted < count ? wanted : count;
    icl_kmeans kmeans = { 0 };
    icl_rng rng = icl_rng_new(input->seed, input->task, "", "select-adaicl-kmeans");
    float *rows = malloc((count * columns + 1) * sizeof *rows);
    icl_status status = ICL_OK;
    if (rows == NULL) status = icl_error_set(ICL_ENOMEM, "out of memory for %zu vectors", count);
    if (status == ICL_OK) {
        icl_matrix_gather_rows(rows, a->rows, items, count, columns);
        status = icl_kmeans_init(&kmeans, rows, count, columns, k);
    }
    if (status == ICL_OK) status = icl_kmeans_start(&kmeans, &rng, input->cancelled);
    if (status == ICL_OK) status = icl_kmeans_run(&kmeans, KMEANS_ROUNDS_MAX, input->cancelled);
    for (size_t c = 0; status == ICL_OK && c < k; c++)
        icl_annotation_pick(&a->annotation,
                            nearest_free(a, kmeans.centres + c * columns, items, count, too_long));
    icl_kmeans_deinit(&kmeans);
    free(rows);
    return status;
}

static icl_status pick_first(adaicl *a)
{
    const size_t pool = a->annotation.input->pool_count;
    const size_t wanted = (size_t)icl_options_int(a->annotation.options, "first");
    for (size_t i = 0; i < pool; i++) a->hard[i] = i;
    return pick_centres(a, a->hard, pool, wanted < a->budget ? wanted : a->budget, NULL);
}

/* ---- what the model is unsure of ---- */

static icl_status find_hard(adaicl *a)
{
    icl_annotation *annotation = &a->annotation;
    ICL_TRY(icl_annotation_ask(annotation));
    const size_t rest = annotation->rest_count;
    icl_scored *ranked = malloc((rest + 1) * sizeof *ranked);
    if (ranked == NULL) return icl_error_set(ICL_ENOMEM, "out of memory for %zu pool items", rest);
    a->hard_count = (rest + 1) / 2;
    icl_annotation_rank(ranked, a->hard_count, annotation);
    for (size_t i = 0; i < a->hard_count; i++) a->hard[i] = ranked[i].index;
    free(ranked);
    return ICL_OK;
}

/* Picks up to `count` hard items by cover, as long as something is left to cover. */
static icl_status pick_cover(adaicl *a, size_t count, bool plus)
{
    icl_hard_cover cover = { 0 };
    ICL_TRY(icl_hard_cover_init(&cover, &a->graph, a->hard, a->hard_count));
    cover.two_hops = !plus;
    cover.decay = plus ? 0.1 : 0;
    icl_status status = ICL_OK;
    for (size_t i = 0; status == ICL_OK && i < count; i++) {
        const size_t best = icl_hard_cover_best(&cover, a->annotation.is_picked);
        if (best == SIZE_MAX) break;
        icl_annotation_pick(&a->annotation, best);
        icl_hard_cover_choose(&cover, best);
        status = icl_cancel_check(a->annotation.input->cancelled);
    }
    icl_hard_cover_deinit(&cover);
    return status;
}

/* ---- the variants ---- */

static icl_status pick_adaicl_rounds(adaicl *a)
{
    icl_annotation *annotation = &a->annotation;
    while (annotation->picked_count < a->budget) {
        const size_t before = annotation->picked_count;
        ICL_TRY(find_hard(a));
        ICL_TRY(pick_cover(a, a->budget - before, false));
        if (annotation->picked_count == before) break;
    }
    return ICL_OK;
}

static icl_status pick_plus_rounds(adaicl *a)
{
    icl_annotation *annotation = &a->annotation;
    const size_t rounds = (size_t)icl_options_int(annotation->options, "rounds");
    for (size_t r = 0; r < rounds && annotation->picked_count < a->budget; r++) {
        const size_t left = a->budget - annotation->picked_count, rounds_left = rounds - r;
        ICL_TRY(find_hard(a));
        ICL_TRY(pick_cover(a, (left + rounds_left - 1) / rounds_left, true));
    }
    return ICL_OK;
}

static size_t count_words(const char *text)
{
    static const char blanks[] = " \t\n\r\v\f";
    size_t count = 0;
    for (text += strspn(text, blanks); *text != '\0'; text += strspn(text, blanks)) {
        text += strcspn(text, blanks);
        count++;
    }
    return count;
}

/* Longer than three quarters of the hard items, and than 400 words. */
static icl_status find_too_long(bool *too_long, const adaicl *a)
{
    enum { ALWAYS_SHORT_WORDS = 400 };
    const size_t count = a->hard_count;
    icl_scored *lengths = malloc(count * sizeof *lengths);
    if (lengths == NULL) return icl_error_set(ICL_ENOMEM, "out of memory for %zu texts", count);
    for (size_t i = 0; i < count; i++) {
        const char *text = a->annotation.input->pool_texts[a->hard[i]];
        lengths[i] = (icl_scored){ .score = (double)count_words(text), .index = a->hard[i] };
    }
    icl_topk(lengths, count, count);
    const double quantile = lengths[count - 1 - count * 3 / 4].score;
    const double limit = quantile > ALWAYS_SHORT_WORDS ? quantile : ALWAYS_SHORT_WORDS;
    for (size_t i = 0; i < count; i++) too_long[lengths[i].index] = lengths[i].score > limit;
    free(lengths);
    return ICL_OK;
}

static icl_status pick_base(adaicl *a)
{
    ICL_TRY(find_hard(a));
    bool *too_long = calloc(a->annotation.input->pool_count, sizeof *too_long);
    if (too_long == NULL)
        return icl_error_set(ICL_ENOMEM, "out of memory for %zu texts", a->hard_count);
    icl_status status = find_too_long(too_long, a);
    if (status == ICL_OK)
        status = pick_centres(a, a->hard, a->hard_count, a->budget - a->annotation.picked_count,
                              too_long);
    free(too_long);
    return status;
}

static icl_status pick_after_first(adaicl *a, const icl_options *options)
{
    const int64_t variant = icl_options_int(options, "variant");
    if (variant == VARIANT_BASE) return pick_base(a);
    const int64_t given = icl_options_int(options, "neighbours");
    const int64_t usual = variant == VARIANT_PLUS ? 15 : 5;
    const icl_select_input *input = a->annotation.input;
    ICL_TRY(icl_neighbour_graph_init(
        &a->graph, &(icl_neighbour_graph_input){ .vectors = input->pool_vectors,
                                                 .count = input->pool_count,
                                                 .columns = input->vector_size,
                                                 .k = (size_t)(given > 0 ? given : usual),
                                                 .cancelled = input->cancelled }));
    return variant == VARIANT_PLUS ? pick_plus_rounds(a) : pick_adaicl_rounds(a);
}

static icl_status pick_adaicl(size_t *out, size_t budget, const icl_select_input *input,
                              const icl_options *options)
{
    adaicl a = { .budget = budget, .hard = malloc(input->pool_count * sizeof *a.hard) };
    icl_status status = ICL_OK;
    if (a.hard == NULL)
        status = icl_error_set(ICL_ENOMEM, "out of memory for %zu pool items", input->pool_count);
    if (status == ICL_OK) status = icl_unit_rows(&a.rows, input);
    if (status == ICL_OK) status = icl_annotation_init(&a.annotation, out, input, options);
    if (status == ICL_OK) status = pick_first(&a);
    if (status == ICL_OK && a.annotation.picked_count < budget)
        status = pick_after_first(&a, options);
    if (status == ICL_OK) icl_annotation_pick_random(&a.annotation, budget);
    icl_annotation_deinit(&a.annotation);
    icl_neighbour_graph_deinit(&a.graph);
    free(a.rows);
    free(a.hard);
    return status;
}

/* Indexed by VARIANT_*. */
static const char *const variants[] = { "adaicl", "plus", "base", NULL };

static const icl_option options[] = {
    ICL_SELECT_OPTION_K,
    ICL_SELECT_OPTION_BUDGET,
    { .name = "variant",
      .type = ICL_OPTION_CHOICE,
      .fallback = "adaicl",
      .choices = variants,
      .help = "adaicl: cover what the model is unsure of; plus: with weights, in rounds; base: its "
              "clusters" },
    { .name = "first",
      .type = ICL_OPTION_INT,
      .fallback = "10",
      .minimum = 1,
      .maximum = 1e6,
      .help = "items of the budget picked by k-means before the model is asked (the authors' code "
              "adds them to it)" },
    { .name = "neighbours",
      .type = ICL_OPTION_INT,
      .fallback = "0",
      .minimum = 0,
      .maximum = 1e6,
      .help = "items that each item votes for; 0: 5, for plus 15" },
    { .name = "rounds",
      .type = ICL_OPTION_INT,
      .fallback = "2",
      .minimum = 1,
      .maximum = 1000,
      .help = "questions of plus" },
};

const icl_select_method icl_select_adaicl = {
    .card = { .name = "adaicl",
              .summary = "The nearest of a budget of items that stand for what the model is unsure "
                         "of.",
              .paper = "Mavromatis et al. 2023, \"Which Examples to Annotate for In-Context "
                       "Learning? Towards Effective and Efficient Selection\" (two hops are votes "
                       "of voters, as in the authors' code)",
              .cost = "in each round a prompt of k demonstrations for each item not picked yet",
              .needs = ICL_NEEDS_EMBEDDINGS | ICL_NEEDS_LOGPROBS | ICL_NEEDS_LABELS,
              .options = options,
              .option_count = sizeof options / sizeof *options },
    .pick = pick_adaicl,
};
