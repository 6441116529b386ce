/* What each method makes of answers that were written by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <icl/status.h>

#include "near.h"
#include "math/logspace.h"
#include "score/calibrate.h"
#include "score/score.h"
#include "score/score_call.h"

enum { LABELS = 3, ROWS = 2, BLOCKS = 2 };

/* Cells of two rows, three labels of one name each and two demonstrations. */
typedef struct answers {
    icl_score_cell cells[ICL_SCORE_PART_COUNT][ROWS][BLOCKS * LABELS];
    size_t shown_labels[BLOCKS];
    icl_score_row rows[ROWS];
    icl_score_input input;
} answers;

static const size_t one_name_each[LABELS] = { 0, 1, 2 };
static const char *const row_names[ROWS] = { "q1", "q2" };

static void make_answers(answers *out)
{
    memset(out, 0, sizeof *out);
    out->shown_labels[0] = 1;
    out->shown_labels[1] = 1;
    for (size_t part = 0; part < ICL_SCORE_PART_COUNT; part++)
        for (size_t row = 0; row < ROWS; row++) {
            out->rows[row].cells[part] = out->cells[part][row];
            out->rows[row].shown_count = BLOCKS;
            out->rows[row].shown_labels = out->shown_labels;
            for (size_t i = 0; i < BLOCKS * LABELS; i++)
                out->cells[part][row][i] = (icl_score_cell){
                    .nats = -1 - (double)((part * 7 + row * 5 + i * 3) % 11),
                    .size = { .tokens = 1 + i % 3, .chars = 4 + i % 2, .bytes = 5 + i % 2 },
                };
        }
    out->input = (icl_score_input){ .label_count = LABELS,
                                    .name_count = LABELS,
                                    .name_labels = one_name_each,
                                    .row_count = ROWS,
                                    .rows = out->rows,
                                    .row_names = row_names };
}

static double nats(const answers *given, icl_score_part part, size_t row, size_t i)
{
    return given->cells[part][row][i].nats;
}

static double mean(const answers *given, icl_score_part part, size_t row, size_t i)
{
    return nats(given, part, row, i) / (double)given->cells[part][row][i].size.tokens;
}

static void test_score__each_method_is_its_formula(void **state)
{
    answers given;
    make_answers(&given);
    double direct[6], ppl[6], relative[6], channel[6], noisy[6], lm[6], experts[6], mix[6], pmi[6];
    score_well(direct, &given.input, "direct(normalise=chars)");
    score_well(ppl, &given.input, "ppl");
    score_well(relative, &given.input, "ppl(span=relative, text=x)");
    score_well(channel, &given.input, "channel");
    score_well(noisy, &given.input, "noisy-channel");
    score_well(lm, &given.input, "noisy-channel(prior=lm)");
    score_well(experts, &given.input, "ensemble(of=direct)");
    score_well(mix, &given.input, "mix(a=0.25)");
    score_well(pmi, &given.input, "pmi");
    for (size_t row = 0; row < ROWS; row++)
        for (size_t y = 0; y < LABELS; y++) {
            const size_t at = row * LABELS + y;
            const double answer = nats(&given, ICL_SCORE_ANSWER, row, y);
            const double input = nats(&given, ICL_SCORE_INPUT, row, y);
            const double alone = nats(&given, ICL_SCORE_UNCONDITIONAL, row, y);
            assert_near(direct[at], answer / (double)(4 + y % 2), 1e-12);
            assert_near(ppl[at], mean(&given, ICL_SCORE_WHOLE, row, y), 1e-12);
            assert_near(relative[at],
                        mean(&given, ICL_SCORE_ANSWER, row, y) -
                            mean(&given, ICL_SCORE_UNCONDITIONAL, row, y),
                        1e-12);
            assert_near(channel[at], mean(&given, ICL_SCORE_INPUT, row, y), 1e-12);
            /* Both demonstrations carry label 1: (n + 1) / (2 + 3). */
            assert_near(noisy[at], input + log(y == 1 ? 3.0 / 5 : 1.0 / 5), 1e-12);
            assert_near(lm[at], input + alone, 1e-12);
            assert_near(experts[at],
                        mean(&given, ICL_SCORE_ANSWER_EACH, row, y) +
                            mean(&given, ICL_SCORE_ANSWER_EACH, row, LABELS + y),
                        1e-12);
            assert_near(mix[at], 0.25 * answer + 0.75 * input, 1e-12);
            assert_near(pmi[at], answer - alone, 1e-12);
        }
}

static void assert_same(const answers *given, const char *one, const char *other)
{
    double a[ROWS * LABELS], b[ROWS * LABELS];
    score_well(a, &given->input, one);
    score_well(b, &given->input, other);
    assert_memory_equal(a, b, sizeof a);
}

static void test_score__calls_that_name_the_same_rule_agree(void **state)
{
    answers given;
    make_answers(&given);
    assert_same(&given, "ppl(span=answer)", "direct(normalise=tokens)");
    assert_same(&given, "mix(a=1)", "direct");
    assert_same(&given, "mix(a=0)", "channel(reduce=sum)");
    assert_same(&given, "noisy-channel(prior=uniform)", "channel(reduce=sum)");
    assert_same(&given, "pmi(text=\"\")", "pmi-dc");
}

/* Sheet: 10 nats over 4 tokens are a perplexity of 12.1824940; OpenICL divides by the 5 tokens of
 * the sequence, of which the first is predicted by nothing. */
static void test_score__perplexity_by_hand(void **state)
{
    answers given;
    make_answers(&given);
    double scores[ROWS * LABELS];
    given.cells[ICL_SCORE_ANSWER][0][0] = (icl_score_cell){ .nats = -10, .size.tokens = 4 };
    given.cells[ICL_SCORE_WHOLE][0][0] = (icl_score_cell){ .nats = -10, .size.tokens = 5 };
    score_well(scores, &given.input, "ppl(span=answer)");
    assert_near(exp(-scores[0]), 12.1824940, 1e-7);
    score_well(scores, &given.input, "ppl(span=all)");
    assert_near(exp(-scores[0]), exp(2), 1e-12);
}

/* Sequences of one length: what stands before the answer is a constant. With a longer answer it is
 * diluted, the method's known bias. */
static void test_score__ppl_ranks_as_direct_where_lengths_are_equal(void **state)
{
    answers given;
    make_answers(&given);
    static const double lead = -40;
    double direct[ROWS * LABELS], ppl[ROWS * LABELS];
    for (size_t row = 0; row < ROWS; row++)
        for (size_t y = 0; y < LABELS; y++)
            given.cells[ICL_SCORE_WHOLE][row][y] =
                (icl_score_cell){ .nats = lead + nats(&given, ICL_SCORE_ANSWER, row, y),
                                  .size.tokens = 21 };
    score_well(direct, &given.input, "direct");
    score_well(ppl, &given.input, "ppl");
    for (size_t at = 0; at < ROWS * LABELS; at++)
        assert_near(ppl[at] * 21 - lead, direct[at], 1e-12);
    given.cells[ICL_SCORE_WHOLE][0][2].size.tokens = 60;
    score_well(ppl, &given.input, "ppl");
    assert_int_equal(icl_argmax(ppl, LABELS), 2);
}

static void test_score__pmi_takes_away_what_labels_bring_along(void **state)
{
    answers given;
    make_answers(&given);
    double before[ROWS * LABELS], after[ROWS * LABELS], direct[ROWS * LABELS];
    score_well(before, &given.input, "pmi-dc");
    for (size_t row = 0; row < ROWS; row++)
        for (size_t y = 0; y < LABELS; y++) {
            given.cells[ICL_SCORE_ANSWER][row][y].nats -= (double)y;
            given.cells[ICL_SCORE_UNCONDITIONAL][row][y].nats -= (double)y;
        }
    score_well(after, &given.input, "pmi-dc");
    for (size_t at = 0; at < ROWS * LABELS; at++) assert_near(after[at], before[at], 1e-12);
    /* Equal mass without the question: as direct. The same mass with it: nothing is left. */
    for (size_t row = 0; row < ROWS; row++)
        for (size_t y = 0; y < LABELS; y++) given.cells[ICL_SCORE_UNCONDITIONAL][row][y].nats = -2;
    score_well(after, &given.input, "pmi-dc");
    score_well(direct, &given.input, "direct");
    for (size_t at = 0; at < ROWS * LABELS; at++) assert_near(after[at], direct[at] + 2, 1e-12);
    memcpy(given.cells[ICL_SCORE_UNCONDITIONAL], given.cells[ICL_SCORE_ANSWER],
           sizeof given.cells[0]);
    score_well(after, &given.input, "pmi-dc");
    for (size_t at = 0; at < ROWS * LABELS; at++) assert_near(after[at], 0, 1e-12);
}

/* Direct++ of sums is contextual calibration with one content-free input, up to a constant. */
static void test_score__direct_plus_is_contextual_calibration_in_log_space(void **state)
{
    answers given;
    make_answers(&given);
    double plus[ROWS * LABELS], direct[ROWS * LABELS], content_free[LABELS];
    for (size_t y = 0; y < LABELS; y++) {
        content_free[y] = nats(&given, ICL_SCORE_UNCONDITIONAL, 0, y);
        given.cells[ICL_SCORE_UNCONDITIONAL][1][y].nats = content_free[y];
    }
    score_well(plus, &given.input, "direct-plus(normalise=sum)");
    score_well(direct, &given.input, "direct");
    const icl_calibrate_method *contextual = NULL;
    icl_options options = { 0 };
    icl_calibration calibration = { 0 };
    assert_int_equal(icl_calibrate_find(&contextual, "contextual"), ICL_OK);
    assert_int_equal(icl_options_read(&options, &contextual->card, &(icl_call){ 0 }), ICL_OK);
    const icl_calibrate_input input = { .query_count = ROWS,
                                        .label_count = LABELS,
                                        .logprob_nats = direct,
                                        .group_count = 1,
                                        .content_free_count = 1,
                                        .content_free_nats = content_free };
    assert_int_equal(icl_calibrate_run(&calibration, contextual, &input, &options), ICL_OK);
    for (size_t row = 0; row < ROWS; row++) {
        double probabilities[LABELS];
        icl_softmax(probabilities, &plus[row * LABELS], LABELS);
        for (size_t y = 0; y < LABELS; y++)
            assert_near(probabilities[y], calibration.probabilities[row * LABELS + y], 1e-12);
    }
    icl_calibration_deinit(&calibration);
    icl_options_deinit(&options);
}

/* Labels 0 and 2 have two names each. */
static void test_score__names_of_a_label_are_joined(void **state)
{
    static const size_t labels[] = { 0, 0, 1, 2, 2 };
    icl_score_cell answer[5], input[5], whole[5];
    for (size_t i = 0; i < 5; i++) {
        answer[i] = (icl_score_cell){ .nats = log(0.1 * (double)(1 + i)), .size.tokens = 1 };
        input[i] = answer[i];
        whole[i] = (icl_score_cell){ .nats = -(double)(10 + i), .size.tokens = 10 };
    }
    const icl_score_row row = { .cells = { [ICL_SCORE_ANSWER] = answer,
                                           [ICL_SCORE_INPUT] = input,
                                           [ICL_SCORE_WHOLE] = whole } };
    const icl_score_input given = { .label_count = 3,
                                    .name_count = 5,
                                    .name_labels = labels,
                                    .row_count = 1,
                                    .rows = &row,
                                    .row_names = row_names };
    double scores[3];
    assert_int_equal(score_status(scores, &given, "direct"), ICL_OK);
    assert_near(exp(scores[0]), 0.1 + 0.2, 1e-12);
    assert_near(exp(scores[1]), 0.3, 1e-12);
    assert_near(exp(scores[2]), 0.4 + 0.5, 1e-12);
    /* As a condition a label is any of its names: their number must not count. */
    assert_int_equal(score_status(scores, &given, "channel(reduce=sum)"), ICL_OK);
    assert_near(exp(scores[0]), (0.1 + 0.2) / 2, 1e-12);
    assert_near(exp(scores[2]), (0.4 + 0.5) / 2, 1e-12);
    /* Perplexities do not add up: the best name stands for its label. */
    assert_int_equal(score_status(scores, &given, "ppl"), ICL_OK);
    assert_near(scores[0], -1.0, 1e-12);
    assert_near(scores[2], -1.3, 1e-12);
}

static void test_score__permuted_labels_get_permuted_scores(void **state)
{
    static const char *const calls[] = { "direct", "ppl",      "channel", "noisy-channel",
                                         "mix",    "ensemble", "pmi",     "direct-plus" };
    for (size_t c = 0; c < sizeof calls / sizeof *calls; c++) {
        answers given, turned;
        double before[ROWS * LABELS], after[ROWS * LABELS];
        make_answers(&given);
        make_answers(&turned);
        for (size_t part = 0; part < ICL_SCORE_PART_COUNT; part++)
            for (size_t row = 0; row < ROWS; row++)
                for (size_t i = 0; i < BLOCKS * LABELS; i++)
                    turned.cells[part][row][i - i % LABELS + (i + 1) % LABELS] =
                        given.cells[part][row][i];
        for (size_t d = 0; d < BLOCKS; d++)
            turned.shown_labels[d] = (given.shown_labels[d] + 1) % LABELS;
        score_well(before, &given.input, calls[c]);
        score_well(after, &turned.input, calls[c]);
        for (size_t row = 0; row < ROWS; row++)
            for (size_t y = 0; y < LABELS; y++)
                assert_near(after[row * LABELS + (y + 1) % LABELS], before[row * LABELS + y],
                            1e-12);
    }
}

/* Labels of which every part says the same cannot be told apart. */
static void test_score__equal_answers_get_equal_scores(void **state)
{
    static const char *const calls[] = { "direct",   "ppl",
                                         "channel",  "noisy-channel(prior=uniform)",
                                         "ensemble", "mix",
                                         "pmi",      "direct-plus" };
    answers given;
    make_answers(&given);
    for (size_t part = 0; part < ICL_SCORE_PART_COUNT; part++)
        for (size_t row = 0; row < ROWS; row++)
            for (size_t block = 0; block < BLOCKS * LABELS; block += LABELS)
                given.cells[part][row][block + 2] = given.cells[part][row][block];
    for (size_t c = 0; c < sizeof calls / sizeof *calls; c++) {
        double scores[ROWS * LABELS];
        score_well(scores, &given.input, calls[c]);
        for (size_t row = 0; row < ROWS; row++)
            assert_true(scores[row * LABELS] == scores[row * LABELS + 2]);
    }
}

/* Answers of one length: whatever they are divided by, the same label wins. */
static void test_score__answers_of_one_length_are_ranked_alike(void **state)
{
    static const char *const calls[] = { "direct(normalise=tokens)", "direct(normalise=chars)",
                                         "direct(normalise=bytes)" };
    answers given;
    double sums[ROWS * LABELS];
    make_answers(&given);
    for (size_t row = 0; row < ROWS; row++)
        for (size_t y = 0; y < LABELS; y++)
            given.cells[ICL_SCORE_ANSWER][row][y].size =
                (icl_answer_size){ .tokens = 3, .chars = 5, .bytes = 7 };
    score_well(sums, &given.input, "direct(normalise=sum)");
    for (size_t c = 0; c < sizeof calls / sizeof *calls; c++) {
        double scores[ROWS * LABELS];
        score_well(scores, &given.input, calls[c]);
        for (size_t row = 0; row < ROWS; row++)
            for (size_t a = row * LABELS; a < (row + 1) * LABELS; a++)
                for (size_t b = row * LABELS; b < (row + 1) * LABELS; b++)
                    assert_int_equal(scores[a] < scores[b], sums[a] < sums[b]);
    }
}

/* A label that cannot follow the prompt is never chosen and leaves the others as they were; one
 * that cannot follow anything is no division by zero. */
static void test_score__impossible_labels(void **state)
{
    answers given;
    double before[ROWS * LABELS], after[ROWS * LABELS];
    make_answers(&given);
    score_well(before, &given.input, "direct");
    given.cells[ICL_SCORE_ANSWER][0][0].nats = -INFINITY;
    given.cells[ICL_SCORE_UNCONDITIONAL][0][0].nats = -INFINITY;
    score_well(after, &given.input, "direct");
    assert_true(after[0] == -INFINITY);
    assert_memory_equal(&after[1], &before[1], 5 * sizeof *after);
    score_well(after, &given.input, "pmi");
    assert_true(after[0] == -INFINITY && isfinite(after[1]));
    score_well(after, &given.input, "mix(a=0)");
    assert_true(isfinite(after[0]));
}

static void test_score__a_score_that_is_no_number_is_an_error(void **state)
{
    answers given;
    double scores[ROWS * LABELS] = { 1, 2, 3 };
    make_answers(&given);
    given.cells[ICL_SCORE_INPUT][1][2].nats = NAN;
    assert_int_equal(score_status(scores, &given.input, "channel"), ICL_EMODEL);
    assert_string_equal(icl_error_message(),
                        "\"q2\": the model's input score is nan, which is no log-probability");
    assert_true(scores[0] == 1 && scores[2] == 3);
}

static void test_score__wants_follow_the_options(void **state)
{
    static const struct {
        const char *call;
        unsigned parts;
        icl_score_given given;
        bool demonstrations;
    } cases[] = {
        { "direct", 1u << ICL_SCORE_ANSWER, ICL_GIVEN_TEXT, false },
        { "ppl", 1u << ICL_SCORE_WHOLE, ICL_GIVEN_TEXT, false },
        { "ppl(span=answer)", 1u << ICL_SCORE_ANSWER, ICL_GIVEN_TEXT, false },
        { "channel", 1u << ICL_SCORE_INPUT, ICL_GIVEN_TEXT, false },
        { "noisy-channel", 1u << ICL_SCORE_INPUT, ICL_GIVEN_PREMISE, true },
        { "noisy-channel(prior=lm)", 1u << ICL_SCORE_INPUT | 1u << ICL_SCORE_UNCONDITIONAL,
          ICL_GIVEN_PREMISE, true },
        { "ensemble(of=channel)", 1u << ICL_SCORE_INPUT_EACH, ICL_GIVEN_TEXT, false },
        { "mix(a=0)", 1u << ICL_SCORE_INPUT, ICL_GIVEN_TEXT, false },
        { "pmi-dc(demonstrations=true)", 1u << ICL_SCORE_ANSWER | 1u << ICL_SCORE_UNCONDITIONAL,
          ICL_GIVEN_PREMISE, true },
        { "direct-plus", 1u << ICL_SCORE_ANSWER | 1u << ICL_SCORE_UNCONDITIONAL,
          ICL_GIVEN_CONTENT_FREE, true },
    };
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        icl_call call = { 0 };
        icl_options options = { 0 };
        const icl_score_method *method = NULL;
        assert_int_equal(icl_call_parse(&call, cases[c].call, strlen(cases[c].call)), ICL_OK);
        assert_int_equal(icl_score_find(&method, call.name), ICL_OK);
        assert_int_equal(icl_options_read(&options, &method->card, &call), ICL_OK);
        const icl_score_wants wants = icl_score_wanted(method, &options);
        assert_int_equal(wants.parts, cases[c].parts);
        assert_int_equal(wants.given, cases[c].given);
        assert_int_equal(wants.given_demonstrations, cases[c].demonstrations);
        icl_options_deinit(&options);
        icl_call_deinit(&call);
    }
}

static void test_score__lists_of_parts(void **state)
{
    unsigned parts = 77;
    assert_int_equal(icl_score_parts_parse(&parts, ""), ICL_OK);
    assert_int_equal(parts, 0);
    assert_int_equal(icl_score_parts_parse(&parts, "whole,input-each"), ICL_OK);
    assert_int_equal(parts, 1u << ICL_SCORE_WHOLE | 1u << ICL_SCORE_INPUT_EACH);
    assert_int_equal(icl_score_parts_parse(&parts, "whole,inputs"), ICL_ENOTFOUND);
    assert_string_equal(icl_error_message(),
                        "unknown part \"inputs\" to record; did you mean \"input\"?");
    assert_int_equal(parts, 1u << ICL_SCORE_WHOLE | 1u << ICL_SCORE_INPUT_EACH);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_score__each_method_is_its_formula),
        cmocka_unit_test(test_score__calls_that_name_the_same_rule_agree),
        cmocka_unit_test(test_score__perplexity_by_hand),
        cmocka_unit_test(test_score__ppl_ranks_as_direct_where_lengths_are_equal),
        cmocka_unit_test(test_score__pmi_takes_away_what_labels_bring_along),
        cmocka_unit_test(test_score__direct_plus_is_contextual_calibration_in_log_space),
        cmocka_unit_test(test_score__names_of_a_label_are_joined),
        cmocka_unit_test(test_score__permuted_labels_get_permuted_scores),
        cmocka_unit_test(test_score__equal_answers_get_equal_scores),
        cmocka_unit_test(test_score__answers_of_one_length_are_ranked_alike),
        cmocka_unit_test(test_score__impossible_labels),
        cmocka_unit_test(test_score__a_score_that_is_no_number_is_an_error),
        cmocka_unit_test(test_score__wants_follow_the_options),
        cmocka_unit_test(test_score__lists_of_parts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
