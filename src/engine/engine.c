/* Runs a plan: answers from the journal first, then call by call; what a call completes is durable
 * before the next one starts. */
#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/cpu.h"
#include "base/error.h"
#include "base/hash.h"
#include "engine/account.h"
#include "engine/journal.h"
#include "engine/plan.h"
#include "math/logits.h"

enum {
    SEQUENCES_MAX = 255, /* llama.cpp allows 256, of which the back end keeps one for padding */
    CELLS_MIN = 1024,
};

struct icl_engine {
    icl_model *model;
    icl_engine_options options;
    icl_journal *journal; /* NULL: none */
    icl_meter meter;
    icl_account account;
    /* What batches have left in the cache, true as long as the model's stamp is this one, and what
     * that cache is good for. */
    icl_residents residents;
    uint64_t cache_stamp;
    icl_decode_limits ready;
};

icl_engine_options icl_engine_options_default(void)
{
    return (icl_engine_options){ 0 };
}

icl_status icl_engine_open(icl_engine **out, icl_model *model, const icl_engine_options *options)
{
    icl_engine *engine = calloc(1, sizeof *engine);
    if (engine == NULL) return icl_error_set(ICL_ENOMEM, "out of memory for an engine");
    engine->model = model;
    engine->options = options != NULL ? *options : icl_engine_options_default();
    if (engine->options.journal_path != NULL) {
        const icl_status status = icl_journal_open(&engine->journal, engine->options.journal_path);
        if (status != ICL_OK) {
            free(engine);
            return status;
        }
        engine->options.journal_path = NULL; /* borrowed only for the call */
    }
    *out = engine;
    return ICL_OK;
}

void icl_engine_close(icl_engine *engine)
{
    if (engine == NULL) return;
    icl_journal_close(engine->journal);
    icl_account_deinit(&engine->account);
    icl_residents_deinit(&engine->residents);
    free(engine);
}

icl_model *icl_engine_model(const icl_engine *engine)
{
    return engine->model;
}

void icl_engine_open_account(icl_engine *engine, uint64_t tokens_max)
{
    icl_account_deinit(&engine->account);
    engine->account = (icl_account){ .open = true,
                                     .remembers = engine->journal != NULL,
                                     .tokens_max = tokens_max };
}

void icl_engine_set_bound(icl_engine *engine, uint64_t tokens_max)
{
    assert(engine->account.open);
    engine->account.tokens_max = tokens_max;
}

uint64_t icl_engine_spent(const icl_engine *engine)
{
    return engine->account.tokens_spent;
}

icl_status icl_engine_price(uint64_t *out_tokens, const icl_engine *engine,
                            const icl_batch *const *batches, size_t count)
{
    return icl_account_price(out_tokens, &engine->account, batches, count);
}

icl_meter icl_engine_get_meter(const icl_engine *engine)
{
    return engine->meter;
}

icl_plan_limits icl_engine_limits(const icl_engine *engine)
{
    const icl_model_info *info = icl_model_get_info(engine->model);
    size_t bytes = engine->options.cache_bytes_max;
    if (bytes == 0) bytes = icl_memory_available_bytes() / 4;
    size_t cells = bytes / (info->bytes_per_cell > 0 ? info->bytes_per_cell : 1);
    /* One path must always fit. */
    if (cells < info->window_tokens && engine->options.cache_bytes_max == 0)
        cells = info->window_tokens;
    if (cells < CELLS_MIN && engine->options.cache_bytes_max == 0) cells = CELLS_MIN;
    if (cells < 1) cells = 1;
    return (icl_plan_limits){ .cells_max = cells,
                              .call_tokens_max = engine->options.call_tokens_max > 0
                                                     ? engine->options.call_tokens_max
                                                     : info->call_tokens_max,
                              .sequences_max = SEQUENCES_MAX,
                              .window_tokens = info->window_tokens,
                              .row_floor = info->row_floor };
}

/* ---- answers as bytes ---- */

/* Journal value: entropy, greedy flag, then `count` values and `count` choices; or only the floats
 * of a vector. */
typedef struct answer_head {
    double entropy_nats;
    uint64_t greedy;
} answer_head;

static size_t answer_count(const icl_request *request)
{
    return request->kind == REQUEST_SCORE ? request->count : request->top_n;
}

/* Numbers of an answer that is one vector; 0 for other kinds. */
static size_t vector_size(const icl_request *request, const icl_model_info *info)
{
    if (request->kind == REQUEST_WHOLE_DISTRIBUTION) return info->vocab_count;
    return request->kind == REQUEST_HIDDEN ? info->embedding_size : 0;
}

static size_t answer_bytes(const icl_request *request, const icl_model_info *info)
{
    const size_t size = vector_size(request, info);
    if (size > 0) return size * sizeof(float);
    return sizeof(answer_head) + answer_count(request) * (sizeof(double) + sizeof(int32_t));
}

static void answer_write(unsigned char *to, const icl_batch *batch, const icl_request *request)
{
    if (request->vector != NULL) {
        memcpy(to, request->vector, request->vector_size * sizeof(float));
        return;
    }
    const answer_head head = { .entropy_nats = request->entropy_nats, .greedy = request->greedy };
    const size_t count = answer_count(request);
    memcpy(to, &head, sizeof head);
    to += sizeof head;
    memcpy(to, batch->values + request->answer_first, count * sizeof(double));
    to += count * sizeof(double);
    memcpy(to, batch->choices + request->answer_first, count * sizeof(int32_t));
}

static icl_status make_vector(icl_request *request, size_t size)
{
    request->vector = malloc(size * sizeof *request->vector);
    if (request->vector == NULL)
        return icl_error_set(ICL_ENOMEM, "out of memory for an answer of %zu numbers", size);
    request->vector_size = size;
    return ICL_OK;
}

static icl_status answer_read(icl_batch *batch, icl_request *request, const icl_model_info *info,
                              const unsigned char *from)
{
    const size_t size = vector_size(request, info);
    if (size > 0) {
        ICL_TRY(make_vector(request, size));
        memcpy(request->vector, from, size * sizeof(float));
        request->answered = true;
        return ICL_OK;
    }
    answer_head head;
    const size_t count = answer_count(request);
    memcpy(&head, from, sizeof head);
    from += sizeof head;
    memcpy(batch->values + request->answer_first, from, count * sizeof(double));
    from += count * sizeof(double);
    memcpy(batch->choices + request->answer_first, from, count * sizeof(int32_t));
    request->entropy_nats = head.entropy_nats;
    request->greedy = head.greedy != 0;
    request->answered = true;
    return ICL_OK;
}

static icl_hash128 answer_key(const icl_engine *engine, const icl_batch *batch,
                              const icl_request *request)
{
    const icl_model_info *info = icl_model_get_info(engine->model);
    const prefix_span *span = &batch->prefixes[request->prefix];
    const uint64_t shape[] = { strlen(info->identity),  strlen(info->build),
                               (uint64_t)request->kind, span->count,
                               request->count,          request->top_n };
    icl_hash_state state;
    icl_hash_begin(&state);
    icl_hash_add(&state, shape, sizeof shape);
    icl_hash_add(&state, info->identity, strlen(info->identity));
    icl_hash_add(&state, info->build, strlen(info->build));
    icl_hash_add(&state, batch->tokens + span->first, span->count * sizeof(int32_t));
    icl_hash_add(&state, batch->tokens + request->first, request->count * sizeof(int32_t));
    return icl_hash_end(&state);
}

/* ---- a run ---- */

typedef struct engine_run {
    icl_engine *engine;
    icl_batch *batch;
    icl_plan *plan;
    uint32_t *missing;     /* [request_count] answers still to come */
    unsigned char *buffer; /* [largest answer] */
    uint64_t tokens_done;
} engine_run;

static icl_status run_prepare(engine_run *run)
{
    const icl_batch *batch = run->batch;
    const icl_model_info *info = icl_model_get_info(run->engine->model);
    size_t largest = 1;
    for (size_t r = 0; r < batch->request_count; r++) {
        const size_t bytes = answer_bytes(&batch->requests[r], info);
        if (bytes > largest) largest = bytes;
    }
    run->missing = calloc(batch->request_count > 0 ? batch->request_count : 1, sizeof(uint32_t));
    run->buffer = malloc(largest);
    if (run->missing == NULL || run->buffer == NULL)
        return icl_error_set(ICL_ENOMEM, "out of memory for %zu requests", batch->request_count);
    for (size_t r = 0; r < batch->request_count; r++) {
        const icl_request *request = &batch->requests[r];
        run->missing[r] = request->kind == REQUEST_SCORE ? (uint32_t)request->count : 1;
    }
    return ICL_OK;
}

static icl_status recall_answers(engine_run *run)
{
    icl_engine *engine = run->engine;
    const icl_model_info *info = icl_model_get_info(engine->model);
    if (engine->journal == NULL) return ICL_OK;
    for (size_t r = 0; r < run->batch->request_count; r++) {
        icl_request *request = &run->batch->requests[r];
        if (request->answered) continue;
        bool found = false;
        ICL_TRY(icl_journal_get(engine->journal, answer_key(engine, run->batch, request),
                                run->buffer, answer_bytes(request, info), &found));
        if (!found) continue;
        ICL_TRY(answer_read(run->batch, request, info, run->buffer));
        engine->meter.requests_cached++;
    }
    return ICL_OK;
}

/* Selection of the top_n tokens by repeated insertion; ties keep the lower id. */
static void read_distribution(icl_batch *batch, icl_request *request, const float *logits,
                              size_t vocab_count, double log_sum)
{
    double *values = batch->values + request->answer_first;
    int32_t *choices = batch->choices + request->answer_first;
    size_t held = 0;
    for (size_t token = 0; token < vocab_count && request->top_n > 0; token++) {
        const double logprob = (double)logits[token] - log_sum;
        if (held == request->top_n && logprob <= values[held - 1]) continue;
        size_t at = held < request->top_n ? held++ : held - 1;
        for (; at > 0 && values[at - 1] < logprob; at--) {
            values[at] = values[at - 1];
            choices[at] = choices[at - 1];
        }
        values[at] = logprob;
        choices[at] = (int32_t)token;
    }
    for (; held < request->top_n; held++) {
        values[held] = -INFINITY;
        choices[held] = -1;
    }
    request->entropy_nats = icl_logits_entropy_nats(logits, vocab_count, log_sum);
}

static void read_token(icl_batch *batch, const icl_request *request, size_t place,
                       const float *logits, icl_logits_summary summary)
{
    const int32_t token = batch->tokens[request->first + place];
    batch->values[request->answer_first + place] = (double)logits[token] - summary.log_sum;
    batch->choices[request->answer_first + place] = summary.best;
}

static icl_status read_whole(icl_request *request, const float *logits, size_t vocab_count,
                             double log_sum)
{
    ICL_TRY(make_vector(request, vocab_count));
    for (size_t token = 0; token < vocab_count; token++)
        request->vector[token] = (float)((double)logits[token] - log_sum);
    return ICL_OK;
}

static icl_status read_hidden(icl_request *request, const float *state, size_t size)
{
    for (size_t d = 0; d < size; d++)
        if (!isfinite(state[d]))
            return icl_error_set(ICL_EMODEL, "the model's hidden state is not finite");
    ICL_TRY(make_vector(request, size));
    memcpy(request->vector, state, size * sizeof *state);
    return ICL_OK;
}

/* What an ask wants of row `index` of the last call. */
static icl_status read_ask(engine_run *run, const trie_ask *ask, size_t index, const float *logits,
                           icl_logits_summary summary)
{
    icl_model *model = run->engine->model;
    const icl_model_info *info = icl_model_get_info(model);
    icl_request *request = &run->batch->requests[ask->request];
    switch (request->kind) {
    case REQUEST_SCORE:
        read_token(run->batch, request, ask->place, logits, summary);
        return ICL_OK;
    case REQUEST_DISTRIBUTION:
        read_distribution(run->batch, request, logits, info->vocab_count, summary.log_sum);
        return ICL_OK;
    case REQUEST_WHOLE_DISTRIBUTION:
        return read_whole(request, logits, info->vocab_count, summary.log_sum);
    case REQUEST_HIDDEN:
        break;
    }
    return read_hidden(request, icl_model_hidden(model, index), info->embedding_size);
}

static icl_status finish_request(engine_run *run, size_t index)
{
    icl_request *request = &run->batch->requests[index];
    if (request->kind == REQUEST_SCORE) {
        request->greedy = true;
        for (size_t i = 0; i < request->count; i++)
            request->greedy &= run->batch->choices[request->answer_first + i] ==
                               run->batch->tokens[request->first + i];
    }
    request->answered = true;
    if (run->engine->journal == NULL) return ICL_OK;
    answer_write(run->buffer, run->batch, request);
    return icl_journal_put(run->engine->journal, answer_key(run->engine, run->batch, request),
                           run->buffer,
                           answer_bytes(request, icl_model_get_info(run->engine->model)));
}

static icl_status read_rows(engine_run *run, const plan_call *call)
{
    const icl_plan *plan = run->plan;
    const size_t vocab_count = icl_model_get_info(run->engine->model)->vocab_count;
    for (size_t i = 0; i < call->token_count; i++) {
        if (!plan->tokens[call->token_first + i].row) continue;
        const trie_node *node = &plan->trie.nodes[plan->nodes[call->token_first + i]];
        const float *logits = icl_model_logits(run->engine->model, i);
        const icl_logits_summary summary = icl_logits_summarise(logits, vocab_count);
        if (!isfinite(summary.log_sum))
            return icl_error_set(ICL_EMODEL, "the model's logits are not finite at position %u",
                                 node->depth - 1);
        for (uint32_t a = node->ask_first; a != TRIE_NONE; a = plan->trie.asks[a].next) {
            const trie_ask *ask = &plan->trie.asks[a];
            ICL_TRY(read_ask(run, ask, i, logits, summary));
            if (--run->missing[ask->request] == 0) ICL_TRY(finish_request(run, ask->request));
        }
    }
    return ICL_OK;
}

static icl_status run_call(engine_run *run, const plan_call *call)
{
    icl_engine *engine = run->engine;
    const icl_decode_call decode = icl_plan_decode_call(run->plan, call);
    ICL_TRY(icl_model_decode(engine->model, &decode));
    if (engine->journal != NULL) ICL_TRY(icl_journal_begin(engine->journal));
    const icl_status status = read_rows(run, call);
    if (engine->journal != NULL) {
        const icl_status committed = icl_journal_commit(engine->journal);
        if (status == ICL_OK && committed != ICL_OK) return committed;
    }
    if (status != ICL_OK) return status;
    run->tokens_done += call->token_count;
    engine->meter.calls++;
    if (engine->options.progress != NULL)
        engine->options.progress(engine->options.progress_user, run->tokens_done,
                                 run->plan->stats.tokens_trie);
    return ICL_OK;
}

static double seconds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

/* An empty cache for the plan, with room for what it keeps. */
static icl_status prepare_model(icl_engine *engine, const icl_plan *plan)
{
    icl_residents_deinit(&engine->residents);
    engine->ready = icl_plan_decode_limits(plan, true);
    return icl_model_prepare(engine->model, &engine->ready);
}

/* What the prepared model takes, the planner, and answers that are vectors. */
static uint64_t planned_bytes(const icl_engine *engine, const icl_plan *plan)
{
    const icl_model_info *info = icl_model_get_info(engine->model);
    const uint64_t answers = plan->stats.whole_distributions * info->vocab_count +
                             plan->stats.hidden_states * info->embedding_size;
    const size_t kept = plan->holds.count > 0 ? engine->ready.sequence_tokens : 0;
    return answers * sizeof(float) + icl_model_working_bytes(engine->model) +
           plan->trie.node_capacity * sizeof(trie_node) + plan->trie.node_count * sizeof(uint32_t) +
           plan->trie.ask_capacity * sizeof(trie_ask) +
           plan->token_capacity * (sizeof(icl_decode_token) + sizeof(uint32_t)) +
           kept * sizeof(int32_t);
}

icl_status icl_engine_plan_bytes(icl_engine *engine, const icl_plan *plan, uint64_t *out_bytes)
{
    if (plan->stats.calls > 0) ICL_TRY(prepare_model(engine, plan));
    *out_bytes = planned_bytes(engine, plan);
    return ICL_OK;
}

static void meter_add(engine_run *run)
{
    icl_meter *meter = &run->engine->meter;
    const icl_plan_stats *stats = &run->plan->stats;
    meter->requests += stats->request_count;
    meter->tokens_asked += stats->tokens_asked;
    meter->tokens_trie += stats->tokens_trie;
    meter->tokens_evaluated += stats->tokens_evaluated;
    meter->logits_rows += stats->logits_rows;
    meter->rows_padding += stats->rows_padding;
    meter->visible_cells += stats->visible_cells;
}

/* ---- what stays in the cache ---- */

static bool is_within(const icl_decode_limits *needed, const icl_decode_limits *ready)
{
    return needed->cells <= ready->cells && needed->sequences <= ready->sequences &&
           needed->call_tokens <= ready->call_tokens && needed->call_rows <= ready->call_rows &&
           needed->hidden <= ready->hidden;
}

/* Whether to go on in the cache as it is. Dropped paths leave their cells taken: where these keep
 * others out, and are the most of what is taken, it is time to begin again. */
static bool is_worth_going_on(const icl_engine *engine, const icl_plan *plan)
{
    const plan_holds *holds = &plan->holds;
    const icl_decode_limits needed = icl_plan_decode_limits(plan, false);
    if (holds->count == 0 || holds->cells_live == 0) return false;
    if (holds->missed > 0 && holds->cells_taken > 2 * holds->cells_live) return false;
    return is_within(&needed, &engine->ready);
}

/* A plan on what the cache holds, or on an empty cache, which is made ready. */
static icl_status make_plan(engine_run *run)
{
    icl_engine *engine = run->engine;
    const icl_plan_limits limits = icl_engine_limits(engine);
    if (engine->cache_stamp != icl_model_cache_stamp(engine->model))
        icl_residents_deinit(&engine->residents);
    if (engine->residents.cells > 0) {
        const icl_status status =
            icl_plan_new_on(&run->plan, run->batch, &limits, &engine->residents);
        if (status == ICL_OK &&
            (run->plan->call_count == 0 || is_worth_going_on(engine, run->plan)))
            return ICL_OK;
        icl_plan_free(run->plan);
        run->plan = NULL;
    }
    ICL_TRY(icl_plan_new(&run->plan, run->batch, &limits));
    return run->plan->call_count > 0 ? prepare_model(engine, run->plan) : ICL_OK;
}

static icl_status run_calls(engine_run *run)
{
    icl_engine *engine = run->engine;
    const double start = seconds_now();
    icl_status status = ICL_OK;
    for (size_t c = 0; c < run->plan->call_count && status == ICL_OK; c++)
        status = run_call(run, &run->plan->calls[c]);
    engine->meter.seconds += seconds_now() - start;
    if (status == ICL_OK && run->plan->holds.count > 0)
        status = icl_holds_become_residents(&engine->residents, &run->plan->holds, &run->plan->trie,
                                            run->plan->cells_held);
    else
        icl_residents_deinit(&engine->residents);
    engine->cache_stamp = icl_model_cache_stamp(engine->model);
    return status;
}

static icl_status run_plan(engine_run *run)
{
    ICL_TRY(make_plan(run));
    meter_add(run);
    if (run->plan->call_count == 0) return ICL_OK;
    const uint64_t bytes = planned_bytes(run->engine, run->plan);
    if (bytes > run->engine->meter.peak_bytes) run->engine->meter.peak_bytes = bytes;
    icl_status status = run_calls(run);
    if (status == ICL_OK && run->engine->journal != NULL)
        status = icl_journal_sync(run->engine->journal);
    return status;
}

icl_status icl_engine_run(icl_engine *engine, icl_batch *batch)
{
    engine_run run = { .engine = engine, .batch = batch };
    if (engine->account.open) ICL_TRY(icl_account_pay(&engine->account, batch));
    icl_status status = run_prepare(&run);
    if (status == ICL_OK) status = recall_answers(&run);
    if (status == ICL_OK) status = run_plan(&run);
    icl_plan_free(run.plan);
    free(run.missing);
    free(run.buffer);
    return status;
}

icl_status icl_engine_run_all(icl_engine *engine, icl_batch *const *batches, size_t count)
{
    if (count == 1) return icl_engine_run(engine, batches[0]);
    icl_batch *joint = NULL;
    icl_status status = icl_batch_new(&joint);
    for (size_t i = 0; i < count && status == ICL_OK; i++)
        status = icl_batch_append(joint, batches[i]);
    if (status == ICL_OK) {
        size_t next = 0;
        status = icl_engine_run(engine, joint);
        for (size_t i = 0; i < count; i++) icl_batch_take_answers(batches[i], joint, &next);
    }
    icl_batch_free(joint);
    return status;
}

/* One sequence of `length` tokens in calls of the given size; no logits but the last token's. */
static icl_status prefill(icl_model *model, icl_decode_token *tokens, size_t length,
                          size_t call_tokens)
{
    for (size_t first = 0; first < length; first += call_tokens) {
        const size_t count = length - first < call_tokens ? length - first : call_tokens;
        ICL_TRY(icl_model_decode(model, &(icl_decode_call){ .begins_wave = first == 0,
                                                            .tokens = tokens + first,
                                                            .token_count = count }));
    }
    return ICL_OK;
}

icl_status icl_engine_measure_prefill(icl_engine *engine, size_t call_tokens, size_t visible_cells,
                                      double seconds_max, double *out_tokens_per_second)
{
    /* A sequence of length n shows its tokens (n + 1) / 2 cells on average. */
    const icl_model_info *info = icl_model_get_info(engine->model);
    size_t length = visible_cells * 2 > call_tokens ? visible_cells * 2 - 1 : call_tokens;
    if (length > info->window_tokens) length = info->window_tokens;
    if (call_tokens > length) call_tokens = length;
    ICL_TRY(icl_model_prepare(engine->model, &(icl_decode_limits){ .cells = length,
                                                                   .sequences = 2,
                                                                   .call_tokens = call_tokens,
                                                                   .call_rows = 1 }));
    icl_decode_token *tokens = malloc(length * sizeof *tokens);
    if (tokens == NULL) return icl_error_set(ICL_ENOMEM, "out of memory for %zu tokens", length);
    for (size_t i = 0; i < length; i++)
        tokens[i] = (icl_decode_token){ .token = (int32_t)(i * 37 % info->vocab_count),
                                        .position = (int32_t)i,
                                        .leaf_last = -1,
                                        .trunk = true,
                                        .row = i + 1 == length };
    icl_status status = prefill(engine->model, tokens, length, call_tokens); /* warm-up */
    const double start = seconds_now();
    double elapsed = 0;
    size_t done = 0;
    while (status == ICL_OK && (done == 0 || elapsed < seconds_max)) {
        status = prefill(engine->model, tokens, length, call_tokens);
        done += length;
        elapsed = seconds_now() - start;
    }
    free(tokens);
    if (status == ICL_OK) *out_tokens_per_second = (double)done / elapsed;
    return status;
}
