/* Pool items in tokens, on the table model whose tokens are bytes and BOS. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <icl/sys/model.h>

#include "pipeline/trainable.h"

enum { VOCAB_COUNT = 257, BOS = 256, POOL = 3 };

static void uniform(void *user, float *out, const int32_t *context, size_t count)
{
    (void)user;
    (void)context;
    (void)count;
    memset(out, 0, VOCAB_COUNT * sizeof *out);
}

static const char *const inputs[POOL] = { "in: one", "two", "a text beyond the window" };
static const char *const ids[POOL] = { "p0", "p1", "p2" };
static const size_t labels[POOL] = { 0, 1, 0 };

typedef struct world {
    icl_model *model;
    icl_engine *engine;
    icl_verbalizer *verbalizer;
    icl_ask_source source;
    icl_trainable_service *service;
    const icl_trainable *trainable;
} world;

static void open_world(world *w)
{
    const icl_engine_options options = icl_engine_options_default();
    *w = (world){ 0 };
    assert_int_equal(icl_model_open_table(&w->model, uniform, NULL, 20), ICL_OK);
    assert_int_equal(icl_engine_open(&w->engine, w->model, &options), ICL_OK);
    assert_int_equal(icl_verbalizer_parse(&w->verbalizer, "yes=a|an,no=no"), ICL_OK);
    w->source = (icl_ask_source){
        .engine = w->engine,
        .prompts = { .instruction = "", .answer_prefix = ":", .separator = "\n" },
        .verbalizer = w->verbalizer,
        .pool = { .count = POOL, .inputs = inputs, .ids = ids },
        .pool_labels = labels,
    };
    assert_int_equal(icl_trainable_service_new(&w->service, &w->source), ICL_OK);
    w->trainable = icl_trainable_service_get(w->service);
}

static void close_world(world *w)
{
    icl_trainable_service_free(w->service);
    icl_verbalizer_free(w->verbalizer);
    icl_engine_close(w->engine);
    icl_model_close(w->model);
}

/* Of an item after `shown_count` other ones. */
static void assert_tokens(const world *w, const size_t *shown, size_t shown_count, size_t item,
                          const char *prompt, const char *answer)
{
    icl_labelled_tokens out = { 0 };
    assert_int_equal(w->trainable->tokens(w->trainable->user, &out, shown, shown_count, item),
                     ICL_OK);
    assert_int_equal(out.token_count, 1 + strlen(prompt) + strlen(answer));
    assert_int_equal(out.lead_count, 1);
    assert_int_equal(out.tokens[0], BOS);
    assert_int_equal(out.answer_first, 1 + strlen(prompt));
    for (size_t i = 0; i < strlen(prompt); i++) assert_int_equal(out.tokens[1 + i], prompt[i]);
    for (size_t i = 0; i < strlen(answer); i++)
        assert_int_equal(out.tokens[out.answer_first + i], answer[i]);
}

static void test_trainable__a_prompt_and_the_first_words_of_its_label(void **state)
{
    (void)state;
    world w;
    open_world(&w);
    assert_tokens(&w, NULL, 0, 0, "in: one", ":a");
    assert_tokens(&w, NULL, 0, 1, "two", ":no");
    assert_tokens(&w, NULL, 0, 0, "in: one", ":a");
    close_world(&w);
}

static void test_trainable__an_item_after_demonstrations(void **state)
{
    (void)state;
    static const size_t shown[] = { 0 };
    world w;
    open_world(&w);
    assert_tokens(&w, shown, 1, 1, "in: one:a\ntwo", ":no");
    close_world(&w);
}

static void test_trainable__refuses_what_does_not_fit(void **state)
{
    (void)state;
    world w;
    icl_labelled_tokens out = { .token_count = 77 };
    open_world(&w);
    assert_int_equal(w.trainable->tokens(w.trainable->user, &out, NULL, 0, 2), ICL_ECONTEXT);
    assert_non_null(strstr(icl_error_message(), "p2"));
    assert_int_equal(out.token_count, 77);
    close_world(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_trainable__a_prompt_and_the_first_words_of_its_label),
        cmocka_unit_test(test_trainable__an_item_after_demonstrations),
        cmocka_unit_test(test_trainable__refuses_what_does_not_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
