#include "select/q_world.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "math/logspace.h"
#include "template/ask.h"

/* --- the world --- */

static icl_status set_calibration(icl_q_world *world, const char *name)
{
    icl_call call = { 0 };
    ICL_TRY(icl_calibrate_find(&world->calibrate, name));
    ICL_TRY(icl_call_parse(&call, name, strlen(name)));
    const icl_status status =
        icl_options_read(&world->calibrate_options, &world->calibrate->card, &call);
    icl_call_deinit(&call);
    return status;
}

icl_q_shape icl_q_shape_within(icl_q_shape shape, size_t pool_count)
{
    const size_t half = pool_count / 2;
    if (shape.validation_count > half) shape.validation_count = half;
    const size_t others = pool_count - shape.validation_count;
    if (shape.candidate_count > others) shape.candidate_count = others;
    return shape;
}

static void part_pool(icl_q_world *world, const icl_q_shape *shape)
{
    const icl_select_input *input = world->input;
    const icl_q_shape parts = icl_q_shape_within(*shape, input->pool_count);
    icl_rng rng = icl_rng_new(input->seed, input->task, "", "q-parts");
    for (size_t i = 0; i < input->pool_count; i++) world->candidates[i] = i;
    icl_rng_shuffle(&rng, world->candidates, input->pool_count);
    world->candidate_count = parts.candidate_count;
    world->validation_count = parts.validation_count;
    world->validation = world->candidates + world->candidate_count;
}

static icl_status out_of_memory(const icl_q_world *world)
{
    return icl_error_set(ICL_ENOMEM, "out of memory for choices between %zu candidates",
                         world->candidate_count);
}

icl_status icl_q_situation_after(icl_q_situation **out, icl_q_world *world,
                                 const icl_q_situation *before, size_t item)
{
    const size_t count = before != NULL ? before->shown_count + 1 : 0;
    icl_q_situation *made = icl_arena_alloc(&world->arena, sizeof *made);
    size_t *shown = icl_arena_alloc(&world->arena, (count + 1) * sizeof *shown);
    if (made == NULL || shown == NULL) return out_of_memory(world);
    if (count > 1) memcpy(shown, before->shown, (count - 1) * sizeof *shown);
    if (count > 0) shown[count - 1] = item;
    made->shown = shown;
    made->shown_count = count;
    made->accuracy = NAN;
    *out = made;
    return ICL_OK;
}

icl_status icl_q_world_init(icl_q_world *out, const icl_select_input *input,
                            const icl_q_shape *shape)
{
    icl_q_world world = { .input = input, .method = shape->method, .steps = shape->steps };
    icl_status status = ICL_OK;
    world.candidates = calloc(input->pool_count + 1, sizeof *world.candidates);
    if (world.candidates == NULL) status = out_of_memory(&world);
    if (status == ICL_OK) {
        part_pool(&world, shape);
        status = icl_q_situation_after(&world.root, &world, NULL, SIZE_MAX);
    }
    if (status == ICL_OK) status = set_calibration(&world, shape->calibrate);
    if (status == ICL_OK)
        *out = world;
    else
        icl_q_world_deinit(&world);
    return status;
}

void icl_q_world_deinit(icl_q_world *world)
{
    if (world->calibrate_options.card != NULL) icl_options_deinit(&world->calibrate_options);
    icl_arena_deinit(&world->arena);
    free(world->candidates);
    *world = (icl_q_world){ 0 };
}

/* --- questions --- */

/* What is asked of one situation or of several, and the answers. */
typedef struct questions {
    icl_ask_prompt *prompts; /* [count] */
    double *label_nats;      /* [count][label_count] */
    icl_ask_text *texts;     /* [count] */
    size_t count;
} questions;

static icl_status questions_init(questions *out, const icl_q_world *world, size_t capacity)
{
    *out = (questions){ 0 };
    out->prompts = calloc(capacity + 1, sizeof *out->prompts);
    out->label_nats = calloc(capacity * world->input->label_count + 1, sizeof *out->label_nats);
    out->texts = calloc(capacity + 1, sizeof *out->texts);
    if (out->prompts != NULL && out->label_nats != NULL && out->texts != NULL) return ICL_OK;
    return icl_error_set(ICL_ENOMEM, "out of memory for %zu questions", capacity);
}

static void questions_deinit(questions *q)
{
    free(q->texts);
    free(q->label_nats);
    free(q->prompts);
}

static void ask_about(questions *q, const icl_q_situation *situation, const size_t *items,
                      size_t count)
{
    for (size_t i = 0; i < count; i++)
        q->prompts[q->count++] = (icl_ask_prompt){ .shown = situation->shown,
                                                   .shown_count = situation->shown_count,
                                                   .of = ICL_ASK_POOL,
                                                   .item = items[i] };
}

/* Calibrated scores of questions first .. first + count - 1, which make one batch. */
static icl_status calibrate(icl_calibration *out, const icl_q_world *world, const questions *q,
                            size_t first, size_t count)
{
    const icl_calibrate_input scores = { .query_count = count,
                                         .label_count = world->input->label_count,
                                         .logprob_nats =
                                             q->label_nats + first * world->input->label_count,
                                         .cancelled = world->input->cancelled };
    return icl_calibrate_run(out, world->calibrate, &scores, &world->calibrate_options);
}

/* --- accuracy --- */

static icl_status count_right(double *out, const icl_q_world *world, const questions *q,
                              size_t first)
{
    const size_t labels = world->input->label_count, count = world->validation_count;
    icl_calibration calibration = { 0 };
    ICL_TRY(calibrate(&calibration, world, q, first, count));
    size_t right = 0;
    for (size_t i = 0; i < count; i++)
        right += icl_argmax(calibration.scores + i * labels, labels) ==
                 world->input->pool_labels[world->validation[i]];
    icl_calibration_deinit(&calibration);
    *out = (double)right / (double)count;
    return ICL_OK;
}

icl_status icl_q_measure_accuracy(icl_q_world *world, icl_q_situation *const *situations,
                                  size_t count)
{
    const size_t each = world->validation_count;
    questions q;
    icl_status status = questions_init(&q, world, count * each);
    for (size_t s = 0; status == ICL_OK && s < count; s++)
        ask_about(&q, situations[s], world->validation, each);
    if (status == ICL_OK)
        status =
            icl_ask_labels(q.label_nats, world->input->asker, world->method, q.prompts, q.count);
    for (size_t s = 0; status == ICL_OK && s < count; s++)
        status = count_right(&situations[s]->accuracy, world, &q, s * each);
    questions_deinit(&q);
    return status;
}

/* --- features --- */

/* Beyond e^100 the square of a perplexity would leave no room for its sum. */
static double perplexity(double nats, size_t tokens)
{
    return exp(fmin(-nats / (double)tokens, 100.0));
}

static void write_features(double out[ICL_Q_ACTION], const double *probabilities, size_t labels,
                           const icl_ask_text *text)
{
    const double mean = 1.0 / (double)labels;
    double least = 1.0, most = 0.0, squares = 0.0;
    for (size_t i = 0; i < labels; i++) {
        least = fmin(least, probabilities[i]);
        most = fmax(most, probabilities[i]);
        squares += (probabilities[i] - mean) * (probabilities[i] - mean);
    }
    out[0] = labels > 1 ? icl_entropy_nats(probabilities, labels) / log((double)labels) : 0.0;
    out[1] = least;
    out[2] = most;
    out[3] = sqrt(squares * mean);
    out[4] = perplexity(text->nats, text->tokens);
}

/* The demonstrations alone: the prompt of a candidate less the candidate. */
static double shown_perplexity(const icl_ask_text *prompt, const icl_ask_text *candidate)
{
    if (prompt->tokens <= candidate->tokens) return 1.0;
    return perplexity(prompt->nats - candidate->nats, prompt->tokens - candidate->tokens);
}

static icl_status fill_choice(icl_q_world *world, icl_q_situation *situation, const questions *q,
                              size_t first, const icl_ask_text *candidate)
{
    const size_t count = situation->choice.action_count, labels = world->input->label_count;
    double(*features)[ICL_Q_ACTION] =
        icl_arena_alloc(&world->arena, (count + 1) * sizeof *features);
    if (features == NULL) return out_of_memory(world);
    situation->choice.state[0] = (double)situation->shown_count;
    situation->choice.state[1] = 1.0;
    situation->choice.actions = (const double(*)[ICL_Q_ACTION])features;
    if (count == 0) return ICL_OK;
    icl_calibration calibration = { 0 };
    ICL_TRY(calibrate(&calibration, world, q, first, count));
    for (size_t a = 0; a < count; a++)
        write_features(features[a], calibration.probabilities + a * labels, labels,
                       &q->texts[first + a]);
    icl_calibration_deinit(&calibration);
    situation->choice.state[1] = shown_perplexity(&q->texts[first], candidate);
    return ICL_OK;
}

static bool shows(const icl_q_situation *situation, size_t item)
{
    for (size_t i = 0; i < situation->shown_count; i++)
        if (situation->shown[i] == item) return true;
    return false;
}

/* A candidate that is shown already is no action: demonstrations do not repeat. */
static icl_status list_actions(icl_q_world *world, icl_q_situation *situation)
{
    size_t *actions =
        icl_arena_alloc(&world->arena, (world->candidate_count + 1) * sizeof *actions);
    if (actions == NULL) return out_of_memory(world);
    size_t count = 0;
    for (size_t i = 0; i < world->candidate_count; i++)
        if (!shows(situation, world->candidates[i])) actions[count++] = world->candidates[i];
    situation->actions = actions;
    situation->choice.action_count = count;
    return ICL_OK;
}

/* Asks about every action, and about the first one's input alone. */
static icl_status ask_actions(icl_q_world *world, icl_q_situation *const *situations, size_t count,
                              questions *q, questions *inputs)
{
    for (size_t s = 0; s < count; s++) {
        const size_t actions = situations[s]->choice.action_count;
        ask_about(q, situations[s], situations[s]->actions, actions);
        ask_about(inputs, situations[s], situations[s]->actions, actions < 1 ? actions : 1);
    }
    ICL_TRY(
        icl_ask_labels(q->label_nats, world->input->asker, world->method, q->prompts, q->count));
    ICL_TRY(icl_ask_texts(q->texts, world->input->asker, world->method, q->prompts, q->count));
    return icl_ask_inputs(inputs->texts, world->input->asker, world->method, inputs->prompts,
                          inputs->count);
}

icl_status icl_q_measure_actions(icl_q_world *world, icl_q_situation *const *situations,
                                 size_t count)
{
    questions q = { 0 }, inputs = { 0 };
    icl_status status = questions_init(&q, world, count * world->candidate_count);
    if (status == ICL_OK) status = questions_init(&inputs, world, count);
    for (size_t s = 0; status == ICL_OK && s < count; s++)
        status = list_actions(world, situations[s]);
    if (status == ICL_OK) status = ask_actions(world, situations, count, &q, &inputs);
    size_t first = 0, one = 0;
    for (size_t s = 0; status == ICL_OK && s < count; s++) {
        const size_t actions = situations[s]->choice.action_count;
        status = fill_choice(world, situations[s], &q, first, &inputs.texts[one]);
        first += actions;
        one += actions > 0;
    }
    questions_deinit(&inputs);
    questions_deinit(&q);
    return status;
}

icl_status icl_q_open(icl_q_world *world)
{
    ICL_TRY(icl_q_measure_accuracy(world, &world->root, 1));
    return icl_q_measure_actions(world, &world->root, 1);
}
