/* The weights of a transformer: their names and shapes, their random start. */
#include "learn/transformer.h"

#include <assert.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "learn/transformer_parts.h"

enum { NAME_BYTES = 64 };

/* Radford et al. 2019. */
static const double start_deviation = 0.02;

static const icl_linear_map no_map = { ICL_NO_WEIGHT, ICL_NO_WEIGHT, ICL_NO_WEIGHT, ICL_NO_WEIGHT };
static const icl_norm_weights no_norm = { ICL_NO_WEIGHT, ICL_NO_WEIGHT };

bool icl_name_contains(const char *name, const char *const *parts)
{
    for (; parts != NULL && *parts != NULL; parts++) {
        if (strstr(name, *parts) != NULL) return true;
    }
    return false;
}

/* --- names and shapes --- */

/* What is being declared: `config` still has the caller's freeze list. */
typedef struct declaration {
    icl_transformer *model;
    const icl_transformer_config *config;
    const icl_lora_options *lora; /* NULL: a full model */
} declaration;

/* `columns` 0 makes a vector. */
static icl_status declare(const declaration *d, size_t *out, const char *name, size_t width,
                          size_t columns)
{
    icl_parameters *parameters = d->model->parameters;
    const int64_t shape[] = { (int64_t)width, (int64_t)columns };
    ICL_TRY(icl_parameters_add(out, parameters, name, shape, columns == 0 ? 1 : 2));
    if (d->lora != NULL || icl_name_contains(name, d->config->frozen))
        icl_parameters_set_frozen(parameters, *out, true);
    return ICL_OK;
}

/* "blk.3.attn_q" and "weight" make "blk.3.attn_q.weight"; `layer` below 0: no block. */
static void make_name(char name[NAME_BYTES], int layer, const char *part, const char *kind)
{
    if (layer < 0)
        snprintf(name, NAME_BYTES, "%s.%s", part, kind);
    else
        snprintf(name, NAME_BYTES, "blk.%d.%s.%s", layer, part, kind);
}

static icl_status declare_norm(const declaration *d, icl_norm_weights *norm, int layer,
                               const char *part)
{
    char name[NAME_BYTES];
    if (d->config->norm == ICL_NORM_NONE) return ICL_OK;
    make_name(name, layer, part, "weight");
    ICL_TRY(declare(d, &norm->gain, name, d->config->width, 0));
    if (d->config->norm != ICL_NORM_LAYER) return ICL_OK;
    make_name(name, layer, part, "bias");
    return declare(d, &norm->bias, name, d->config->width, 0);
}

static icl_status declare_map(const declaration *d, icl_linear_map *map, int layer,
                              const char *part, size_t in, size_t out)
{
    char name[NAME_BYTES];
    if (d->config->biases) {
        make_name(name, layer, part, "bias");
        ICL_TRY(declare(d, &map->bias, name, out, 0));
    }
    make_name(name, layer, part, "weight");
    ICL_TRY(declare(d, &map->weight, name, in, out));
    if (d->lora == NULL) return ICL_OK;
    return icl_lora_declare(map, d->model->parameters, name, d->lora);
}

static icl_status declare_feed(const declaration *d, icl_block *block, int layer)
{
    const icl_transformer_config *c = d->config;
    if (c->feed == ICL_FEED_NONE) return ICL_OK;
    ICL_TRY(declare_norm(d, &block->feed_norm, layer, "ffn_norm"));
    if (c->feed == ICL_FEED_SWIGLU)
        ICL_TRY(declare_map(d, &block->gate, layer, "ffn_gate", c->width, c->feed_width));
    ICL_TRY(declare_map(d, &block->up, layer, "ffn_up", c->width, c->feed_width));
    return declare_map(d, &block->down, layer, "ffn_down", c->feed_width, c->width);
}

static icl_status declare_block(const declaration *d, icl_block *block, int layer)
{
    const icl_transformer_config *c = d->config;
    const size_t queries = c->heads * c->head_width, keys = c->kv_heads * c->head_width;
    *block =
        (icl_block){ no_norm, no_norm, no_map, no_map, no_map, no_map, no_map, no_map, no_map };
    ICL_TRY(declare_norm(d, &block->attention_norm, layer, "attn_norm"));
    ICL_TRY(declare_map(d, &block->q, layer, "attn_q", c->width, queries));
    ICL_TRY(declare_map(d, &block->k, layer, "attn_k", c->width, keys));
    ICL_TRY(declare_map(d, &block->v, layer, "attn_v", c->width, keys));
    ICL_TRY(declare_map(d, &block->output, layer, "attn_output", queries, c->width));
    return declare_feed(d, block, layer);
}

/* Where vectors and tokens come in. */
static icl_status declare_entry(const declaration *d)
{
    const icl_transformer_config *c = d->config;
    icl_transformer *model = d->model;
    model->tokens = model->positions = ICL_NO_WEIGHT;
    model->input = no_map;
    if (c->vocab_count > 0)
        ICL_TRY(declare(d, &model->tokens, "token_embd.weight", c->width, c->vocab_count));
    if (c->positions == ICL_POSITIONS_LEARNED)
        ICL_TRY(declare(d, &model->positions, "position_embd.weight", c->width, c->window));
    if (c->input_width == 0) return ICL_OK;
    return declare_map(d, &model->input, -1, "input", c->input_width, c->width);
}

static icl_status declare_exit(const declaration *d)
{
    const icl_transformer_config *c = d->config;
    icl_transformer *model = d->model;
    model->output_norm = no_norm;
    model->output = model->readout = no_map;
    ICL_TRY(declare_norm(d, &model->output_norm, -1, "output_norm"));
    if (c->readout_width > 0)
        ICL_TRY(declare_map(d, &model->readout, -1, "readout", c->width, c->readout_width));
    if (c->vocab_count == 0) return ICL_OK;
    if (c->tied) {
        model->output.weight = model->tokens;
        return ICL_OK;
    }
    /* Output tables have no bias, in GPT-2 neither. */
    declaration unbiased = *d;
    icl_transformer_config config = *c;
    config.biases = false;
    unbiased.config = &config;
    return declare_map(&unbiased, &model->output, -1, "output", c->width, c->vocab_count);
}

static icl_status declare_all(const declaration *d)
{
    ICL_TRY(declare_entry(d));
    for (size_t i = 0; i < d->config->layers; i++)
        ICL_TRY(declare_block(d, &d->model->blocks[i], (int)i));
    ICL_TRY(declare_exit(d));
    return d->lora == NULL ? ICL_OK : icl_lora_check_targets(d->model->parameters, d->lora);
}

/* --- making and starting --- */

static icl_status transformer_new(icl_transformer **out, icl_device *device,
                                  const icl_transformer_config *config,
                                  const icl_lora_options *lora)
{
    ICL_TRY(icl_transformer_config_check(config));
    icl_transformer *model = calloc(1, sizeof *model);
    if (model == NULL) return icl_error_set(ICL_ENOMEM, "out of memory for a transformer");
    model->config = icl_transformer_config_resolved(config);
    if (lora != NULL) model->lora = (icl_lora_options){ .rank = lora->rank, .alpha = lora->alpha };
    icl_transformer_config declared = model->config;
    declared.frozen = config->frozen;
    const declaration d = { model, &declared, lora };

    icl_status status = icl_parameters_new(&model->parameters, device);
    if (status == ICL_OK) status = declare_all(&d);
    if (status == ICL_OK) status = icl_parameters_allocate(model->parameters);
    if (status == ICL_OK)
        *out = model;
    else
        icl_transformer_free(model);
    return status;
}

icl_status icl_transformer_new(icl_transformer **out, icl_device *device,
                               const icl_transformer_config *config)
{
    return transformer_new(out, device, config, NULL);
}

icl_status icl_transformer_new_lora(icl_transformer **out, icl_device *device,
                                    const icl_transformer_config *config,
                                    const icl_lora_options *lora)
{
    ICL_TRY(icl_lora_check(lora));
    return transformer_new(out, device, config, lora);
}

void icl_transformer_free(icl_transformer *model)
{
    if (model == NULL) return;
    icl_parameters_free(model->parameters);
    free(model);
}

const icl_transformer_config *icl_transformer_get_config(const icl_transformer *model)
{
    return &model->config;
}

icl_parameters *icl_transformer_parameters(const icl_transformer *model)
{
    return model->parameters;
}

static bool ends_with(const char *name, const char *end)
{
    const size_t length = strlen(name), end_length = strlen(end);
    return length >= end_length && strcmp(name + length - end_length, end) == 0;
}

static icl_status start_weight(icl_transformer *model, size_t index, uint64_t seed)
{
    icl_parameters *parameters = model->parameters;
    const char *name = icl_parameters_at(parameters, index)->name;
    if (ends_with(name, ".bias") || ends_with(name, ".lora_b"))
        return icl_parameters_fill(parameters, index, 0.0f);
    if (ends_with(name, "norm.weight")) return icl_parameters_fill(parameters, index, 1.0f);
    double deviation = start_deviation;
    if (ends_with(name, "attn_output.weight") || ends_with(name, "ffn_down.weight"))
        deviation /= sqrt(2.0 * (double)model->config.layers);
    if (ends_with(name, ".lora_a")) deviation = 1.0 / (double)model->lora.rank;
    return icl_parameters_fill_normal(parameters, index, seed, deviation);
}

icl_status icl_transformer_start(icl_transformer *model, uint64_t seed)
{
    for (size_t i = 0; i < icl_parameters_count(model->parameters); i++)
        ICL_TRY(start_weight(model, i, seed));
    return ICL_OK;
}
