#include "engine/batch.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/error.h"

icl_status icl_batch_new(icl_batch **out)
{
    icl_batch *batch = calloc(1, sizeof *batch);
    if (batch == NULL) return icl_error_set(ICL_ENOMEM, "out of memory for a batch");
    *out = batch;
    return ICL_OK;
}

void icl_batch_free(icl_batch *batch)
{
    if (batch == NULL) return;
    for (size_t r = 0; r < batch->request_count; r++) free(batch->requests[r].vector);
    free(batch->tokens);
    free(batch->prefixes);
    free(batch->requests);
    free(batch->values);
    free(batch->choices);
    free(batch);
}

static icl_status add_tokens(icl_batch *batch, const int32_t *tokens, size_t count,
                             size_t *out_first)
{
    ICL_TRY(icl_array_reserve(&batch->tokens, &batch->token_capacity, batch->token_count + count));
    memcpy(batch->tokens + batch->token_count, tokens, count * sizeof *tokens);
    *out_first = batch->token_count;
    batch->token_count += count;
    return ICL_OK;
}

icl_status icl_batch_add_prefix(icl_batch *batch, const int32_t *tokens, size_t count,
                                size_t *out_prefix)
{
    if (count == 0) return icl_error_set(ICL_EINVAL, "a prefix needs at least one token");
    ICL_TRY(icl_array_reserve(&batch->prefixes, &batch->prefix_capacity, batch->prefix_count + 1));
    prefix_span span = { .count = count };
    ICL_TRY(add_tokens(batch, tokens, count, &span.first));
    batch->prefixes[batch->prefix_count] = span;
    *out_prefix = batch->prefix_count++;
    return ICL_OK;
}

/* Room for `count` answer values, NaN until answered. */
static icl_status add_values(icl_batch *batch, size_t count, size_t *out_first)
{
    const size_t needed = batch->value_count + count;
    size_t choice_capacity = batch->value_capacity;
    ICL_TRY(icl_array_reserve(&batch->choices, &choice_capacity, needed));
    ICL_TRY(icl_array_reserve(&batch->values, &batch->value_capacity, needed));
    *out_first = batch->value_count;
    batch->value_count = needed;
    return ICL_OK;
}

static icl_status add_request(icl_batch *batch, icl_request fresh, size_t value_count,
                              size_t *out_request)
{
    assert(fresh.prefix < batch->prefix_count);
    ICL_TRY(
        icl_array_reserve(&batch->requests, &batch->request_capacity, batch->request_count + 1));
    ICL_TRY(add_values(batch, value_count, &fresh.answer_first));
    batch->requests[batch->request_count] = fresh;
    *out_request = batch->request_count++;
    return ICL_OK;
}

icl_status icl_batch_add_score(icl_batch *batch, size_t prefix, const int32_t *continuation,
                               size_t count, size_t *out_request)
{
    if (count == 0) return icl_error_set(ICL_EINVAL, "a continuation needs at least one token");
    icl_request fresh = { .kind = REQUEST_SCORE, .prefix = prefix, .count = count };
    ICL_TRY(add_tokens(batch, continuation, count, &fresh.first));
    return add_request(batch, fresh, count, out_request);
}

icl_status icl_batch_add_distribution(icl_batch *batch, size_t prefix, size_t top_n,
                                      size_t *out_request)
{
    const icl_request fresh = { .kind = REQUEST_DISTRIBUTION, .prefix = prefix, .top_n = top_n };
    return add_request(batch, fresh, top_n, out_request);
}

icl_status icl_batch_add_whole_distribution(icl_batch *batch, size_t prefix, size_t *out_request)
{
    const icl_request fresh = { .kind = REQUEST_WHOLE_DISTRIBUTION, .prefix = prefix };
    return add_request(batch, fresh, 0, out_request);
}

icl_status icl_batch_add_hidden(icl_batch *batch, size_t prefix, size_t *out_request)
{
    const icl_request fresh = { .kind = REQUEST_HIDDEN, .prefix = prefix };
    return add_request(batch, fresh, 0, out_request);
}

void icl_batch_keep(icl_batch *batch, size_t request, size_t tokens_to_come)
{
    assert(request < batch->request_count);
    batch->requests[request].kept = true;
    batch->requests[request].tokens_to_come = tokens_to_come;
}

/* ---- merging ---- */

uint64_t icl_request_tokens(const icl_batch *batch, const icl_request *request)
{
    return batch->prefixes[request->prefix].count + (request->count > 0 ? request->count - 1 : 0);
}

icl_status icl_batch_append(icl_batch *out, const icl_batch *batch)
{
    const size_t prefixes_before = out->prefix_count;
    size_t added;
    for (size_t p = 0; p < batch->prefix_count; p++)
        ICL_TRY(icl_batch_add_prefix(out, batch->tokens + batch->prefixes[p].first,
                                     batch->prefixes[p].count, &added));
    for (size_t r = 0; r < batch->request_count; r++) {
        const icl_request *request = &batch->requests[r];
        if (request->answered) continue;
        icl_request fresh = { .kind = request->kind,
                              .prefix = prefixes_before + request->prefix,
                              .count = request->count,
                              .top_n = request->top_n,
                              .kept = request->kept,
                              .tokens_to_come = request->tokens_to_come };
        ICL_TRY(add_tokens(out, batch->tokens + request->first, request->count, &fresh.first));
        ICL_TRY(add_request(out, fresh, request->count + request->top_n, &added));
    }
    return ICL_OK;
}

static void take_answer(icl_batch *batch, icl_request *request, const icl_batch *appended,
                        icl_request *answered)
{
    const size_t count = request->count + request->top_n;
    memcpy(batch->values + request->answer_first, appended->values + answered->answer_first,
           count * sizeof *batch->values);
    memcpy(batch->choices + request->answer_first, appended->choices + answered->answer_first,
           count * sizeof *batch->choices);
    request->vector = answered->vector;
    request->vector_size = answered->vector_size;
    answered->vector = NULL;
    request->entropy_nats = answered->entropy_nats;
    request->greedy = answered->greedy;
    request->answered = true;
}

void icl_batch_take_answers(icl_batch *batch, icl_batch *appended, size_t *next)
{
    for (size_t r = 0; r < batch->request_count; r++) {
        icl_request *request = &batch->requests[r];
        if (request->answered) continue;
        icl_request *answered = &appended->requests[(*next)++];
        if (answered->answered) take_answer(batch, request, appended, answered);
    }
}

/* ---- reading ---- */

size_t icl_batch_count(const icl_batch *batch)
{
    return batch->request_count;
}

size_t icl_batch_prefix_count(const icl_batch *batch)
{
    return batch->prefix_count;
}

const int32_t *icl_batch_prefix(const icl_batch *batch, size_t prefix, size_t *out_count)
{
    assert(prefix < batch->prefix_count);
    *out_count = batch->prefixes[prefix].count;
    return batch->tokens + batch->prefixes[prefix].first;
}

static const icl_request *request_at(const icl_batch *batch, size_t index)
{
    assert(index < batch->request_count);
    return &batch->requests[index];
}

size_t icl_batch_request_prefix(const icl_batch *batch, size_t request)
{
    return request_at(batch, request)->prefix;
}

const int32_t *icl_batch_continuation(const icl_batch *batch, size_t index, size_t *out_count)
{
    const icl_request *request = request_at(batch, index);
    *out_count = request->count;
    return batch->tokens + request->first;
}

double icl_batch_logprob_nats(const icl_batch *batch, size_t index)
{
    size_t count;
    const double *logprobs = icl_batch_token_logprobs_nats(batch, index, &count);
    double sum = 0;
    for (size_t i = 0; i < count; i++) sum += logprobs[i];
    return sum;
}

const double *icl_batch_token_logprobs_nats(const icl_batch *batch, size_t index, size_t *out_count)
{
    const icl_request *request = request_at(batch, index);
    assert(request->answered && request->kind == REQUEST_SCORE);
    *out_count = request->count;
    return batch->values + request->answer_first;
}

bool icl_batch_is_greedy(const icl_batch *batch, size_t index)
{
    assert(request_at(batch, index)->answered);
    return request_at(batch, index)->greedy;
}

const int32_t *icl_batch_first_choices(const icl_batch *batch, size_t index, size_t *out_count)
{
    const icl_request *request = request_at(batch, index);
    assert(request->answered && request->kind == REQUEST_SCORE);
    *out_count = request->count;
    return batch->choices + request->answer_first;
}

double icl_batch_entropy_nats(const icl_batch *batch, size_t index)
{
    const icl_request *request = request_at(batch, index);
    assert(request->answered && request->kind == REQUEST_DISTRIBUTION);
    return request->entropy_nats;
}

const int32_t *icl_batch_top_tokens(const icl_batch *batch, size_t index,
                                    const double **out_logprobs, size_t *out_count)
{
    const icl_request *request = request_at(batch, index);
    assert(request->answered && request->kind == REQUEST_DISTRIBUTION);
    *out_logprobs = batch->values + request->answer_first;
    *out_count = request->top_n;
    return batch->choices + request->answer_first;
}

static const float *vector_of(const icl_batch *batch, size_t index, request_kind kind,
                              size_t *out_count)
{
    const icl_request *request = request_at(batch, index);
    assert(request->answered && request->kind == kind);
    (void)kind;
    *out_count = request->vector_size;
    return request->vector;
}

const float *icl_batch_whole_distribution_nats(const icl_batch *batch, size_t request,
                                               size_t *out_count)
{
    return vector_of(batch, request, REQUEST_WHOLE_DISTRIBUTION, out_count);
}

const float *icl_batch_hidden(const icl_batch *batch, size_t request, size_t *out_count)
{
    return vector_of(batch, request, REQUEST_HIDDEN, out_count);
}
