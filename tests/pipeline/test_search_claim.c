/* The winner's figure without the luck of being chosen, on searches whose answers are drawn here:
 * what strategies are truly worth is known. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/rng.h"
#include "near.h"
#include "pipeline/search_state.h"

enum { STRATEGIES = 12, QUERIES = 120, FIRST_QUERIES = 48, KEPT = 4, REPEATS = 60 };

typedef struct drawn_search {
    icl_search search;
    search_candidate candidates[STRATEGIES];
    size_t ranking[STRATEGIES];
    uint32_t gold[QUERIES], predicted[STRATEGIES][QUERIES];
} drawn_search;

/* Strategy c is right with probability worth[c]; every answer is drawn for itself. */
static void draw_world(drawn_search *out, const double *worth, uint64_t seed)
{
    *out = (drawn_search){ .search = { .space = { .count = STRATEGIES } } };
    icl_rng rng = icl_rng_new(seed, "claims", NULL, "answers");
    out->search.candidates = out->candidates;
    out->search.ranking = out->ranking;
    out->search.gold = out->gold;
    out->search.options.run.seed = seed;
    out->search.summary.task = "claims";
    out->search.summary.metric = ICL_METRIC_ACCURACY;
    out->search.summary.label_count = 2;
    for (size_t c = 0; c < STRATEGIES; c++) {
        out->candidates[c].predicted = out->predicted[c];
        for (size_t q = 0; q < QUERIES; q++)
            out->predicted[c][q] = (double)icl_rng_below(&rng, 1000) >= 1000 * worth[c];
    }
}

static void ask(drawn_search *world, size_t candidate, size_t query_count)
{
    icl_search_candidate *figures = &world->candidates[candidate].figures;
    size_t correct = 0;
    for (size_t q = 0; q < query_count; q++) correct += world->predicted[candidate][q] == 0;
    figures->round_count++;
    figures->query_count = query_count;
    figures->value = (double)correct / (double)query_count;
}

/* Strategies by their value, best first. */
static void rank(drawn_search *world)
{
    for (size_t c = 0; c < STRATEGIES; c++) {
        size_t at = c;
        for (; at > 0 && world->candidates[world->ranking[at - 1]].figures.value <
                             world->candidates[c].figures.value;
             at--)
            world->ranking[at] = world->ranking[at - 1];
        world->ranking[at] = c;
    }
}

static void ask_all_at_once(drawn_search *world)
{
    for (size_t c = 0; c < STRATEGIES; c++) ask(world, c, QUERIES);
    rank(world);
}

static void ask_in_two_rounds(drawn_search *world)
{
    for (size_t c = 0; c < STRATEGIES; c++) ask(world, c, FIRST_QUERIES);
    rank(world);
    for (size_t place = 0; place < KEPT; place++) ask(world, world->ranking[place], QUERIES);
    for (size_t place = KEPT; place < STRATEGIES; place++)
        world->candidates[world->ranking[place]].figures.value -= 1; /* behind those that go on */
    rank(world);
}

typedef struct bias {
    double naive, expected; /* means of the winner's figures less what it is truly worth */
} bias;

static bias measure(const double *worth, void (*ask_rounds)(drawn_search *))
{
    static drawn_search drawn;
    bias sum = { 0, 0 };
    for (uint64_t seed = 0; seed < REPEATS; seed++) {
        draw_world(&drawn, worth, seed);
        ask_rounds(&drawn);
        assert_int_equal(icl_search_correct_winner(&drawn.search), ICL_OK);
        const size_t winner = drawn.ranking[0];
        sum.naive += (drawn.candidates[winner].figures.value - worth[winner]) / REPEATS;
        sum.expected += (drawn.search.summary.value_expected - worth[winner]) / REPEATS;
    }
    return sum;
}

/* A figure's standard deviation is about 0.04 and the mean's over 60 searches 0.005: three of
 * those.
 */
static const double tolerance = 0.015;

/* The largest of 12 means of 120 fair coins is 1.63 standard deviations of 0.0456 too high. */
static void test_search_claim__the_best_of_equals_is_worth_no_more_than_they(void **state)
{
    (void)state;
    double worth[STRATEGIES];
    for (size_t c = 0; c < STRATEGIES; c++) worth[c] = 0.5;
    const bias found = measure(worth, ask_all_at_once);
    assert_near(found.naive, 1.63 * sqrt(0.25 / QUERIES), tolerance);
    assert_near(found.expected, 0, tolerance);
}

static void test_search_claim__halving_is_accounted_for(void **state)
{
    (void)state;
    double worth[STRATEGIES];
    for (size_t c = 0; c < STRATEGIES; c++) worth[c] = 0.5;
    const bias found = measure(worth, ask_in_two_rounds);
    assert_true(found.naive > 3 * tolerance);
    assert_near(found.expected, 0, tolerance);
}

static void test_search_claim__a_spread_of_strategies_too(void **state)
{
    (void)state;
    double worth[STRATEGIES];
    for (size_t c = 0; c < STRATEGIES; c++) worth[c] = 0.5 + 0.02 * (double)c;
    const bias found = measure(worth, ask_in_two_rounds);
    assert_true(found.naive > tolerance);
    assert_near(found.expected, 0, tolerance);
}

/* Who is far ahead in every resample owes nothing to luck. */
static void test_search_claim__a_clear_winner_keeps_its_figure(void **state)
{
    (void)state;
    static drawn_search drawn;
    double worth[STRATEGIES] = { 0.95 };
    for (size_t c = 1; c < STRATEGIES; c++) worth[c] = 0.3;
    draw_world(&drawn, worth, 1);
    ask_in_two_rounds(&drawn);
    assert_int_equal(icl_search_correct_winner(&drawn.search), ICL_OK);
    assert_int_equal(drawn.ranking[0], 0);
    assert_near(drawn.search.summary.value_expected, drawn.candidates[0].figures.value, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_search_claim__the_best_of_equals_is_worth_no_more_than_they),
        cmocka_unit_test(test_search_claim__halving_is_accounted_for),
        cmocka_unit_test(test_search_claim__a_spread_of_strategies_too),
        cmocka_unit_test(test_search_claim__a_clear_winner_keeps_its_figure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
