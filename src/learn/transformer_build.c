/* The computation of a transformer: pre-norm blocks over a residual stream. */
#include <assert.h>
#include <math.h>

#include "learn/transformer_parts.h"

/* What all blocks of one build share. */
typedef struct building {
    const icl_transformer *model;
    icl_graph *graph;
    icl_transformer_io *io;
} building;

static icl_value *weight_of(icl_graph *graph, size_t index)
{
    return index == ICL_NO_WEIGHT ? NULL : icl_graph_parameter(graph, index);
}

/* The rows `ids` of a table, all of it without. */
static icl_value *some_rows(icl_graph *graph, size_t index, icl_value *ids)
{
    icl_value *table = icl_graph_parameter(graph, index);
    return ids == NULL ? table : icl_op_rows(graph, table, ids);
}

/* A linear map with its bias and adapters; with `ids` those of its outputs alone. */
static icl_value *apply_rows(const icl_transformer *model, icl_graph *graph,
                             const icl_linear_map *map, icl_value *x, icl_value *ids)
{
    icl_value *y = icl_op_linear(graph, some_rows(graph, map->weight, ids), x);
    if (map->bias != ICL_NO_WEIGHT) y = icl_op_add(graph, y, icl_graph_parameter(graph, map->bias));
    if (map->lora_a == ICL_NO_WEIGHT) return y;
    icl_value *inner = icl_op_linear(graph, icl_graph_parameter(graph, map->lora_a), x);
    icl_value *delta = icl_op_linear(graph, some_rows(graph, map->lora_b, ids), inner);
    return icl_op_add(graph, y,
                      icl_op_scale(graph, delta, model->lora.alpha / (float)model->lora.rank));
}

static icl_value *apply(const building *b, const icl_linear_map *map, icl_value *x)
{
    return apply_rows(b->model, b->graph, map, x, NULL);
}

static icl_value *normalise(const building *b, const icl_norm_weights *norm, icl_value *x)
{
    const icl_transformer_config *c = &b->model->config;
    switch (c->norm) {
    case ICL_NORM_RMS:
        return icl_op_rms_norm(b->graph, x, weight_of(b->graph, norm->gain), c->norm_epsilon);
    case ICL_NORM_LAYER:
        return icl_op_layer_norm(b->graph, x, weight_of(b->graph, norm->gain),
                                 weight_of(b->graph, norm->bias), c->norm_epsilon);
    case ICL_NORM_NONE:
        break;
    }
    return x;
}

/* A projection split into heads, with rotary positions where they belong. */
static icl_value *heads_of(const building *b, const icl_linear_map *map, icl_value *x, size_t heads,
                           bool rotate)
{
    const icl_transformer_config *c = &b->model->config;
    icl_value *y = icl_op_reshape(b->graph, apply(b, map, x), (int64_t)c->head_width,
                                  (int64_t)heads, b->io->token_count, 1);
    if (!rotate || c->positions != ICL_POSITIONS_ROPE) return y;
    return icl_op_rope(b->graph, y, b->io->positions, c->rope_base, false);
}

static icl_value *attend(const building *b, const icl_block *block, size_t layer, icl_value *x)
{
    const icl_transformer_config *c = &b->model->config;
    const icl_attention_options options = {
        .batch = b->io->batch,
        .causal = c->view == ICL_VIEW_CAUSAL,
        .linear = c->linear_attention,
        .first = b->io->first,
        .bias = b->io->bias,
        .keep_scores = b->io->keep_scores,
    };
    icl_value *q = heads_of(b, &block->q, x, c->heads, true);
    icl_value *k = heads_of(b, &block->k, x, c->kv_heads, true);
    icl_value *v = heads_of(b, &block->v, x, c->kv_heads, false);
    icl_value *mixed = icl_op_attention(b->graph, q, k, v, &options);
    if (b->io->keep_scores) b->io->scores[layer] = icl_attention_scores(b->graph, mixed);
    return apply(b, &block->output, mixed);
}

static icl_value *feed_forward(const building *b, const icl_block *block, icl_value *x)
{
    icl_value *up = apply(b, &block->up, x);
    icl_value *hidden = b->model->config.feed == ICL_FEED_SWIGLU
                            ? icl_op_silu_gate(b->graph, apply(b, &block->gate, x), up)
                            : icl_op_gelu(b->graph, up);
    return apply(b, &block->down, hidden);
}

static icl_value *run_block(const building *b, size_t layer, icl_value *x)
{
    const icl_block *block = &b->model->blocks[layer];
    icl_value *seen = attend(b, block, layer, normalise(b, &block->attention_norm, x));
    x = icl_op_add(b->graph, x, seen);
    if (b->model->config.feed == ICL_FEED_NONE) return x;
    return icl_op_add(b->graph, x, feed_forward(b, block, normalise(b, &block->feed_norm, x)));
}

static void make_missing_inputs(const building *b)
{
    icl_transformer_io *io = b->io;
    if (io->ids == NULL && io->vectors == NULL)
        io->ids = icl_graph_input_ids(b->graph, "tokens", io->token_count);
    if (io->positions == NULL && b->model->config.positions != ICL_POSITIONS_NONE)
        io->positions = icl_graph_input_ids(b->graph, "positions", io->token_count);
}

static icl_value *embed(const building *b)
{
    const icl_transformer *model = b->model;
    const icl_transformer_io *io = b->io;
    icl_value *x;
    if (io->vectors == NULL)
        x = icl_op_rows(b->graph, icl_graph_parameter(b->graph, model->tokens), io->ids);
    else if (model->input.weight != ICL_NO_WEIGHT)
        x = apply(b, &model->input, io->vectors);
    else
        x = io->vectors;
    if (model->positions == ICL_NO_WEIGHT) return x;
    icl_value *table = icl_graph_parameter(b->graph, model->positions);
    return icl_op_add(b->graph, x, icl_op_rows(b->graph, table, io->positions));
}

void icl_transformer_build(icl_transformer *model, icl_graph *graph, icl_transformer_io *io)
{
    const icl_transformer_config *c = &model->config;
    assert(io->batch > 0 && io->token_count % io->batch == 0);
    assert((io->ids == NULL) || (io->vectors == NULL));
    assert(io->vectors != NULL || c->vocab_count > 0);
    assert(c->view != ICL_VIEW_PREFIX || io->bias != NULL);
    assert(c->positions != ICL_POSITIONS_LEARNED ||
           io->token_count / io->batch <= (int64_t)c->window);
    const building b = { model, graph, io };
    make_missing_inputs(&b);
    io->embedded = embed(&b);
    io->hidden[0] = io->embedded;
    for (size_t i = 0; i < c->layers; i++) io->hidden[i + 1] = run_block(&b, i, io->hidden[i]);
    io->hidden[c->layers] = normalise(&b, &model->output_norm, io->hidden[c->layers]);
}

void icl_transformer_prefix_bias(float *out, size_t length, size_t prefix)
{
    for (size_t query = 0; query < length; query++) {
        const size_t visible = query < prefix ? prefix : query + 1;
        for (size_t key = 0; key < length; key++)
            out[query * length + key] = key < visible ? 0.0f : -INFINITY;
    }
}

icl_value *icl_transformer_logits_of(icl_transformer *model, icl_graph *graph, icl_value *hidden,
                                     icl_value *ids)
{
    assert(model->config.vocab_count > 0);
    return apply_rows(model, graph, &model->output, hidden, ids);
}

icl_value *icl_transformer_logits(icl_transformer *model, icl_graph *graph, icl_value *hidden)
{
    return icl_transformer_logits_of(model, graph, hidden, NULL);
}

icl_value *icl_transformer_readout(icl_transformer *model, icl_graph *graph, icl_value *hidden)
{
    assert(model->config.readout_width > 0);
    return apply_rows(model, graph, &model->readout, hidden, NULL);
}
