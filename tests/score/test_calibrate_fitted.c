/* Calibrations that are fitted, or that work on another's result: against SciPy and scikit-learn
 * (recipe in tests/golden/make_calibration.py) and against the properties that the method sheet
 * states. */
#include <jansson.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "math/logspace.h"
#include "near.h"
#include "score/calibrate_world.h"

/* ---- what is asked for ---- */

static icl_calibrate_wants wants_of(const char *text)
{
    icl_call call = { 0 };
    icl_options options = { 0 };
    const icl_calibrate_method *method = NULL;
    icl_calibrate_wants wants = { 0 };
    assert_int_equal(icl_call_parse(&call, text, strlen(text)), ICL_OK);
    assert_int_equal(icl_calibrate_find(&method, call.name), ICL_OK);
    assert_int_equal(icl_options_read(&options, &method->card, &call), ICL_OK);
    assert_int_equal(icl_calibrate_wanted(&wants, method, &options), ICL_OK);
    icl_options_deinit(&options);
    icl_call_deinit(&call);
    return wants;
}

static void assert_wants(const char *text, icl_calibrate_wants expected)
{
    const icl_calibrate_wants wants = wants_of(text);
    assert_int_equal(wants.content_free, expected.content_free);
    assert_int_equal(wants.domain_texts, expected.domain_texts);
    assert_int_equal(wants.domain_words, expected.domain_words);
    assert_int_equal(wants.validation_items, expected.validation_items);
    assert_int_equal(wants.validation_groups, expected.validation_groups);
}

static void test_calibrate__wants_what_the_call_and_the_call_in_it_want(void **state)
{
    (void)state;
    assert_wants("none", (icl_calibrate_wants){ 0 });
    assert_wants("batch", (icl_calibrate_wants){ 0 });
    assert_wants("batch(validation=7)", (icl_calibrate_wants){ .validation_items = 7 });
    assert_wants("contextual", (icl_calibrate_wants){ .content_free = true });
    assert_wants("domain(texts=3,words=9)",
                 (icl_calibrate_wants){ .domain_texts = 3, .domain_words = 9 });
    assert_wants("prior(of=contextual)", (icl_calibrate_wants){ .content_free = true });
    assert_wants("temperature(validation=5,of=\"linear(validation=8)\")",
                 (icl_calibrate_wants){ .validation_items = 8, .validation_groups = true });
    assert_wants("prior(of=\"temperature(of=domain)\")",
                 (icl_calibrate_wants){
                     .domain_texts = 20, .validation_items = 100, .validation_groups = true });
}

static void assert_refused(const icl_calibrate_input *input, const char *call, const char *sentence)
{
    icl_calibration found = { .query_count = 77 };
    assert_true(calibrate_status(&found, input, call) != ICL_OK);
    assert_string_equal(icl_error_message(), sentence);
    assert_true(found.query_count == 77 && found.scores == NULL);
}

static void test_calibrate__says_what_is_missing_or_wrong(void **state)
{
    (void)state;
    static world w;
    fill(&w);
    assert_refused(&w.input, "temperature(of=bach)",
                   "option of of temperature: unknown calibrate method \"bach\"; did you mean "
                   "\"batch\"?");
    assert_refused(&w.input, "prior(of=\"batch(space=odd)\")",
                   "option of of prior: option space of batch: \"odd\" is not one of log, ratio, "
                   "prob");
    for (size_t i = 0; i < ITEMS; i++)
        if (w.gold[i] == 2) w.gold[i] = 1;
    assert_refused(&w.input, "linear",
                   "calibrate method \"linear\": none of 60 validation items has label \"fear\"; "
                   "raise validation=, or merge labels");
    w.input.label_names = NULL;
    assert_refused(&w.input, "linear",
                   "calibrate method \"linear\": none of 60 validation items has label 2; raise "
                   "validation=, or merge labels");
    w.gold[3] = LABELS;
    assert_refused(&w.input, "temperature", "validation item 3 has label 4 of 4");
    w.validation[7] = (double)NAN;
    assert_refused(&w.input, "batch(validation=60)",
                   "a score of validation items is not a log-probability");
    fill(&w);
    w.validation_groups[9] = GROUPS;
    assert_refused(&w.input, "temperature(of=domain)", "validation item 9 is in group 2 of 2");
    w.domain[0] = (double)INFINITY;
    assert_refused(&w.input, "domain",
                   "a score of random texts of the task's words is not a log-probability");
    w.input.domain_nats = NULL;
    assert_refused(&w.input, "domain",
                   "calibrate method \"domain\" needs the scores of random texts of the task's "
                   "words");
    w.input.validation_count = 0;
    assert_refused(&w.input, "linear",
                   "calibrate method \"linear\" needs the scores of validation items");
    w.input.label_counts = NULL;
    assert_refused(&w.input, "prior", "calibrate method \"prior\" needs a labelled pool");
}

/* ---- domain ---- */

static void test_calibrate_domain__is_contextual_with_the_same_rows(void **state)
{
    (void)state;
    static world w;
    fill(&w);
    icl_calibrate_input other = w.input;
    other.content_free_nats = w.domain;
    other.content_free_count = TEXTS;
    icl_calibration domain = calibrate(&w.input, "domain");
    icl_calibration contextual = calibrate(&other, "contextual");
    assert_memory_equal(domain.scores, contextual.scores, sizeof w.scores);
    icl_calibration_deinit(&contextual);
    icl_calibration_deinit(&domain);
}

static void test_calibrate_domain__a_model_without_bias_keeps_its_answers(void **state)
{
    (void)state;
    static world w;
    fill(&w);
    for (size_t i = 0; i < GROUPS * TEXTS * LABELS; i++) w.domain[i] = -2.5;
    icl_calibration found = calibrate(&w.input, "domain");
    for (size_t q = 0; q < QUERIES; q++)
        assert_int_equal(icl_argmax(&found.scores[q * LABELS], LABELS),
                         icl_argmax(&w.scores[q * LABELS], LABELS));
    icl_calibration_deinit(&found);
}

/* ---- golden ---- */

typedef struct golden {
    json_t *line;
    double *queries, *validation;
    size_t *gold;
    icl_calibrate_input input;
} golden;

static double *numbers_of(const json_t *line, const char *key)
{
    const json_t *array = json_object_get(line, key);
    double *values = calloc(json_array_size(array) + 1, sizeof *values);
    assert_non_null(values);
    for (size_t i = 0; i < json_array_size(array); i++)
        values[i] = json_number_value(json_array_get(array, i));
    return values;
}

static golden golden_of(json_t *line)
{
    const size_t labels = (size_t)json_integer_value(json_object_get(line, "label_count"));
    const json_t *gold = json_object_get(line, "gold");
    golden g = { .line = line,
                 .queries = numbers_of(line, "queries"),
                 .validation = numbers_of(line, "validation"),
                 .gold = calloc(json_array_size(gold) + 1, sizeof *g.gold) };
    assert_non_null(g.gold);
    for (size_t i = 0; i < json_array_size(gold); i++)
        g.gold[i] = (size_t)json_integer_value(json_array_get(gold, i));
    g.input = (icl_calibrate_input){ .query_count =
                                         json_array_size(json_object_get(line, "queries")) / labels,
                                     .label_count = labels,
                                     .logprob_nats = g.queries,
                                     .group_count = 1,
                                     .validation_count = json_array_size(gold),
                                     .validation_nats = g.validation,
                                     .validation_labels = g.gold };
    return g;
}

static void golden_deinit(golden *g)
{
    json_decref(g->line);
    free(g->queries);
    free(g->validation);
    free(g->gold);
}

/* The factor between two calls' scores, of the largest entry. */
static double ratio_of(const golden *g, const char *above, const char *below)
{
    icl_calibration a = calibrate(&g->input, above), b = calibrate(&g->input, below);
    size_t at = 0;
    for (size_t i = 0; i < g->input.query_count * g->input.label_count; i++)
        if (fabs(b.scores[i]) > fabs(b.scores[at])) at = i;
    const double ratio = a.scores[at] / b.scores[at];
    icl_calibration_deinit(&b);
    icl_calibration_deinit(&a);
    return ratio;
}

static double real_of(const golden *g, const char *key)
{
    return json_number_value(json_object_get(g->line, key));
}

static void check_fits(const golden *g)
{
    assert_near(ratio_of(g, "none", "temperature(of=none)"), real_of(g, "temperature"), 1e-5);
    assert_near(ratio_of(g, "batch", "temperature"), real_of(g, "batch_temperature"), 1e-5);
    icl_calibration found = calibrate(&g->input, "linear(ridge=0.5)");
    double *expected = numbers_of(g->line, "linear");
    assert_all_near(found.scores, expected, g->input.query_count * g->input.label_count, 1e-6);
    free(expected);
    icl_calibration_deinit(&found);
    char call[64];
    snprintf(call, sizeof call, "batch(strength=%g)", real_of(g, "strength"));
    found = calibrate(&g->input, "batch(validation=1)");
    icl_calibration given = calibrate(&g->input, call);
    assert_all_near(found.scores, given.scores, g->input.query_count * g->input.label_count, 1e-12);
    icl_calibration_deinit(&given);
    icl_calibration_deinit(&found);
}

/* Every query's answer was label 0 before. */
static void check_prototypes(const golden *g)
{
    icl_calibration found = calibrate(&g->input, "prototypical");
    double *expected = numbers_of(g->line, "responsibilities");
    assert_all_near(found.probabilities, expected, g->input.query_count * g->input.label_count,
                    1e-3);
    for (size_t q = 0; q < g->input.query_count; q++)
        assert_int_equal(icl_argmax(&found.scores[q * g->input.label_count], g->input.label_count),
                         q % g->input.label_count);
    free(expected);
    icl_calibration_deinit(&found);
}

static void test_calibrate__fits_what_scipy_and_scikit_learn_fit(void **state)
{
    (void)state;
    FILE *file = fopen(ICL_SOURCE_DIR "/tests/golden/calibration.jsonl", "r");
    assert_non_null(file);
    size_t lines = 0;
    for (json_t *line; (line = json_loadf(file, JSON_DISABLE_EOF_CHECK, NULL)) != NULL; lines++) {
        golden g = golden_of(line);
        if (g.input.validation_count > 0)
            check_fits(&g);
        else
            check_prototypes(&g);
        golden_deinit(&g);
    }
    assert_int_equal(lines, 4);
    fclose(file);
}

/* ---- batch with a strength ---- */

static void test_calibrate_batch__strength_0_is_none_and_1_is_batch(void **state)
{
    (void)state;
    static world w;
    fill(&w);
    icl_calibration found = calibrate(&w.input, "batch(strength=0)");
    assert_memory_equal(found.scores, w.scores, sizeof w.scores);
    icl_calibration_deinit(&found);
    found = calibrate(&w.input, "batch(strength=1)");
    icl_calibration batch = calibrate(&w.input, "batch");
    assert_memory_equal(found.scores, batch.scores, sizeof w.scores);
    icl_calibration_deinit(&batch);
    icl_calibration_deinit(&found);
}

/* Queries of one class only: the batch mean is the class, not the bias, and subtracting it leaves
 * coin flips; labelled items notice. */
static void test_calibrate_batch__a_fitted_strength_survives_a_batch_of_one_class(void **state)
{
    (void)state;
    static world w;
    fill(&w);
    for (size_t i = 0; i < QUERIES * LABELS; i++)
        w.scores[i] = (i % LABELS == 1 ? -0.1 : -3) + 0.01 * (double)(i % 7);
    for (size_t i = 0; i < ITEMS * LABELS; i++)
        w.validation[i] = i % LABELS == w.gold[i / LABELS] ? -0.5 : -2;
    icl_calibration forced = calibrate(&w.input, "batch");
    icl_calibration fitted = calibrate(&w.input, "batch(validation=60)");
    size_t kept = 0, forced_kept = 0;
    for (size_t q = 0; q < QUERIES; q++) {
        kept += icl_argmax(&fitted.scores[q * LABELS], LABELS) == 1;
        forced_kept += icl_argmax(&forced.scores[q * LABELS], LABELS) == 1;
    }
    assert_int_equal(kept, QUERIES);
    assert_true(forced_kept < QUERIES);
    icl_calibration_deinit(&fitted);
    icl_calibration_deinit(&forced);
}

/* ---- prototypical ---- */

static void test_calibrate_prototypical__fewer_rows_than_labels_fall_back(void **state)
{
    (void)state;
    static world w;
    fill(&w);
    w.input.query_count = LABELS - 1;
    icl_calibration found = calibrate(&w.input, "prototypical");
    assert_true(found.fell_back);
    assert_memory_equal(found.scores, w.scores, (LABELS - 1) * LABELS * sizeof *w.scores);
    icl_calibration_deinit(&found);
    found = calibrate(&w.input, "prototypical(validation=60)");
    assert_false(found.fell_back);
    icl_calibration_deinit(&found);
}

static void test_calibrate_prototypical__equal_rows_are_no_trouble(void **state)
{
    (void)state;
    static world w;
    fill(&w);
    for (size_t i = 0; i < QUERIES * LABELS; i++) w.scores[i] = -1 - (double)(i % LABELS);
    icl_calibration found = calibrate(&w.input, "prototypical");
    for (size_t i = 0; i < QUERIES * LABELS; i++) assert_true(isfinite(found.scores[i]));
    icl_calibration_deinit(&found);
}

/* ---- linear, temperature, prior ---- */

static void test_calibrate_linear__a_heavy_ridge_keeps_the_scores(void **state)
{
    (void)state;
    static world w;
    fill(&w);
    icl_calibration found = calibrate(&w.input, "linear(ridge=1000000)");
    icl_calibration plain = calibrate(&w.input, "none");
    assert_all_near(found.probabilities, plain.probabilities, QUERIES * LABELS, 1e-3);
    icl_calibration_deinit(&plain);
    icl_calibration_deinit(&found);
}

static double loss_of(const world *w, const char *call)
{
    icl_calibrate_input items = w->input;
    items.query_count = ITEMS;
    items.logprob_nats = w->validation;
    items.groups = w->validation_groups;
    icl_calibration found = calibrate(&items, call);
    double loss = 0;
    for (size_t i = 0; i < ITEMS; i++)
        loss -= log(found.probabilities[i * LABELS + w->gold[i]]) / ITEMS;
    icl_calibration_deinit(&found);
    return loss;
}

static void test_calibrate__a_fit_lowers_the_loss_of_what_it_is_fitted_on(void **state)
{
    (void)state;
    static world w;
    fill(&w);
    assert_true(loss_of(&w, "temperature(of=none)") < loss_of(&w, "none"));
    assert_true(loss_of(&w, "temperature(of=contextual)") < loss_of(&w, "contextual"));
    assert_true(loss_of(&w, "linear(ridge=0.001)") < loss_of(&w, "temperature(of=none)"));
}

static void test_calibrate_temperature__never_changes_an_answer(void **state)
{
    (void)state;
    static world w;
    fill(&w);
    const char *const pairs[][2] = { { "batch", "temperature" },
                                     { "contextual", "temperature(of=contextual)" },
                                     { "domain", "temperature(of=domain)" },
                                     { "batch(space=prob)",
                                       "temperature(of=\"batch(space=prob)\")" },
                                     { "prototypical", "temperature(of=prototypical)" } };
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        icl_calibration before = calibrate(&w.input, pairs[i][0]);
        icl_calibration after = calibrate(&w.input, pairs[i][1]);
        for (size_t q = 0; q < QUERIES; q++)
            assert_int_equal(icl_argmax(&after.scores[q * LABELS], LABELS),
                             icl_argmax(&before.scores[q * LABELS], LABELS));
        icl_calibration_deinit(&after);
        icl_calibration_deinit(&before);
    }
}

/* Where every item is right, the colder the better: the temperature stays within its bounds. */
static void test_calibrate_temperature__is_bounded(void **state)
{
    (void)state;
    static world w;
    fill(&w);
    for (size_t i = 0; i < ITEMS * LABELS; i++)
        w.validation[i] = i % LABELS == w.gold[i / LABELS] ? -0.5 : -2;
    icl_calibration found = calibrate(&w.input, "temperature(of=none)");
    assert_near(found.scores[0] / w.scores[0], 100, 1e-6);
    icl_calibration_deinit(&found);
    for (size_t i = 0; i < ITEMS * LABELS; i++)
        w.validation[i] = i % LABELS == w.gold[i / LABELS] ? -2 : -0.5;
    found = calibrate(&w.input, "temperature(of=none)");
    assert_near(found.scores[0] / w.scores[0], 0.01, 1e-9);
    icl_calibration_deinit(&found);
}

static void test_calibrate_prior__multiplies_by_the_frequencies(void **state)
{
    (void)state;
    static world w;
    fill(&w);
    icl_calibration batch = calibrate(&w.input, "batch");
    icl_calibration found = calibrate(&w.input, "prior");
    for (size_t q = 0; q < QUERIES; q++) {
        double expected[LABELS], sum = 0;
        for (size_t y = 0; y < LABELS; y++) {
            expected[y] = batch.probabilities[q * LABELS + y] * (double)(w.counts[y] + 1);
            sum += expected[y];
        }
        for (size_t y = 0; y < LABELS; y++)
            assert_near(found.probabilities[q * LABELS + y], expected[y] / sum, 1e-12);
    }
    icl_calibration_deinit(&found);
    found = calibrate(&w.input, "prior(smoothing=0)");
    assert_near(found.probabilities[0], 0, 0); /* the pool has no item with label 0 */
    icl_calibration_deinit(&found);
    for (size_t y = 0; y < LABELS; y++) w.counts[y] = 7;
    found = calibrate(&w.input, "prior");
    assert_all_near(found.probabilities, batch.probabilities, QUERIES * LABELS, 1e-12);
    icl_calibration_deinit(&found);
    icl_calibration_deinit(&batch);
    memset(w.counts, 0, sizeof w.counts);
    assert_refused(&w.input, "prior(smoothing=0)",
                   "calibrate method \"prior\": no item of the pool has a label; set smoothing "
                   "above 0");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_calibrate__wants_what_the_call_and_the_call_in_it_want),
        cmocka_unit_test(test_calibrate__says_what_is_missing_or_wrong),
        cmocka_unit_test(test_calibrate_domain__is_contextual_with_the_same_rows),
        cmocka_unit_test(test_calibrate_domain__a_model_without_bias_keeps_its_answers),
        cmocka_unit_test(test_calibrate__fits_what_scipy_and_scikit_learn_fit),
        cmocka_unit_test(test_calibrate_batch__strength_0_is_none_and_1_is_batch),
        cmocka_unit_test(test_calibrate_batch__a_fitted_strength_survives_a_batch_of_one_class),
        cmocka_unit_test(test_calibrate_prototypical__fewer_rows_than_labels_fall_back),
        cmocka_unit_test(test_calibrate_prototypical__equal_rows_are_no_trouble),
        cmocka_unit_test(test_calibrate_linear__a_heavy_ridge_keeps_the_scores),
        cmocka_unit_test(test_calibrate__a_fit_lowers_the_loss_of_what_it_is_fitted_on),
        cmocka_unit_test(test_calibrate_temperature__never_changes_an_answer),
        cmocka_unit_test(test_calibrate_temperature__is_bounded),
        cmocka_unit_test(test_calibrate_prior__multiplies_by_the_frequencies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
