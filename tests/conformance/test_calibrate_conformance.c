/* The laws of the calibration stage, which every registered method keeps: they are tried with the
 * default options of each card, and with calls that reach what these leave out. */
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

static const char *const further[] = { "batch(validation=60)",
                                       "batch(strength=0.5,space=prob)",
                                       "prototypical(validation=60,starts=3)",
                                       "temperature(of=domain)",
                                       "temperature(of=\"batch(space=ratio)\")",
                                       "temperature(of=linear)",
                                       "prior(of=contextual,smoothing=0.5)",
                                       "prior(of=\"temperature(of=contextual)\")" };
enum { FURTHER = sizeof further / sizeof *further };

/* One by one: the name of each method, which is the call with its defaults, then the further calls;
 * NULL after the last. */
static const char *call_at(size_t index)
{
    size_t count = 0;
    const icl_card *const *cards = icl_calibrate_cards(&count);
    if (index < count) return cards[index]->name;
    return index - count < FURTHER ? further[index - count] : NULL;
}

static void test_calibrate_conformance__same_input_same_scores(void **state)
{
    (void)state;
    static world w;
    fill(&w);
    const char *call;
    for (size_t c = 0; (call = call_at(c)) != NULL; c++) {
        icl_calibration once = calibrate(&w.input, call);
        icl_calibration twice = calibrate(&w.input, call);
        assert_memory_equal(once.scores, twice.scores, sizeof w.scores);
        icl_calibration_deinit(&twice);
        icl_calibration_deinit(&once);
    }
}

static void rename_columns(double *out, const double *in, size_t rows, const size_t *new_label)
{
    for (size_t i = 0; i < rows * LABELS; i++)
        out[i / LABELS * LABELS + new_label[i % LABELS]] = in[i];
}

static void rename_labels(world *out, const world *in, const size_t *new_label)
{
    fill(out);
    rename_columns(out->scores, in->scores, QUERIES, new_label);
    rename_columns(out->validation, in->validation, ITEMS, new_label);
    rename_columns(out->domain, in->domain, GROUPS * TEXTS, new_label);
    rename_columns(out->content_free, in->content_free, GROUPS * INPUTS, new_label);
    for (size_t i = 0; i < ITEMS; i++) out->gold[i] = new_label[in->gold[i]];
    for (size_t y = 0; y < LABELS; y++) out->counts[new_label[y]] = in->counts[y];
}

static void test_calibrate_conformance__labels_have_no_order(void **state)
{
    (void)state;
    static world w, renamed;
    const size_t new_label[LABELS] = { 2, 0, 3, 1 };
    fill(&w);
    rename_labels(&renamed, &w, new_label);
    const char *call;
    for (size_t c = 0; (call = call_at(c)) != NULL; c++) {
        icl_calibration found = calibrate(&w.input, call);
        icl_calibration other = calibrate(&renamed.input, call);
        double expected[QUERIES * LABELS];
        rename_columns(expected, found.probabilities, QUERIES, new_label);
        assert_all_near(other.probabilities, expected, QUERIES * LABELS, 1e-6);
        icl_calibration_deinit(&other);
        icl_calibration_deinit(&found);
    }
}

static void test_calibrate_conformance__queries_have_no_order(void **state)
{
    (void)state;
    static world w, reversed;
    fill(&w);
    fill(&reversed);
    for (size_t q = 0; q < QUERIES; q++) {
        memcpy(&reversed.scores[q * LABELS], &w.scores[(QUERIES - 1 - q) * LABELS],
               LABELS * sizeof *w.scores);
        reversed.groups[q] = w.groups[QUERIES - 1 - q];
    }
    const char *call;
    for (size_t c = 0; (call = call_at(c)) != NULL; c++) {
        /* k-means++ draws rows by their place: another order is another start */
        if (strcmp(call, "prototypical") == 0) continue;
        icl_calibration forward = calibrate(&w.input, call);
        icl_calibration backward = calibrate(&reversed.input, call);
        for (size_t q = 0; q < QUERIES; q++)
            assert_all_near(&backward.scores[(QUERIES - 1 - q) * LABELS],
                            &forward.scores[q * LABELS], LABELS, 1e-9);
        icl_calibration_deinit(&backward);
        icl_calibration_deinit(&forward);
    }
}

static void test_calibrate_conformance__impossible_labels_are_no_trouble(void **state)
{
    (void)state;
    static world w;
    fill(&w);
    const double infinity = (double)INFINITY;
    for (size_t q = 0; q < QUERIES; q += 2) w.scores[q * LABELS + q % LABELS] = -infinity;
    for (size_t i = 0; i < ITEMS; i += 5) w.validation[i * LABELS + w.gold[i]] = -infinity;
    for (size_t y = 0; y < LABELS; y++) w.scores[y] = -infinity;
    for (size_t i = 0; i < TEXTS; i++) w.domain[i * LABELS] = -infinity;
    const char *call;
    for (size_t c = 0; (call = call_at(c)) != NULL; c++) {
        icl_calibration found = calibrate(&w.input, call);
        for (size_t q = 0; q < QUERIES; q++) {
            double sum = 0;
            for (size_t y = 0; y < LABELS; y++) sum += found.probabilities[q * LABELS + y];
            assert_near(sum, 1, 1e-9);
        }
        icl_calibration_deinit(&found);
    }
}

static void test_calibrate_conformance__one_label_and_one_query_are_no_trouble(void **state)
{
    (void)state;
    static world w;
    fill(&w);
    memset(w.gold, 0, sizeof w.gold);
    const char *call;
    for (size_t c = 0; (call = call_at(c)) != NULL; c++) {
        icl_calibrate_input input = w.input;
        input.label_count = 1;
        icl_calibration found = calibrate(&input, call);
        for (size_t q = 0; q < QUERIES; q++) assert_near(found.probabilities[q], 1, 0);
        icl_calibration_deinit(&found);
        if (strcmp(call, "linear") == 0 || strcmp(call, "temperature(of=linear)") == 0)
            continue; /* it wants an item of every label */
        input = w.input;
        input.query_count = 1;
        found = calibrate(&input, call);
        assert_true(isfinite(found.scores[0]));
        icl_calibration_deinit(&found);
    }
}

static void test_calibrate_conformance__cancels_and_refuses_scores_that_are_no_numbers(void **state)
{
    (void)state;
    static world w;
    const atomic_bool cancelled = true;
    const char *call;
    for (size_t c = 0; (call = call_at(c)) != NULL; c++) {
        icl_calibration found = { .query_count = 77 };
        fill(&w);
        w.input.cancelled = &cancelled;
        assert_int_equal(calibrate_status(&found, &w.input, call), ICL_ECANCELLED);
        fill(&w);
        w.scores[5 * LABELS + 1] = (double)NAN;
        assert_int_equal(calibrate_status(&found, &w.input, call), ICL_EMODEL);
        assert_string_equal(icl_error_message(), "a score of query 5 is not a log-probability");
        assert_true(found.query_count == 77 && found.scores == NULL);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_calibrate_conformance__same_input_same_scores),
        cmocka_unit_test(test_calibrate_conformance__labels_have_no_order),
        cmocka_unit_test(test_calibrate_conformance__queries_have_no_order),
        cmocka_unit_test(test_calibrate_conformance__impossible_labels_are_no_trouble),
        cmocka_unit_test(test_calibrate_conformance__one_label_and_one_query_are_no_trouble),
        cmocka_unit_test(
            test_calibrate_conformance__cancels_and_refuses_scores_that_are_no_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
