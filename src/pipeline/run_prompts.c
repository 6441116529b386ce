/* From ordered demonstrations to prompts and requests. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/cancel.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/string_map.h"
#include "data/example.h"
#include "model/interrupt.h"
#include "pipeline/prompting.h"
#include "pipeline/run_state.h"

icl_status icl_run_render_inputs(icl_run *run)
{
    ICL_TRY(icl_prompting_render_all(run->pool_inputs, run->template, run->data.train,
                                     run->pool_count));
    return icl_prompting_render_all(run->query_inputs, run->template, run->data.test,
                                    run->query_count);
}

icl_status icl_run_build_prompt(icl_prompt *out, icl_run *run, size_t query, bool with_demos)
{
    const run_query *item = &run->queries[query];
    const icl_status status =
        icl_shown_build(out, run->prompter, &run->source,
                        &(icl_shown){ .items = item->shown,
                                      .count = with_demos ? item->shown_count : 0,
                                      .input = run->query_inputs[query],
                                      .name = run->query_ids[query] });
    if (status == ICL_OK) return ICL_OK;
    return icl_error_prefix(status, "%s:%zu", icl_dataset_name(run->data.test),
                            icl_example_line(icl_dataset_at(run->data.test, query)));
}

/* All names of all labels after one prompt. */
static icl_status add_labels(icl_run *run, const icl_prompt *prompt, run_request made)
{
    const size_t count = icl_label_request_count(run->data.verbalizer);
    ICL_TRY(icl_array_reserve(&run->requests, &run->request_capacity, run->request_count + count));
    ICL_TRY(icl_label_requests_add(run->label_requests, run->batch, run->prompter,
                                   run->data.verbalizer, prompt));
    for (size_t i = 0; i < count; i++) {
        const icl_label_request *request = &run->label_requests[i];
        made.label = (uint32_t)request->label;
        made.name = (uint32_t)request->name;
        made.size = icl_answer_size_of(request->words, request->token_count);
        run->requests[run->request_count++] = made;
        run->summary.joins_merged += request->merged;
    }
    assert(run->request_count == icl_batch_count(run->batch));
    return ICL_OK;
}

/* Keeps what the window left of the demonstrations. */
static void note_drops(icl_run *run, size_t query, const icl_prompt *prompt)
{
    run_query *item = &run->queries[query];
    const size_t dropped = item->shown_count - prompt->kept_count;
    run->summary.demonstrations_dropped += dropped;
    run->summary.queries_with_drops += dropped > 0;
    memmove(item->shown, item->shown + prompt->first_kept,
            prompt->kept_count * sizeof *item->shown);
    item->shown_count = prompt->kept_count;
}

static icl_status add_query(icl_run *run, size_t query)
{
    icl_prompt prompt = { 0 };
    ICL_TRY(icl_run_build_prompt(&prompt, run, query, true));
    note_drops(run, query, &prompt);
    icl_hash_hex(run->queries[query].prompt_hash, icl_hash(prompt.text, prompt.length));
    const icl_status status = add_labels(
        run, &prompt, (run_request){ .purpose = PURPOSE_QUERY, .owner = (uint32_t)query });
    icl_prompt_deinit(&prompt);
    return status;
}

static icl_status add_zero_shot(icl_run *run, size_t query)
{
    icl_prompt prompt = { 0 };
    ICL_TRY(icl_run_build_prompt(&prompt, run, query, false));
    const icl_status status = add_labels(
        run, &prompt, (run_request){ .purpose = PURPOSE_ZERO_SHOT, .owner = (uint32_t)query });
    icl_prompt_deinit(&prompt);
    return status;
}

static icl_status add_content_free(icl_run *run, size_t group, uint32_t input)
{
    const size_t query = run->group_query[group];
    char *text = NULL;
    icl_prompt prompt = { 0 };
    icl_status status = icl_prompting_render_content_free(&text, run->template, run->options.task,
                                                          run->data.test, query, input);
    if (status != ICL_OK)
        return icl_error_prefix(status, "calibrate=%s", run->strategy.calibrate->card.name);
    status = icl_shown_build(&prompt, run->prompter, &run->source,
                             &(icl_shown){ .items = run->queries[query].shown,
                                           .count = run->queries[query].shown_count,
                                           .input = text,
                                           .name = "content-free input" });
    if (status == ICL_OK)
        status = add_labels(run, &prompt,
                            (run_request){ .purpose = PURPOSE_CONTENT_FREE,
                                           .owner = (uint32_t)group,
                                           .input = input });
    icl_prompt_deinit(&prompt);
    free(text);
    return status;
}

/* Numbers the distinct demonstration lists. */
static icl_status group_queries(icl_run *run)
{
    char(*keys)[33] = malloc(run->query_count * sizeof *keys);
    icl_string_map map = { 0 };
    icl_status status = keys == NULL ? icl_error_set(ICL_ENOMEM, "out of memory") : ICL_OK;
    for (size_t q = 0; q < run->query_count && status == ICL_OK; q++) {
        const run_query *item = &run->queries[q];
        size_t group = run->group_count;
        icl_hash_hex(keys[q], icl_hash(item->shown, item->shown_count * sizeof *item->shown));
        status = icl_string_map_add(&map, keys[q], &group);
        if (status != ICL_OK) break;
        if (group == run->group_count) run->group_query[run->group_count++] = q;
        run->queries[q].group = group;
    }
    icl_string_map_deinit(&map);
    free(keys);
    return status;
}

icl_status icl_run_make_requests(icl_run *run)
{
    const icl_verbalizer *verbalizer = run->data.verbalizer;
    ICL_TRY(icl_label_requests_reserve(run->prompter, verbalizer));
    run->label_requests =
        calloc(icl_label_request_count(verbalizer) + 1, sizeof *run->label_requests);
    if (run->label_requests == NULL) return icl_error_set(ICL_ENOMEM, "out of memory for labels");
    const atomic_bool *cancelled = icl_model_interrupt_flag(icl_engine_model(run->engine));
    for (size_t q = 0; q < run->query_count; q++) {
        ICL_TRY(icl_cancel_check(cancelled));
        ICL_TRY(add_query(run, q));
    }
    ICL_TRY(group_queries(run));
    if (run->options.zero_shot && run->selection.k > 0)
        for (size_t q = 0; q < run->query_count; q++) ICL_TRY(add_zero_shot(run, q));
    if ((run->strategy.calibrate->card.needs & ICL_NEEDS_CONTENT_FREE) == 0) return ICL_OK;
    for (size_t g = 0; g < run->group_count; g++)
        for (uint32_t i = 0; i < ICL_CONTENT_FREE_COUNT; i++) ICL_TRY(add_content_free(run, g, i));
    return ICL_OK;
}

icl_status icl_run_request_id(char **out_id, const icl_run *run, size_t request)
{
    assert(request < run->request_count);
    const run_request *made = &run->requests[request];
    const icl_label_space *labels = icl_verbalizer_labels(run->data.verbalizer);
    icl_text id = { 0 };
    if (made->purpose == PURPOSE_ZERO_SHOT) icl_text_append_string(&id, "zero-shot/");
    if (made->purpose == PURPOSE_CONTENT_FREE)
        icl_text_printf(&id, "content-free-%u/", (unsigned)made->input);
    const size_t query =
        made->purpose == PURPOSE_CONTENT_FREE ? run->group_query[made->owner] : made->owner;
    icl_text_printf(&id, "%s/%s", run->query_ids[query], icl_label_space_name(labels, made->label));
    if (made->name > 0) icl_text_printf(&id, "/%u", (unsigned)made->name);
    ICL_TRY(icl_text_status(&id));
    *out_id = icl_text_take(&id, NULL);
    return ICL_OK;
}

/* ---- showing ---- */

static icl_status show_tokens(icl_text *out, icl_run *run, const int32_t *tokens, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char piece[256];
        size_t length;
        ICL_TRY(icl_model_piece(icl_engine_model(run->engine), piece, sizeof piece, &length,
                                tokens[i]));
        icl_text_append(out, piece, length);
        icl_text_append_char(out, '|');
    }
    return ICL_OK;
}

static icl_status show_labels(icl_text *out, icl_run *run, const icl_prompt *prompt)
{
    const icl_verbalizer *verbalizer = run->data.verbalizer;
    icl_text_printf(out, "\n-- %zu tokens; answers:\n", prompt->token_count);
    for (size_t label = 0; label < run->label_count; label++) {
        icl_answer answer;
        ICL_TRY(icl_prompter_answer(&answer, run->prompter, prompt,
                                    icl_verbalizer_word(verbalizer, label, 0)));
        icl_text_printf(out, "   %-24s |",
                        icl_label_space_name(icl_verbalizer_labels(verbalizer), label));
        ICL_TRY(show_tokens(out, run, answer.tokens, answer.token_count));
        icl_text_printf(out, "  %zu token%s%s\n", answer.token_count,
                        answer.token_count == 1 ? "" : "s",
                        answer.merged ? ", merges with the prompt" : "");
    }
    return ICL_OK;
}

icl_status icl_run_show_prompt(char **out_text, icl_run *run, size_t query)
{
    assert(query < run->query_count);
    icl_prompt prompt = { 0 };
    icl_text text = { 0 };
    ICL_TRY(icl_run_build_prompt(&prompt, run, query, true));
    icl_text_append_char(&text, '|');
    icl_status status = show_tokens(&text, run, prompt.tokens, prompt.token_count);
    if (status == ICL_OK) status = show_labels(&text, run, &prompt);
    if (status == ICL_OK) status = icl_text_status(&text);
    icl_prompt_deinit(&prompt);
    if (status != ICL_OK) {
        icl_text_deinit(&text);
        return status;
    }
    *out_text = icl_text_take(&text, NULL);
    return ICL_OK;
}
