/* Calibrations against the golden values of the method sheet and against the properties it states.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/rng.h"
#include "math/logspace.h"
#include "score/calibrate_call.h"

enum { QUERIES = 20, LABELS = 5, GROUPS = 3, INPUTS = 3 };

typedef struct world {
    double scores[QUERIES * LABELS], content_free[GROUPS * INPUTS * LABELS];
    size_t groups[QUERIES];
    icl_calibrate_input input;
} world;

/* Raw label probabilities that do not sum to 1, as a language model gives them. */
static void fill(world *w)
{
    icl_rng rng = icl_rng_new(8, "calibrate", "", "test");
    for (size_t i = 0; i < QUERIES * LABELS; i++) w->scores[i] = log(icl_rng_unit(&rng) / LABELS);
    for (size_t i = 0; i < GROUPS * INPUTS * LABELS; i++)
        w->content_free[i] = log(icl_rng_unit(&rng) / LABELS);
    for (size_t q = 0; q < QUERIES; q++) w->groups[q] = q * 7 % GROUPS;
    w->input = (icl_calibrate_input){ .query_count = QUERIES,
                                      .label_count = LABELS,
                                      .logprob_nats = w->scores,
                                      .group_count = GROUPS,
                                      .groups = w->groups,
                                      .content_free_count = INPUTS,
                                      .content_free_nats = w->content_free };
}

static void test_calibrate__every_card_is_complete_and_found_by_name(void **state)
{
    (void)state;
    const char *const names[] = { "none",         "contextual", "domain",      "batch",
                                  "prototypical", "linear",     "temperature", "prior" };
    size_t count = 0, card_count = 0;
    const icl_calibrate_method *const *methods = icl_calibrate_methods(&count);
    const icl_card *const *cards = icl_calibrate_cards(&card_count);
    assert_int_equal(count, card_count);
    assert_true(count >= sizeof names / sizeof *names);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        assert_string_equal(cards[i]->name, names[i]);
    for (size_t i = 0; i < count; i++) {
        assert_true(strlen(cards[i]->summary) > 0 && strlen(cards[i]->paper) > 0);
        assert_true(strlen(cards[i]->cost) > 0);
        const icl_calibrate_method *found = NULL;
        assert_int_equal(icl_calibrate_find(&found, cards[i]->name), ICL_OK);
        assert_ptr_equal(found, methods[i]);
    }
    const icl_calibrate_method *found = NULL;
    assert_int_equal(icl_calibrate_find(&found, "contextal"), ICL_ENOTFOUND);
    assert_string_equal(icl_error_message(),
                        "unknown calibrate method \"contextal\"; did you mean \"contextual\"?");
}

static void test_calibrate__probabilities_are_the_softmax_of_the_scores(void **state)
{
    (void)state;
    static world w;
    fill(&w);
    const char *const calls[] = { "none", "contextual", "batch", "batch(space=ratio)",
                                  "batch(space=prob)" };
    for (size_t c = 0; c < 5; c++) {
        icl_calibration found = calibrate(&w.input, calls[c]);
        assert_int_equal(found.query_count, QUERIES);
        assert_int_equal(found.label_count, LABELS);
        assert_false(found.fell_back);
        for (size_t q = 0; q < QUERIES; q++) {
            double expected[LABELS];
            icl_softmax(expected, &found.scores[q * LABELS], LABELS);
            assert_all_near(&found.probabilities[q * LABELS], expected, LABELS, 0);
        }
        icl_calibration_deinit(&found);
    }
}

static void test_calibrate_none__changes_nothing(void **state)
{
    (void)state;
    static world w;
    fill(&w);
    icl_calibration found = calibrate(&w.input, "none");
    assert_memory_equal(found.scores, w.scores, sizeof w.scores);
    icl_calibration_deinit(&found);
}

static void test_calibrate_contextual__has_the_golden_values_of_the_sheet(void **state)
{
    (void)state;
    double scores[2], content_free[2];
    to_logs(scores, (const double[]){ 0.7, 0.3 }, 2);
    to_logs(content_free, (const double[]){ 0.8, 0.2 }, 2);
    const icl_calibrate_input input = { .query_count = 1,
                                        .label_count = 2,
                                        .logprob_nats = scores,
                                        .group_count = 1,
                                        .content_free_count = 1,
                                        .content_free_nats = content_free };
    icl_calibration found = calibrate(&input, "contextual");
    const double ratios[] = { exp(found.scores[0]), exp(found.scores[1]) };
    assert_all_near(ratios, (const double[]){ 0.875, 1.5 }, 2, 1e-12);
    assert_all_near(found.probabilities, (const double[]){ 0.3684211, 0.6315789 }, 2, 1e-7);
    icl_calibration_deinit(&found);
}

/* Raw probabilities are averaged, then normalised: (0.08 + 0.02) / 2 and (0.01 + 0.03) / 2 give 5/7
 * and 2/7; averaging after normalising would give 0.644 and 0.356. */
static void test_calibrate_contextual__averages_raw_probabilities(void **state)
{
    (void)state;
    double scores[2], content_free[4];
    to_logs(scores, (const double[]){ 0.05, 0.05 }, 2);
    to_logs(content_free, (const double[]){ 0.08, 0.01, 0.02, 0.03 }, 4);
    const icl_calibrate_input input = { .query_count = 1,
                                        .label_count = 2,
                                        .logprob_nats = scores,
                                        .group_count = 1,
                                        .content_free_count = 2,
                                        .content_free_nats = content_free };
    icl_calibration found = calibrate(&input, "contextual");
    const double ratios[] = { exp(found.scores[0]), exp(found.scores[1]) };
    assert_all_near(ratios, (const double[]){ 0.5 * 7 / 5, 0.5 * 7 / 2 }, 2, 1e-12);
    icl_calibration_deinit(&found);
}

static void test_calibrate_contextual__the_content_free_input_itself_becomes_uniform(void **state)
{
    (void)state;
    static world w;
    fill(&w);
    icl_calibrate_input input = w.input;
    input.query_count = GROUPS;
    input.content_free_count = 1;
    input.logprob_nats = w.content_free;
    const size_t groups[GROUPS] = { 0, 1, 2 };
    input.groups = groups;
    icl_calibration found = calibrate(&input, "contextual");
    for (size_t i = 0; i < GROUPS * LABELS; i++)
        assert_true(fabs(found.probabilities[i] - 1.0 / LABELS) < 1e-12);
    icl_calibration_deinit(&found);
}

static void test_calibrate_contextual__uniform_bias_changes_no_probability(void **state)
{
    (void)state;
    static world w;
    fill(&w);
    for (size_t i = 0; i < GROUPS * INPUTS * LABELS; i++) w.content_free[i] = -3;
    icl_calibration found = calibrate(&w.input, "contextual");
    icl_calibration plain = calibrate(&w.input, "none");
    assert_all_near(found.probabilities, plain.probabilities, QUERIES * LABELS, 1e-12);
    icl_calibration_deinit(&plain);
    icl_calibration_deinit(&found);
}

static void test_calibrate_contextual__scaling_the_bias_changes_nothing(void **state)
{
    (void)state;
    static world w;
    fill(&w);
    icl_calibration before = calibrate(&w.input, "contextual");
    for (size_t i = 0; i < GROUPS * INPUTS * LABELS; i++) w.content_free[i] -= 2.5;
    icl_calibration after = calibrate(&w.input, "contextual");
    assert_all_near(after.scores, before.scores, QUERIES * LABELS, 1e-12);
    icl_calibration_deinit(&after);
    icl_calibration_deinit(&before);
}

/* With one content-free input the prediction is that of log p - log p_cf (Direct++), and each query
 * is corrected by its own group. */
static void test_calibrate_contextual__equals_the_log_form_by_group(void **state)
{
    (void)state;
    static world w;
    fill(&w);
    w.input.content_free_count = 1;
    icl_calibration found = calibrate(&w.input, "contextual");
    for (size_t q = 0; q < QUERIES; q++) {
        double expected[LABELS];
        for (size_t label = 0; label < LABELS; label++)
            expected[label] =
                w.scores[q * LABELS + label] - w.content_free[w.groups[q] * LABELS + label];
        icl_softmax(expected, expected, LABELS);
        assert_all_near(&found.probabilities[q * LABELS], expected, LABELS, 1e-12);
    }
    icl_calibration_deinit(&found);
}

static void test_calibrate_contextual__impossible_labels_stay_finite_or_impossible(void **state)
{
    (void)state;
    const double infinity = (double)INFINITY;
    const double scores[] = { log(0.5), -infinity, log(0.5) };
    const double content_free[] = { log(0.5), log(0.5), -infinity };
    const icl_calibrate_input input = { .query_count = 1,
                                        .label_count = 3,
                                        .logprob_nats = scores,
                                        .group_count = 1,
                                        .content_free_count = 1,
                                        .content_free_nats = content_free };
    icl_calibration found = calibrate(&input, "contextual");
    assert_true(isfinite(found.scores[0]) && isfinite(found.scores[2]));
    assert_true(found.scores[1] == -infinity && found.probabilities[1] == 0);
    assert_true(found.scores[2] > found.scores[0]);
    icl_calibration_deinit(&found);
}

static void test_calibrate_contextual__missing_scores_are_refused(void **state)
{
    (void)state;
    static world w;
    fill(&w);
    icl_calibration found = { .query_count = 77 };
    w.input.content_free_nats = NULL;
    assert_int_equal(calibrate_status(&found, &w.input, "contextual"), ICL_EINVAL);
    assert_string_equal(icl_error_message(),
                        "calibrate method \"contextual\" needs the scores of content-free inputs");
    w.input.content_free_nats = w.content_free;
    w.groups[4] = GROUPS;
    assert_int_equal(calibrate_status(&found, &w.input, "contextual"), ICL_EINVAL);
    assert_string_equal(icl_error_message(), "query 4 is in group 3 of 3");
    w.groups[4] = 0;
    w.content_free[2] = (double)NAN;
    assert_int_equal(calibrate_status(&found, &w.input, "contextual"), ICL_EMODEL);
    assert_true(found.query_count == 77 && found.scores == NULL);
}

static void assert_batch_golden(const char *call, const double expected[6])
{
    double scores[6];
    to_logs(scores, (const double[]){ 0.9, 0.1, 0.8, 0.2, 0.6, 0.4 }, 6);
    const icl_calibrate_input input = {
        .query_count = 3, .label_count = 2, .logprob_nats = scores, .group_count = 1
    };
    icl_calibration found = calibrate(&input, call);
    assert_all_near(found.scores, expected, 6, 1e-6);
    const size_t predicted[] = { 0, 0, 1 };
    for (size_t q = 0; q < 3; q++)
        assert_int_equal(icl_argmax(&found.scores[q * 2], 2), predicted[q]);
    icl_calibration_deinit(&found);
}

static void test_calibrate_batch__has_the_golden_values_of_the_sheet(void **state)
{
    (void)state;
    const double in_log[] = { .174416, -.693147, .056633, 0, -.231049, .693147 };
    const double in_prob[] = { .133333, -.133333, .033333, -.033333, -.166667, .166667 };
    const double in_ratio[] = { .160343, -.847298, .042560, -.154151, -.245122, .538997 };
    assert_batch_golden("batch", in_log);
    assert_batch_golden("batch(space=log)", in_log);
    assert_batch_golden("batch(space=prob)", in_prob);
    assert_batch_golden("batch(space=ratio)", in_ratio);
}

static void test_calibrate_batch__column_means_are_zero_and_twice_is_once(void **state)
{
    (void)state;
    static world w;
    fill(&w);
    icl_calibration once = calibrate(&w.input, "batch");
    for (size_t label = 0; label < LABELS; label++) {
        double sum = 0;
        for (size_t q = 0; q < QUERIES; q++) sum += once.scores[q * LABELS + label];
        assert_true(fabs(sum) < 1e-12 * QUERIES);
    }
    icl_calibrate_input input = w.input;
    input.logprob_nats = once.scores;
    icl_calibration twice = calibrate(&input, "batch");
    assert_all_near(twice.scores, once.scores, QUERIES * LABELS, 1e-12);
    icl_calibration_deinit(&twice);
    icl_calibration_deinit(&once);
}

static void test_calibrate_batch__a_constant_per_label_changes_nothing(void **state)
{
    (void)state;
    static world w;
    fill(&w);
    icl_calibration before = calibrate(&w.input, "batch");
    for (size_t i = 0; i < QUERIES * LABELS; i++) w.scores[i] -= 1.5 * (double)(i % LABELS);
    icl_calibration after = calibrate(&w.input, "batch");
    assert_all_near(after.scores, before.scores, QUERIES * LABELS, 1e-12);
    icl_calibration_deinit(&after);
    icl_calibration_deinit(&before);
}

static void test_calibrate_batch__query_order_changes_last_bits_at_most(void **state)
{
    (void)state;
    static world w;
    fill(&w);
    const char *const calls[] = { "batch", "batch(space=ratio)", "batch(space=prob)" };
    for (size_t c = 0; c < 3; c++) {
        double reversed[QUERIES * LABELS];
        for (size_t q = 0; q < QUERIES; q++)
            memcpy(&reversed[q * LABELS], &w.scores[(QUERIES - 1 - q) * LABELS],
                   LABELS * sizeof *reversed);
        icl_calibrate_input input = w.input;
        icl_calibration forward = calibrate(&input, calls[c]);
        input.logprob_nats = reversed;
        icl_calibration backward = calibrate(&input, calls[c]);
        for (size_t q = 0; q < QUERIES; q++)
            assert_all_near(&backward.scores[(QUERIES - 1 - q) * LABELS],
                            &forward.scores[q * LABELS], LABELS, 1e-12);
        icl_calibration_deinit(&backward);
        icl_calibration_deinit(&forward);
    }
}

static void test_calibrate_batch__one_query_falls_back_to_its_own_scores(void **state)
{
    (void)state;
    static world w;
    fill(&w);
    w.input.query_count = 1;
    const char *const calls[] = { "batch", "batch(space=ratio)", "batch(space=prob)" };
    for (size_t c = 0; c < 3; c++) {
        icl_calibration found = calibrate(&w.input, calls[c]);
        assert_true(found.fell_back);
        assert_memory_equal(found.scores, w.scores, LABELS * sizeof *found.scores);
        icl_calibration_deinit(&found);
    }
}

static void test_calibrate_batch__impossible_labels_stay_impossible(void **state)
{
    (void)state;
    const double infinity = (double)INFINITY;
    const double scores[] = { -1, -infinity, -infinity, -3, -2, -infinity };
    const icl_calibrate_input input = {
        .query_count = 2, .label_count = 3, .logprob_nats = scores, .group_count = 1
    };
    icl_calibration found = calibrate(&input, "batch");
    const double expected[] = { 1, -infinity, -infinity, -1, 0, -infinity };
    assert_all_near(found.scores, expected, 6, 1e-12);
    icl_calibration_deinit(&found);
    found = calibrate(&input, "batch(space=ratio)");
    for (size_t i = 0; i < 6; i++) assert_true(isfinite(found.scores[i]) == isfinite(scores[i]));
    icl_calibration_deinit(&found);
}

static void test_calibrate__no_queries_and_bad_scores(void **state)
{
    (void)state;
    static world w;
    fill(&w);
    const char *const calls[] = { "none", "contextual", "batch" };
    const atomic_bool cancelled = true;
    for (size_t c = 0; c < 3; c++) {
        icl_calibrate_input input = w.input;
        input.query_count = 0;
        icl_calibration found = calibrate(&input, calls[c]);
        assert_int_equal(found.query_count, 0);
        icl_calibration_deinit(&found);

        input = w.input;
        input.cancelled = &cancelled;
        assert_int_equal(calibrate_status(&found, &input, calls[c]), ICL_ECANCELLED);
        assert_null(found.scores);
    }
    w.scores[2 * LABELS] = (double)NAN;
    icl_calibration found = { 0 };
    assert_int_equal(calibrate_status(&found, &w.input, "none"), ICL_EMODEL);
    assert_string_equal(icl_error_message(), "a score of query 2 is not a log-probability");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_calibrate__every_card_is_complete_and_found_by_name),
        cmocka_unit_test(test_calibrate__probabilities_are_the_softmax_of_the_scores),
        cmocka_unit_test(test_calibrate_none__changes_nothing),
        cmocka_unit_test(test_calibrate_contextual__has_the_golden_values_of_the_sheet),
        cmocka_unit_test(test_calibrate_contextual__averages_raw_probabilities),
        cmocka_unit_test(test_calibrate_contextual__the_content_free_input_itself_becomes_uniform),
        cmocka_unit_test(test_calibrate_contextual__uniform_bias_changes_no_probability),
        cmocka_unit_test(test_calibrate_contextual__scaling_the_bias_changes_nothing),
        cmocka_unit_test(test_calibrate_contextual__equals_the_log_form_by_group),
        cmocka_unit_test(test_calibrate_contextual__impossible_labels_stay_finite_or_impossible),
        cmocka_unit_test(test_calibrate_contextual__missing_scores_are_refused),
        cmocka_unit_test(test_calibrate_batch__has_the_golden_values_of_the_sheet),
        cmocka_unit_test(test_calibrate_batch__column_means_are_zero_and_twice_is_once),
        cmocka_unit_test(test_calibrate_batch__a_constant_per_label_changes_nothing),
        cmocka_unit_test(test_calibrate_batch__query_order_changes_last_bits_at_most),
        cmocka_unit_test(test_calibrate_batch__one_query_falls_back_to_its_own_scores),
        cmocka_unit_test(test_calibrate_batch__impossible_labels_stay_impossible),
        cmocka_unit_test(test_calibrate__no_queries_and_bad_scores),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
