/* Evaluation: fixed episodes of each set through a forward-only computation. An episode's query is
 * judged among the first tokens of the episode's own labels; a set without queries by its text
 * tokens. */
#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/array.h"
#include "base/cancel.h"
#include "base/error.h"
#include "math/interval.h"
#include "math/logits.h"
#include "train/training_parts.h"

/* Episodes are sequences that no training run comes to. */
static const uint64_t first_index = UINT64_C(1) << 62;

struct icl_evaluator {
    icl_training *training;
    icl_source **sources; /* [recipe->set_count] */
    icl_batch_limits limits;
    icl_objective *answers, *texts; /* made when a set wants them */
    icl_train_batch *batch;
    icl_sequence sequence;
    size_t *columns; /* label columns of the batch's episodes, one after the other */
    size_t column_count, column_capacity;
    size_t *column_ends; /* [answers_max] */
    float *own;          /* logits of one episode's labels */
    size_t own_capacity;
};

/* What a set has shown so far. */
typedef struct tally {
    double nats;
    size_t count, correct;
} tally;

icl_batch_limits icl_evaluate_limits(const icl_recipe *recipe, size_t vocab_count)
{
    enum { LOGITS_MAX = 1 << 24, POSITIONS_PER_ANSWER = 8, CANDIDATES_MIN = 256 };
    const size_t context = recipe->evaluate_context;
    size_t positions = context, candidates = CANDIDATES_MIN;
    for (size_t i = 0; i < recipe->phase_count; i++) {
        const icl_batch_limits *limits = &recipe->phases[i].limits;
        const size_t of_phase = limits->rows * limits->context;
        if (of_phase > positions) positions = of_phase;
        if (limits->candidates_max > candidates) candidates = limits->candidates_max;
    }
    /* Text is judged over the whole vocabulary: those logits stay of a bearable size. */
    if (positions > LOGITS_MAX / (vocab_count + 1)) positions = LOGITS_MAX / (vocab_count + 1);
    const size_t rows = positions > context ? positions / context : 1;
    return (icl_batch_limits){ .rows = rows,
                               .context = context,
                               .answers_max = rows * context / POSITIONS_PER_ANSWER + 1,
                               .texts_max = rows * context,
                               .candidates_max = candidates };
}

icl_status icl_evaluator_new(icl_evaluator **out, icl_training *self)
{
    const icl_recipe *recipe = self->recipe;
    icl_evaluator *evaluator = calloc(1, sizeof *evaluator);
    if (evaluator == NULL) return icl_error_set(ICL_ENOMEM, "out of memory");
    evaluator->training = self;
    evaluator->limits = icl_evaluate_limits(recipe, self->config.vocab_count);
    evaluator->sources = calloc(recipe->set_count + 1, sizeof *evaluator->sources);
    evaluator->column_ends = calloc(evaluator->limits.answers_max, sizeof *evaluator->column_ends);
    icl_status status = ICL_OK;
    if (evaluator->sources == NULL || evaluator->column_ends == NULL)
        status = icl_error_set(ICL_ENOMEM, "out of memory");
    for (size_t i = 0; status == ICL_OK && i < recipe->set_count; i++)
        status = icl_source_open(&evaluator->sources[i], recipe->sets[i].call, &self->world);
    if (status == ICL_OK) status = icl_train_batch_new(&evaluator->batch, &evaluator->limits, 0);
    if (status == ICL_OK)
        *out = evaluator;
    else
        icl_evaluator_free(evaluator);
    return status;
}

void icl_evaluator_free(icl_evaluator *evaluator)
{
    if (evaluator == NULL) return;
    free(evaluator->own);
    free(evaluator->column_ends);
    free(evaluator->columns);
    icl_sequence_deinit(&evaluator->sequence);
    icl_train_batch_free(evaluator->batch);
    icl_objective_free(evaluator->texts);
    icl_objective_free(evaluator->answers);
    for (size_t i = 0; evaluator->sources != NULL && i < evaluator->training->recipe->set_count;
         i++)
        icl_source_close(evaluator->sources[i]);
    free(evaluator->sources);
    free(evaluator);
}

/* --- a batch --- */

static icl_status get_objective(icl_objective **out, icl_evaluator *self, bool answers)
{
    icl_objective **made = answers ? &self->answers : &self->texts;
    const icl_objective_options options = { .limits = self->limits,
                                            .answer_weight = answers ? 1 : 0,
                                            .text_weight = answers ? 0 : 1 };
    if (*made == NULL) ICL_TRY(icl_objective_new(made, self->training->model, &options));
    *out = *made;
    return ICL_OK;
}

/* Of an episode only the query is asked. */
static void keep_query(icl_sequence *sequence)
{
    for (size_t i = 0; i < sequence->count; i++)
        if (i != sequence->answer) sequence->targets[i] = ICL_TARGET_NONE;
    sequence->meaning_count = 0;
}

static icl_status add_columns(icl_evaluator *self)
{
    const icl_train_batch *batch = self->batch;
    const icl_sequence *sequence = &self->sequence;
    ICL_TRY(icl_array_reserve(&self->columns, &self->column_capacity,
                              self->column_count + sequence->class_count));
    for (size_t i = 0; i < sequence->class_count; i++) {
        size_t column = 0;
        while (batch->candidates[column] != sequence->candidates[i]) column++;
        self->columns[self->column_count++] = column;
    }
    self->column_ends[batch->answer_count - 1] = self->column_count;
    return ICL_OK;
}

/* Adds the sequence that was drawn; *out_added false: the batch is full. */
static icl_status add_sequence(bool *out_added, icl_evaluator *self, bool answers)
{
    *out_added = icl_train_batch_add(self->batch, &self->sequence, 0);
    return *out_added && answers ? add_columns(self) : ICL_OK;
}

static icl_status judge_answers(tally *out, icl_evaluator *self)
{
    size_t width = 0, begin = 0;
    const icl_train_batch *batch = self->batch;
    const float *logits = icl_objective_answer_logits(&width, self->answers);
    for (size_t i = 0; i < batch->answer_count; i++) {
        const size_t count = self->column_ends[i] - begin;
        const float *row = logits + i * width;
        ICL_TRY(icl_array_reserve(&self->own, &self->own_capacity, count));
        for (size_t c = 0; c < count; c++) self->own[c] = row[self->columns[begin + c]];
        const icl_logits_summary summary = icl_logits_summarise(self->own, count);
        const size_t target = (size_t)batch->answer_targets[i];
        out->nats += summary.log_sum - (double)row[target];
        out->correct += self->columns[begin + (size_t)summary.best] == target;
        out->count++;
        begin = self->column_ends[i];
    }
    return ICL_OK;
}

static void judge_texts(tally *out, icl_evaluator *self)
{
    size_t width = 0;
    const icl_train_batch *batch = self->batch;
    const float *logits = icl_objective_text_logits(&width, self->texts);
    for (size_t i = 0; i < batch->text_count; i++) {
        const icl_logits_summary summary = icl_logits_summarise(logits + i * width, width);
        out->nats += summary.log_sum - (double)logits[i * width + (size_t)batch->text_targets[i]];
        out->correct += summary.best == batch->text_targets[i];
        out->count++;
    }
}

static icl_status flush(tally *out, icl_evaluator *self, bool answers)
{
    icl_objective *objective = NULL;
    icl_losses losses;
    icl_status status = ICL_OK;
    if (self->batch->sequence_count > 0) {
        ICL_TRY(get_objective(&objective, self, answers));
        ICL_TRY(icl_objective_run(objective, self->batch, &losses));
        if (answers)
            status = judge_answers(out, self);
        else
            judge_texts(out, self);
    }
    icl_train_batch_clear(self->batch);
    self->column_count = 0;
    return status;
}

/* --- a set --- */

static icl_status too_large(const icl_evaluator *self, size_t set)
{
    const icl_recipe *recipe = self->training->recipe;
    return icl_error_set(ICL_EINVAL,
                         "evaluation set \"%s\": an episode of %zu tokens with %zu candidates does "
                         "not fit %zu candidates",
                         recipe->sets[set].name, self->sequence.count,
                         self->sequence.candidate_count, self->limits.candidates_max);
}

static icl_status judge_episode(tally *out, icl_evaluator *self, size_t set, uint64_t episode)
{
    bool added = false;
    ICL_TRY(icl_source_draw(self->sources[set], &self->sequence, first_index + episode));
    const bool answers = self->sequence.answer != SIZE_MAX;
    if (answers)
        keep_query(&self->sequence);
    else
        icl_sequence_keep_targets(&self->sequence, false, true, false);
    ICL_TRY(add_sequence(&added, self, answers));
    if (added) return ICL_OK;
    ICL_TRY(flush(out, self, answers));
    ICL_TRY(add_sequence(&added, self, answers));
    return added ? ICL_OK : too_large(self, set);
}

static icl_status judge_set(tally *out, icl_evaluator *self, size_t set, bool stoppable)
{
    const icl_training *training = self->training;
    *out = (tally){ 0 };
    icl_train_batch_clear(self->batch);
    self->column_count = 0;
    for (uint64_t i = 0; i < training->recipe->evaluate_episodes; i++) {
        ICL_TRY(icl_cancel_check(stoppable ? &training->cancelled : NULL));
        ICL_TRY(judge_episode(out, self, set, i));
    }
    return flush(out, self, self->sequence.answer != SIZE_MAX);
}

static icl_status log_set(const icl_training *self, size_t set, const tally *found)
{
    const size_t count = found->count > 0 ? found->count : 1;
    const icl_interval interval = icl_interval_wilson95(found->correct, count);
    const double loss = found->nats / (double)count;
    if (!isfinite(loss))
        return icl_error_set(ICL_EMODEL, "evaluation set \"%s\": the loss is %g",
                             self->recipe->sets[set].name, loss);
    json_t *line = json_pack("{s:I, s:s, s:f, s:f, s:[f,f], s:I, s:I}", "step",
                             (json_int_t)self->state.step, "set", self->recipe->sets[set].name,
                             "loss", loss, "accuracy", (double)found->correct / (double)count,
                             "accuracy_ci95", interval.low, interval.high, "n",
                             (json_int_t)found->count, "seed", (json_int_t)self->recipe->seed);
    return icl_training_write_line(self->evaluation, line, self->out_folder, "evaluation.jsonl");
}

icl_status icl_training_evaluate(icl_training *self, bool stoppable)
{
    for (size_t i = 0; i < self->recipe->set_count; i++) {
        tally found;
        icl_training_say(self, "evaluating", i, self->recipe->set_count);
        ICL_TRY(judge_set(&found, self->evaluator, i, stoppable));
        ICL_TRY(log_set(self, i, &found));
    }
    return ICL_OK;
}
