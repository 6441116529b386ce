/* The service behind template/ask.h on the table model: answers against sums that are written out
 * here, what is asked and what is not, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <icl/sys/model.h>

#include "near.h"
#include "pipeline/ask.h"

enum { VOCAB_COUNT = 257, LABELS = 2, POOL = 5 };

/* 'a' follows a blank with odds 256 : 1 against each other token, so P = 1/2; a blank follows a
 * colon likewise; all else is uniform. */
static void logits_of(void *user, float *out, const int32_t *context, size_t count)
{
    (void)user;
    memset(out, 0, VOCAB_COUNT * sizeof *out);
    if (context[count - 1] == ' ') out['a'] = (float)log(256);
    if (context[count - 1] == ':') out[' '] = (float)log(256);
}

static double nats_of_byte(char before, char byte)
{
    const char likely = before == ' ' ? 'a' : before == ':' ? ' ' : '\0';
    if (likely == '\0') return -log(257);
    return byte == likely ? log(0.5) : log(0.5 / 256);
}

/* log P(text[first ..]), with BOS before the text. */
static double nats_of(const char *text, size_t first)
{
    double sum = 0;
    for (size_t i = first; text[i] != '\0'; i++)
        sum += nats_of_byte(i > 0 ? text[i - 1] : '\0', text[i]);
    return sum;
}

/* Item 4 is empty; item 3 reads like item 1. */
static const char *const pool_inputs[POOL] = { "in: one", "in: a a", "two", "in: a a", "" };
static const char *const pool_ids[POOL] = { "p0", "p1", "p2", "p3", "p4" };
static const char *const query_inputs[] = { "in: a query", "in: a a" };
static const char *const query_ids[] = { "q0", "q1" };
static const size_t pool_labels[POOL] = { 0, 1, 1, 0, 1 };

typedef struct world {
    icl_model *model;
    icl_engine *engine;
    icl_verbalizer *verbalizer;
    icl_ask_source source;
    icl_ask_service *service;
    const icl_asker *asker;
} world;

static world open_with(icl_table_logits logits, size_t window, const char *journal)
{
    world w = { 0 };
    icl_engine_options options = icl_engine_options_default();
    options.journal_path = journal;
    assert_int_equal(icl_model_open_table(&w.model, logits, NULL, window), ICL_OK);
    assert_int_equal(icl_engine_open(&w.engine, w.model, &options), ICL_OK);
    assert_int_equal(icl_verbalizer_parse(&w.verbalizer, "yes=a|an,no=no"), ICL_OK);
    w.source = (icl_ask_source){
        .engine = w.engine,
        .prompts = { .instruction = "", .answer_prefix = ": ", .separator = "\n" },
        .verbalizer = w.verbalizer,
        .pool = { .count = POOL, .inputs = pool_inputs, .ids = pool_ids },
        .queries = { .count = 2, .inputs = query_inputs, .ids = query_ids },
        .pool_labels = pool_labels,
    };
    assert_int_equal(icl_ask_service_new(&w.service, &w.source), ICL_OK);
    w.asker = icl_ask_service_asker(w.service);
    return w;
}

static world open_world(void)
{
    return open_with(logits_of, 0, NULL);
}

static void close_world(world *w)
{
    icl_ask_service_free(w->service);
    icl_verbalizer_free(w->verbalizer);
    icl_engine_close(w->engine);
    icl_model_close(w->model);
}

static uint64_t asked(const world *w)
{
    return icl_engine_get_meter(w->engine).requests;
}

static const size_t shown[] = { 2, 0 };

static icl_ask_prompt of_query(size_t item, size_t shown_count)
{
    return (icl_ask_prompt){
        .shown = shown, .shown_count = shown_count, .of = ICL_ASK_QUERY, .item = item
    };
}

static icl_ask_prompt of_pool(size_t item, size_t shown_count)
{
    return (icl_ask_prompt){
        .shown = shown, .shown_count = shown_count, .of = ICL_ASK_POOL, .item = item
    };
}

/* A label's probability is that of its first name or of its second. */
static void test_ask__labels_hold_the_mass_of_all_their_names(void **state)
{
    world w = open_world();
    const icl_ask_prompt prompts[] = { of_query(0, 2), of_query(1, 0) };
    double nats[2 * LABELS];
    assert_int_equal(w.asker->labels(w.asker->user, nats, prompts, 2), ICL_OK);
    /* ": a" is ':' anywhere, ' ' after ':', 'a' after ' '; "an" goes on with 'n'. */
    const double first = log(0.5) * 2 - log(257), second = first - log(257);
    assert_near(nats[0], log(exp(first) + exp(second)), 1e-6);
    assert_near(nats[1], log(0.5) + log(0.5 / 256) - 2 * log(257), 1e-6); /* ": no" */
    assert_near(nats[2], nats[0], 1e-9); /* this model looks back one token only */
    assert_near(nats[3], nats[1], 1e-9);
    close_world(&w);
}

static void test_ask__inputs_are_scored_under_the_demonstrations(void **state)
{
    world w = open_world();
    const icl_ask_prompt prompts[] = { of_query(0, 2), of_pool(1, 1), of_pool(2, 0) };
    icl_ask_text out[3];
    assert_int_equal(w.asker->inputs(w.asker->user, out, prompts, 3), ICL_OK);
    const char *const texts[] = { "two: no\nin: one: a\nin: a query", "two: no\nin: a a", "two" };
    const size_t firsts[] = { strlen("two: no\nin: one: a\n"), strlen("two: no\n"), 0 };
    for (size_t i = 0; i < 3; i++) {
        assert_near(out[i].nats, nats_of(texts[i], firsts[i]), 1e-5);
        assert_int_equal(out[i].tokens, strlen(texts[i]) - firsts[i]);
    }
    close_world(&w);
}

static void test_ask__texts_are_scored_from_the_first_token_after_bos(void **state)
{
    world w = open_world();
    const icl_ask_prompt prompts[] = { of_query(0, 2), of_pool(2, 0) };
    icl_ask_text out[2];
    assert_int_equal(w.asker->texts(w.asker->user, out, prompts, 2), ICL_OK);
    const char whole[] = "two: no\nin: one: a\nin: a query";
    assert_near(out[0].nats, nats_of(whole, 0), 1e-5);
    assert_int_equal(out[0].tokens, sizeof whole - 1);
    assert_near(out[1].nats, -3 * log(257), 1e-5);
    assert_int_equal(out[1].tokens, 3);
    close_world(&w);
}

/* As if 'x' were the whole vocabulary: perplexity exp(-nats / tokens) is 1. */
static void one_token_logits(void *user, float *out, const int32_t *context, size_t count)
{
    (void)user, (void)context, (void)count;
    for (size_t i = 0; i < VOCAB_COUNT; i++) out[i] = i == 'x' ? 0 : -INFINITY;
}

static void test_ask__the_only_possible_text_has_perplexity_one(void **state)
{
    static const char *const inputs[] = { "xxxxx" };
    world w = open_with(one_token_logits, 0, NULL);
    icl_ask_service_free(w.service);
    w.source.pool = (icl_ask_items){ .count = 1, .inputs = inputs, .ids = inputs };
    assert_int_equal(icl_ask_service_new(&w.service, &w.source), ICL_OK);
    w.asker = icl_ask_service_asker(w.service);
    const icl_ask_prompt prompt = of_pool(0, 0);
    icl_ask_text text;
    assert_int_equal(w.asker->texts(w.asker->user, &text, &prompt, 1), ICL_OK);
    assert_int_equal(text.tokens, 5);
    assert_near(exp(-text.nats / 5), 1, 0);
    close_world(&w);
}

/* log P(input | shown) = log P(shown, input) - log P(shown): item 4 is empty. */
static void test_ask__an_input_is_the_difference_of_two_texts(void **state)
{
    world w = open_world();
    const icl_ask_prompt with = of_query(0, 2), without = of_pool(4, 2);
    icl_ask_text input, both, alone;
    assert_int_equal(w.asker->inputs(w.asker->user, &input, &with, 1), ICL_OK);
    assert_int_equal(w.asker->texts(w.asker->user, &both, &with, 1), ICL_OK);
    assert_int_equal(w.asker->texts(w.asker->user, &alone, &without, 1), ICL_OK);
    assert_near(input.nats, both.nats - alone.nats, 1e-9);
    assert_int_equal(input.tokens, both.tokens - alone.tokens);
    close_world(&w);
}

/* Spells "abc", a line break, "x", from what stands before it. */
static void spelling_logits(void *user, float *out, const int32_t *context, size_t count)
{
    static const char next[] = { ['>'] = 'a', ['a'] = 'b', ['b'] = 'c', ['c'] = '\n' };
    (void)user;
    memset(out, 0, VOCAB_COUNT * sizeof *out);
    const int32_t last = context[count - 1];
    if (last >= 0 && (size_t)last < sizeof next) out[(size_t)next[last]] += 5;
}

static void test_ask__generation_ends_before_the_separator_or_at_its_limit(void **state)
{
    world w = open_with(spelling_logits, 0, NULL);
    const icl_ask_prompt prompts[] = { of_query(0, 2), of_pool(2, 0), of_query(0, 2) };
    char *texts[3];
    assert_int_equal(w.asker->generate(w.asker->user, texts, prompts, 3,
                                       &(icl_ask_generation){ .cue = ">", .tokens_max = 50 }),
                     ICL_OK);
    assert_int_equal(asked(&w), 2 * 4); /* two prompts; a, b, c, line break */
    for (size_t i = 0; i < 3; i++) assert_string_equal(texts[i], "abc");
    for (size_t i = 0; i < 3; i++) free(texts[i]);
    assert_int_equal(w.asker->generate(w.asker->user, texts, prompts, 1,
                                       &(icl_ask_generation){ .cue = ">", .tokens_max = 2 }),
                     ICL_OK);
    assert_string_equal(texts[0], "ab");
    free(texts[0]);
    assert_int_equal(w.asker->generate(w.asker->user, texts, prompts, 1,
                                       &(icl_ask_generation){ .cue = ">", .tokens_max = 0 }),
                     ICL_OK);
    assert_string_equal(texts[0], "");
    free(texts[0]);
    /* Nothing follows '?': the lowest token is a NUL byte, at which a text ends. */
    assert_int_equal(w.asker->generate(w.asker->user, texts, prompts, 1,
                                       &(icl_ask_generation){ .cue = "?", .tokens_max = 9 }),
                     ICL_OK);
    assert_string_equal(texts[0], "");
    free(texts[0]);
    close_world(&w);
}

/* Letters that hang on the two before them; the weights make runs, loops and surprises. */
static void looping_logits(void *user, float *out, const int32_t *context, size_t count)
{
    const int32_t last = context[count - 1], before = count > 1 ? context[count - 2] : 0;
    const uint32_t mixed = ((uint32_t)last * 31 + (uint32_t)before * 7 + *(uint32_t *)user) * 97;
    memset(out, 0, VOCAB_COUNT * sizeof *out);
    out['a' + mixed / 8 % 5] = 3;
    out['c'] += (float)(mixed % 3);
    if (mixed % 29 == 0) out['\n'] = 9;
}

/* One token after the other, and what makes a text end. */
static void spell_greedily(char *out, uint32_t variant, const char *prompt, size_t tokens_max)
{
    int32_t context[256] = { 256 }; /* BOS */
    size_t count = 1, length = 0;
    for (; prompt[count - 1] != '\0'; count++) context[count] = (unsigned char)prompt[count - 1];
    for (; length < tokens_max; length++) {
        float logits[VOCAB_COUNT];
        int32_t best = 0;
        looping_logits(&variant, logits, context, count);
        for (int32_t i = 1; i < VOCAB_COUNT; i++)
            if (logits[i] > logits[best]) best = i;
        if (best == '\n') break;
        context[count++] = best;
        out[length] = (char)best;
    }
    out[length] = '\0';
}

static void test_ask__generation_is_greedy_token_by_token(void **state)
{
    uint64_t steps = 0, tokens = 0;
    for (uint32_t variant = 0; variant < 60; variant++) {
        world w = open_with(looping_logits, 0, NULL);
        icl_engine_close(w.engine);
        icl_model_close(w.model);
        assert_int_equal(icl_model_open_table(&w.model, looping_logits, &variant, 0), ICL_OK);
        assert_int_equal(icl_engine_open(&w.engine, w.model, NULL), ICL_OK);
        icl_ask_service_free(w.service);
        w.source.engine = w.engine;
        assert_int_equal(icl_ask_service_new(&w.service, &w.source), ICL_OK);
        w.asker = icl_ask_service_asker(w.service);
        const icl_ask_prompt prompts[] = { of_query(0, 2), of_pool(2, 0) };
        char *texts[2], expected[64];
        const size_t most = 1 + variant % 50;
        assert_int_equal(
            w.asker->generate(w.asker->user, texts, prompts, 2,
                              &(icl_ask_generation){ .cue = "ab", .tokens_max = most }),
            ICL_OK);
        spell_greedily(expected, variant, "two: no\nin: one: a\nin: a queryab", most);
        assert_string_equal(texts[0], expected);
        tokens += strlen(expected);
        spell_greedily(expected, variant, "twoab", most);
        assert_string_equal(texts[1], expected);
        tokens += strlen(expected);
        steps += asked(&w);
        free(texts[0]);
        free(texts[1]);
        close_world(&w);
    }
    assert_true(steps * 2 < tokens); /* what repeats itself comes several tokens a batch */
}

/* Always the first byte of a character of two bytes. */
static void half_character_logits(void *user, float *out, const int32_t *context, size_t count)
{
    (void)user, (void)context, (void)count;
    memset(out, 0, VOCAB_COUNT * sizeof *out);
    out[0xC3] = 5;
}

static void test_ask__generation_is_cut_before_half_a_character(void **state)
{
    world w = open_with(half_character_logits, 0, NULL);
    const icl_ask_prompt prompt = of_query(0, 0);
    char *text = NULL;
    assert_int_equal(w.asker->generate(w.asker->user, &text, &prompt, 1,
                                       &(icl_ask_generation){ .cue = "", .tokens_max = 3 }),
                     ICL_OK);
    assert_string_equal(text, "");
    free(text);
    close_world(&w);
}

static void test_ask__equal_prompts_are_asked_once(void **state)
{
    world w = open_world();
    /* Pool items 1 and 3 and query 1 read alike. */
    const icl_ask_prompt prompts[] = { of_pool(1, 2), of_query(1, 2), of_pool(3, 2),
                                       of_pool(1, 1) };
    icl_ask_text out[4];
    assert_int_equal(w.asker->texts(w.asker->user, out, prompts, 4), ICL_OK);
    assert_int_equal(asked(&w), 2);
    assert_memory_equal(&out[0].nats, &out[1].nats, sizeof(double));
    assert_memory_equal(&out[0].nats, &out[2].nats, sizeof(double));
    assert_true(out[3].tokens < out[0].tokens);
    assert_int_equal(w.asker->labels(w.asker->user, NULL, NULL, 0), ICL_OK);
    assert_int_equal(asked(&w), 2);
    close_world(&w);
}

static void test_ask__what_the_journal_holds_is_not_asked_again(void **state)
{
    char path[] = "/tmp/icl-test-ask-XXXXXX";
    const int descriptor = mkstemp(path);
    assert_true(descriptor >= 0);
    close(descriptor);
    const icl_ask_prompt prompts[] = { of_query(0, 2), of_pool(1, 1) };
    double nats[2][2 * LABELS];
    char *texts[2][2];
    for (size_t i = 0; i < 2; i++) {
        world w = open_with(logits_of, 0, path);
        assert_int_equal(w.asker->labels(w.asker->user, nats[i], prompts, 2), ICL_OK);
        assert_int_equal(w.asker->generate(w.asker->user, texts[i], prompts, 2,
                                           &(icl_ask_generation){ .cue = " ", .tokens_max = 6 }),
                         ICL_OK);
        if (i == 1) assert_int_equal(asked(&w), 0);
        close_world(&w);
    }
    assert_memory_equal(nats[0], nats[1], sizeof nats[0]);
    for (size_t i = 0; i < 2; i++) {
        assert_string_equal(texts[0][i], texts[1][i]);
        free(texts[0][i]);
        free(texts[1][i]);
    }
    char beside[64];
    unlink(path);
    snprintf(beside, sizeof beside, "%s-wal", path);
    unlink(beside);
    snprintf(beside, sizeof beside, "%s-shm", path);
    unlink(beside);
}

/* Prompts of more tokens than a batch may have: the answers are those of each prompt alone. */
static void test_ask__long_calls_are_cut_without_a_trace(void **state)
{
    enum { LONG = 3000, COUNT = 200 };
    world w = open_world();
    char *demonstration = malloc(LONG + 1);
    static char inputs[COUNT][16];
    const char *pool[COUNT + 1], *ids[COUNT + 1];
    static size_t labels[COUNT + 1];
    icl_ask_prompt prompts[COUNT];
    static double all[COUNT][LABELS];
    const size_t last = COUNT;
    memset(demonstration, 'x', LONG);
    demonstration[LONG] = '\0';
    pool[COUNT] = demonstration;
    ids[COUNT] = "long";
    for (size_t i = 0; i < COUNT; i++) {
        snprintf(inputs[i], sizeof inputs[i], "in %zu", i);
        pool[i] = ids[i] = inputs[i];
        prompts[i] = (icl_ask_prompt){ .shown = &last, .shown_count = 1, .item = i };
    }
    icl_ask_service_free(w.service);
    w.source.pool = (icl_ask_items){ .count = COUNT + 1, .inputs = pool, .ids = ids };
    w.source.pool_labels = labels;
    assert_int_equal(icl_ask_service_new(&w.service, &w.source), ICL_OK);
    w.asker = icl_ask_service_asker(w.service);
    assert_int_equal(w.asker->labels(w.asker->user, &all[0][0], prompts, COUNT), ICL_OK);
    const uint64_t tokens = icl_engine_get_meter(w.engine).tokens_trie;
    assert_true(tokens > 2 * LONG && tokens < 3 * LONG + COUNT * 16); /* the start, in both parts */
    double one[LABELS];
    for (size_t i = 0; i < COUNT; i += 99) {
        assert_int_equal(w.asker->labels(w.asker->user, one, &prompts[i], 1), ICL_OK);
        assert_memory_equal(one, all[i], sizeof one);
    }
    free(demonstration);
    close_world(&w);
}

static void test_ask__demonstrations_are_dropped_to_fit_the_window(void **state)
{
    world w = open_with(logits_of, 24, NULL);
    const icl_ask_prompt prompts[] = { of_pool(1, 2), of_query(0, 0) };
    icl_ask_text out[2];
    assert_int_equal(w.asker->texts(w.asker->user, out, prompts, 2), ICL_OK);
    assert_near(out[0].nats, nats_of("in: one: a\nin: a a", 0), 1e-5); /* the far one went */
    close_world(&w);
}

static void test_ask__failures_touch_nothing(void **state)
{
    world w = open_with(logits_of, 14, NULL);
    const icl_ask_prompt prompts[] = { of_pool(2, 0), of_query(0, 0), of_pool(4, 0) };
    double nats[2 * LABELS] = { 7, 7, 7, 7 };
    icl_ask_text text = { 7, 7 };
    char *generated = NULL;
    assert_int_equal(w.asker->labels(w.asker->user, nats, prompts, 2), ICL_ECONTEXT);
    assert_non_null(strstr(icl_error_message(), "q0: a prompt of 12 tokens"));
    assert_int_equal(w.asker->inputs(w.asker->user, &text, &prompts[2], 1), ICL_EINVAL);
    assert_string_equal(icl_error_message(),
                        "\"p4\": its input has no token that can be predicted");
    assert_int_equal(w.asker->generate(w.asker->user, &generated, prompts, 1,
                                       &(icl_ask_generation){ .cue = "", .tokens_max = 99 }),
                     ICL_ECONTEXT);
    icl_model_interrupt(w.model);
    assert_int_equal(w.asker->labels(w.asker->user, nats, prompts, 1), ICL_ECANCELLED);
    assert_int_equal(w.asker->generate(w.asker->user, &generated, prompts, 1,
                                       &(icl_ask_generation){ .cue = "", .tokens_max = 3 }),
                     ICL_ECANCELLED);
    assert_true(nats[0] == 7 && nats[3] == 7 && text.nats == 7 && generated == NULL);
    assert_int_equal(asked(&w), 0);
    close_world(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ask__labels_hold_the_mass_of_all_their_names),
        cmocka_unit_test(test_ask__inputs_are_scored_under_the_demonstrations),
        cmocka_unit_test(test_ask__texts_are_scored_from_the_first_token_after_bos),
        cmocka_unit_test(test_ask__the_only_possible_text_has_perplexity_one),
        cmocka_unit_test(test_ask__an_input_is_the_difference_of_two_texts),
        cmocka_unit_test(test_ask__generation_ends_before_the_separator_or_at_its_limit),
        cmocka_unit_test(test_ask__generation_is_greedy_token_by_token),
        cmocka_unit_test(test_ask__generation_is_cut_before_half_a_character),
        cmocka_unit_test(test_ask__equal_prompts_are_asked_once),
        cmocka_unit_test(test_ask__what_the_journal_holds_is_not_asked_again),
        cmocka_unit_test(test_ask__long_calls_are_cut_without_a_trace),
        cmocka_unit_test(test_ask__demonstrations_are_dropped_to_fit_the_window),
        cmocka_unit_test(test_ask__failures_touch_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
