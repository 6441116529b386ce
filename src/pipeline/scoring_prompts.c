/* The prompts and requests of a row, part by part. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/error.h"
#include "pipeline/scoring_parts.h"

/* A row that is being asked. */
typedef struct asking {
    icl_scoring *scoring;
    size_t row;
    const char *input;
    icl_hash_state hash; /* of its own prompts */
} asking;

static scoring_row *row_of(const asking *self)
{
    return &self->scoring->rows[self->row];
}

static icl_status new_cells(icl_scoring *scoring, size_t count, size_t *out_first)
{
    ICL_TRY(
        icl_array_reserve(&scoring->cells, &scoring->cell_capacity, scoring->cell_count + count));
    *out_first = scoring->cell_count;
    scoring->cell_count += count;
    return ICL_OK;
}

/* Says what the newest request of the batch is for. */
static icl_status note_request(asking *self, icl_score_part part, size_t demonstration, size_t name)
{
    icl_scoring *scoring = self->scoring;
    ICL_TRY(icl_array_reserve(&scoring->requests, &scoring->request_capacity,
                              scoring->request_count + 1));
    scoring->requests[scoring->request_count++] =
        (scoring_request){ .row = self->row,
                           .part = part,
                           .name = (uint32_t)name,
                           .demonstration = (uint32_t)demonstration };
    return ICL_OK;
}

/* Keeps what the window left of the row's demonstrations. */
static void narrow(scoring_row *row, size_t first_kept, size_t kept_count)
{
    memmove(row->shown, row->shown + first_kept, kept_count * sizeof *row->shown);
    memmove(row->shown_labels, row->shown_labels + first_kept,
            kept_count * sizeof *row->shown_labels);
    row->shown_count = kept_count;
}

/* ---- answers after a prompt ---- */

/* All names of all labels; their cells begin at first_cell. */
static icl_status add_answers(asking *self, icl_prompter *prompter, const icl_prompt *prompt,
                              icl_score_part part, size_t demonstration, size_t first_cell)
{
    icl_scoring *scoring = self->scoring;
    ICL_TRY(icl_label_requests_add(scoring->at_hand, scoring->batch, prompter,
                                   scoring->source->verbalizer, prompt));
    for (size_t i = 0; i < scoring->name_count; i++) {
        const icl_label_request *made = &scoring->at_hand[i];
        scoring->cells[first_cell + i] =
            (scoring_cell){ .request = made->request,
                            .lead = SCORING_NONE,
                            .size = icl_answer_size_of(made->words, made->token_count) };
        scoring->joins_merged += made->merged;
        ICL_TRY(note_request(self, part, demonstration, i));
    }
    return ICL_OK;
}

/* What stands before the answers that were just added; names that merge with the prompt's end alike
 * share it. */
static icl_status add_leads(asking *self, const icl_prompt *prompt, size_t first_cell)
{
    icl_scoring *scoring = self->scoring;
    size_t lead = SCORING_NONE, prefix;
    for (size_t i = 0; i < scoring->name_count; i++) {
        const icl_label_request *made = &scoring->at_hand[i];
        const size_t length = made->prefix_count;
        if (length == 1) lead = SCORING_NONE;
        if (length > 1 && (i == 0 || length != scoring->at_hand[i - 1].prefix_count)) {
            ICL_TRY(icl_batch_add_prefix(scoring->batch, prompt->tokens, 1, &prefix));
            ICL_TRY(
                icl_batch_add_score(scoring->batch, prefix, prompt->tokens + 1, length - 1, &lead));
            ICL_TRY(note_request(self, ICL_SCORE_WHOLE, 0, i));
        }
        scoring->cells[first_cell + i] =
            (scoring_cell){ .request = made->request,
                            .lead = lead,
                            .size = icl_answer_size_of(made->words, length + made->token_count) };
    }
    return ICL_OK;
}

static icl_status ask_answers(asking *self)
{
    icl_scoring *scoring = self->scoring;
    scoring_row *row = row_of(self);
    const bool whole = icl_score_wants_part(&scoring->wants, ICL_SCORE_WHOLE);
    icl_prompt prompt = { 0 };
    ICL_TRY(icl_shown_build(&prompt, scoring->prompter, scoring->source,
                            &(icl_shown){ .items = row->shown,
                                          .count = row->shown_count,
                                          .input = self->input,
                                          .name = row->name }));
    narrow(row, prompt.first_kept, prompt.kept_count);
    icl_hash_add(&self->hash, prompt.text, prompt.length);
    size_t *firsts = row->first_cells;
    icl_status status = new_cells(scoring, scoring->name_count, &firsts[ICL_SCORE_ANSWER]);
    if (status == ICL_OK)
        status = add_answers(self, scoring->prompter, &prompt, ICL_SCORE_ANSWER, 0,
                             firsts[ICL_SCORE_ANSWER]);
    if (status == ICL_OK && whole)
        status = new_cells(scoring, scoring->name_count, &firsts[ICL_SCORE_WHOLE]);
    if (status == ICL_OK && whole) status = add_leads(self, &prompt, firsts[ICL_SCORE_WHOLE]);
    icl_prompt_deinit(&prompt);
    return status;
}

/* Prompts about single demonstrations; without any the query stands alone, once. */
static size_t expert_count(const scoring_row *row)
{
    return row->shown_count > 0 ? row->shown_count : 1;
}

static icl_status ask_answers_each(asking *self)
{
    icl_scoring *scoring = self->scoring;
    scoring_row *row = row_of(self);
    size_t first;
    ICL_TRY(new_cells(scoring, expert_count(row) * scoring->name_count, &first));
    row->first_cells[ICL_SCORE_ANSWER_EACH] = first;
    for (size_t d = 0; d < expert_count(row); d++) {
        icl_prompt prompt = { 0 };
        ICL_TRY(icl_shown_build(&prompt, scoring->prompter, scoring->source,
                                &(icl_shown){ .items = &row->shown[d],
                                              .count = row->shown_count > 0,
                                              .input = self->input,
                                              .name = row->name }));
        icl_hash_add(&self->hash, prompt.text, prompt.length);
        const icl_status status =
            add_answers(self, scoring->prompter, &prompt, ICL_SCORE_ANSWER_EACH, d,
                        first + d * scoring->name_count);
        icl_prompt_deinit(&prompt);
        ICL_TRY(status);
    }
    return ICL_OK;
}

/* ---- answers after a text that says nothing of the input ---- */

static icl_status find_context(scoring_context **out, bool *is_new, icl_scoring *scoring,
                               const scoring_row *row)
{
    const size_t count = scoring->wants.given_demonstrations ? row->shown_count : 0;
    scoring_context *context = calloc(1, sizeof *context);
    if (context == NULL) return icl_error_set(ICL_ENOMEM, "out of memory for a prompt");
    icl_hash_hex(context->key, icl_hash(row->shown, count * sizeof *row->shown));
    size_t index = scoring->context_count;
    icl_status status = icl_array_reserve(&scoring->contexts, &scoring->context_capacity,
                                          scoring->context_count + 1);
    if (status == ICL_OK) status = icl_string_map_add(&scoring->context_map, context->key, &index);
    *is_new = status == ICL_OK && index == scoring->context_count;
    if (*is_new)
        scoring->contexts[scoring->context_count++] = context;
    else
        free(context);
    if (status == ICL_OK) *out = scoring->contexts[index];
    return status;
}

static icl_status ask_unconditional(asking *self)
{
    icl_scoring *scoring = self->scoring;
    scoring_row *row = row_of(self);
    scoring_context *context = NULL;
    bool is_new = false;
    ICL_TRY(find_context(&context, &is_new, scoring, row));
    if (is_new) {
        const bool shows = scoring->wants.given_demonstrations;
        icl_prompter *prompter = shows ? scoring->prompter : scoring->bare;
        icl_prompt prompt = { 0 };
        ICL_TRY(new_cells(scoring, scoring->name_count, &context->first_cell));
        ICL_TRY(icl_shown_build(&prompt, prompter, scoring->source,
                                &(icl_shown){ .items = row->shown,
                                              .count = shows ? row->shown_count : 0,
                                              .input = scoring->given,
                                              .name = "what stands for the input" }));
        const icl_status status =
            add_answers(self, prompter, &prompt, ICL_SCORE_UNCONDITIONAL, 0, context->first_cell);
        icl_prompt_deinit(&prompt);
        ICL_TRY(status);
    }
    row->first_cells[ICL_SCORE_UNCONDITIONAL] = context->first_cell;
    return ICL_OK;
}

/* ---- inputs after an answer ---- */

/* The demonstrations of flipped prompts, in the prompter's words: the answer is its input, and the
 * input its answer. */
typedef struct flipped_set {
    icl_demonstration *demonstrations; /* [count]; .input borrowed, .answer owned */
    size_t count;
    char *input;         /* of the row */
    icl_prompt *prompts; /* [name_count] */
    size_t first_kept, kept_count;
} flipped_set;

static void drop_prompts(flipped_set *set, size_t count)
{
    for (size_t i = 0; set->prompts != NULL && i < count; i++) icl_prompt_deinit(&set->prompts[i]);
}

static void flipped_set_deinit(flipped_set *set, size_t name_count)
{
    drop_prompts(set, name_count);
    for (size_t i = 0; set->demonstrations != NULL && i < set->count; i++)
        free((char *)set->demonstrations[i].answer);
    free(set->demonstrations);
    free(set->prompts);
    free(set->input);
}

static icl_status flipped_set_init(flipped_set *out, const asking *self, const size_t *items,
                                   size_t count)
{
    const icl_scoring *scoring = self->scoring;
    const icl_ask_source *source = scoring->source;
    flipped_set set = { .count = count,
                        .kept_count = count,
                        .demonstrations = calloc(count + 1, sizeof *set.demonstrations),
                        .prompts = calloc(scoring->name_count + 1, sizeof *set.prompts),
                        .input = icl_flip_input(&scoring->flip, self->input) };
    bool complete = set.demonstrations != NULL && set.prompts != NULL && set.input != NULL;
    for (size_t i = 0; complete && i < count; i++) {
        const size_t name = scoring->first_names[source->pool_labels[items[i]]];
        set.demonstrations[i] = (icl_demonstration){
            .input = scoring->flipped_words[name],
            .answer = icl_flip_input(&scoring->flip, source->pool.inputs[items[i]]),
        };
        complete = set.demonstrations[i].answer != NULL;
    }
    if (!complete) {
        flipped_set_deinit(&set, scoring->name_count);
        return icl_error_set(ICL_ENOMEM, "out of memory for a prompt");
    }
    *out = set;
    return ICL_OK;
}

/* Prompts of all names with the same demonstrations: where the window drops one for the longest
 * name it is dropped for all. */
static icl_status build_flipped(flipped_set *set, const asking *self)
{
    icl_scoring *scoring = self->scoring;
    icl_prompter_forget_answers(scoring->flipped);
    ICL_TRY(icl_prompter_reserve_answer(scoring->flipped, set->input));
    for (size_t name = 0; name < scoring->name_count;) {
        icl_prompt *prompt = &set->prompts[name];
        ICL_TRY(icl_prompter_build(prompt, scoring->flipped, set->demonstrations + set->first_kept,
                                   set->kept_count, scoring->flipped_words[name],
                                   row_of(self)->name));
        if (prompt->kept_count == set->kept_count) {
            name++;
            continue;
        }
        set->first_kept += prompt->first_kept;
        set->kept_count = prompt->kept_count;
        drop_prompts(set, name + 1);
        name = 0;
    }
    return ICL_OK;
}

static icl_status add_inputs(asking *self, const flipped_set *set, icl_score_part part,
                             size_t demonstration, size_t first_cell)
{
    icl_scoring *scoring = self->scoring;
    for (size_t name = 0; name < scoring->name_count; name++) {
        const icl_prompt *prompt = &set->prompts[name];
        icl_answer answer = { 0 };
        size_t prefix, request;
        icl_hash_add(&self->hash, prompt->text, prompt->length);
        ICL_TRY(icl_prompter_answer(&answer, scoring->flipped, prompt, set->input));
        ICL_TRY(icl_batch_add_prefix(scoring->batch, prompt->tokens, answer.prefix_count, &prefix));
        ICL_TRY(icl_batch_add_score(scoring->batch, prefix, answer.tokens, answer.token_count,
                                    &request));
        ICL_TRY(note_request(self, part, demonstration, name));
        scoring->joins_merged += answer.merged;
        scoring->cells[first_cell + name] =
            (scoring_cell){ .request = request,
                            .lead = SCORING_NONE,
                            .size = icl_answer_size_of(set->input, answer.token_count) };
    }
    return ICL_OK;
}

/* The input after each name, under the given demonstrations of the row. */
static icl_status ask_inputs_under(asking *self, flipped_set *set, icl_score_part part,
                                   size_t demonstration, size_t first_cell)
{
    ICL_TRY(build_flipped(set, self));
    return add_inputs(self, set, part, demonstration, first_cell);
}

static icl_status ask_inputs(asking *self)
{
    icl_scoring *scoring = self->scoring;
    scoring_row *row = row_of(self);
    flipped_set set = { 0 };
    size_t *first = &row->first_cells[ICL_SCORE_INPUT];
    ICL_TRY(new_cells(scoring, scoring->name_count, first));
    ICL_TRY(flipped_set_init(&set, self, row->shown, row->shown_count));
    const icl_status status = ask_inputs_under(self, &set, ICL_SCORE_INPUT, 0, *first);
    /* With both directions asked, the row shows what the straight prompt shows. */
    if (status == ICL_OK && row->first_cells[ICL_SCORE_ANSWER] == SCORING_NONE)
        narrow(row, set.first_kept, set.kept_count);
    flipped_set_deinit(&set, scoring->name_count);
    return status;
}

static icl_status ask_inputs_each(asking *self)
{
    icl_scoring *scoring = self->scoring;
    scoring_row *row = row_of(self);
    size_t first;
    ICL_TRY(new_cells(scoring, expert_count(row) * scoring->name_count, &first));
    row->first_cells[ICL_SCORE_INPUT_EACH] = first;
    for (size_t d = 0; d < expert_count(row); d++) {
        flipped_set set = { 0 };
        ICL_TRY(flipped_set_init(&set, self, &row->shown[d], row->shown_count > 0));
        const icl_status status =
            ask_inputs_under(self, &set, ICL_SCORE_INPUT_EACH, d, first + d * scoring->name_count);
        flipped_set_deinit(&set, scoring->name_count);
        ICL_TRY(status);
    }
    return ICL_OK;
}

/* ---- the prompt itself ---- */

static icl_status add_next(icl_scoring *scoring, scoring_row *row, bool is_anchor, size_t prefix)
{
    const icl_model_info *info = icl_model_get_info(icl_engine_model(scoring->source->engine));
    const size_t tokens = is_anchor ? scoring->wants.anchor_tokens : 0;
    row->next_is_whole = tokens == 0 || tokens >= info->vocab_count;
    if (row->next_is_whole)
        return icl_batch_add_whole_distribution(scoring->batch, prefix, &row->next_request);
    return icl_batch_add_distribution(scoring->batch, prefix, tokens, &row->next_request);
}

static icl_status ask_prompt(asking *self, icl_score_part part)
{
    icl_scoring *scoring = self->scoring;
    scoring_row *row = row_of(self);
    const bool is_anchor = icl_scoring_anchor(scoring, self->row) != NULL;
    icl_prompt prompt = { 0 };
    size_t prefix;
    ICL_TRY(icl_shown_build(&prompt, scoring->prompter, scoring->source,
                            &(icl_shown){ .items = row->shown,
                                          .count = row->shown_count,
                                          .input = self->input,
                                          .name = row->name }));
    if (row->first_cells[ICL_SCORE_ANSWER] == SCORING_NONE) {
        narrow(row, prompt.first_kept, prompt.kept_count);
        icl_hash_add(&self->hash, prompt.text, prompt.length);
    }
    icl_status status =
        icl_batch_add_prefix(scoring->batch, prompt.tokens, prompt.token_count, &prefix);
    icl_prompt_deinit(&prompt);
    if (status == ICL_OK)
        status = part == ICL_SCORE_NEXT
                     ? add_next(scoring, row, is_anchor, prefix)
                     : icl_batch_add_hidden(scoring->batch, prefix, &row->hidden_request);
    return status == ICL_OK ? note_request(self, part, 0, 0) : status;
}

static icl_status ask_next(asking *self)
{
    return ask_prompt(self, ICL_SCORE_NEXT);
}

static icl_status ask_hidden(asking *self)
{
    return ask_prompt(self, ICL_SCORE_HIDDEN);
}

/* ---- a row ---- */

icl_status icl_scoring_ask_row(icl_scoring *scoring, size_t row, const char *input)
{
    /* In an order in which a part sees what the window left to those before it. */
    static const struct {
        icl_score_part part;
        icl_status (*ask)(asking *self);
    } kinds[] = {
        { ICL_SCORE_ANSWER, ask_answers },
        { ICL_SCORE_INPUT, ask_inputs },
        { ICL_SCORE_UNCONDITIONAL, ask_unconditional },
        { ICL_SCORE_ANSWER_EACH, ask_answers_each },
        { ICL_SCORE_INPUT_EACH, ask_inputs_each },
        { ICL_SCORE_NEXT, ask_next },
        { ICL_SCORE_HIDDEN, ask_hidden },
    };
    const bool is_anchor = icl_scoring_anchor(scoring, row) != NULL;
    const unsigned parts = is_anchor ? scoring->wants.anchor_parts : scoring->wants.parts;
    asking self = { .scoring = scoring, .row = row, .input = input };
    icl_hash_begin(&self.hash);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if ((parts & 1u << kinds[i].part) != 0) ICL_TRY(kinds[i].ask(&self));
    assert(scoring->request_count == icl_batch_count(scoring->batch));
    icl_hash_hex(scoring->rows[row].prompt_hash, icl_hash_end(&self.hash));
    return ICL_OK;
}
