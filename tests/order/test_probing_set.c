/* What of a model's texts becomes a probing input, and how they are asked for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "order/probing_set.h"
#include "order_call.h"
#include "order_world.h"

enum { POOL = 4, QUERIES = 2, K = 2, LABELS = 2, DRAWS_MAX = 64 };

/* A model that writes one text after the other, and remembers how it was asked. */
typedef struct writer {
    const char *const *texts; /* ends with NULL; then "" */
    size_t written;
    icl_ask_generation how[DRAWS_MAX];
    char opening[DRAWS_MAX][16], last[DRAWS_MAX][16];
} writer;

static void writes(void *context, fake_answer *answer, const fake_data *data,
                   const icl_ask_prompt *prompt, const icl_ask_generation *how)
{
    (void)data;
    writer *self = context;
    assert_true(prompt->of == ICL_ASK_WRITTEN && prompt->shown_count == K);
    assert_true(self->written < DRAWS_MAX);
    self->how[self->written] = *how;
    snprintf(self->opening[self->written], sizeof *self->opening, "%s", prompt->written);
    snprintf(self->last[self->written], sizeof *self->last, "%s", how->last ? how->last : "");
    size_t count = 0;
    while (self->texts[count] != NULL) count++;
    if (self->written < count)
        snprintf(answer->generation, sizeof answer->generation, "%s", self->texts[self->written]);
    self->written++;
}

static const char *const pool_texts[POOL] = { "a", "b", "c", "d" };
static const char *const query_texts[QUERIES] = { "e", "f" };
static const char *const query_ids[QUERIES] = { "0", "1" };
static const size_t pool_labels[POOL] = { 0, 1, 0, 1 }, selected[QUERIES * K] = { 0, 1, 2, 3 };
static const char *const review_frame[] = { "Review: ", "\nMood:" };
static const char *const pair_frame[] = { "One: ", "\nTwo: ", "" };

typedef struct stage {
    icl_order_input input;
    fake_asker fake;
    writer writer;
    icl_options options;
    icl_candidate_orders tried;
} stage;

static void stage_init(stage *s, const char *const *texts, const char *const *frame,
                       size_t frame_count, const char *answer_prefix, const char *call)
{
    const icl_order_method *method = NULL;
    *s = (stage){ .writer = { .texts = texts } };
    s->input = ORDER_INPUT(.task = "probing");
    fake_asker_serve(&s->fake, &s->input, writes, &s->writer);
    s->fake.asker.frame = frame;
    s->fake.asker.frame_count = frame_count;
    s->fake.asker.answer_prefix = answer_prefix;
    s->options = order_options(&method, call);
    assert_int_equal(icl_candidate_orders_make(&s->tried, &s->input, &s->options, ICL_GROUP_BY_SET),
                     ICL_OK);
    assert_int_equal(s->tried.count, 2);
}

static void stage_deinit(stage *s)
{
    icl_candidate_orders_deinit(&s->tried);
    icl_options_deinit(&s->options);
}

static icl_probing_set write_set(stage *s, size_t group)
{
    icl_probing_set probes = { 0 };
    assert_int_equal(icl_probing_set_write(&probes, &s->input, &s->tried, group, &s->options),
                     ICL_OK);
    for (size_t i = 0; i < probes.count; i++) {
        assert_int_equal(probes.inputs[i].of, ICL_ASK_WRITTEN);
        assert_ptr_equal(probes.inputs[i].written, probes.texts[i]);
    }
    return probes;
}

static void test_probing_set__keeps_whole_new_texts_without_their_label(void **state)
{
    (void)state;
    static const char *const texts[] = {
        " it is a  fine\tplay\a indeed\nMood: happy\n",
        " too short\nMood: happy",
        " it has no end although it is long enough",
        " it is a fine play indeed\nMood: sad", /* the first one again, with another label */
        " another long and quite sad one\nMood:",
        NULL,
    };
    stage s;
    stage_init(&s, texts, review_frame, 2, " ", "global-e(samples=2)");
    icl_probing_set probes = write_set(&s, 0);
    assert_int_equal(probes.count, 2);
    assert_string_equal(probes.texts[0], "Review: it is a fine play indeed\nMood:");
    assert_string_equal(probes.texts[1], "Review: another long and quite sad one\nMood:");
    icl_probing_set_deinit(&probes);
    stage_deinit(&s);
}

static void test_probing_set__every_field_needs_its_words(void **state)
{
    (void)state;
    static const char *const texts[] = { "a b c\nTwo: d e f\nLabel: yes",
                                         "a b c\nTwo: d\nLabel: no", "a b c d e f\nLabel: no",
                                         NULL };
    stage s;
    stage_init(&s, texts, pair_frame, 3, "\nLabel:", "local-e(words_min=3)");
    icl_probing_set probes = write_set(&s, 0);
    assert_int_equal(probes.count, 1);
    assert_string_equal(probes.texts[0], "One: a b c\nTwo: d e f");
    icl_probing_set_deinit(&probes);
    stage_deinit(&s);
}

static void test_probing_set__without_an_ending_the_whole_text_counts(void **state)
{
    (void)state;
    static const char *const bare[] = { "", "" }, *const texts[] = { "one two three four five",
                                                                     NULL };
    stage s;
    stage_init(&s, texts, bare, 2, " ", "global-e");
    icl_probing_set probes = write_set(&s, 0);
    assert_int_equal(probes.count, 1);
    assert_string_equal(probes.texts[0], "one two three four five");
    icl_probing_set_deinit(&probes);
    stage_deinit(&s);
}

static void test_probing_set__holds_no_more_than_asked(void **state)
{
    (void)state;
    static const char *const texts[] = { "a b c d e\nMood:", "b c d e f\nMood:", "c d e f g\nMood:",
                                         NULL };
    stage s;
    stage_init(&s, texts, review_frame, 2, "", "global-e(inputs=2)");
    icl_probing_set probes = write_set(&s, 0);
    assert_int_equal(probes.count, 2);
    icl_probing_set_deinit(&probes);
    stage_deinit(&s);
}

/* Two orders, each twice without repeated triples and twice without repeated runs of five. */
static void test_probing_set__draws_as_the_authors_do(void **state)
{
    (void)state;
    static const char *const texts[] = { NULL };
    stage s;
    stage_init(&s, texts, review_frame, 2, "", "global-e(samples=2)");
    icl_probing_set probes = write_set(&s, 0);
    assert_int_equal(probes.count, 0);
    assert_int_equal(s.fake.calls, 4);
    assert_int_equal(s.writer.written, 8);
    for (size_t i = 0; i < 8; i++) {
        const icl_ask_generation *how = &s.writer.how[i];
        assert_true(how->temperature == 2 && how->top_k == 20 && how->tokens_max == 128);
        assert_int_equal(how->no_repeat, i < 4 ? 3 : 5);
        assert_true(how->keeps_form);
        assert_string_equal(s.writer.last[i], "\nMood:");
        assert_string_equal(s.writer.opening[i], "Review:"); /* the blank begins the next token */
        if (i % 2 == 1) assert_true(how->seed == s.writer.how[i - 1].seed);
        if (i >= 2) assert_true(how->seed != s.writer.how[i - 2].seed);
    }
    icl_probing_set_deinit(&probes);
    stage_deinit(&s);
}

static void test_probing_set__seeds_hang_on_the_set_alone(void **state)
{
    (void)state;
    static const char *const texts[] = { NULL };
    stage s;
    stage_init(&s, texts, review_frame, 2, "", "global-e");
    for (size_t i = 0; i < 3; i++) { /* groups 0, 1, 0 */
        icl_probing_set probes = write_set(&s, i % 2);
        icl_probing_set_deinit(&probes);
    }
    assert_true(s.writer.how[0].seed != s.writer.how[4].seed);
    assert_true(s.writer.how[0].seed == s.writer.how[8].seed);
    stage_deinit(&s);
}

static void test_probing_set__without_fields_nothing_is_written(void **state)
{
    (void)state;
    static const char *const texts[] = { NULL };
    stage s;
    stage_init(&s, texts, NULL, 0, NULL, "global-e");
    icl_probing_set probes = write_set(&s, 0);
    assert_int_equal(probes.count, 0);
    assert_int_equal(s.fake.calls, 0);
    icl_probing_set_deinit(&probes);
    stage_deinit(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_probing_set__keeps_whole_new_texts_without_their_label),
        cmocka_unit_test(test_probing_set__every_field_needs_its_words),
        cmocka_unit_test(test_probing_set__without_an_ending_the_whole_text_counts),
        cmocka_unit_test(test_probing_set__holds_no_more_than_asked),
        cmocka_unit_test(test_probing_set__draws_as_the_authors_do),
        cmocka_unit_test(test_probing_set__seeds_hang_on_the_set_alone),
        cmocka_unit_test(test_probing_set__without_fields_nothing_is_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
