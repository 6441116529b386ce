/* The lazy engine picks what measuring every candidate before every pick would pick. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/error.h"
#include "base/rng.h"
#include "select/greedy.h"

enum { CANDIDATES = 90, ELEMENTS = 40 };

/* Coverage of weighted elements; equal sets and sets that gain nothing are common. */
typedef struct sets {
    bool holds[CANDIDATES][ELEMENTS], covered[ELEMENTS];
    double weights[ELEMENTS];
    size_t measured;
    icl_status failure;
} sets;

static double gain_of(const sets *s, size_t candidate)
{
    double gain = 0;
    for (size_t e = 0; e < ELEMENTS; e++)
        if (s->holds[candidate][e] && !s->covered[e]) gain += s->weights[e];
    return gain;
}

static icl_status gains(void *user, double *out, const size_t *candidates, size_t count)
{
    sets *s = user;
    s->measured += count;
    if (s->failure != ICL_OK) return icl_error_set(s->failure, "cannot measure");
    for (size_t i = 0; i < count; i++) out[i] = gain_of(s, candidates[i]);
    return ICL_OK;
}

static void add(void *user, size_t candidate)
{
    sets *s = user;
    for (size_t e = 0; e < ELEMENTS; e++) s->covered[e] |= s->holds[candidate][e];
}

static void fill(sets *s, uint64_t seed)
{
    icl_rng rng = icl_rng_new(seed, "greedy", "", "test");
    memset(s, 0, sizeof *s);
    for (size_t c = 0; c < CANDIDATES; c++)
        for (size_t e = 0; e < ELEMENTS; e++) s->holds[c][e] = icl_rng_below(&rng, 12) == 0;
    for (size_t e = 0; e < ELEMENTS; e++) s->weights[e] = (double)(1 + icl_rng_below(&rng, 3));
    memcpy(s->holds[7], s->holds[60], sizeof s->holds[7]);
}

static icl_greedy problem_of(sets *s)
{
    return (icl_greedy){ .candidate_count = CANDIDATES, .user = s, .gains = gains, .add = add };
}

static void pick_by_brute_force(size_t *out, sets *s)
{
    bool picked[CANDIDATES] = { false };
    for (size_t i = 0; i < CANDIDATES; i++) {
        size_t best = SIZE_MAX;
        for (size_t c = 0; c < CANDIDATES; c++)
            if (!picked[c] && (best == SIZE_MAX || gain_of(s, c) > gain_of(s, best))) best = c;
        picked[best] = true;
        out[i] = best;
        add(s, best);
    }
}

static void test_greedy__lazy_picks_equal_brute_force(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 50; seed++) {
        sets s;
        size_t lazy[CANDIDATES], brute[CANDIDATES];
        fill(&s, seed);
        pick_by_brute_force(brute, &s);
        fill(&s, seed);
        const icl_greedy problem = problem_of(&s);
        assert_int_equal(icl_greedy_run(lazy, CANDIDATES, &problem), ICL_OK);
        assert_memory_equal(lazy, brute, sizeof lazy);
    }
}

static void test_greedy__measures_few_candidates_again(void **state)
{
    (void)state;
    sets s;
    size_t picks[8];
    fill(&s, 1);
    const icl_greedy problem = problem_of(&s);
    assert_int_equal(icl_greedy_run(picks, 8, &problem), ICL_OK);
    assert_true(s.measured < 3 * CANDIDATES); /* brute force: 8 times */
}

static void test_greedy__no_pick_measures_nothing(void **state)
{
    (void)state;
    sets s;
    fill(&s, 2);
    const icl_greedy problem = problem_of(&s);
    assert_int_equal(icl_greedy_run(NULL, 0, &problem), ICL_OK);
    assert_int_equal(s.measured, 0);
}

static void test_greedy__passes_on_failures_and_stops_when_asked(void **state)
{
    (void)state;
    sets s;
    size_t picks[4];
    fill(&s, 3);
    s.failure = ICL_EMODEL;
    icl_greedy problem = problem_of(&s);
    assert_int_equal(icl_greedy_run(picks, 4, &problem), ICL_EMODEL);
    const atomic_bool cancelled = true;
    s.failure = ICL_OK;
    problem.cancelled = &cancelled;
    assert_int_equal(icl_greedy_run(picks, 4, &problem), ICL_ECANCELLED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_greedy__lazy_picks_equal_brute_force),
        cmocka_unit_test(test_greedy__measures_few_candidates_again),
        cmocka_unit_test(test_greedy__no_pick_measures_nothing),
        cmocka_unit_test(test_greedy__passes_on_failures_and_stops_when_asked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
