/* Methods that compare a row with labelled anchors, kNN prompting and hidden calibration: on
 * answers written by hand, and against numpy (golden/compared.jsonl). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include <icl/status.h>

#include "base/file.h"
#include "math/logspace.h"
#include "math/topk.h"
#include "near.h"
#include "score/score.h"
#include "score/score_call.h"

enum { LABELS = 3, ANCHORS_MAX = 12, ROWS_MAX = 5, VOCABULARY = 40, STATE_SIZE = 7, KEPT = 6 };

/* Rows and anchors with a distribution, a state and cells of the part `answer` each. */
typedef struct compared {
    float next[ANCHORS_MAX + ROWS_MAX][VOCABULARY];
    float states[ANCHORS_MAX + ROWS_MAX][STATE_SIZE];
    icl_score_cell cells[ANCHORS_MAX + ROWS_MAX][LABELS];
    int32_t kept[ANCHORS_MAX][VOCABULARY];
    double kept_nats[ANCHORS_MAX][VOCABULARY];
    size_t labels[ANCHORS_MAX];
    icl_score_row rows[ANCHORS_MAX + ROWS_MAX]; /* anchors first */
    icl_score_anchors anchors;
    icl_score_input input;
} compared;

static const size_t one_name_each[LABELS] = { 0, 1, 2 };
static const char *const row_names[ROWS_MAX] = { "q1", "q2", "q3", "q4", "q5" };

static void make_compared(compared *out, size_t anchor_count, size_t row_count)
{
    memset(out, 0, sizeof *out);
    out->anchors =
        (icl_score_anchors){ .count = anchor_count, .rows = out->rows, .labels = out->labels };
    for (size_t i = 0; i < anchor_count + row_count; i++) {
        out->rows[i].next = (icl_score_next){ .whole = out->next[i], .count = VOCABULARY };
        out->rows[i].hidden = out->states[i];
        out->rows[i].cells[ICL_SCORE_ANSWER] = out->cells[i];
        if (i >= anchor_count) out->rows[i].anchors = &out->anchors;
    }
    out->input = (icl_score_input){ .label_count = LABELS,
                                    .name_count = LABELS,
                                    .hidden_size = STATE_SIZE,
                                    .name_labels = one_name_each,
                                    .row_count = row_count,
                                    .rows = out->rows + anchor_count,
                                    .row_names = row_names };
}

/* A distribution that gives one token `share` and the others the rest. */
static void set_peak(compared *given, size_t index, size_t token, double share)
{
    for (size_t v = 0; v < VOCABULARY; v++)
        given->next[index][v] = (float)log(v == token ? share : (1 - share) / (VOCABULARY - 1));
}

static double votes_nats(size_t votes, size_t neighbours)
{
    return log((double)(votes + 1) / (double)(neighbours + LABELS));
}

/* ---- kNN prompting ---- */

/* Tokens 0..5 for labels 0, 1, 2, 0, 1, 2; a row like anchor 4 has neighbours of its own. */
static void make_peaks(compared *given)
{
    make_compared(given, 6, 1);
    for (size_t i = 0; i < 6; i++) {
        given->labels[i] = i % LABELS;
        set_peak(given, i, i, 0.9);
    }
}

static void test_knn_prompting__an_anchor_equal_to_the_row_is_nearest(void **state)
{
    (void)state;
    compared given;
    make_peaks(&given);
    for (size_t i = 0; i < 6; i++) {
        double scores[LABELS];
        set_peak(&given, 6, i, 0.9);
        score_well(scores, &given.input, "knn-prompting(neighbours=1)");
        for (size_t label = 0; label < LABELS; label++)
            assert_near(scores[label], votes_nats(label == i % LABELS, 1), 1e-12);
    }
}

static void test_knn_prompting__the_majority_wins_and_ties_go_to_the_first_label(void **state)
{
    (void)state;
    compared given;
    double scores[LABELS];
    make_compared(&given, 7, 1);
    static const size_t labels[] = { 2, 1, 1, 0, 0, 2, 2 };
    static const double shares[] = { .90, .80, .70, .30, .20, .10, .05 };
    for (size_t i = 0; i < 7; i++) {
        given.labels[i] = labels[i];
        set_peak(&given, i, 0, shares[i]);
    }
    set_peak(&given, 7, 0, 0.89);
    /* The nearest has label 2, the two after it label 1. */
    score_well(scores, &given.input, "knn-prompting(neighbours=3)");
    assert_near(scores[0], votes_nats(0, 3), 1e-12);
    assert_near(scores[1], votes_nats(2, 3), 1e-12);
    assert_near(scores[2], votes_nats(1, 3), 1e-12);
    /* One vote each for 2 and 1: the first of equals. */
    score_well(scores, &given.input, "knn-prompting(neighbours=2)");
    assert_true(scores[1] == scores[2] && scores[0] < scores[1]);
    assert_int_equal(icl_argmax(scores, LABELS), 1);
    /* No more vote than the commonest label has anchors: the first three, not all seven. */
    score_well(scores, &given.input, "knn-prompting(neighbours=7)");
    assert_near(scores[1], votes_nats(2, 3), 1e-12);
}

/* An anchor that is sure of its label's token: KL is minus the row's log-probability of it. */
static void test_knn_prompting__one_sure_anchor_per_label_is_direct(void **state)
{
    (void)state;
    compared given;
    make_compared(&given, LABELS, 1);
    for (size_t label = 0; label < LABELS; label++) {
        given.labels[label] = label;
        for (size_t v = 0; v < VOCABULARY; v++) given.next[label][v] = v == label ? 0 : -INFINITY;
        for (size_t y = 0; y < LABELS; y++) given.cells[label][y].nats = y == label ? 0 : -INFINITY;
    }
    for (size_t best = 0; best < LABELS; best++) {
        double direct[LABELS], vocabulary[LABELS], labels[LABELS];
        set_peak(&given, LABELS, best, 0.05); /* others have 0.024 */
        for (size_t y = 0; y < LABELS; y++)
            given.cells[LABELS][y].nats = (double)given.next[LABELS][y];
        score_well(direct, &given.input, "direct");
        score_well(vocabulary, &given.input, "knn-prompting");
        score_well(labels, &given.input, "knn-prompting(over=labels)");
        assert_int_equal(icl_argmax(direct, LABELS), best);
        assert_int_equal(icl_argmax(vocabulary, LABELS), best);
        assert_int_equal(icl_argmax(labels, LABELS), best);
    }
}

static void test_knn_prompting__a_row_without_anchors_is_refused(void **state)
{
    (void)state;
    compared given;
    double scores[2 * LABELS] = { 7, 7, 7, 7, 7, 7 };
    make_compared(&given, 1, 2);
    given.rows[2].anchors = NULL;
    assert_int_equal(score_status(scores, &given.input, "knn-prompting"), ICL_EINVAL);
    assert_string_equal(icl_error_message(), "\"q2\": there is no labelled item to compare with");
    assert_true(scores[0] == 7 && scores[5] == 7);
}

/* ---- hidden calibration ---- */

static void test_hidden__the_nearest_centroid_wins(void **state)
{
    (void)state;
    compared given;
    double scores[LABELS];
    make_compared(&given, 6, 1);
    for (size_t i = 0; i < 6; i++) {
        given.labels[i] = i % LABELS;
        given.states[i][0] = (float)(10 * (i % LABELS));
        given.states[i][1] = i < LABELS ? 3 : -3; /* the mean is 0 */
    }
    given.states[6][0] = 14;
    given.states[6][1] = 3;
    score_well(scores, &given.input, "hidden");
    assert_near(scores[0], -sqrt(14 * 14 + 9), 1e-12);
    assert_near(scores[1], -5, 1e-12);
    assert_near(scores[2], -sqrt(36 + 9), 1e-12);
}

static void test_hidden__rows_may_have_anchors_of_their_own(void **state)
{
    (void)state;
    compared given;
    double scores[3 * LABELS];
    static const size_t turned[LABELS] = { 2, 1, 0 };
    make_compared(&given, LABELS, 3);
    const icl_score_anchors other = { .count = LABELS, .rows = given.rows, .labels = turned };
    for (size_t i = 0; i < LABELS; i++) {
        given.labels[i] = i;
        given.states[i][0] = (float)i;
    }
    for (size_t row = 0; row < 3; row++) given.states[LABELS + row][0] = 2;
    given.rows[LABELS + 1].anchors = &other;
    score_well(scores, &given.input, "hidden");
    assert_int_equal(icl_argmax(scores, LABELS), 2);
    assert_int_equal(icl_argmax(scores + LABELS, LABELS), 0);
    assert_memory_equal(scores, scores + 2 * LABELS, LABELS * sizeof *scores);
}

static void test_hidden__a_label_without_an_anchor_falls_back_to_direct(void **state)
{
    (void)state;
    compared given;
    double hidden[2 * LABELS], direct[2 * LABELS];
    make_compared(&given, 4, 2);
    for (size_t i = 0; i < 4; i++) given.labels[i] = i % 2;
    given.rows[5].anchors = NULL;
    for (size_t row = 0; row < 2; row++)
        for (size_t y = 0; y < LABELS; y++)
            given.cells[4 + row][y].nats = -1 - (double)((row + y) % LABELS);
    score_well(hidden, &given.input, "hidden");
    score_well(direct, &given.input, "direct");
    assert_memory_equal(hidden, direct, sizeof direct);
}

/* ---- against numpy ---- */

static double number(const json_t *rows, size_t row, size_t column)
{
    return json_number_value(json_array_get(json_array_get(rows, row), column));
}

/* An anchor's KEPT likeliest tokens, as the engine answers them. */
static void keep_tokens(compared *given, size_t anchor)
{
    icl_scored ranked[VOCABULARY];
    for (size_t v = 0; v < VOCABULARY; v++)
        ranked[v] = (icl_scored){ .score = (double)given->next[anchor][v], .index = v };
    icl_topk(ranked, VOCABULARY, KEPT);
    for (size_t i = 0; i < KEPT; i++) {
        given->kept[anchor][i] = (int32_t)ranked[i].index;
        given->kept_nats[anchor][i] = ranked[i].score;
    }
    given->rows[anchor].next = (icl_score_next){ .tokens = given->kept[anchor],
                                                 .nats = given->kept_nats[anchor],
                                                 .count = KEPT };
}

static void read_case(compared *out, const json_t *golden)
{
    make_compared(out, ANCHORS_MAX, ROWS_MAX);
    for (size_t i = 0; i < ANCHORS_MAX + ROWS_MAX; i++) {
        const bool anchor = i < ANCHORS_MAX;
        const size_t row = anchor ? i : i - ANCHORS_MAX;
        const json_t *nats = json_object_get(golden, anchor ? "anchor_nats" : "row_nats");
        const json_t *states = json_object_get(golden, anchor ? "anchor_states" : "row_states");
        for (size_t v = 0; v < VOCABULARY; v++) out->next[i][v] = (float)number(nats, row, v);
        for (size_t d = 0; d < STATE_SIZE; d++) out->states[i][d] = (float)number(states, row, d);
        if (anchor)
            out->labels[i] =
                (size_t)json_integer_value(json_array_get(json_object_get(golden, "labels"), i));
    }
}

/* Which anchors are nearest shows in the votes of one neighbour. */
static void check_nearest(const compared *given, const json_t *distances)
{
    double scores[ROWS_MAX * LABELS];
    score_well(scores, &given->input, "knn-prompting(neighbours=1)");
    for (size_t row = 0; row < ROWS_MAX; row++) {
        size_t nearest = 0;
        for (size_t i = 1; i < ANCHORS_MAX; i++)
            if (number(distances, row, i) < number(distances, row, nearest)) nearest = i;
        assert_int_equal(icl_argmax(&scores[row * LABELS], LABELS), given->labels[nearest]);
    }
}

static void check_case(const json_t *golden)
{
    compared given;
    double votes[ROWS_MAX * LABELS], distances[ROWS_MAX * LABELS];
    read_case(&given, golden);
    score_well(votes, &given.input, "knn-prompting(neighbours=3)");
    score_well(distances, &given.input, "hidden");
    for (size_t row = 0; row < ROWS_MAX; row++)
        for (size_t y = 0; y < LABELS; y++) {
            const double count = number(json_object_get(golden, "votes"), row, y);
            assert_near(votes[row * LABELS + y], votes_nats((size_t)count, 3), 1e-12);
            assert_near(distances[row * LABELS + y],
                        -number(json_object_get(golden, "distances"), row, y), 1e-6);
        }
    check_nearest(&given, json_object_get(golden, "divergences"));
    for (size_t i = 0; i < ANCHORS_MAX; i++) keep_tokens(&given, i);
    check_nearest(&given, json_object_get(golden, "kept"));
}

static void test_compared__equals_numpy(void **state)
{
    (void)state;
    FILE *file = fopen(ICL_SOURCE_DIR "/tests/golden/compared.jsonl", "rb");
    assert_non_null(file);
    icl_text line = { 0 };
    bool too_long = false;
    size_t count = 0;
    for (; icl_line_read(&line, file, &too_long); count++) {
        json_t *golden = json_loadb(line.bytes, line.length, 0, NULL);
        assert_non_null(golden);
        check_case(golden);
        json_decref(golden);
    }
    assert_int_equal(count, 4);
    icl_text_deinit(&line);
    fclose(file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_knn_prompting__an_anchor_equal_to_the_row_is_nearest),
        cmocka_unit_test(test_knn_prompting__the_majority_wins_and_ties_go_to_the_first_label),
        cmocka_unit_test(test_knn_prompting__one_sure_anchor_per_label_is_direct),
        cmocka_unit_test(test_knn_prompting__a_row_without_anchors_is_refused),
        cmocka_unit_test(test_hidden__the_nearest_centroid_wins),
        cmocka_unit_test(test_hidden__rows_may_have_anchors_of_their_own),
        cmocka_unit_test(test_hidden__a_label_without_an_anchor_falls_back_to_direct),
        cmocka_unit_test(test_compared__equals_numpy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
