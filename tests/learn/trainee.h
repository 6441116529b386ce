/* trainee.h - a small transformer with everything that training it takes. */
#ifndef ICL_TESTS_LEARN_TRAINEE_H
#define ICL_TESTS_LEARN_TRAINEE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "near.h"

#include "base/rng.h"
#include "learn/devices.h"
#include "learn/optimizer.h"
#include "learn/transformer.h"

#define assert_ok(call)                                                                            \
    do {                                                                                           \
        if ((call) != ICL_OK) fail_msg("%s: %s", #call, icl_error_message());                      \
    } while (0)

typedef struct trainee {
    icl_device *device;
    icl_transformer *model;
    icl_parameters *parameters; /* the model's */
    icl_graph *graph;
    icl_transformer_io io;
    icl_value *logits, *targets, *weights, *loss;
} trainee;

/* Two layers of the "llama" kind. */
static inline icl_transformer_config small_config(void)
{
    icl_transformer_config config = icl_transformer_config_default();
    config.vocab_count = 64;
    config.width = 32;
    config.layers = 2;
    config.heads = 4;
    config.kv_heads = 2;
    config.feed_width = 48;
    config.window = 32;
    return config;
}

/* The other kind: GPT-2's blocks. */
static inline icl_transformer_config small_gpt2_config(void)
{
    icl_transformer_config config = small_config();
    config.kv_heads = 0;
    config.norm = ICL_NORM_LAYER;
    config.feed = ICL_FEED_GELU;
    config.positions = ICL_POSITIONS_LEARNED;
    config.tied = false;
    config.biases = true;
    return config;
}

/* Weights and tokens in, logits and cross-entropy out; `lora` NULL: a full model. */
static inline void trainee_open(trainee *out, icl_device *device,
                                const icl_transformer_config *config, const icl_lora_options *lora,
                                int64_t batch, int64_t length)
{
    *out = (trainee){ .device = device };
    if (lora == NULL)
        assert_ok(icl_transformer_new(&out->model, device, config));
    else
        assert_ok(icl_transformer_new_lora(&out->model, device, config, lora));
    out->parameters = icl_transformer_parameters(out->model);
    assert_ok(icl_transformer_start(out->model, 7));
    assert_ok(icl_graph_new(&out->graph, out->parameters));
    out->io.batch = batch;
    out->io.token_count = batch * length;
    out->targets = icl_graph_input_ids(out->graph, "targets", out->io.token_count);
    out->weights = icl_graph_input(out->graph, "weights", out->io.token_count, 1, false);
    icl_transformer_build(out->model, out->graph, &out->io);
    icl_value *hidden = out->io.hidden[config->layers];
    out->logits = icl_transformer_logits(out->model, out->graph, hidden);
    icl_graph_keep(out->graph, out->logits);
    out->loss = icl_loss_cross_entropy(out->graph, out->logits, out->targets, out->weights, 0.0f);
    icl_graph_add_loss(out->graph, "text", out->loss, 1.0f);
    assert_ok(icl_graph_finish(out->graph, true));
}

static inline void trainee_close(trainee *self)
{
    icl_graph_free(self->graph);
    icl_transformer_free(self->model);
}

static inline void set_positions(icl_graph *graph, const icl_transformer_io *io)
{
    if (io->positions == NULL) return;
    int32_t *positions = malloc((size_t)io->token_count * sizeof *positions);
    assert_non_null(positions);
    const int64_t length = io->token_count / io->batch;
    for (int64_t i = 0; i < io->token_count; i++) positions[i] = (int32_t)(i % length);
    icl_graph_set_ids(graph, io->positions, positions);
    free(positions);
}

/* One micro-batch: its loss; gradients add up. */
static inline float trainee_run(trainee *self, const int32_t *tokens, const int32_t *targets,
                                const float *weights)
{
    icl_graph_set_ids(self->graph, self->io.ids, tokens);
    icl_graph_set_ids(self->graph, self->targets, targets);
    icl_graph_set(self->graph, self->weights, weights);
    set_positions(self->graph, &self->io);
    assert_ok(icl_graph_run(self->graph));
    return icl_graph_scalar(self->graph, self->loss);
}

/* The same on tokens of a seeded chain, in which a token has three successors. */
static inline float trainee_run_drawn(trainee *self, uint64_t number)
{
    const size_t count = (size_t)self->io.token_count;
    icl_rng rng = icl_rng_new(number, "trainee", NULL, "tokens");
    int32_t *tokens = malloc((count + 1) * sizeof *tokens);
    float *weights = malloc(count * sizeof *weights);
    assert_true(tokens != NULL && weights != NULL);
    tokens[0] = 0;
    for (size_t i = 0; i < count; i++) {
        tokens[i + 1] = (3 * tokens[i] + (int32_t)icl_rng_below(&rng, 3)) % 64;
        weights[i] = (float)icl_rng_below(&rng, 3) / 2.0f;
    }
    const float loss = trainee_run(self, tokens, tokens + 1, weights);
    free(weights);
    free(tokens);
    return loss;
}

/* A copy of weight `index`, yours to free. */
static inline float *copy_weight(const icl_parameters *parameters, size_t index)
{
    float *values = malloc(icl_parameters_at(parameters, index)->count * sizeof *values);
    assert_non_null(values);
    icl_parameters_get(parameters, index, values);
    return values;
}

/* Moves every weight off its start by normal draws, so that none is zero or one. */
static inline void scatter_weights(icl_parameters *parameters, double deviation)
{
    for (size_t i = 0; i < icl_parameters_count(parameters); i++) {
        float *values = copy_weight(parameters, i);
        icl_rng rng = icl_rng_new(3, "scatter", icl_parameters_at(parameters, i)->name, NULL);
        for (size_t j = 0; j < icl_parameters_at(parameters, i)->count; j++)
            values[j] += (float)(deviation * icl_rng_normal(&rng));
        icl_parameters_set(parameters, i, values);
        free(values);
    }
}

/* The trainer's logits [count][vocab_count] of one text, yours to free. */
static inline float *trainer_logits(icl_transformer *model, const int32_t *tokens, size_t count)
{
    const icl_transformer_config *config = icl_transformer_get_config(model);
    icl_transformer_io io = { .token_count = (int64_t)count, .batch = 1 };
    icl_graph *graph = NULL;
    assert_ok(icl_graph_new(&graph, icl_transformer_parameters(model)));
    icl_transformer_build(model, graph, &io);
    icl_value *logits = icl_transformer_logits(model, graph, io.hidden[config->layers]);
    icl_graph_keep(graph, logits);
    assert_ok(icl_graph_finish(graph, false));
    icl_graph_set_ids(graph, io.ids, tokens);
    set_positions(graph, &io);
    assert_ok(icl_graph_run(graph));
    float *out = malloc(count * config->vocab_count * sizeof *out);
    assert_non_null(out);
    icl_graph_get(graph, logits, out);
    icl_graph_free(graph);
    return out;
}

#endif
