/* The figures that orders are judged by: golden values, bounds, and what may not change them. */
#include <float.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/rng.h"
#include "fake_asker.h"
#include "math/logspace.h"
#include "near.h"
#include "order/label_distributions.h"

enum { LABELS = 4, ROWS = 9 };

static void draw_rows(double *rows, size_t count, icl_rng *rng)
{
    for (size_t i = 0; i < count * LABELS; i++) rows[i] = 3 * icl_rng_normal(rng);
    icl_label_distributions(rows, count, LABELS);
}

static void test_label_distributions__entropies_have_the_golden_values(void **state)
{
    (void)state;
    double histogram[2];
    const double predictions[] = { .9, .1, .8, .2, .3, .7, .1, .9 };
    assert_near(icl_global_entropy_nats(predictions, 4, 2, histogram), 0.6931472, 1e-7);
    const double rows[] = { .9, .1, .5, .5 };
    assert_near(icl_local_entropy_nats(rows, 2, 2), 0.5091151, 1e-7);
}

static void test_label_distributions__one_class_alone_has_next_to_no_global_entropy(void **state)
{
    (void)state;
    double histogram[2];
    const double rows[] = { .9, .1, .6, .4, .51, .49 };
    const double entropy = icl_global_entropy_nats(rows, 3, 2, histogram);
    assert_true(entropy > 0 && entropy < 1e-4);
}

static void test_label_distributions__entropies_lie_between_nothing_and_chance(void **state)
{
    (void)state;
    double rows[ROWS * LABELS], histogram[LABELS];
    icl_rng rng = icl_rng_new(1, "test", "", "bounds");
    for (size_t round = 0; round < 100; round++) {
        draw_rows(rows, ROWS, &rng);
        const double global = icl_global_entropy_nats(rows, ROWS, LABELS, histogram);
        const double local = icl_local_entropy_nats(rows, ROWS, LABELS);
        assert_true(global >= 0 && global <= log(LABELS) + DBL_EPSILON);
        assert_true(local >= 0 && local <= log(LABELS) + DBL_EPSILON);
    }
}

static void test_label_distributions__names_of_labels_do_not_matter(void **state)
{
    (void)state;
    static const size_t renamed[LABELS] = { 2, 0, 3, 1 };
    double rows[ROWS * LABELS], others[ROWS * LABELS], histogram[LABELS];
    icl_rng rng = icl_rng_new(1, "test", "", "names");
    draw_rows(rows, ROWS, &rng);
    for (size_t i = 0; i < ROWS * LABELS; i++)
        others[i / LABELS * LABELS + renamed[i % LABELS]] = rows[i];
    assert_near(icl_global_entropy_nats(others, ROWS, LABELS, histogram),
                icl_global_entropy_nats(rows, ROWS, LABELS, histogram), 1e-12);
    assert_near(icl_local_entropy_nats(others, ROWS, LABELS),
                icl_local_entropy_nats(rows, ROWS, LABELS), 1e-12);
}

static void test_label_distributions__every_input_twice_changes_nothing(void **state)
{
    (void)state;
    double rows[2 * ROWS * LABELS], histogram[LABELS];
    icl_rng rng = icl_rng_new(1, "test", "", "twice");
    draw_rows(rows, ROWS, &rng);
    memcpy(rows + ROWS * LABELS, rows, ROWS * LABELS * sizeof *rows);
    assert_near(icl_local_entropy_nats(rows, 2 * ROWS, LABELS),
                icl_local_entropy_nats(rows, ROWS, LABELS), 1e-12);
    assert_near(icl_global_entropy_nats(rows, 2 * ROWS, LABELS, histogram),
                icl_global_entropy_nats(rows, ROWS, LABELS, histogram), 1e-4);
}

/* KL(p || uniform) = log |Y| - H(p), so PDO with a uniform prior ranks by entropy. */
static void test_label_distributions__divergence_from_uniform_is_lost_entropy(void **state)
{
    (void)state;
    const double uniform[LABELS] = { .25, .25, .25, .25 };
    double rows[ROWS * LABELS];
    icl_rng rng = icl_rng_new(1, "test", "", "divergence");
    draw_rows(rows, ROWS, &rng);
    for (size_t r = 0; r < ROWS; r++) {
        const double *row = rows + r * LABELS;
        assert_near(icl_kl_nats(row, uniform, LABELS), log(LABELS) - icl_entropy_nats(row, LABELS),
                    1e-12);
    }
}

static void test_label_distributions__divergence_is_nothing_only_between_equals(void **state)
{
    (void)state;
    double rows[2 * LABELS];
    icl_rng rng = icl_rng_new(1, "test", "", "equals");
    for (size_t round = 0; round < 100; round++) {
        draw_rows(rows, 2, &rng);
        assert_true(icl_kl_nats(rows, rows + LABELS, LABELS) > 0);
        assert_near(icl_kl_nats(rows, rows, LABELS), 0, 1e-15);
    }
}

static void test_label_distributions__divergence_is_finite(void **state)
{
    (void)state;
    const double sure[] = { 1, 0 }, other[] = { 0, 1 }, even[] = { .5, .5 };
    assert_near(icl_kl_nats(sure, even, 2), log(2), 1e-15); /* 0 log 0 = 0 */
    assert_near(icl_kl_nats(sure, other, 2), log(1e12), 1e-9);
}

static void test_label_distributions__total_variation_is_half_of_all_changes(void **state)
{
    (void)state;
    const double p[] = { .5, .3, .2 }, q[] = { .2, .3, .5 };
    assert_near(icl_total_variation(p, q, 3), .3, 1e-15);
    assert_near(icl_total_variation(p, p, 3), 0, 0);
}

static void test_label_distributions__a_corrected_bias_is_even(void **state)
{
    (void)state;
    double row[] = { .6, .3, .1 }, doubled[] = { .5, .25, .25 };
    const double bias[] = { .6, .3, .1 };
    icl_label_distribution_correct(row, bias, 3);
    for (size_t label = 0; label < 3; label++) assert_near(row[label], 1 / 3., 1e-15);
    icl_label_distribution_correct(doubled, (double[]){ .5, .5, 0 }, 3);
    assert_near(doubled[0] / doubled[1], 2, 1e-12);
    assert_true(doubled[2] > .999); /* floored, not infinite */
}

/* "N/A" says 3 to 1 of little mass, "" 1 to 1 of much, "[MASK]" nothing worth mentioning. */
static void says_by_input(void *context, fake_answer *answer, const fake_data *data,
                          const icl_ask_prompt *prompt, const icl_ask_generation *how)
{
    static const double probabilities[ICL_CONTENT_FREE_COUNT][2] = { { .03, .01 },
                                                                     { .4, .4 },
                                                                     { 1e-9, 1e-9 } };
    (void)context, (void)data, (void)how;
    assert_int_equal(prompt->of, ICL_ASK_CONTENT_FREE);
    for (size_t label = 0; label < 2; label++)
        answer->label_nats[label] = log(probabilities[prompt->item][label]);
}

static void test_label_distributions__content_free_inputs_are_averaged_by_mass(void **state)
{
    (void)state;
    fake_asker fake;
    const fake_data data = { .label_count = 2 };
    const icl_asker *asker = fake_asker_init(&fake, data, says_by_input, NULL);
    const icl_ask_prompt prompts[2] = { { .of = ICL_ASK_QUERY, .item = 7 } }; /* not read */
    double rows[4];
    assert_int_equal(icl_content_free_distributions(rows, asker, "test", prompts, 2), ICL_OK);
    assert_int_equal(fake.calls, 1);
    assert_int_equal(fake.prompts, 6);
    assert_near(rows[0], .43 / .84, 1e-8);
    assert_near(rows[3], .41 / .84, 1e-8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_label_distributions__entropies_have_the_golden_values),
        cmocka_unit_test(test_label_distributions__one_class_alone_has_next_to_no_global_entropy),
        cmocka_unit_test(test_label_distributions__entropies_lie_between_nothing_and_chance),
        cmocka_unit_test(test_label_distributions__names_of_labels_do_not_matter),
        cmocka_unit_test(test_label_distributions__every_input_twice_changes_nothing),
        cmocka_unit_test(test_label_distributions__divergence_from_uniform_is_lost_entropy),
        cmocka_unit_test(test_label_distributions__divergence_is_nothing_only_between_equals),
        cmocka_unit_test(test_label_distributions__divergence_is_finite),
        cmocka_unit_test(test_label_distributions__total_variation_is_half_of_all_changes),
        cmocka_unit_test(test_label_distributions__a_corrected_bias_is_even),
        cmocka_unit_test(test_label_distributions__content_free_inputs_are_averaged_by_mass),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
