/* Sets by importance and similarity: scores by hand, swaps, lists, and what a beam never loses. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "near.h"
#include "select/set_beam.h"

enum { COUNT = 12, SIZE = 4, LABELS = 2 };

/* Candidate i has importance i / 10 and label i % 2; neighbours in number are alike. */
typedef struct world {
    size_t labels[COUNT];
    double importance[COUNT], similarity[COUNT * COUNT];
    icl_set_features features;
    size_t scored; /* by the scorer */
} world;

static void setup_world(world *w, double lambda)
{
    for (size_t i = 0; i < COUNT; i++) {
        w->labels[i] = i % LABELS;
        w->importance[i] = (double)i / 10;
        for (size_t j = 0; j < COUNT; j++)
            w->similarity[i * COUNT + j] = i == j ? 1 : i / 2 == j / 2 ? 0.5 : 0;
    }
    w->features = (icl_set_features){ .count = COUNT,
                                      .label_count = LABELS,
                                      .labels = w->labels,
                                      .importance = w->importance,
                                      .similarity = w->similarity,
                                      .lambda = lambda };
    w->scored = 0;
}

/* {0, 1, 4}: importance 0.5 / 3, similarity (3 * 1 + 2 * 0.5) / 9. */
static void test_set_beam__a_set_score_by_hand(void **state)
{
    (void)state;
    world w;
    setup_world(&w, 4);
    const size_t set[] = { 0, 1, 4 };
    assert_near(icl_set_score(&w.features, set, 3), 0.5 / 3 - 4 * (4.0 / 9), 1e-12);
}

/* Two probes; the candidates' gains are (1, 0), (0, 1) and (1, 1). */
static void test_set_beam__features_are_standardised(void **state)
{
    (void)state;
    size_t candidates[] = { 2, 0, 1 };
    double scores[] = { 1, 2, 3 }, gains[] = { 1, 0, 0, 1, 1, 1 };
    const size_t pool_labels[] = { 0, 1, 1 };
    const icl_select_input input = { .pool_labels = pool_labels, .label_count = 2 };
    const icl_infoscore scored = { .candidate_count = 3,
                                   .probe_count = 2,
                                   .candidates = candidates,
                                   .scores = scores,
                                   .gains = gains };
    icl_set_features features = { 0 };
    assert_int_equal(icl_set_features_new(&features, &scored, &input, 1), ICL_OK);
    assert_near(features.importance[0], -1, 1e-12);
    assert_near(features.importance[1], 0, 1e-12);
    assert_int_equal(features.labels[0], 1);
    assert_int_equal(features.labels[1], 0);
    double sum = 0, squares = 0;
    for (size_t i = 0; i < 9; i++) sum += features.similarity[i];
    for (size_t i = 0; i < 9; i++) squares += features.similarity[i] * features.similarity[i];
    assert_near(sum, 0, 1e-12);
    assert_near(squares, 8, 1e-12); /* sample variance 1 */
    assert_near(features.similarity[2], features.similarity[5], 1e-12);
    assert_true(features.similarity[0] > features.similarity[2]);
    assert_true(features.similarity[2] > features.similarity[1]);
    icl_set_features_deinit(&features);
}

static void test_set_beam__equal_scores_are_zero(void **state)
{
    (void)state;
    size_t candidates[] = { 0, 1 };
    double scores[] = { 0.1, 0.1 }, gains[] = { 0, 0, 0, 0 };
    const size_t pool_labels[] = { 0, 0 };
    const icl_select_input input = { .pool_labels = pool_labels, .label_count = 1 };
    const icl_infoscore scored = { .candidate_count = 2,
                                   .probe_count = 2,
                                   .candidates = candidates,
                                   .scores = scores,
                                   .gains = gains };
    icl_set_features features = { 0 };
    assert_int_equal(icl_set_features_new(&features, &scored, &input, 1), ICL_OK);
    for (size_t i = 0; i < 2; i++) assert_near(features.importance[i], 0, 0);
    for (size_t i = 0; i < 4; i++) assert_near(features.similarity[i], 0, 0);
    icl_set_features_deinit(&features);
}

static void count_classes(size_t counts[LABELS], const world *w, const size_t *set)
{
    memset(counts, 0, LABELS * sizeof *counts);
    for (size_t i = 0; i < SIZE; i++) counts[w->labels[set[i]]]++;
}

/* One member changes, for another of its label that is among the four best for the place. */
static void test_set_beam__a_swap_keeps_the_classes(void **state)
{
    (void)state;
    world w;
    setup_world(&w, 0); /* importance alone */
    const size_t set[SIZE] = { 0, 1, 2, 5 };
    icl_rng rng = icl_rng_new(3, "", "", "test-set-beam");
    for (size_t trial = 0; trial < 200; trial++) {
        size_t child[SIZE], counts[LABELS], changed = 0;
        assert_int_equal(icl_set_swap(child, &w.features, set, SIZE, &rng), ICL_OK);
        for (size_t i = 0; i < SIZE; i++) {
            if (child[i] == set[i]) continue;
            changed++;
            assert_true(child[i] >= 3); /* four best of label 0: 10 8 6 4; of label 1: 11 9 7 3 */
            assert_int_equal(w.labels[child[i]], w.labels[set[i]]);
        }
        assert_int_equal(changed, 1);
        count_classes(counts, &w, child);
        assert_true(counts[0] == 2 && counts[1] == 2);
    }
}

/* Softmax of 1.0, 0.8, 0.6, 0.4: 0.3266, 0.2674, 0.2189, 0.1792. */
static void test_set_beam__swaps_are_drawn_by_softmax(void **state)
{
    (void)state;
    world w;
    setup_world(&w, 0);
    const size_t set[] = { 0 };
    const double expected[] = { 0.1792, 0.2189, 0.2674, 0.3266 }; /* of 4, 6, 8, 10 */
    size_t counts[COUNT] = { 0 };
    icl_rng rng = icl_rng_new(4, "", "", "test-set-beam");
    enum { TRIALS = 20000 };
    for (size_t trial = 0; trial < TRIALS; trial++) {
        size_t child[1];
        assert_int_equal(icl_set_swap(child, &w.features, set, 1, &rng), ICL_OK);
        counts[child[0]]++;
    }
    for (size_t i = 0; i < 4; i++)
        assert_near((double)counts[4 + 2 * i] / TRIALS, expected[i], 0.015);
}

static void test_set_beam__nobody_to_swap_for_leaves_the_set(void **state)
{
    (void)state;
    world w;
    setup_world(&w, 1);
    size_t all[COUNT], child[COUNT];
    for (size_t i = 0; i < COUNT; i++) all[i] = i;
    icl_rng rng = icl_rng_new(5, "", "", "test-set-beam");
    assert_int_equal(icl_set_swap(child, &w.features, all, COUNT, &rng), ICL_OK);
    assert_memory_equal(child, all, sizeof all);
}

static void test_set_beam__a_list_holds_each_set_once(void **state)
{
    (void)state;
    icl_set_list list = { .size = 2 };
    const size_t a[] = { 1, 2 }, b[] = { 2, 1 };
    size_t index = 9;
    assert_int_equal(icl_set_list_add(&index, &list, a), ICL_OK);
    assert_int_equal(icl_set_list_add(&index, &list, b), ICL_OK);
    assert_int_equal(index, 1);
    assert_int_equal(icl_set_list_add(&index, &list, a), ICL_OK);
    assert_int_equal(index, 0);
    assert_int_equal(list.count, 2);
    assert_true(isnan(list.scores[1]));
    icl_set_list_deinit(&list);
}

/* Sum of numbers, more for those in ascending order. */
static icl_status score_sum(void *context, icl_set_list *list, size_t first)
{
    world *w = context;
    for (size_t i = first; i < list->count; i++) {
        const size_t *set = &list->sets[i * list->size];
        assert_true(isnan(list->scores[i])); /* no set is scored twice */
        list->scores[i] = (double)set[0];
        for (size_t j = 1; j < list->size; j++)
            list->scores[i] += (double)set[j] + (set[j] > set[j - 1] ? 0.1 : 0);
        w->scored++;
    }
    return ICL_OK;
}

static double best_after(size_t iterations, bool ordered, size_t best[SIZE])
{
    world w;
    setup_world(&w, 0.1);
    const icl_set_beam search = { .width = 3,
                                  .iterations = iterations,
                                  .swaps = 3,
                                  .shuffles = 2,
                                  .ordered = ordered,
                                  .score = score_sum,
                                  .context = &w };
    icl_set_list list = { .size = SIZE };
    size_t beam[3], beam_count = 1;
    assert_int_equal(icl_set_list_add(beam, &list, (const size_t[]){ 3, 2, 1, 0 }), ICL_OK);
    assert_int_equal(score_sum(&w, &list, 0), ICL_OK);
    icl_rng rng = icl_rng_new(6, "", "", "test-set-beam");
    assert_int_equal(icl_set_beam_run(beam, &beam_count, &list, &w.features, &search, &rng),
                     ICL_OK);
    assert_int_equal(w.scored, list.count);
    for (size_t i = 0; i < beam_count; i++) {
        size_t counts[LABELS];
        count_classes(counts, &w, &list.sets[beam[i] * SIZE]);
        assert_true(counts[0] == 2 && counts[1] == 2);
        assert_true(i == 0 || list.scores[beam[i]] <= list.scores[beam[i - 1]]);
    }
    const double score = list.scores[beam[0]];
    memcpy(best, &list.sets[beam[0] * SIZE], SIZE * sizeof *best);
    icl_set_list_deinit(&list);
    return score;
}

/* The same seed walks the same way, so a longer search goes on from a shorter one. The best set is
 * 8 9 10 11 in ascending order: 38.3. */
static void test_set_beam__the_best_is_never_lost(void **state)
{
    (void)state;
    size_t best[SIZE];
    double before = best_after(0, true, best);
    for (size_t iterations = 1; iterations <= 30; iterations++) {
        const double now = best_after(iterations, true, best);
        assert_true(now >= before);
        before = now;
    }
    assert_near(before, 38.3, 1e-9);
    assert_near(best_after(30, false, best), 38.3, 1e-9); /* unordered sets stand ascending */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_set_beam__a_set_score_by_hand),
        cmocka_unit_test(test_set_beam__features_are_standardised),
        cmocka_unit_test(test_set_beam__equal_scores_are_zero),
        cmocka_unit_test(test_set_beam__a_swap_keeps_the_classes),
        cmocka_unit_test(test_set_beam__swaps_are_drawn_by_softmax),
        cmocka_unit_test(test_set_beam__nobody_to_swap_for_leaves_the_set),
        cmocka_unit_test(test_set_beam__a_list_holds_each_set_once),
        cmocka_unit_test(test_set_beam__the_best_is_never_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
