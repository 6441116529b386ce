#include "pipeline/ask_parts.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/cancel.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/string_map.h"
#include "math/logspace.h"
#include "model/interrupt.h"
#include "pipeline/label_requests.h"

/* ---- prompts ---- */

const char *icl_ask_input(const icl_ask_source *source, const icl_ask_prompt *asked)
{
    assert(asked->of != ICL_ASK_POOL || asked->item < source->pool.count);
    assert(asked->of != ICL_ASK_QUERY || asked->item < source->queries.count);
    assert(asked->of != ICL_ASK_CONTENT_FREE || asked->item < ICL_CONTENT_FREE_COUNT);
    switch (asked->of) {
    case ICL_ASK_POOL:
        return source->pool.inputs[asked->item];
    case ICL_ASK_QUERY:
        return source->queries.inputs[asked->item];
    case ICL_ASK_CONTENT_FREE:
        return source->forms->content_free[asked->item];
    case ICL_ASK_WRITTEN:
        break;
    }
    return asked->written;
}

const char *icl_ask_id(const icl_ask_source *source, const icl_ask_prompt *asked)
{
    switch (asked->of) {
    case ICL_ASK_POOL:
        return source->pool.ids[asked->item];
    case ICL_ASK_QUERY:
        return source->queries.ids[asked->item];
    case ICL_ASK_CONTENT_FREE:
        return "content-free input";
    case ICL_ASK_WRITTEN:
        break;
    }
    return "written input";
}

static icl_status check_inputs(const icl_ask_source *source, const icl_ask_prompt *prompts,
                               size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (icl_ask_input(source, &prompts[i]) == NULL)
            return icl_error_set(ICL_EINVAL, "%s", source->forms->refusal);
    return ICL_OK;
}

icl_status icl_shown_build(icl_prompt *out, icl_prompter *prompter, const icl_ask_source *source,
                           const icl_shown *shown)
{
    const size_t count = shown->count;
    icl_demonstration *demonstrations = malloc((count + 1) * sizeof *demonstrations);
    if (demonstrations == NULL) return icl_error_set(ICL_ENOMEM, "out of memory for a prompt");
    for (size_t i = 0; i < count; i++) {
        const size_t item = shown->items[i];
        assert(item < source->pool.count && source->pool_labels[item] != ICL_LABEL_NONE);
        demonstrations[i] = (icl_demonstration){
            .input = source->pool.inputs[item],
            .answer = icl_verbalizer_word(source->verbalizer, source->pool_labels[item], 0),
        };
    }
    const icl_status status =
        icl_prompter_build(out, prompter, demonstrations, count, shown->input, shown->name);
    free(demonstrations);
    return status;
}

/* ---- equal prompts ---- */

static void add_text(icl_hash_state *state, const char *text)
{
    icl_hash_add(state, text, strlen(text) + 1);
}

static icl_hash128 prompt_key(const icl_ask_source *source, const icl_ask_prompt *asked, size_t tag)
{
    icl_hash_state state;
    icl_hash_begin(&state);
    icl_hash_add(&state, &tag, sizeof tag);
    icl_hash_add(&state, &asked->shown_count, sizeof asked->shown_count);
    for (size_t i = 0; i < asked->shown_count; i++) {
        const size_t item = asked->shown[i];
        icl_hash_add(&state, &source->pool_labels[item], sizeof source->pool_labels[item]);
        add_text(&state, source->pool.inputs[item]);
    }
    add_text(&state, icl_ask_input(source, asked));
    return icl_hash_end(&state);
}

icl_status icl_ask_distinct_find(icl_ask_distinct *out, const icl_ask_source *source,
                                 const icl_ask_prompt *prompts, const size_t *tags, size_t count)
{
    ICL_TRY(check_inputs(source, prompts, count));
    icl_ask_distinct distinct = { .firsts = malloc((count + 1) * sizeof *distinct.firsts),
                                  .same = malloc((count + 1) * sizeof *distinct.same) };
    char(*keys)[33] = malloc((count + 1) * sizeof *keys);
    icl_string_map map = { 0 };
    icl_status status = ICL_OK;
    if (distinct.firsts == NULL || distinct.same == NULL || keys == NULL)
        status = icl_error_set(ICL_ENOMEM, "out of memory for %zu questions", count);
    for (size_t i = 0; i < count && status == ICL_OK; i++) {
        distinct.same[i] = distinct.count;
        icl_hash_hex(keys[i], prompt_key(source, &prompts[i], tags != NULL ? tags[i] : 0));
        status = icl_string_map_add(&map, keys[i], &distinct.same[i]);
        if (status == ICL_OK && distinct.same[i] == distinct.count)
            distinct.firsts[distinct.count++] = i;
    }
    icl_string_map_deinit(&map);
    free(keys);
    if (status == ICL_OK)
        *out = distinct;
    else
        icl_ask_distinct_deinit(&distinct);
    return status;
}

void icl_ask_distinct_deinit(icl_ask_distinct *distinct)
{
    free(distinct->firsts);
    free(distinct->same);
    *distinct = (icl_ask_distinct){ 0 };
}

/* ---- kinds of questions ---- */

/* The batch that is being made and read. */
typedef struct asking {
    const icl_ask_source *source;
    icl_prompter *prompter;
    icl_batch *batch;
    icl_label_request *labels; /* [icl_label_request_count] of the prompt at hand */
    size_t label;              /* whose first name is asked for after the prompt at hand */
    size_t token_count;        /* of prompts and of what is scored beyond them */
} asking;

/* Adds the requests of a prompt, always as many; reads their answers into its row. */
typedef struct ask_kind {
    icl_status (*add)(asking *self, const icl_prompt *prompt, const icl_ask_prompt *asked);
    void (*read)(void *row, const asking *self, size_t first_request);
} ask_kind;

static icl_status add_labels(asking *self, const icl_prompt *prompt, const icl_ask_prompt *asked)
{
    (void)asked;
    ICL_TRY(icl_label_requests_add(self->labels, self->batch, self->prompter,
                                   self->source->verbalizer, prompt));
    const size_t count = icl_label_request_count(self->source->verbalizer);
    for (size_t i = 0; i < count; i++) self->token_count += self->labels[i].token_count;
    return ICL_OK;
}

static void read_labels(void *row, const asking *self, size_t first_request)
{
    double *nats = row;
    const size_t count = icl_label_request_count(self->source->verbalizer);
    for (size_t i = 0; i < count; i++) {
        double *cell = &nats[self->labels[i].label];
        const double of_name = icl_batch_logprob_nats(self->batch, first_request + i);
        *cell =
            self->labels[i].name == 0 ? of_name : icl_logsumexp((double[]){ *cell, of_name }, 2);
    }
}

static icl_status add_answer(asking *self, const icl_prompt *prompt, const icl_ask_prompt *asked)
{
    icl_answer answer;
    size_t prefix, request;
    (void)asked;
    ICL_TRY(icl_prompter_answer(&answer, self->prompter, prompt,
                                icl_verbalizer_word(self->source->verbalizer, self->label, 0)));
    ICL_TRY(icl_batch_add_prefix(self->batch, prompt->tokens, answer.prefix_count, &prefix));
    self->token_count += answer.token_count;
    return icl_batch_add_score(self->batch, prefix, answer.tokens, answer.token_count, &request);
}

/* A token without any before it cannot be predicted. */
static icl_status add_range(asking *self, const icl_prompt *prompt, icl_token_range range,
                            const char *name)
{
    size_t prefix, request;
    if (range.first == 0 && range.count > 0)
        range = (icl_token_range){ .first = 1, .count = range.count - 1 };
    if (range.count == 0)
        return icl_error_set(ICL_EINVAL, "\"%s\": its input has no token that can be predicted",
                             name);
    ICL_TRY(icl_batch_add_prefix(self->batch, prompt->tokens, range.first, &prefix));
    return icl_batch_add_score(self->batch, prefix, prompt->tokens + range.first, range.count,
                               &request);
}

static icl_status add_input(asking *self, const icl_prompt *prompt, const icl_ask_prompt *asked)
{
    icl_token_range range;
    ICL_TRY(icl_prompter_input_tokens(&range, self->prompter, prompt,
                                      icl_ask_input(self->source, asked)));
    return add_range(self, prompt, range, icl_ask_id(self->source, asked));
}

static icl_status add_text_tokens(asking *self, const icl_prompt *prompt,
                                  const icl_ask_prompt *asked)
{
    return add_range(self, prompt, (icl_token_range){ .first = 0, .count = prompt->token_count },
                     icl_ask_id(self->source, asked));
}

static void read_text(void *row, const asking *self, size_t first_request)
{
    icl_ask_text *text = row;
    icl_batch_token_logprobs_nats(self->batch, first_request, &text->tokens);
    text->nats = icl_batch_logprob_nats(self->batch, first_request);
}

static const ask_kind kind_labels = { add_labels, read_labels };
static const ask_kind kind_answers = { add_answer, read_text };
static const ask_kind kind_inputs = { add_input, read_text };
static const ask_kind kind_texts = { add_text_tokens, read_text };

/* ---- a call ---- */

/* The rows of answers of one call. */
typedef struct ask_rows {
    const ask_kind *kind;
    const icl_ask_prompt *prompts;
    const size_t *labels; /* of the prompts, for answers; else NULL */
    icl_ask_distinct distinct;
    size_t row_bytes;
    char *bytes; /* [distinct.count][row_bytes] */
} ask_rows;

static icl_status add_prompt(asking *self, const ask_rows *rows, size_t row)
{
    const size_t first = rows->distinct.firsts[row];
    const icl_ask_prompt *asked = &rows->prompts[first];
    const atomic_bool *cancelled = icl_model_interrupt_flag(icl_engine_model(self->source->engine));
    ICL_TRY(icl_cancel_check(cancelled));
    icl_prompt prompt = { 0 };
    ICL_TRY(icl_shown_build(&prompt, self->prompter, self->source,
                            &(icl_shown){ .items = asked->shown,
                                          .count = asked->shown_count,
                                          .input = icl_ask_input(self->source, asked),
                                          .name = icl_ask_id(self->source, asked) }));
    self->token_count += prompt.token_count;
    if (rows->labels != NULL) self->label = rows->labels[first];
    const icl_status status = rows->kind->add(self, &prompt, asked);
    icl_prompt_deinit(&prompt);
    return status;
}

/* Asks the rows from *next on that fit into one batch. */
static icl_status answer_batch(asking *self, ask_rows *rows, size_t *next)
{
    const size_t first = *next;
    size_t row = first;
    ICL_TRY(icl_batch_new(&self->batch));
    ICL_TRY(icl_prompter_new(&self->prompter, icl_engine_model(self->source->engine),
                             &self->source->prompts));
    ICL_TRY(icl_label_requests_reserve(self->prompter, self->source->verbalizer));
    for (; row < rows->distinct.count && self->token_count < ICL_ASK_BATCH_TOKENS; row++)
        ICL_TRY(add_prompt(self, rows, row));
    ICL_TRY(icl_engine_run(self->source->engine, self->batch));
    const size_t per_row = icl_batch_count(self->batch) / (row - first);
    for (size_t i = first; i < row; i++)
        rows->kind->read(rows->bytes + i * rows->row_bytes, self, (i - first) * per_row);
    *next = row;
    return ICL_OK;
}

static icl_status answer_all(const icl_ask_source *source, ask_rows *rows)
{
    const size_t names = icl_label_request_count(source->verbalizer);
    icl_label_request *labels = malloc((names + 1) * sizeof *labels);
    rows->bytes = malloc(rows->distinct.count * rows->row_bytes + 1);
    icl_status status = ICL_OK;
    if (labels == NULL || rows->bytes == NULL)
        status = icl_error_set(ICL_ENOMEM, "out of memory for %zu answers", rows->distinct.count);
    for (size_t next = 0; next < rows->distinct.count && status == ICL_OK;) {
        asking self = { .source = source, .labels = labels };
        status = answer_batch(&self, rows, &next);
        icl_prompter_free(self.prompter);
        icl_batch_free(self.batch);
    }
    free(labels);
    return status;
}

static icl_status answer(const icl_ask_service *service, ask_rows rows, void *out, size_t count)
{
    ICL_TRY(
        icl_ask_distinct_find(&rows.distinct, &service->source, rows.prompts, rows.labels, count));
    const icl_status status = answer_all(&service->source, &rows);
    for (size_t i = 0; i < count && status == ICL_OK; i++)
        memcpy((char *)out + i * rows.row_bytes,
               rows.bytes + rows.distinct.same[i] * rows.row_bytes, rows.row_bytes);
    free(rows.bytes);
    icl_ask_distinct_deinit(&rows.distinct);
    return status;
}

static icl_status ask_labels(void *user, double *out_nats, const icl_ask_prompt *prompts,
                             size_t count)
{
    const icl_ask_service *service = user;
    const ask_rows rows = { .kind = &kind_labels,
                            .prompts = prompts,
                            .row_bytes = service->asker.label_count * sizeof *out_nats };
    return answer(service, rows, out_nats, count);
}

static icl_status ask_answers(void *user, icl_ask_text *out, const icl_ask_prompt *prompts,
                              const size_t *labels, size_t count)
{
    const ask_rows rows = {
        .kind = &kind_answers, .prompts = prompts, .labels = labels, .row_bytes = sizeof *out
    };
    return answer(user, rows, out, count);
}

static icl_status ask_inputs(void *user, icl_ask_text *out, const icl_ask_prompt *prompts,
                             size_t count)
{
    const ask_rows rows = { .kind = &kind_inputs, .prompts = prompts, .row_bytes = sizeof *out };
    return answer(user, rows, out, count);
}

static icl_status ask_texts(void *user, icl_ask_text *out, const icl_ask_prompt *prompts,
                            size_t count)
{
    const ask_rows rows = { .kind = &kind_texts, .prompts = prompts, .row_bytes = sizeof *out };
    return answer(user, rows, out, count);
}

/* ---- the service ---- */

icl_status icl_ask_service_new(icl_ask_service **out, const icl_ask_source *source)
{
    icl_ask_service *service = malloc(sizeof *service);
    if (service == NULL) return icl_error_set(ICL_ENOMEM, "out of memory for questions");
    service->source = *source;
    const icl_template_forms *forms = source->forms;
    const icl_label_space *labels = icl_verbalizer_labels(source->verbalizer);
    service->asker =
        (icl_asker){ .user = service,
                     .label_count = icl_label_space_count(labels),
                     .query_ids = source->queries.ids,
                     .frame = (const char *const *)forms->frame,
                     .frame_count = forms->frame_count,
                     .answer_prefix = forms->frame_count > 0 ? source->prompts.answer_prefix : NULL,
                     .labels = ask_labels,
                     .answers = ask_answers,
                     .inputs = ask_inputs,
                     .texts = ask_texts,
                     .generate = icl_ask_generate };
    *out = service;
    return ICL_OK;
}

void icl_ask_service_free(icl_ask_service *service)
{
    free(service);
}

const icl_asker *icl_ask_service_asker(const icl_ask_service *service)
{
    return &service->asker;
}
