/* Divergences against the definition in double precision. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <math.h>

#include <cmocka.h>

#include "base/rng.h"
#include "math/divergence.h"
#include "math/topk.h"
#include "near.h"

enum { COUNT_MAX = 1000 };

/* Log-probabilities of a random distribution. */
static void draw(float out[COUNT_MAX], size_t count, icl_rng *rng)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++) {
        out[i] = (float)(3 * icl_rng_normal(rng));
        sum += exp((double)out[i]);
    }
    for (size_t i = 0; i < count; i++) out[i] = (float)((double)out[i] - log(sum));
}

static double by_definition(const float *p, const float *q, size_t count)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++) sum += exp((double)p[i]) * ((double)p[i] - (double)q[i]);
    return sum;
}

static void test_divergence__golden(void **state)
{
    (void)state;
    const float p[] = { logf(.7f), logf(.2f), logf(.1f) };
    const float q[] = { logf(.6f), logf(.3f), logf(.1f) };
    assert_near(icl_divergence_nats(p, q, 3), 0.0268125, 1e-6);
}

static void test_divergence__equals_the_definition(void **state)
{
    (void)state;
    static const size_t counts[] = { 1, 2, 15, 16, 17, 31, 32, 100, COUNT_MAX };
    icl_rng rng = icl_rng_new(1, "divergence", NULL, NULL);
    float p[COUNT_MAX], q[COUNT_MAX];
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
        for (int trial = 0; trial < 20; trial++) {
            draw(p, counts[i], &rng);
            draw(q, counts[i], &rng);
            assert_near(icl_divergence_nats(p, q, counts[i]),
                        fmax(by_definition(p, q, counts[i]), 0), 1e-5);
            assert_true(icl_divergence_nats(p, q, counts[i]) >= 0);
            assert_true(icl_divergence_nats(p, p, counts[i]) == 0);
            if (counts[i] > 2)
                assert_true(fabs(icl_divergence_nats(p, q, counts[i]) -
                                 icl_divergence_nats(q, p, counts[i])) > 1e-6);
        }
}

static void test_divergence__impossible_outcomes(void **state)
{
    (void)state;
    const float none = -INFINITY, half = logf(.5f), quarter = logf(.25f);
    const float p[] = { none, half, half }, q[] = { half, quarter, quarter };
    assert_near(icl_divergence_nats(p, q, 3), log(2), 1e-6);
    assert_true(icl_divergence_nats(q, p, 3) == INFINITY);
    assert_true(icl_divergence_nats(p, p, 3) == 0);
    /* A certain outcome: minus its log-probability. */
    const float one[] = { none, 0, none };
    assert_near(icl_divergence_nats(one, q, 3), -log(.25), 1e-6);
    /* Probabilities far below the smallest float. */
    const float far[] = { -200, 0 }, farther[] = { -400, 0 };
    assert_true(icl_divergence_nats(far, farther, 2) == 0);
}

/* The divergence of coarser outcomes is smaller, and with all tokens kept it is whole. */
static void test_divergence__kept_outcomes_are_a_lower_bound_that_grows(void **state)
{
    (void)state;
    enum { COUNT = 60 };
    icl_rng rng = icl_rng_new(2, "divergence", NULL, NULL);
    float p[COUNT_MAX], q[COUNT_MAX];
    for (int trial = 0; trial < 50; trial++) {
        icl_scored ranked[COUNT];
        int32_t kept[COUNT];
        double nats[COUNT], last = 0;
        draw(p, COUNT, &rng);
        draw(q, COUNT, &rng);
        for (size_t i = 0; i < COUNT; i++)
            ranked[i] = (icl_scored){ .score = (double)p[i], .index = i };
        icl_topk(ranked, COUNT, COUNT);
        for (size_t i = 0; i < COUNT; i++) {
            kept[i] = (int32_t)ranked[i].index;
            nats[i] = ranked[i].score;
        }
        const double whole = icl_divergence_nats(p, q, COUNT);
        for (size_t count = 0; count <= COUNT; count++) {
            const double now = icl_divergence_of_kept_nats(nats, kept, count, q);
            assert_true(now >= last - 1e-5);
            assert_true(now <= whole + 1e-5);
            last = now;
        }
        assert_near(last, whole, 1e-5);
        assert_near(icl_divergence_of_kept_nats(nats, kept, 10, p), 0, 1e-6);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_divergence__golden),
        cmocka_unit_test(test_divergence__equals_the_definition),
        cmocka_unit_test(test_divergence__impossible_outcomes),
        cmocka_unit_test(test_divergence__kept_outcomes_are_a_lower_bound_that_grows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
