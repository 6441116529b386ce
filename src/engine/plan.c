#include "engine/plan.h"

#include <stdlib.h>

#include "base/error.h"
#include "base/text.h"

static size_t max_size(size_t a, size_t b)
{
    return a > b ? a : b;
}

icl_status icl_plan_too_long(const icl_plan *plan, size_t depth)
{
    const icl_plan_limits *limits = &plan->limits;
    if (limits->window_tokens > 0 && depth > limits->window_tokens)
        return icl_error_set(ICL_ECONTEXT,
                             "a prompt of %zu tokens exceeds the model's window of %zu tokens",
                             depth, limits->window_tokens);
    return icl_error_set(ICL_ECONTEXT,
                         "a prompt of %zu tokens exceeds the cache budget of %zu tokens", depth,
                         limits->cells_max);
}

static void count_stats(icl_plan *plan, const icl_batch *batch)
{
    icl_plan_stats *stats = &plan->stats;
    for (size_t r = 0; r < batch->request_count; r++) {
        const icl_request *request = &batch->requests[r];
        if (request->answered) continue;
        stats->request_count++;
        stats->whole_distributions += request->kind == REQUEST_WHOLE_DISTRIBUTION;
        stats->hidden_states += request->kind == REQUEST_HIDDEN;
        stats->tokens_asked += icl_request_tokens(batch, request);
    }
    stats->prefix_count = batch->prefix_count;
    stats->tokens_trie = plan->token_count;
    stats->calls = plan->call_count;
    const size_t floor = plan->limits.row_floor;
    for (size_t c = 0; c < plan->call_count; c++) {
        const plan_call *call = &plan->calls[c];
        size_t rows = 0;
        for (size_t i = 0; i < call->token_count; i++) {
            const icl_decode_token *token = &plan->tokens[call->token_first + i];
            rows += token->row;
            stats->visible_cells += (uint64_t)token->position + 1;
            stats->depth_max = max_size(stats->depth_max, (size_t)token->position + 1);
        }
        stats->logits_rows += rows;
        if (rows > 0 && rows < floor) stats->rows_padding += floor - rows;
        stats->tokens_evaluated += max_size(call->token_count, floor);
        stats->call_tokens_peak = max_size(stats->call_tokens_peak, call->token_count);
        stats->call_rows_peak = max_size(stats->call_rows_peak, rows);
    }
}

icl_status icl_plan_new_on(icl_plan **out, const icl_batch *batch, const icl_plan_limits *limits,
                           const icl_residents *residents)
{
    if (limits->sequences_max < 2 || limits->call_tokens_max < 1 || limits->cells_max < 1 ||
        limits->row_floor < 1)
        return icl_error_set(
            ICL_EINVAL, "plan limits need at least 2 sequences, 1 cell, 1 token per call and a "
                        "row floor of 1");
    icl_plan *plan = calloc(1, sizeof *plan);
    if (plan == NULL) return icl_error_set(ICL_ENOMEM, "out of memory for a plan");
    plan->limits = *limits;
    icl_status status = icl_trie_build(&plan->trie, batch);
    if (status == ICL_OK)
        status = icl_holds_choose(&plan->holds, &plan->trie, batch, limits, residents);
    if (status == ICL_OK) status = icl_plan_walk(plan);
    if (status == ICL_OK) count_stats(plan, batch);
    if (status == ICL_OK && limits->window_tokens > 0 &&
        plan->stats.depth_max > limits->window_tokens)
        status = icl_plan_too_long(plan, plan->stats.depth_max);
    if (status != ICL_OK) {
        icl_plan_free(plan);
        return status;
    }
    *out = plan;
    return ICL_OK;
}

icl_status icl_plan_new(icl_plan **out, const icl_batch *batch, const icl_plan_limits *limits)
{
    const icl_residents none = { 0 };
    return icl_plan_new_on(out, batch, limits, &none);
}

void icl_plan_free(icl_plan *plan)
{
    if (plan == NULL) return;
    icl_holds_deinit(&plan->holds);
    icl_trie_deinit(&plan->trie);
    free(plan->tokens);
    free(plan->nodes);
    free(plan->calls);
    free(plan);
}

const icl_plan_stats *icl_plan_get_stats(const icl_plan *plan)
{
    return &plan->stats;
}

icl_decode_call icl_plan_decode_call(const icl_plan *plan, const plan_call *call)
{
    const plan_holds *holds = &plan->holds;
    return (icl_decode_call){ .begins_wave = call->begins_wave,
                              .keep_tokens = call->keep_tokens,
                              .trunk_from = (int32_t)call->trunk_from,
                              .leaf_count = call->leaf_count,
                              .leaf_sequences = call->held ? holds->sequences : NULL,
                              .edits = call->held ? holds->edits : NULL,
                              .edit_count = call->held ? holds->edit_count : 0,
                              .tokens = plan->tokens + call->token_first,
                              .token_count = call->token_count };
}

/* Most tokens held at once, each counted for every sequence that it is in. */
static size_t sequence_tokens_peak(const icl_plan *plan)
{
    size_t held = 0, kept = 0, peak = 0;
    for (size_t h = 0; h < plan->holds.count; h++)
        kept += plan->trie.nodes[plan->holds.leaves[h]].depth;
    for (size_t c = 0; c < plan->call_count; c++) {
        const plan_call *call = &plan->calls[c];
        if (call->held) continue;
        if (call->begins_wave) held = (size_t)call->keep_tokens * (call->leaf_count + 1);
        for (size_t i = 0; i < call->token_count; i++) {
            const icl_decode_token *token = &plan->tokens[call->token_first + i];
            held += (size_t)(token->leaf_last - token->leaf_first + 1) + token->trunk;
        }
        peak = max_size(peak, held);
    }
    return plan->holds.cells_taken + kept + peak;
}

icl_decode_limits icl_plan_decode_limits(const icl_plan *plan, bool to_come)
{
    const icl_plan_stats *stats = &plan->stats;
    icl_decode_limits limits = { .cells = stats->cells_peak,
                                 .sequences = stats->sequences_peak,
                                 .call_tokens = stats->call_tokens_peak,
                                 .call_rows = stats->call_rows_peak,
                                 .hidden = stats->hidden_states > 0,
                                 .sequence_tokens = sequence_tokens_peak(plan) };
    if (!to_come || plan->holds.count == 0) return limits;
    const size_t most = plan->limits.call_tokens_max;
    const size_t rows = plan->holds.rows_max < most ? plan->holds.rows_max : most;
    limits.cells += plan->holds.tokens_to_come;
    if (limits.cells > plan->limits.cells_max) limits.cells = plan->limits.cells_max;
    limits.call_rows = max_size(limits.call_rows, rows);
    limits.call_tokens = max_size(limits.call_tokens, rows);
    limits.sequence_tokens += plan->holds.tokens_to_come;
    return limits;
}

static void print_edits(icl_text *text, const plan_holds *holds)
{
    for (size_t i = 0; i < holds->edit_count; i++)
        icl_text_printf(text, "  sequence %d from %d[%zu]\n", holds->edits[i].to,
                        holds->edits[i].from, holds->edits[i].tokens);
    icl_text_append_string(text, "  leaves in");
    for (size_t i = 0; i < holds->count; i++) icl_text_printf(text, " %d", holds->sequences[i]);
    icl_text_append_char(text, '\n');
}

static void print_wave(icl_text *text, const icl_plan *plan, const plan_call *call)
{
    icl_text_printf(text, "%swave keep %u", call->held ? "held " : "", call->keep_tokens);
    if (call->trunk_from != 0) icl_text_printf(text, " from %u", call->trunk_from);
    icl_text_printf(text, " leaves %u\n", call->leaf_count);
    if (call->held) print_edits(text, &plan->holds);
}

static void print_token(icl_text *text, const icl_decode_token *token)
{
    icl_text_printf(text, " %d@%d[", token->token, token->position);
    if (token->trunk) icl_text_append_string(text, "t");
    if (token->leaf_first <= token->leaf_last)
        icl_text_printf(text, "%s%d", token->trunk ? "+" : "", token->leaf_first);
    if (token->leaf_first < token->leaf_last) icl_text_printf(text, "-%d", token->leaf_last);
    icl_text_printf(text, "]%s%s", token->row ? "*" : "", token->hidden ? "h" : "");
}

icl_status icl_plan_print(char **out_text, const icl_plan *plan)
{
    icl_text text = { 0 };
    const icl_plan_stats *stats = &plan->stats;
    icl_text_printf(
        &text, "asked %llu trie %llu evaluated %llu rows %llu calls %zu waves %zu cells %zu\n",
        (unsigned long long)stats->tokens_asked, (unsigned long long)stats->tokens_trie,
        (unsigned long long)stats->tokens_evaluated, (unsigned long long)stats->logits_rows,
        stats->calls, stats->waves, stats->cells_peak);
    for (size_t c = 0; c < plan->call_count; c++) {
        const plan_call *call = &plan->calls[c];
        if (call->begins_wave) print_wave(&text, plan, call);
        icl_text_append_string(&text, "  call");
        for (size_t i = 0; i < call->token_count; i++)
            print_token(&text, &plan->tokens[call->token_first + i]);
        icl_text_append_char(&text, '\n');
    }
    ICL_TRY(icl_text_status(&text));
    *out_text = icl_text_take(&text, NULL);
    return ICL_OK;
}
