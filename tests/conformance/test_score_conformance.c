/* What every score method must keep, with every value of every switch on its card: a row's scores
 * are its own, labels have no order, and answers that are no numbers leave nothing behind. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/rng.h"
#include "near.h"
#include "score/score.h"

enum { LABELS = 3, ROWS = 4, SHOWN = 2, ANCHORS = 6, VOCAB_COUNT = 7, STATE_SIZE = 5 };

/* Everything a method may want, each label with one name. */
typedef struct answers {
    icl_score_cell cells[ICL_SCORE_CELL_PART_COUNT][ROWS][SHOWN * LABELS];
    float next[ROWS + ANCHORS][VOCAB_COUNT], hidden[ROWS + ANCHORS][STATE_SIZE];
    size_t shown_labels[ROWS][SHOWN], anchor_labels[ANCHORS];
    icl_score_row rows[ROWS], anchor_rows[ANCHORS];
    icl_score_anchors anchors;
    icl_score_input input;
} answers;

static const size_t name_labels[LABELS] = { 0, 1, 2 };
static const char *const row_names[ROWS] = { "q1", "q2", "q3", "q4" };

static void fill_vectors(answers *out, icl_rng *rng)
{
    for (size_t i = 0; i < ROWS + ANCHORS; i++) {
        double total = 0;
        for (size_t v = 0; v < VOCAB_COUNT; v++) {
            out->next[i][v] = (float)(icl_rng_unit(rng) * 3);
            total += exp((double)out->next[i][v]);
        }
        for (size_t v = 0; v < VOCAB_COUNT; v++) out->next[i][v] -= (float)log(total);
        for (size_t d = 0; d < STATE_SIZE; d++) out->hidden[i][d] = (float)icl_rng_unit(rng);
    }
}

static void fill_cells(answers *out, icl_rng *rng, size_t turn)
{
    for (size_t part = 0; part < ICL_SCORE_CELL_PART_COUNT; part++)
        for (size_t row = 0; row < ROWS; row++)
            for (size_t i = 0; i < SHOWN * LABELS; i++) {
                const size_t at = i - i % LABELS + (i + turn) % LABELS;
                out->cells[part][row][at] = (icl_score_cell){
                    .nats = -0.1 - 9 * icl_rng_unit(rng),
                    .size = { .tokens = 1 + icl_rng_below(rng, 4),
                              .chars = 3 + icl_rng_below(rng, 9),
                              .bytes = 12 + icl_rng_below(rng, 3) },
                };
            }
}

/* The same world whatever `turn`, but label y is called (y + turn) % LABELS. */
static void make_answers(answers *out, size_t turn)
{
    icl_rng rng = icl_rng_new(13, "score conformance", NULL, NULL);
    memset(out, 0, sizeof *out);
    fill_vectors(out, &rng);
    fill_cells(out, &rng, turn);
    for (size_t a = 0; a < ANCHORS; a++) {
        out->anchor_labels[a] = (a + turn) % LABELS;
        out->anchor_rows[a] = (icl_score_row){
            .next = { .whole = out->next[ROWS + a], .count = VOCAB_COUNT },
            .hidden = out->hidden[ROWS + a],
            .cells = { [ICL_SCORE_ANSWER] = out->cells[ICL_SCORE_UNCONDITIONAL][a % ROWS] },
        };
    }
    out->anchors = (icl_score_anchors){ .count = ANCHORS,
                                        .rows = out->anchor_rows,
                                        .labels = out->anchor_labels };
    for (size_t row = 0; row < ROWS; row++) {
        for (size_t d = 0; d < SHOWN; d++)
            out->shown_labels[row][d] = (row + d * d + turn) % LABELS;
        out->rows[row] = (icl_score_row){
            .next = { .whole = out->next[row], .count = VOCAB_COUNT },
            .hidden = out->hidden[row],
            .anchors = &out->anchors,
            .shown_count = SHOWN,
            .shown_labels = out->shown_labels[row],
        };
        for (size_t part = 0; part < ICL_SCORE_CELL_PART_COUNT; part++)
            out->rows[row].cells[part] = out->cells[part][row];
    }
    out->input = (icl_score_input){ .label_count = LABELS,
                                    .name_count = LABELS,
                                    .hidden_size = STATE_SIZE,
                                    .name_labels = name_labels,
                                    .row_count = ROWS,
                                    .rows = out->rows,
                                    .row_names = row_names };
}

static void scores_of(double *out, const icl_score_method *method, const icl_score_input *input,
                      const icl_options *options)
{
    if (icl_score_run(out, method, input, options) != ICL_OK)
        fail_msg("%s: %s", method->card.name, icl_error_message());
}

static void check_rows_are_their_own(const icl_score_method *method, const icl_options *options)
{
    answers given;
    double together[ROWS * LABELS], alone[LABELS];
    make_answers(&given, 0);
    scores_of(together, method, &given.input, options);
    for (size_t row = 0; row < ROWS; row++) {
        icl_score_input one = given.input;
        one.rows = &given.rows[row];
        one.row_names = &row_names[row];
        one.row_count = 1;
        scores_of(alone, method, &one, options);
        assert_memory_equal(alone, &together[row * LABELS], sizeof alone);
        for (size_t y = 0; y < LABELS; y++) assert_true(isfinite(alone[y]));
    }
}

static void check_labels_have_no_order(const icl_score_method *method, const icl_options *options)
{
    answers given, turned;
    double before[ROWS * LABELS], after[ROWS * LABELS];
    make_answers(&given, 0);
    make_answers(&turned, 1);
    scores_of(before, method, &given.input, options);
    scores_of(after, method, &turned.input, options);
    for (size_t row = 0; row < ROWS; row++)
        for (size_t y = 0; y < LABELS; y++)
            assert_near(after[row * LABELS + (y + 1) % LABELS], before[row * LABELS + y], 1e-12);
}

static void check_what_is_no_number(const icl_score_method *method, const icl_options *options)
{
    answers given;
    double scores[ROWS * LABELS] = { 7, 8, 9 };
    const icl_score_wants wants = icl_score_wanted(method, options);
    for (size_t part = 0; part < ICL_SCORE_CELL_PART_COUNT; part++) {
        if (!icl_score_wants_part(&wants, (icl_score_part)part)) continue;
        make_answers(&given, 0);
        given.cells[part][2][1].nats = NAN;
        assert_int_equal(icl_score_run(scores, method, &given.input, options), ICL_EMODEL);
        assert_non_null(strstr(icl_error_message(), "\"q3\""));
        assert_true(scores[0] == 7 && scores[2] == 9);
    }
}

static void check_call(const icl_score_method *method, const char *text)
{
    icl_call call = { 0 };
    icl_options options = { 0 };
    assert_int_equal(icl_call_parse(&call, text, strlen(text)), ICL_OK);
    if (icl_options_read(&options, &method->card, &call) != ICL_OK)
        fail_msg("%s", icl_error_message());
    const icl_score_wants wants = icl_score_wanted(method, &options);
    assert_true(wants.parts != 0 && wants.parts < 1u << ICL_SCORE_PART_COUNT);
    check_rows_are_their_own(method, &options);
    check_labels_have_no_order(method, &options);
    check_what_is_no_number(method, &options);
    icl_options_deinit(&options);
    icl_call_deinit(&call);
}

static void check_switch(const icl_score_method *method, const icl_option *option)
{
    static const char *const truths[] = { "false", "true", NULL };
    const char *const *values = option->type == ICL_OPTION_BOOL ? truths : option->choices;
    if (option->type != ICL_OPTION_BOOL && option->type != ICL_OPTION_CHOICE) return;
    for (size_t i = 0; values[i] != NULL; i++) {
        char call[128];
        snprintf(call, sizeof call, "%s(%s=%s)", method->card.name, option->name, values[i]);
        check_call(method, call);
    }
}

static void test_score_conformance__every_method_keeps_the_laws(void **state)
{
    size_t count;
    const icl_score_method *const *methods = icl_score_methods(&count);
    for (size_t m = 0; m < count; m++) {
        check_call(methods[m], methods[m]->card.name);
        for (size_t o = 0; o < methods[m]->card.option_count; o++)
            check_switch(methods[m], &methods[m]->card.options[o]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_score_conformance__every_method_keeps_the_laws),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
