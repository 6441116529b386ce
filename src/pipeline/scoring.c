#include "pipeline/scoring.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/cancel.h"
#include "base/error.h"
#include "model/interrupt.h"
#include "pipeline/scoring_parts.h"

/* ---- building ---- */

static icl_status out_of_memory(void)
{
    return icl_error_set(ICL_ENOMEM, "out of memory for scores");
}

static icl_status list_names(icl_scoring *scoring)
{
    const icl_verbalizer *verbalizer = scoring->source->verbalizer;
    const size_t count = icl_label_request_count(verbalizer);
    scoring->label_count = icl_label_space_count(icl_verbalizer_labels(verbalizer));
    scoring->name_labels = calloc(count + 1, sizeof *scoring->name_labels);
    scoring->first_names = calloc(scoring->label_count + 1, sizeof *scoring->first_names);
    scoring->flipped_words = calloc(count + 1, sizeof *scoring->flipped_words);
    scoring->at_hand = calloc(count + 1, sizeof *scoring->at_hand);
    if (scoring->name_labels == NULL || scoring->first_names == NULL ||
        scoring->flipped_words == NULL || scoring->at_hand == NULL)
        return out_of_memory();
    for (size_t label = 0; label < scoring->label_count; label++) {
        scoring->first_names[label] = scoring->name_count;
        for (size_t i = 0; i < icl_verbalizer_word_count(verbalizer, label); i++) {
            const size_t name = scoring->name_count++;
            scoring->name_labels[name] = label;
            scoring->flipped_words[name] =
                icl_flip_answer(&scoring->flip, icl_verbalizer_word(verbalizer, label, i));
            if (scoring->flipped_words[name] == NULL) return out_of_memory();
        }
    }
    return ICL_OK;
}

static icl_status open_prompters(icl_scoring *scoring)
{
    const icl_ask_source *source = scoring->source;
    icl_model *model = icl_engine_model(source->engine);
    icl_prompter_options bare = source->prompts, flipped = source->prompts;
    bare.instruction = "";
    flipped.answer_prefix = scoring->flip.join;
    ICL_TRY(icl_prompter_new(&scoring->prompter, model, &source->prompts));
    ICL_TRY(icl_prompter_new(&scoring->bare, model, &bare));
    ICL_TRY(icl_prompter_new(&scoring->flipped, model, &flipped));
    ICL_TRY(icl_label_requests_reserve(scoring->prompter, source->verbalizer));
    return icl_label_requests_reserve(scoring->bare, source->verbalizer);
}

/* The template's final words, or what leads to the answer when they are in the answer prefix. */
static icl_status take_premise(icl_text *out, const icl_scoring *scoring, const char *tail,
                               size_t tail_length)
{
    static const char blanks[] = " \t\r\n";
    while (tail_length > 0 && strchr(blanks, *tail) != NULL) {
        tail++;
        tail_length--;
    }
    const char *prefix = scoring->source->prompts.answer_prefix;
    if (tail_length == 0 && prefix[strspn(prefix, blanks)] == '\0')
        return icl_error_set(ICL_EINVAL, "the template ends with its input, so there are no final "
                                         "words to take as a premise; state a text");
    icl_text_append(out, tail, tail_length);
    return ICL_OK;
}

static icl_status settle_given(icl_scoring *scoring, const char *tail, size_t tail_length)
{
    if (!icl_score_wants_part(&scoring->wants, ICL_SCORE_UNCONDITIONAL)) return ICL_OK;
    const icl_template_forms *forms = scoring->source->forms;
    icl_text given = { 0 };
    switch (scoring->wants.given) {
    case ICL_GIVEN_TEXT:
        if (scoring->wants.text != NULL) icl_text_append_string(&given, scoring->wants.text);
        break;
    case ICL_GIVEN_PREMISE:
        ICL_TRY(take_premise(&given, scoring, tail, tail_length));
        break;
    case ICL_GIVEN_CONTENT_FREE:
        if (forms->refusal != NULL) return icl_error_set(ICL_EINVAL, "%s", forms->refusal);
        icl_text_append_string(&given, forms->content_free[0]);
        break;
    }
    scoring->given = icl_text_take(&given, NULL);
    return scoring->given != NULL ? ICL_OK : out_of_memory();
}

static icl_status check_model(const icl_scoring *scoring)
{
    const icl_model_info *info = icl_model_get_info(icl_engine_model(scoring->source->engine));
    if (!icl_score_wants_part(&scoring->wants, ICL_SCORE_HIDDEN) || info->hidden_states)
        return ICL_OK;
    return icl_error_set(ICL_EUNSUPPORTED, "the model does not give hidden states (%s)",
                         info->description);
}

static icl_status check_template(const icl_scoring *scoring, const icl_jinja *template)
{
    const bool wants_input = icl_score_wants_part(&scoring->wants, ICL_SCORE_INPUT) ||
                             icl_score_wants_part(&scoring->wants, ICL_SCORE_INPUT_EACH);
    if (!wants_input || icl_jinja_name_count(template) > 0) return ICL_OK;
    return icl_error_set(ICL_EINVAL, "the template shows no field, so there is no input to score");
}

static icl_status begin(icl_scoring *scoring, const icl_jinja *template)
{
    ICL_TRY(check_model(scoring));
    ICL_TRY(check_template(scoring, template));
    size_t tail_length;
    const char *tail = icl_jinja_tail(template, &tail_length);
    /* The sequence ends with the answer, so its answers come for nothing. */
    if (icl_score_wants_part(&scoring->wants, ICL_SCORE_WHOLE))
        scoring->wants.parts |= 1u << ICL_SCORE_ANSWER;
    ICL_TRY(
        icl_flip_init(&scoring->flip, tail, tail_length, scoring->source->prompts.answer_prefix));
    ICL_TRY(list_names(scoring));
    ICL_TRY(settle_given(scoring, tail, tail_length));
    ICL_TRY(open_prompters(scoring));
    return icl_batch_new(&scoring->batch);
}

icl_status icl_scoring_new(icl_scoring **out, const icl_ask_source *source,
                           const icl_jinja *template, const icl_score_wants *wants)
{
    icl_scoring *scoring = calloc(1, sizeof *scoring);
    if (scoring == NULL) return out_of_memory();
    scoring->source = source;
    scoring->wants = *wants;
    scoring->anchor_first = SCORING_NONE;
    const icl_status status = begin(scoring, template);
    if (status != ICL_OK) {
        icl_scoring_free(scoring);
        return status;
    }
    *out = scoring;
    return ICL_OK;
}

void icl_scoring_free(icl_scoring *scoring)
{
    if (scoring == NULL) return;
    for (size_t i = 0; i < scoring->row_count; i++) {
        free(scoring->rows[i].shown);
        free(scoring->rows[i].shown_labels);
        free(scoring->rows[i].input);
    }
    icl_scoring_free_anchors(scoring);
    for (size_t i = 0; i < scoring->name_count; i++) free(scoring->flipped_words[i]);
    for (size_t i = 0; i < scoring->context_count; i++) free(scoring->contexts[i]);
    free(scoring->rows);
    free(scoring->cells);
    free(scoring->requests);
    free(scoring->contexts);
    icl_string_map_deinit(&scoring->context_map);
    free(scoring->name_labels);
    free(scoring->first_names);
    free(scoring->flipped_words);
    free(scoring->at_hand);
    free(scoring->answers);
    free(scoring->answer_rows);
    free(scoring->row_names);
    free(scoring->given);
    icl_batch_free(scoring->batch);
    icl_prompter_free(scoring->flipped);
    icl_prompter_free(scoring->bare);
    icl_prompter_free(scoring->prompter);
    icl_flip_deinit(&scoring->flip);
    free(scoring);
}

icl_status icl_scoring_add(icl_scoring *scoring, const icl_shown *shown, size_t *out_row)
{
    ICL_TRY(icl_cancel_check(icl_model_interrupt_flag(icl_engine_model(scoring->source->engine))));
    ICL_TRY(icl_array_reserve(&scoring->rows, &scoring->row_capacity, scoring->row_count + 1));
    const bool compared = scoring->wants.anchors > 0 && scoring->anchor_first == SCORING_NONE;
    scoring_row row = { .name = shown->name,
                        .shown = malloc((shown->count + 1) * sizeof *row.shown),
                        .shown_labels = malloc((shown->count + 1) * sizeof *row.shown_labels),
                        .shown_count = shown->count,
                        .next_request = SCORING_NONE,
                        .hidden_request = SCORING_NONE,
                        .input = compared ? strdup(shown->input) : NULL };
    if (row.shown == NULL || row.shown_labels == NULL || (compared && row.input == NULL)) {
        free(row.shown);
        free(row.shown_labels);
        free(row.input);
        return out_of_memory();
    }
    for (size_t i = 0; i < shown->count; i++) {
        row.shown[i] = shown->items[i];
        row.shown_labels[i] = scoring->source->pool_labels[shown->items[i]];
    }
    for (size_t part = 0; part < ICL_SCORE_PART_COUNT; part++) row.first_cells[part] = SCORING_NONE;
    *out_row = scoring->row_count++;
    scoring->rows[*out_row] = row;
    return icl_scoring_ask_row(scoring, *out_row, shown->input);
}

/* ---- what was asked ---- */

icl_batch *icl_scoring_batch(icl_scoring *scoring)
{
    return scoring->batch;
}

const size_t *icl_scoring_shown(const icl_scoring *scoring, size_t row, size_t *out_count)
{
    assert(row < scoring->row_count);
    *out_count = scoring->rows[row].shown_count;
    return scoring->rows[row].shown;
}

const char *icl_scoring_prompt_hash(const icl_scoring *scoring, size_t row)
{
    assert(row < scoring->row_count);
    return scoring->rows[row].prompt_hash;
}

size_t icl_scoring_joins_merged(const icl_scoring *scoring)
{
    return scoring->joins_merged;
}

size_t icl_scoring_request_row(const icl_scoring *scoring, size_t request)
{
    assert(request < scoring->request_count);
    const size_t row = scoring->requests[request].row;
    const scoring_anchor *anchor = icl_scoring_anchor(scoring, row);
    return anchor == NULL ? row : scoring->sets[anchor->set]->owner;
}

icl_score_part icl_scoring_request_part(const icl_scoring *scoring, size_t request)
{
    return scoring->requests[request].part;
}

void icl_scoring_describe_request(icl_text *out, const icl_scoring *scoring, size_t request)
{
    assert(request < scoring->request_count);
    const scoring_request *made = &scoring->requests[request];
    const icl_label_space *labels = icl_verbalizer_labels(scoring->source->verbalizer);
    const size_t label = scoring->name_labels[made->name];
    const scoring_anchor *anchor = icl_scoring_anchor(scoring, made->row);
    if (anchor != NULL) icl_text_printf(out, "anchor-%s/", scoring->source->pool.ids[anchor->item]);
    if (made->part == ICL_SCORE_NEXT || made->part == ICL_SCORE_HIDDEN) {
        icl_text_append_string(out, icl_score_part_names[made->part]);
        return;
    }
    if (made->part != ICL_SCORE_ANSWER)
        icl_text_printf(out, "%s/", icl_score_part_names[made->part]);
    if (icl_score_part_is_each(made->part))
        icl_text_printf(out, "%u/", (unsigned)made->demonstration);
    icl_text_append_string(out, icl_label_space_name(labels, label));
    const size_t index = made->name - scoring->first_names[label];
    if (index > 0) icl_text_printf(out, "/%zu", index);
}

/* ---- answers ---- */

static icl_status make_answers(icl_scoring *scoring)
{
    free(scoring->answers);
    free(scoring->answer_rows);
    free(scoring->row_names);
    scoring->answers = malloc((scoring->cell_count + 1) * sizeof *scoring->answers);
    scoring->answer_rows = calloc(scoring->row_count + 1, sizeof *scoring->answer_rows);
    scoring->row_names = calloc(scoring->row_count + 1, sizeof *scoring->row_names);
    return scoring->answers != NULL && scoring->answer_rows != NULL && scoring->row_names != NULL
               ? ICL_OK
               : out_of_memory();
}

static void read_next(icl_score_next *out, const icl_batch *batch, const scoring_row *row)
{
    if (row->next_request == SCORING_NONE) return;
    if (row->next_is_whole)
        out->whole = icl_batch_whole_distribution_nats(batch, row->next_request, &out->count);
    else
        out->tokens = icl_batch_top_tokens(batch, row->next_request, &out->nats, &out->count);
}

static void collect_row(icl_scoring *scoring, size_t index)
{
    const scoring_row *row = &scoring->rows[index];
    icl_score_row *answered = &scoring->answer_rows[index];
    size_t size;
    scoring->row_names[index] = row->name;
    answered->shown_count = row->shown_count;
    answered->shown_labels = row->shown_labels;
    for (size_t part = 0; part < ICL_SCORE_PART_COUNT; part++)
        if (row->first_cells[part] != SCORING_NONE)
            answered->cells[part] = &scoring->answers[row->first_cells[part]];
    read_next(&answered->next, scoring->batch, row);
    if (row->hidden_request != SCORING_NONE)
        answered->hidden = icl_batch_hidden(scoring->batch, row->hidden_request, &size);
}

icl_status icl_scoring_collect(icl_scoring *scoring)
{
    ICL_TRY(make_answers(scoring));
    for (size_t i = 0; i < scoring->cell_count; i++) {
        const scoring_cell *cell = &scoring->cells[i];
        double nats = icl_batch_logprob_nats(scoring->batch, cell->request);
        if (cell->lead != SCORING_NONE) nats += icl_batch_logprob_nats(scoring->batch, cell->lead);
        scoring->answers[i] = (icl_score_cell){ .nats = nats, .size = cell->size };
    }
    for (size_t row = 0; row < scoring->row_count; row++) collect_row(scoring, row);
    ICL_TRY(icl_scoring_collect_anchors(scoring));
    icl_model *model = icl_engine_model(scoring->source->engine);
    scoring->input = (icl_score_input){
        .label_count = scoring->label_count,
        .name_count = scoring->name_count,
        .hidden_size = icl_model_get_info(model)->embedding_size,
        .name_labels = scoring->name_labels,
        .row_count =
            scoring->anchor_first == SCORING_NONE ? scoring->row_count : scoring->anchor_first,
        .rows = scoring->answer_rows,
        .row_names = scoring->row_names,
        .cancelled = icl_model_interrupt_flag(model),
    };
    return ICL_OK;
}

const icl_score_input *icl_scoring_answers(const icl_scoring *scoring)
{
    return &scoring->input;
}
