/* Anchors of rows: which pool items they are, who shares them, and that their answers are those
 * after the row's demonstrations and their own input. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <icl/sys/model.h>

#include "data/label_space.h"
#include "data/verbalizer.h"
#include "hashed_model.h"
#include "near.h"
#include "pipeline/scoring.h"

enum { BOS = 256, POOL = 9 };

/* Labels a and b; template "{{ text }}=", so that a prompt reads "x0=a x3=b x7=". */
typedef struct world {
    icl_model *model;
    icl_engine *engine;
    icl_verbalizer *verbalizer;
    icl_jinja *template;
    icl_template_forms forms;
    icl_ask_source source;
    icl_scoring *scoring;
} world;

static const char *const pool_inputs[POOL] = { "x0=", "x1=", "x2=", "x3=", "x4=",
                                               "x5=", "x6=", "x7=", "x8=" };
static const char *const pool_ids[POOL] = { "p0", "p1", "p2", "p3", "p4", "p5", "p6", "p7", "p8" };
/* Seven of label 0, one of label 1, one without. */
static const size_t pool_labels[POOL] = { 0, 0, 0, 1, 0, 0, 0, 0, ICL_LABEL_NONE };

static int open_world(void **state)
{
    static world fresh;
    static const char text[] = "{{ text }}=";
    const icl_table table = { .logits = hashed_logits,
                              .hidden = hashed_state,
                              .hidden_size = STATE_SIZE };
    fresh = (world){ .scoring = NULL };
    assert_int_equal(icl_model_open_table_of(&fresh.model, &table), ICL_OK);
    assert_int_equal(icl_engine_open(&fresh.engine, fresh.model, NULL), ICL_OK);
    assert_int_equal(icl_verbalizer_new(&fresh.verbalizer), ICL_OK);
    assert_int_equal(icl_verbalizer_add(fresh.verbalizer, "a", "a"), ICL_OK);
    assert_int_equal(icl_verbalizer_add(fresh.verbalizer, "b", "b"), ICL_OK);
    assert_int_equal(icl_jinja_parse(&fresh.template, text, strlen(text), "t"), ICL_OK);
    fresh.source = (icl_ask_source){
        .engine = fresh.engine,
        .prompts = { .instruction = "", .answer_prefix = "", .separator = " " },
        .verbalizer = fresh.verbalizer,
        .pool = { .count = POOL, .inputs = pool_inputs, .ids = pool_ids },
        .pool_labels = pool_labels,
        .forms = &fresh.forms,
        .task = "anchors",
    };
    *state = &fresh;
    return 0;
}

static int close_world(void **state)
{
    world *of = *state;
    icl_scoring_free(of->scoring);
    icl_jinja_free(of->template);
    icl_verbalizer_free(of->verbalizer);
    icl_engine_close(of->engine);
    icl_model_close(of->model);
    return 0;
}

static void begin(world *of, icl_score_wants wants)
{
    icl_scoring_free(of->scoring);
    if (icl_scoring_new(&of->scoring, &of->source, of->template, &wants) != ICL_OK)
        fail_msg("%s", icl_error_message());
}

static size_t add(world *of, const size_t *items, size_t count, const char *input, const char *name)
{
    size_t row = SIZE_MAX;
    const icl_shown shown = { .items = items, .count = count, .input = input, .name = name };
    if (icl_scoring_add(of->scoring, &shown, &row) != ICL_OK) fail_msg("%s", icl_error_message());
    return row;
}

static const icl_score_input *answer(world *of, uint64_t seed)
{
    if (icl_scoring_add_anchors(of->scoring, seed) != ICL_OK) fail_msg("%s", icl_error_message());
    if (icl_engine_run(of->engine, icl_scoring_batch(of->scoring)) != ICL_OK)
        fail_msg("%s", icl_error_message());
    assert_int_equal(icl_scoring_collect(of->scoring), ICL_OK);
    return icl_scoring_answers(of->scoring);
}

static size_t context_of(int32_t out[64], const char *text)
{
    out[0] = BOS;
    for (size_t i = 0; text[i] != '\0'; i++) out[1 + i] = (unsigned char)text[i];
    return 1 + strlen(text);
}

static void assert_state_after(const float *state, const char *text)
{
    int32_t context[64];
    float expected[STATE_SIZE];
    hashed_state(NULL, expected, context, context_of(context, text));
    assert_memory_equal(state, expected, sizeof expected);
}

/* The pool item whose state after the demonstrations this is, or POOL. */
static size_t item_with(const float *state, const char *demonstrations)
{
    for (size_t item = 0; item < POOL; item++) {
        char text[64];
        int32_t context[64];
        float expected[STATE_SIZE];
        snprintf(text, sizeof text, "%s%s", demonstrations, pool_inputs[item]);
        hashed_state(NULL, expected, context, context_of(context, text));
        if (memcmp(expected, state, sizeof expected) == 0) return item;
    }
    return POOL;
}

static const icl_score_wants states_of_anchors = { .parts = 1u << ICL_SCORE_HIDDEN,
                                                   .anchors = 4,
                                                   .anchor_parts = 1u << ICL_SCORE_HIDDEN };
static const size_t two[] = { 0, 4 }, other_two[] = { 4, 0 };

/* "x0=a x4=a " is shown: neither 0 nor 4, nor 8, which has no label, nor the row's own text. */
static void test_scoring_anchors__are_labelled_items_that_are_not_shown(void **state)
{
    world *of = *state;
    for (uint64_t seed = 0; seed < 20; seed++) {
        bool seen[POOL + 1] = { false };
        begin(of, states_of_anchors);
        add(of, two, 2, "x5=", "q1");
        const icl_score_input *answers = answer(of, seed);
        assert_int_equal(answers->row_count, 1);
        const icl_score_row *row = &answers->rows[0];
        assert_state_after(row->hidden, "x0=a x4=a x5=");
        assert_int_equal(row->anchors->count, 4);
        for (size_t i = 0; i < 4; i++) {
            const size_t item = item_with(row->anchors->rows[i].hidden, "x0=a x4=a ");
            assert_true(item == 1 || item == 2 || item == 3 || item == 6 || item == 7);
            assert_false(seen[item]);
            seen[item] = true;
            assert_int_equal(row->anchors->labels[i], pool_labels[item]);
        }
        assert_true(seen[3]); /* the only one of its label */
    }
}

static void test_scoring_anchors__the_seed_decides_which(void **state)
{
    world *of = *state;
    size_t counts[POOL + 1] = { 0 };
    icl_score_wants wants = states_of_anchors;
    wants.anchors = 2;
    for (uint64_t seed = 0; seed < 60; seed++) {
        float states[2][2][STATE_SIZE];
        for (int again = 0; again < 2; again++) {
            begin(of, wants);
            add(of, NULL, 0, "q=", "q1");
            const icl_score_anchors *anchors = answer(of, seed)->rows[0].anchors;
            for (size_t i = 0; i < 2; i++)
                memcpy(states[again][i], anchors->rows[i].hidden, sizeof states[again][i]);
        }
        assert_memory_equal(states[0], states[1], sizeof states[0]);
        for (size_t i = 0; i < 2; i++) counts[item_with(states[0][i], "")]++;
    }
    assert_int_equal(counts[3], 60); /* one of each label */
    for (size_t item = 0; item < 8; item++) assert_in_range(counts[item], 2, 60);
    assert_int_equal(counts[8] + counts[POOL], 0);
}

static void test_scoring_anchors__are_shared_under_equal_demonstrations(void **state)
{
    world *of = *state;
    begin(of, states_of_anchors);
    add(of, two, 2, "q1=", "q1");
    add(of, other_two, 2, "q2=", "q2");
    add(of, two, 2, "q3=", "q3");
    add(of, NULL, 0, "q3=", "q3");
    const icl_score_input *answers = answer(of, 3);
    assert_int_equal(answers->row_count, 4);
    assert_ptr_equal(answers->rows[0].anchors, answers->rows[2].anchors);
    assert_ptr_not_equal(answers->rows[0].anchors, answers->rows[1].anchors);
    assert_ptr_not_equal(answers->rows[0].anchors, answers->rows[3].anchors);
    assert_int_equal(icl_batch_count(icl_scoring_batch(of->scoring)), 4 + 3 * 4);
    assert_true(item_with(answers->rows[1].anchors->rows[0].hidden, "x4=a x0=a ") < POOL);
}

static void test_scoring_anchors__with_demonstrations_of_their_own_serve_all(void **state)
{
    world *of = *state;
    icl_score_wants wants = states_of_anchors;
    wants.anchors_show = ICL_ANCHORS_SHOW_RANDOM;
    wants.anchors = 2;
    static const size_t near_one[] = { 3 }, near_other[] = { 5 };
    begin(of, wants);
    add(of, near_one, 1, "q1=", "q1");
    add(of, near_other, 1, "q2=", "q2");
    const icl_score_input *answers = answer(of, 8);
    const icl_score_anchors *anchors = answers->rows[0].anchors;
    assert_ptr_equal(anchors, answers->rows[1].anchors);
    assert_int_equal(anchors->count, 2);
    for (size_t i = 0; i < 2; i++) {
        size_t found = POOL;
        assert_int_equal(anchors->rows[i].shown_count, 1);
        for (size_t shown = 0; shown < POOL - 1 && found == POOL; shown++) {
            char text[64];
            snprintf(text, sizeof text, "%s%s ", pool_inputs[shown],
                     pool_labels[shown] == 0 ? "a" : "b");
            found = item_with(anchors->rows[i].hidden, text);
            if (found < POOL) assert_int_not_equal(found, shown);
        }
        assert_true(found < POOL);
    }
}

static void test_scoring_anchors__distributions_are_whole_or_the_likeliest_tokens(void **state)
{
    world *of = *state;
    icl_score_wants wants = { .parts = 1u << ICL_SCORE_NEXT,
                              .anchors = 2,
                              .anchor_parts = 1u << ICL_SCORE_NEXT,
                              .anchor_tokens = 5 };
    begin(of, wants);
    add(of, two, 2, "q1=", "q1");
    const icl_score_row *row = &answer(of, 1)->rows[0];
    assert_int_equal(row->next.count, VOCAB_COUNT);
    double mass = 0;
    for (size_t v = 0; v < VOCAB_COUNT; v++) mass += exp((double)row->next.whole[v]);
    assert_near(mass, 1, 1e-5);
    const icl_score_next kept = row->anchors->rows[0].next;
    assert_null(kept.whole);
    assert_int_equal(kept.count, 5);
    double nats[5];
    memcpy(nats, kept.nats, sizeof nats);
    int32_t tokens[5];
    memcpy(tokens, kept.tokens, sizeof tokens);
    wants.anchor_tokens = 0;
    begin(of, wants);
    add(of, two, 2, "q1=", "q1");
    const icl_score_next whole = answer(of, 1)->rows[0].anchors->rows[0].next;
    assert_int_equal(whole.count, VOCAB_COUNT);
    for (size_t i = 0; i < 5; i++) {
        assert_near(whole.whole[tokens[i]], nats[i], 1e-6);
        assert_true(i == 0 || nats[i] <= nats[i - 1]);
    }
}

static void test_scoring_anchors__requests_say_whose_they_are(void **state)
{
    world *of = *state;
    begin(of, states_of_anchors);
    add(of, two, 2, "q1=", "q1");
    add(of, two, 2, "q2=", "q2");
    const icl_score_input *answers = answer(of, 1);
    const size_t item = item_with(answers->rows[0].anchors->rows[0].hidden, "x0=a x4=a ");
    icl_text id = { 0 };
    icl_scoring_describe_request(&id, of->scoring, 1);
    assert_string_equal(icl_text_string(&id), "hidden");
    icl_text_clear(&id);
    icl_scoring_describe_request(&id, of->scoring, 2);
    char expected[32];
    snprintf(expected, sizeof expected, "anchor-%s/hidden", pool_ids[item]);
    assert_string_equal(icl_text_string(&id), expected);
    icl_text_deinit(&id);
    assert_int_equal(icl_scoring_request_row(of->scoring, 1), 1);
    assert_int_equal(icl_scoring_request_row(of->scoring, 2), 0);
}

static void test_scoring_anchors__what_cannot_be_is_refused(void **state)
{
    world *of = *state;
    static const size_t none[POOL] = { ICL_LABEL_NONE, ICL_LABEL_NONE, ICL_LABEL_NONE,
                                       ICL_LABEL_NONE, ICL_LABEL_NONE, ICL_LABEL_NONE,
                                       ICL_LABEL_NONE, ICL_LABEL_NONE, ICL_LABEL_NONE };
    of->source.pool_labels = none;
    begin(of, states_of_anchors);
    add(of, NULL, 0, "q1=", "q1");
    assert_int_equal(icl_scoring_add_anchors(of->scoring, 1), ICL_EINVAL);
    assert_string_equal(icl_error_message(),
                        "no labelled pool item is left to compare \"q1\" with");
    /* A model whose states cannot be read. */
    icl_model *plain = NULL;
    icl_scoring *scoring = NULL;
    icl_engine_close(of->engine);
    assert_int_equal(icl_model_open_table(&plain, hashed_logits, NULL, 0), ICL_OK);
    assert_int_equal(icl_engine_open(&of->engine, plain, NULL), ICL_OK);
    of->source.engine = of->engine;
    assert_int_equal(icl_scoring_new(&scoring, &of->source, of->template, &states_of_anchors),
                     ICL_EUNSUPPORTED);
    assert_null(scoring);
    assert_string_equal(icl_error_message(),
                        "the model does not give hidden states (hand-written table)");
    icl_model_close(of->model);
    of->model = plain;
}

#define in_world(test) cmocka_unit_test_setup_teardown(test, open_world, close_world)

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_world(test_scoring_anchors__are_labelled_items_that_are_not_shown),
        in_world(test_scoring_anchors__the_seed_decides_which),
        in_world(test_scoring_anchors__are_shared_under_equal_demonstrations),
        in_world(test_scoring_anchors__with_demonstrations_of_their_own_serve_all),
        in_world(test_scoring_anchors__distributions_are_whole_or_the_likeliest_tokens),
        in_world(test_scoring_anchors__requests_say_whose_they_are),
        in_world(test_scoring_anchors__what_cannot_be_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
