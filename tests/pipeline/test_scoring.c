/* Every part of a row against brute force on the table model, whose logits depend on every token of
 * the context: texts are written here by hand and summed up byte by byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <icl/sys/model.h>

#include "data/verbalizer.h"
#include "hashed_model.h"
#include "near.h"
#include "pipeline/scoring.h"

enum { BOS = 256, POOL = 3, NAMES = 3 };

/* log P(after | BOS before), from the definition. */
static double reference_nats(const char *before, const char *after)
{
    int32_t context[512] = { BOS };
    float logits[VOCAB_COUNT];
    size_t count = 1;
    double sum = 0;
    for (const char *at = before; *at != '\0'; at++) context[count++] = (unsigned char)*at;
    for (const char *at = after; *at != '\0'; at++) {
        double total = 0;
        hashed_logits(NULL, logits, context, count);
        for (size_t i = 0; i < VOCAB_COUNT; i++) total += exp((double)logits[i]);
        sum += (double)logits[(unsigned char)*at] - log(total);
        context[count++] = (unsigned char)*at;
    }
    return sum;
}

/* Labels pos (one name) and neg (two). Template "T: {{ text }}\nL:". */
typedef struct world {
    icl_model *model;
    icl_engine *engine;
    icl_verbalizer *verbalizer;
    icl_jinja *template;
    icl_template_forms forms;
    icl_ask_source source;
    icl_scoring *scoring;
} world;

static const char *const pool_inputs[POOL] = { "T: one\nL:", "T: two\nL:", "T: three\nL:" };
static const char *const pool_ids[POOL] = { "p1", "p2", "p3" };
static const size_t pool_labels[POOL] = { 0, 1, 0 };
static const char *const words[NAMES] = { "pos", "neg", "bad" };

static void open_world(world *out, const char *template, size_t window_tokens)
{
    *out = (world){ .forms = { .content_free = { (char *)"T: N/A\nL:" } } };
    assert_int_equal(icl_model_open_table(&out->model, hashed_logits, NULL, window_tokens), ICL_OK);
    assert_int_equal(icl_engine_open(&out->engine, out->model, NULL), ICL_OK);
    assert_int_equal(icl_verbalizer_new(&out->verbalizer), ICL_OK);
    assert_int_equal(icl_verbalizer_add(out->verbalizer, "pos", "pos"), ICL_OK);
    assert_int_equal(icl_verbalizer_add(out->verbalizer, "neg", "neg"), ICL_OK);
    assert_int_equal(icl_verbalizer_add(out->verbalizer, "neg", "bad"), ICL_OK);
    assert_int_equal(icl_jinja_parse(&out->template, template, strlen(template), "t"), ICL_OK);
    out->source = (icl_ask_source){
        .engine = out->engine,
        .prompts = { .instruction = "Say.", .answer_prefix = " ", .separator = "\n\n" },
        .verbalizer = out->verbalizer,
        .pool = { .count = POOL, .inputs = pool_inputs, .ids = pool_ids },
        .pool_labels = pool_labels,
        .forms = &out->forms,
    };
}

static void close_world(world *of)
{
    icl_scoring_free(of->scoring);
    icl_jinja_free(of->template);
    icl_verbalizer_free(of->verbalizer);
    icl_engine_close(of->engine);
    icl_model_close(of->model);
}

static const unsigned all_parts = (1u << ICL_SCORE_CELL_PART_COUNT) - 1;

static void begin(world *of, icl_score_wants wants)
{
    if (icl_scoring_new(&of->scoring, &of->source, of->template, &wants) != ICL_OK)
        fail_msg("%s", icl_error_message());
}

static size_t add(world *of, const size_t *items, size_t count, const char *input)
{
    size_t row = SIZE_MAX;
    const icl_shown shown = { .items = items, .count = count, .input = input, .name = "q" };
    if (icl_scoring_add(of->scoring, &shown, &row) != ICL_OK) fail_msg("%s", icl_error_message());
    return row;
}

static const icl_score_row *answer(world *of, size_t row)
{
    assert_int_equal(icl_engine_run(of->engine, icl_scoring_batch(of->scoring)), ICL_OK);
    assert_int_equal(icl_scoring_collect(of->scoring), ICL_OK);
    const icl_score_input *answers = icl_scoring_answers(of->scoring);
    assert_int_equal(answers->name_count, NAMES);
    assert_int_equal(answers->name_labels[2], 1);
    return &answers->rows[row];
}

/* The name stands in place of "%" in both texts; scored is the second. */
static void assert_cell(const icl_score_cell *cell, const char *name, const char *before,
                        const char *after, size_t tokens, const char *counted)
{
    char texts[2][256];
    const char *const patterns[2] = { before, after };
    for (size_t i = 0; i < 2; i++) {
        const char *hole = strchr(patterns[i], '%');
        if (hole == NULL)
            snprintf(texts[i], sizeof texts[i], "%s", patterns[i]);
        else
            snprintf(texts[i], sizeof texts[i], "%.*s%s%s", (int)(hole - patterns[i]), patterns[i],
                     name, hole + 1);
    }
    assert_near(cell->nats, reference_nats(texts[0], texts[1]), 2e-5);
    assert_int_equal(cell->size.tokens, tokens);
    assert_int_equal(cell->size.bytes, strlen(counted));
}

#define DEMONSTRATIONS "Say.\n\nT: two\nL: neg\n\nT: one\nL: pos\n\n"
#define FLIPPED        "Say.\n\nL: neg\nT: two\n\nL: pos\nT: one\n\n"

static void test_scoring__every_part_equals_brute_force(void **state)
{
    static const size_t shown[] = { 1, 0 };
    world here;
    open_world(&here, "T: {{ text }}\nL:", 0);
    begin(&here, (icl_score_wants){ .parts = all_parts,
                                    .given = ICL_GIVEN_PREMISE,
                                    .given_demonstrations = true });
    const icl_score_row *row = answer(&here, add(&here, shown, 2, "T: q\nL:"));
    const size_t whole_tokens = 1 + strlen(DEMONSTRATIONS "T: q\nL: pos");
    for (size_t n = 0; n < NAMES; n++) {
        const icl_score_cell *const *cells = row->cells;
        assert_cell(&cells[ICL_SCORE_ANSWER][n], words[n], DEMONSTRATIONS "T: q\nL:", " %", 4,
                    words[n]);
        assert_cell(&cells[ICL_SCORE_WHOLE][n], words[n], "", DEMONSTRATIONS "T: q\nL: %",
                    whole_tokens, words[n]);
        assert_cell(&cells[ICL_SCORE_INPUT][n], words[n], FLIPPED "L: %", "\nT: q", 5, "T: q");
        assert_cell(&cells[ICL_SCORE_UNCONDITIONAL][n], words[n], DEMONSTRATIONS "L:", " %", 4,
                    words[n]);
        assert_cell(&cells[ICL_SCORE_ANSWER_EACH][n], words[n],
                    "Say.\n\nT: two\nL: neg\n\nT: q\nL:", " %", 4, words[n]);
        assert_cell(&cells[ICL_SCORE_ANSWER_EACH][NAMES + n], words[n],
                    "Say.\n\nT: one\nL: pos\n\nT: q\nL:", " %", 4, words[n]);
        assert_cell(&cells[ICL_SCORE_INPUT_EACH][NAMES + n], words[n],
                    "Say.\n\nL: pos\nT: one\n\nL: %", "\nT: q", 5, "T: q");
    }
    assert_int_equal(row->shown_labels[0], 1);
    close_world(&here);
}

/* Two prefixes by hand; the parts about single demonstrations are about the query alone. */
static void test_scoring__without_demonstrations(void **state)
{
    world here;
    open_world(&here, "T: {{ text }}\nL:", 0);
    begin(&here, (icl_score_wants){ .parts = all_parts, .given = ICL_GIVEN_TEXT, .text = ":" });
    const icl_score_row *row = answer(&here, add(&here, NULL, 0, "T: q\nL:"));
    for (size_t n = 0; n < NAMES; n++) {
        const icl_score_cell *const *cells = row->cells;
        assert_cell(&cells[ICL_SCORE_INPUT][n], words[n], "Say.\n\nL: %", "\nT: q", 5, "T: q");
        assert_cell(&cells[ICL_SCORE_INPUT_EACH][n], words[n], "Say.\n\nL: %", "\nT: q", 5, "T: q");
        assert_cell(&cells[ICL_SCORE_ANSWER_EACH][n], words[n], "Say.\n\nT: q\nL:", " %", 4,
                    words[n]);
        assert_cell(&cells[ICL_SCORE_UNCONDITIONAL][n], words[n], ":", " %", 4, words[n]);
    }
    close_world(&here);
}

/* What is given in place of the input is asked once for the rows that show the same. */
static void test_scoring__unconditional_answers_are_shared(void **state)
{
    static const size_t shown[] = { 1, 0 };
    static const struct {
        icl_score_given given;
        bool demonstrations;
        size_t contexts;
    } cases[] = { { ICL_GIVEN_TEXT, false, 1 },
                  { ICL_GIVEN_TEXT, true, 2 },
                  { ICL_GIVEN_CONTENT_FREE, true, 2 } };
    for (size_t c = 0; c < 3; c++) {
        world here;
        open_world(&here, "T: {{ text }}\nL:", 0);
        begin(&here, (icl_score_wants){ .parts = 1u << ICL_SCORE_UNCONDITIONAL,
                                        .given = cases[c].given,
                                        .given_demonstrations = cases[c].demonstrations });
        add(&here, shown, 2, "T: q\nL:");
        add(&here, shown, 2, "T: r\nL:");
        add(&here, shown, 1, "T: r\nL:");
        assert_int_equal(icl_batch_count(icl_scoring_batch(here.scoring)),
                         cases[c].contexts * NAMES);
        const icl_score_row *row = answer(&here, 1);
        if (cases[c].given == ICL_GIVEN_CONTENT_FREE)
            assert_cell(row->cells[ICL_SCORE_UNCONDITIONAL], words[0],
                        DEMONSTRATIONS "T: N/A\nL:", " %", 4, words[0]);
        close_world(&here);
    }
}

/* A window for one demonstration: all labels of a query lose the same one, and the long query of
 * another row costs this one nothing. */
static void test_scoring__the_window_drops_alike_for_all_labels(void **state)
{
    static const size_t shown[] = { 1, 0 };
    static const char one_left[] = "Say.\n\nL: pos\nT: one\n\nL: %";
    world here;
    open_world(&here, "T: {{ text }}\nL:", 1 + sizeof one_left - 2 + 3 + 5 + 6);
    begin(&here, (icl_score_wants){ .parts = 1u << ICL_SCORE_INPUT });
    add(&here, shown, 2, "T: a long one\nL:");
    const size_t row = add(&here, shown, 2, "T: q\nL:");
    size_t count = 0;
    const size_t *kept = icl_scoring_shown(here.scoring, row, &count);
    assert_int_equal(count, 1);
    assert_int_equal(kept[0], 0);
    const icl_score_row *answered = answer(&here, row);
    assert_int_equal(answered->shown_count, 1);
    for (size_t n = 0; n < NAMES; n++)
        assert_cell(&answered->cells[ICL_SCORE_INPUT][n], words[n], one_left, "\nT: q", 5, "T: q");
    close_world(&here);
}

static void expect_refusal(world *of, icl_score_given given, const char *sentence)
{
    const icl_score_wants wants = { .parts = 1u << ICL_SCORE_UNCONDITIONAL, .given = given };
    assert_int_equal(icl_scoring_new(&of->scoring, &of->source, of->template, &wants), ICL_EINVAL);
    assert_null(of->scoring);
    if (strstr(icl_error_message(), sentence) == NULL) fail_msg("%s", icl_error_message());
}

static void test_scoring__what_a_template_does_not_have_is_refused(void **state)
{
    world here;
    open_world(&here, "{{ text }} ", 0);
    here.forms.refusal = (char *)"the template uses none of the input fields";
    expect_refusal(&here, ICL_GIVEN_PREMISE, "the template ends with its input");
    expect_refusal(&here, ICL_GIVEN_CONTENT_FREE, "uses none of the input fields");
    close_world(&here);
}

static void assert_name(const world *of, size_t request, size_t row, const char *name)
{
    icl_text text = { 0 };
    assert_int_equal(icl_scoring_request_row(of->scoring, request), row);
    icl_scoring_describe_request(&text, of->scoring, request);
    assert_string_equal(icl_text_string(&text), name);
    icl_text_deinit(&text);
}

static void test_scoring__requests_have_names(void **state)
{
    static const size_t shown[] = { 1, 0 };
    world here;
    open_world(&here, "T: {{ text }}\nL:", 0);
    begin(&here, (icl_score_wants){ .parts = 1u << ICL_SCORE_WHOLE | 1u << ICL_SCORE_INPUT_EACH });
    add(&here, NULL, 0, "T: q\nL:");
    add(&here, shown, 2, "T: q\nL:");
    /* 3 answers, what leads to them, 3 inputs; then 3, 1 and 2 times 3. */
    assert_int_equal(icl_batch_count(icl_scoring_batch(here.scoring)), 7 + 10);
    assert_name(&here, 0, 0, "pos");
    assert_name(&here, 2, 0, "neg/1");
    assert_name(&here, 3, 0, "whole/pos");
    assert_name(&here, 5, 0, "input-each/0/neg");
    assert_name(&here, 16, 1, "input-each/1/neg/1");
    assert_string_not_equal(icl_scoring_prompt_hash(here.scoring, 0),
                            icl_scoring_prompt_hash(here.scoring, 1));
    close_world(&here);
}

/* All one-token continuations of a prompt partition what may follow it. */
static void test_scoring__a_full_vocabulary_of_answers_sums_to_one(void **state)
{
    static const int32_t prompt[] = { BOS, 'L', ':' };
    world here;
    icl_batch *batch = NULL;
    size_t prefix, request;
    double sum = 0;
    open_world(&here, "T: {{ text }}\nL:", 0);
    assert_int_equal(icl_batch_new(&batch), ICL_OK);
    assert_int_equal(icl_batch_add_prefix(batch, prompt, 3, &prefix), ICL_OK);
    for (int32_t token = 0; token < VOCAB_COUNT; token++)
        assert_int_equal(icl_batch_add_score(batch, prefix, &token, 1, &request), ICL_OK);
    assert_int_equal(icl_engine_run(here.engine, batch), ICL_OK);
    for (size_t r = 0; r < VOCAB_COUNT; r++) sum += exp(icl_batch_logprob_nats(batch, r));
    assert_near(sum, 1, 1e-5);
    icl_batch_free(batch);
    close_world(&here);
}

/* The next token's distribution after a text that begins with BOS. */
static void whole_distribution(float out[VOCAB_COUNT], const world *of, const char *text)
{
    int32_t tokens[64] = { BOS };
    icl_batch *batch = NULL;
    size_t count = 1, prefix, request, size;
    for (; text[count - 1] != '\0'; count++) tokens[count] = (unsigned char)text[count - 1];
    assert_int_equal(icl_batch_new(&batch), ICL_OK);
    assert_int_equal(icl_batch_add_prefix(batch, tokens, count, &prefix), ICL_OK);
    assert_int_equal(icl_batch_add_whole_distribution(batch, prefix, &request), ICL_OK);
    assert_int_equal(icl_engine_run(of->engine, batch), ICL_OK);
    memcpy(out, icl_batch_whole_distribution_nats(batch, request, &size),
           VOCAB_COUNT * sizeof *out);
    assert_int_equal(size, VOCAB_COUNT);
    icl_batch_free(batch);
}

/* Channel scores of inputs of one token are looked up in the distribution after the label; the line
 * break before them, which all have, goes out of a difference. */
static void test_scoring__an_input_of_one_token_is_looked_up(void **state)
{
    static const char *const before[] = { "Say.\n\nL: pos\n", "Say.\n\nL: neg\n",
                                          "Say.\n\nL: bad\n" };
    world here;
    open_world(&here, "{{ text }}\nL:", 0);
    begin(&here, (icl_score_wants){ .parts = 1u << ICL_SCORE_INPUT });
    const size_t first = add(&here, NULL, 0, "q\nL:"), second = add(&here, NULL, 0, "r\nL:");
    const icl_score_row *rows = answer(&here, 0);
    for (size_t n = 0; n < NAMES; n++) {
        float next[VOCAB_COUNT];
        whole_distribution(next, &here, before[n]);
        const icl_score_cell *q = &rows[first].cells[ICL_SCORE_INPUT][n];
        const icl_score_cell *r = &rows[second].cells[ICL_SCORE_INPUT][n];
        assert_int_equal(q->size.bytes, 1);
        /* Single-precision nats of about 5, each rounded a few times: 2e-5. */
        assert_near(q->nats - r->nats, (double)next['q'] - (double)next['r'], 2e-5);
    }
    close_world(&here);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scoring__every_part_equals_brute_force),
        cmocka_unit_test(test_scoring__without_demonstrations),
        cmocka_unit_test(test_scoring__unconditional_answers_are_shared),
        cmocka_unit_test(test_scoring__the_window_drops_alike_for_all_labels),
        cmocka_unit_test(test_scoring__what_a_template_does_not_have_is_refused),
        cmocka_unit_test(test_scoring__requests_have_names),
        cmocka_unit_test(test_scoring__a_full_vocabulary_of_answers_sums_to_one),
        cmocka_unit_test(test_scoring__an_input_of_one_token_is_looked_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
