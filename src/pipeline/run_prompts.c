/* From ordered demonstrations to prompts and requests. */
#include <assert.h>
#include <string.h>

#include "base/error.h"
#include "data/example.h"
#include "pipeline/prompting.h"
#include "pipeline/run_answers.h"
#include "pipeline/run_state.h"

icl_status icl_run_render_inputs(icl_run *run)
{
    ICL_TRY(icl_prompting_render_all(run->pool_inputs, run->template, run->data.train,
                                     run->pool_count));
    ICL_TRY(icl_prompting_render_all(run->query_inputs, run->template, run->data.test,
                                     run->query_count));
    for (size_t v = 0; v < run->calibrating.item_count; v++)
        run->query_inputs[run->query_count + v] = run->pool_inputs[run->calibrating.items[v]];
    return ICL_OK;
}

static icl_status at_query(icl_status status, const icl_run *run, size_t query)
{
    const bool is_item = query >= run->query_count;
    const icl_dataset *data = is_item ? run->data.train : run->data.test;
    const size_t index = is_item ? run->calibrating.items[query - run->query_count] : query;
    return icl_error_prefix(status, "%s:%zu", icl_dataset_name(data),
                            icl_example_line(icl_dataset_at(data, index)));
}

static icl_status build_prompt(icl_prompt *out, const icl_run *run, size_t query)
{
    const run_query *item = &run->queries[query];
    const icl_status status = icl_shown_build(out, run->prompter, &run->source,
                                              &(icl_shown){ .items = item->shown,
                                                            .count = item->shown_count,
                                                            .input = run->query_inputs[query],
                                                            .name = run->query_ids[query] });
    return status == ICL_OK ? ICL_OK : at_query(status, run, query);
}

/* What the window left of the demonstrations. */
static void note_drops(icl_run *run, size_t query)
{
    run_query *item = &run->queries[query];
    size_t kept_count = 0;
    const size_t *kept = icl_scoring_shown(run->scoring, query, &kept_count);
    const size_t dropped = query < run->query_count ? item->shown_count - kept_count : 0;
    run->summary.demonstrations_dropped += dropped;
    run->summary.queries_with_drops += dropped > 0;
    memcpy(item->shown, kept, kept_count * sizeof *kept);
    item->shown_count = kept_count;
}

/* The first `count` queries, each as a row of its own. */
static icl_status add_queries(icl_run *run, size_t count, bool with_demos)
{
    for (size_t q = 0; q < count; q++) {
        size_t row;
        const icl_status status =
            icl_scoring_add(run->scoring,
                            &(icl_shown){ .items = run->queries[q].shown,
                                          .count = with_demos ? run->queries[q].shown_count : 0,
                                          .input = run->query_inputs[q],
                                          .name = run->query_ids[q] },
                            &row);
        if (status != ICL_OK) return at_query(status, run, q);
    }
    return ICL_OK;
}

static icl_status open_scoring(icl_run *run)
{
    const icl_score_method *method = run->strategy.score;
    icl_score_wants wants = icl_score_wanted(method, &run->strategy.options[ICL_STAGE_SCORE]);
    unsigned recorded = 0;
    if (run->options.record != NULL) ICL_TRY(icl_score_parts_parse(&recorded, run->options.record));
    wants.parts |= recorded;
    const icl_status status = icl_scoring_new(&run->scoring, &run->source, run->template, &wants);
    return status == ICL_OK ? ICL_OK : icl_error_prefix(status, "score=%s", method->card.name);
}

icl_status icl_run_make_requests(icl_run *run)
{
    ICL_TRY(open_scoring(run));
    ICL_TRY(add_queries(run, run->asked_count, true));
    for (size_t q = 0; q < run->asked_count; q++) note_drops(run, q);
    const bool zero_shot = run->options.zero_shot && run->selection.k > 0;
    run->zero_shot_row = run->asked_count;
    run->calibrating.content_free_row = run->asked_count + (zero_shot ? run->query_count : 0);
    if (zero_shot) ICL_TRY(add_queries(run, run->query_count, false));
    ICL_TRY(icl_run_add_calibration_rows(run));
    const icl_status status = icl_scoring_add_anchors(run->scoring, run->options.seed);
    if (status != ICL_OK)
        return icl_error_prefix(status, "score=%s", run->strategy.score->card.name);
    run->summary.joins_merged = icl_scoring_joins_merged(run->scoring);
    return ICL_OK;
}

/* "<query id>", with what the row is for before it. */
static void describe_row(icl_text *out, const icl_run *run, size_t row)
{
    const run_calibrating *calibrating = &run->calibrating;
    size_t asked = row;
    if (row >= calibrating->domain_row) {
        const size_t at = row - calibrating->domain_row, texts = calibrating->wants.domain_texts;
        icl_text_printf(out, "domain-%zu/", at % texts);
        asked = calibrating->group_rows[at / texts];
    } else if (row >= calibrating->content_free_row) {
        const size_t at = row - calibrating->content_free_row;
        icl_text_printf(out, "content-free-%zu/", at % ICL_CONTENT_FREE_COUNT);
        asked = calibrating->group_rows[at / ICL_CONTENT_FREE_COUNT];
    } else if (row >= run->zero_shot_row) {
        icl_text_append_string(out, "zero-shot/");
        asked = row - run->zero_shot_row;
    }
    if (asked >= run->query_count) icl_text_append_string(out, "validation/");
    icl_text_printf(out, "%s/", run->query_ids[asked]);
}

icl_status icl_run_request_id(char **out_id, const icl_run *run, size_t request)
{
    icl_text id = { 0 };
    describe_row(&id, run, icl_scoring_request_row(run->scoring, request));
    icl_scoring_describe_request(&id, run->scoring, request);
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

/* The prompt with all demonstrations and the query's input, and the answers after it. */
static icl_status show_straight(icl_text *out, icl_run *run, size_t query)
{
    icl_prompt prompt = { 0 };
    ICL_TRY(build_prompt(&prompt, run, query));
    icl_text_append_char(out, '|');
    icl_status status = show_tokens(out, run, prompt.tokens, prompt.token_count);
    if (status == ICL_OK) status = show_labels(out, run, &prompt);
    icl_prompt_deinit(&prompt);
    return status;
}

/* A prompt of another form, by what is sent to the model. */
static icl_status show_request(icl_text *out, icl_run *run, size_t request)
{
    const icl_batch *batch = icl_scoring_batch(run->scoring);
    size_t prefix_count, scored_count;
    const int32_t *prefix =
        icl_batch_prefix(batch, icl_batch_request_prefix(batch, request), &prefix_count);
    const int32_t *scored = icl_batch_continuation(batch, request, &scored_count);
    icl_text_append_string(out, "-- for ");
    icl_scoring_describe_request(out, run->scoring, request);
    icl_text_append_string(out, ", and alike for all others:\n|");
    ICL_TRY(show_tokens(out, run, prefix, prefix_count));
    icl_text_printf(out, "\n-- %zu tokens; scored after them, %zu:\n|", prefix_count, scored_count);
    ICL_TRY(show_tokens(out, run, scored, scored_count));
    icl_text_append_char(out, '\n');
    return ICL_OK;
}

static icl_status show_asked(icl_text *out, icl_run *run, size_t query)
{
    const unsigned other_forms = 1u << ICL_SCORE_INPUT | 1u << ICL_SCORE_INPUT_EACH |
                                 1u << ICL_SCORE_ANSWER_EACH | 1u << ICL_SCORE_UNCONDITIONAL;
    const size_t request_count = icl_batch_count(icl_scoring_batch(run->scoring));
    unsigned seen = 0;
    for (size_t i = 0; i < request_count; i++) {
        if (icl_scoring_request_row(run->scoring, i) != query) continue;
        const unsigned part = 1u << icl_scoring_request_part(run->scoring, i);
        if ((part & other_forms) == 0 && (seen & ~other_forms) == 0)
            ICL_TRY(show_straight(out, run, query));
        if ((part & other_forms) != 0 && (seen & part) == 0) ICL_TRY(show_request(out, run, i));
        seen |= part;
    }
    return ICL_OK;
}

icl_status icl_run_show_prompt(char **out_text, icl_run *run, size_t query)
{
    assert(query < run->query_count);
    icl_text text = { 0 };
    icl_status status = show_asked(&text, run, query);
    if (status == ICL_OK) status = icl_text_status(&text);
    if (status != ICL_OK) {
        icl_text_deinit(&text);
        return status;
    }
    *out_text = icl_text_take(&text, NULL);
    return ICL_OK;
}

icl_status icl_run_prompt_text(char **out_text, const icl_run *run, size_t query)
{
    assert(query < run->query_count);
    icl_prompt prompt = { 0 };
    ICL_TRY(build_prompt(&prompt, run, query));
    *out_text = prompt.text;
    prompt.text = NULL;
    icl_prompt_deinit(&prompt);
    return ICL_OK;
}

const char *icl_run_query_input(const icl_run *run, size_t query)
{
    assert(query < run->query_count);
    return run->query_inputs[query];
}

icl_run_demonstration icl_run_demonstration_at(const icl_run *run, size_t query, size_t index)
{
    assert(query < run->query_count && index < run->queries[query].shown_count);
    const size_t item = run->queries[query].shown[index];
    return (icl_run_demonstration){ .id = run->pool_ids[item],
                                    .input = run->pool_inputs[item],
                                    .label = run->pool_labels[item] };
}
