/* AdamW against its first steps worked out by hand. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "math/adamw.h"
#include "near.h"

static void test_adamw__the_first_step_is_the_rate_against_the_sign(void **state)
{
    (void)state;
    icl_adamw adam = { 0 };
    assert_int_equal(icl_adamw_init(&adam, 3), 0);
    icl_adamw_options options = icl_adamw_options_default();
    options.rate = 0.1;
    double weights[] = { 1.0, -2.0, 5.0 };
    const double gradient[] = { 4.0, -0.01, 0.0 };
    icl_adamw_step(&adam, weights, gradient, &options);
    assert_near(weights[0], 0.9, 1e-7);
    assert_near(weights[1], -1.9, 1e-6);
    assert_near(weights[2], 5.0, 0.0);
    icl_adamw_deinit(&adam);
}

/* Moments after two gradients g and h: (0.1 * 0.9 g + 0.1 h) / 0.19, (0.001 * 0.999 g^2 + 0.001
 * h^2) / 0.001999. */
static void test_adamw__moments_are_corrected_means(void **state)
{
    (void)state;
    icl_adamw adam = { 0 };
    assert_int_equal(icl_adamw_init(&adam, 1), 0);
    icl_adamw_options options = icl_adamw_options_default();
    options.rate = 0.5;
    double weight = 0.0;
    icl_adamw_step(&adam, &weight, &(double){ 3.0 }, &options);
    const double before = weight;
    icl_adamw_step(&adam, &weight, &(double){ -1.0 }, &options);
    const double mean = (0.09 * 3.0 - 0.1) / 0.19;
    const double square = (0.000999 * 9.0 + 0.001) / 0.001999;
    assert_near(weight - before, -0.5 * mean / sqrt(square), 1e-7);
    icl_adamw_deinit(&adam);
}

static void test_adamw__decay_shrinks_and_clipping_keeps_the_direction(void **state)
{
    (void)state;
    icl_adamw adam = { 0 };
    assert_int_equal(icl_adamw_init(&adam, 2), 0);
    icl_adamw_options options = icl_adamw_options_default();
    options.rate = 0.1;
    options.decay = 0.5;
    double weights[] = { 2.0, 0.0 };
    icl_adamw_step(&adam, weights, (const double[]){ 0.0, 0.0 }, &options);
    assert_near(weights[0], 1.9, 1e-12); /* 2 (1 - 0.1 * 0.5) */
    assert_near(weights[1], 0.0, 0.0);
    options.clip_norm = 1.0;
    icl_adamw_step(&adam, weights, (const double[]){ 30.0, 40.0 }, &options);
    assert_near(adam.means[0], 0.1 * 0.6, 1e-12);
    assert_near(adam.means[1], 0.1 * 0.8, 1e-12);
    icl_adamw_deinit(&adam);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_adamw__the_first_step_is_the_rate_against_the_sign),
        cmocka_unit_test(test_adamw__moments_are_corrected_means),
        cmocka_unit_test(test_adamw__decay_shrinks_and_clipping_keeps_the_direction),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
