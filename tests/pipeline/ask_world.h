/* tests/pipeline/ask_world.h - the service behind template/ask.h on the table model. */
#ifndef TESTS_PIPELINE_ASK_WORLD_H
#define TESTS_PIPELINE_ASK_WORLD_H

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <icl/sys/model.h>

#include "pipeline/ask.h"

enum { VOCAB_COUNT = 257, LABELS = 2, POOL = 5 };

/* 'a' follows a blank with odds 256 : 1 against each other token, so P = 1/2; a blank follows a
 * colon likewise; all else is uniform. */
static inline void logits_of(void *user, float *out, const int32_t *context, size_t count)
{
    (void)user;
    memset(out, 0, VOCAB_COUNT * sizeof *out);
    if (context[count - 1] == ' ') out['a'] = (float)log(256);
    if (context[count - 1] == ':') out[' '] = (float)log(256);
}

static inline double nats_of_byte(char before, char byte)
{
    const char likely = before == ' ' ? 'a' : before == ':' ? ' ' : '\0';
    if (likely == '\0') return -log(257);
    return byte == likely ? log(0.5) : log(0.5 / 256);
}

/* log P(text[first ..]), with BOS before the text. */
static inline double nats_of(const char *text, size_t first)
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
static const icl_template_forms forms = { .content_free = { "in: N/A", "in: ", "in: [MASK]" } };

typedef struct world {
    icl_model *model;
    icl_engine *engine;
    icl_verbalizer *verbalizer;
    icl_ask_source source;
    icl_ask_service *service;
    const icl_asker *asker;
} world;

static inline world open_with(icl_table_logits logits, void *user, size_t window,
                              const char *journal)
{
    world w = { 0 };
    icl_engine_options options = icl_engine_options_default();
    options.journal_path = journal;
    assert_int_equal(icl_model_open_table(&w.model, logits, user, window), ICL_OK);
    assert_int_equal(icl_engine_open(&w.engine, w.model, &options), ICL_OK);
    assert_int_equal(icl_verbalizer_parse(&w.verbalizer, "yes=a|an,no=no"), ICL_OK);
    w.source = (icl_ask_source){
        .engine = w.engine,
        .prompts = { .instruction = "", .answer_prefix = ": ", .separator = "\n" },
        .verbalizer = w.verbalizer,
        .pool = { .count = POOL, .inputs = pool_inputs, .ids = pool_ids },
        .queries = { .count = 2, .inputs = query_inputs, .ids = query_ids },
        .pool_labels = pool_labels,
        .forms = &forms,
        .task = "asking",
    };
    assert_int_equal(icl_ask_service_new(&w.service, &w.source), ICL_OK);
    w.asker = icl_ask_service_asker(w.service);
    return w;
}

static inline world open_world(void)
{
    return open_with(logits_of, NULL, 0, NULL);
}

static inline void close_world(world *w)
{
    icl_ask_service_free(w->service);
    icl_verbalizer_free(w->verbalizer);
    icl_engine_close(w->engine);
    icl_model_close(w->model);
}

static inline uint64_t asked(const world *w)
{
    return icl_engine_get_meter(w->engine).requests;
}

static const size_t shown[] = { 2, 0 };

static inline icl_ask_prompt of_query(size_t item, size_t shown_count)
{
    return (icl_ask_prompt){
        .shown = shown, .shown_count = shown_count, .of = ICL_ASK_QUERY, .item = item
    };
}

static inline icl_ask_prompt of_pool(size_t item, size_t shown_count)
{
    return (icl_ask_prompt){
        .shown = shown, .shown_count = shown_count, .of = ICL_ASK_POOL, .item = item
    };
}

static inline icl_ask_prompt of_text(const char *written, size_t shown_count)
{
    return (icl_ask_prompt){ .shown = shown,
                             .shown_count = shown_count,
                             .of = ICL_ASK_WRITTEN,
                             .item = SIZE_MAX, /* not looked at */
                             .written = written };
}

static inline icl_ask_prompt of_content_free(size_t item, size_t shown_count)
{
    return (icl_ask_prompt){
        .shown = shown, .shown_count = shown_count, .of = ICL_ASK_CONTENT_FREE, .item = item
    };
}

#endif
