#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ggml.h>
#include <gguf.h>

#include "base/error.h"
#include "base/quote.h"
#include "learn/gguf_file.h"
#include "learn/model_file.h"
#include "learn/model_file_keys.h"

/* ---- shape ---- */

static icl_status check_architecture(const struct gguf_context *gguf)
{
    char shown[ICL_QUOTE_BYTES];
    uint32_t experts = 0;
    const char *architecture = icl_gguf_get_string(gguf, ICL_KEY_ARCHITECTURE);
    const char *scaling = icl_gguf_get_string(gguf, "llama.rope.scaling.type");
    if (architecture == NULL || strcmp(architecture, "llama") != 0)
        return icl_error_set(
            ICL_EUNSUPPORTED, "architecture %s cannot be trained, only \"llama\"",
            architecture == NULL ? "\"\"" : icl_quote(shown, architecture, strlen(architecture)));
    if (scaling != NULL && strcmp(scaling, "none") != 0)
        return icl_error_set(ICL_EUNSUPPORTED, "scaled rotary positions (%s) cannot be trained",
                             icl_quote(shown, scaling, strlen(scaling)));
    if (gguf_find_tensor(gguf, "rope_freqs.weight") >= 0)
        return icl_error_set(ICL_EUNSUPPORTED, "rotary positions with frequencies of their own "
                                               "(rope_freqs.weight) cannot be trained");
    if (icl_gguf_get_u32(&experts, gguf, "llama.expert_count") && experts > 0)
        return icl_error_set(ICL_EUNSUPPORTED, "a mixture of %u experts cannot be trained",
                             experts);
    return ICL_OK;
}

/* ICL_EUNSUPPORTED: no single number under the key. */
static icl_status get_size(size_t *out, const struct gguf_context *gguf, const char *key)
{
    uint32_t value = 0;
    if (!icl_gguf_get_u32(&value, gguf, key))
        return icl_error_set(ICL_EUNSUPPORTED, "%s is not one whole number", key);
    *out = value;
    return ICL_OK;
}

/* A value that, when it is there, must say `expected`. */
static icl_status check_size(const struct gguf_context *gguf, const char *key, size_t expected)
{
    uint32_t value = 0;
    if (icl_gguf_get_u32(&value, gguf, key) && value != expected)
        return icl_error_set(ICL_EUNSUPPORTED,
                             "%s is %u; only %zu, the width of a head, can be "
                             "trained",
                             key, value, expected);
    return ICL_OK;
}

static icl_status read_heads(icl_transformer_config *config, const struct gguf_context *gguf)
{
    ICL_TRY(get_size(&config->heads, gguf, ICL_KEY_HEADS));
    config->kv_heads = config->heads;
    if (gguf_find_key(gguf, ICL_KEY_KV_HEADS) >= 0)
        ICL_TRY(get_size(&config->kv_heads, gguf, ICL_KEY_KV_HEADS));
    if (config->heads == 0 || config->kv_heads == 0)
        return icl_error_set(ICL_EMODEL, "%zu heads and %zu key/value heads", config->heads,
                             config->kv_heads);
    config->head_width = config->width / config->heads;
    if (gguf_find_key(gguf, ICL_KEY_KEY_WIDTH) >= 0)
        ICL_TRY(get_size(&config->head_width, gguf, ICL_KEY_KEY_WIDTH));
    ICL_TRY(check_size(gguf, ICL_KEY_VALUE_WIDTH, config->head_width));
    return check_size(gguf, ICL_KEY_ROPE_WIDTH, config->head_width);
}

static icl_status read_config(icl_transformer_config *out, const struct gguf_context *gguf)
{
    icl_transformer_config config = icl_transformer_config_default();
    ICL_TRY(check_architecture(gguf));
    ICL_TRY(get_size(&config.window, gguf, ICL_KEY_WINDOW));
    ICL_TRY(get_size(&config.width, gguf, ICL_KEY_WIDTH));
    ICL_TRY(get_size(&config.layers, gguf, ICL_KEY_LAYERS));
    ICL_TRY(get_size(&config.feed_width, gguf, ICL_KEY_FEED_WIDTH));
    ICL_TRY(read_heads(&config, gguf));
    config.rope_base = 10000.0f; /* what llama.cpp takes when a file does not say */
    icl_gguf_get_f32(&config.rope_base, gguf, ICL_KEY_ROPE_BASE);
    if (!icl_gguf_get_f32(&config.norm_epsilon, gguf, ICL_KEY_NORM_EPSILON))
        return icl_error_set(ICL_EMODEL, "%s is not a number", ICL_KEY_NORM_EPSILON);
    const int64_t tokens = gguf_find_tensor(gguf, "token_embd.weight");
    if (tokens < 0) return icl_error_set(ICL_EMODEL, "there is no token_embd.weight");
    config.vocab_count = (size_t)gguf_get_tensor_ne(gguf, tokens)[1];
    config.tied = gguf_find_tensor(gguf, "output.weight") < 0;
    ICL_TRY(icl_transformer_config_check(&config));
    *out = config;
    return ICL_OK;
}

static icl_status about(icl_status status, const char *path)
{
    return status == ICL_OK ? ICL_OK : icl_error_prefix(status, "\"%s\"", path);
}

icl_status icl_model_file_config(icl_transformer_config *out, const char *path)
{
    struct gguf_context *gguf = NULL;
    ICL_TRY(icl_gguf_open(&gguf, path));
    const icl_status status = read_config(out, gguf);
    gguf_free(gguf);
    return about(status, path);
}

/* ---- weights ---- */

/* Sizes that weights of equal shapes may still disagree in. */
static icl_status check_same_model(const icl_transformer_config *file,
                                   const icl_transformer_config *model)
{
    if (file->layers != model->layers)
        return icl_error_set(ICL_EINVAL, "the file has %zu layers, the model %zu", file->layers,
                             model->layers);
    if (file->heads != model->heads)
        return icl_error_set(ICL_EINVAL, "the file has %zu heads, the model %zu", file->heads,
                             model->heads);
    if (file->tied != model->tied)
        return icl_error_set(ICL_EINVAL, "the %s has an output table of its own, the %s has not",
                             file->tied ? "model" : "file", file->tied ? "file" : "model");
    if (file->rope_base != model->rope_base)
        return icl_error_set(ICL_EINVAL, "the file's rotary base is %g, the model's %g",
                             (double)file->rope_base, (double)model->rope_base);
    if (file->norm_epsilon != model->norm_epsilon)
        return icl_error_set(ICL_EINVAL, "the file's norm epsilon is %g, the model's %g",
                             (double)file->norm_epsilon, (double)model->norm_epsilon);
    return ICL_OK;
}

static bool can_be_read(enum ggml_type type)
{
    return type == GGML_TYPE_F32 || ggml_get_type_traits(type)->to_float != NULL;
}

static icl_status check_weight(const struct gguf_context *gguf, const icl_parameter *weight)
{
    const int64_t index = gguf_find_tensor(gguf, weight->name);
    if (index < 0) return icl_error_set(ICL_EINVAL, "the file has no %s", weight->name);
    const int64_t *ne = gguf_get_tensor_ne(gguf, index);
    if (memcmp(ne, weight->shape, sizeof weight->shape) != 0)
        return icl_error_set(ICL_EINVAL, "%s is %lld x %lld in the file, %lld x %lld in the model",
                             weight->name, (long long)ne[0], (long long)(ne[1] * ne[2] * ne[3]),
                             (long long)weight->shape[0],
                             (long long)(weight->shape[1] * weight->shape[2] * weight->shape[3]));
    const enum ggml_type type = gguf_get_tensor_type(gguf, index);
    if (!can_be_read(type))
        return icl_error_set(ICL_EUNSUPPORTED, "%s is of type %s", weight->name,
                             ggml_type_name(type));
    return ICL_OK;
}

/* Every weight of either side has its counterpart; biases, for one, have none here. */
static icl_status check_weights(const struct gguf_context *gguf, const icl_parameters *parameters)
{
    for (size_t i = 0; i < icl_parameters_count(parameters); i++) {
        const icl_parameter *weight = icl_parameters_at(parameters, i);
        if (icl_is_file_weight(weight->name)) ICL_TRY(check_weight(gguf, weight));
    }
    for (int64_t i = 0; i < gguf_get_n_tensors(gguf); i++) {
        const char *name = gguf_get_tensor_name(gguf, i);
        if (icl_parameters_find(parameters, name) == SIZE_MAX)
            return icl_error_set(ICL_EUNSUPPORTED, "the model has no place for %s", name);
    }
    return ICL_OK;
}

typedef struct weight_buffers {
    void *stored;
    float *values;
} weight_buffers;

static icl_status read_weight(icl_parameters *parameters, size_t index,
                              const struct gguf_context *gguf, FILE *file,
                              const weight_buffers *buffers)
{
    const icl_parameter *weight = icl_parameters_at(parameters, index);
    const int64_t tensor = gguf_find_tensor(gguf, weight->name);
    const enum ggml_type type = gguf_get_tensor_type(gguf, tensor);
    const size_t bytes = gguf_get_tensor_size(gguf, tensor);
    const size_t at = gguf_get_data_offset(gguf) + gguf_get_tensor_offset(gguf, tensor);
    if (fseeko(file, (off_t)at, SEEK_SET) != 0 || fread(buffers->stored, 1, bytes, file) != bytes)
        return icl_error_set(ICL_EIO, "%s cannot be read: %s", weight->name, strerror(errno));
    const float *values = buffers->stored;
    if (type != GGML_TYPE_F32) {
        ggml_get_type_traits(type)->to_float(buffers->stored, buffers->values,
                                             (int64_t)weight->count);
        values = buffers->values;
    }
    ICL_TRY(icl_check_finite(weight->name, values, weight->count));
    icl_parameters_set(parameters, index, values);
    return ICL_OK;
}

static icl_status read_weights(icl_parameters *parameters, const struct gguf_context *gguf,
                               const char *path)
{
    const size_t largest = icl_largest_weight(parameters);
    FILE *file = fopen(path, "rb");
    float *numbers = malloc(2 * largest * sizeof *numbers);
    icl_status status = ICL_OK;
    if (file == NULL)
        status = icl_error_set(ICL_EIO, "it cannot be opened: %s", strerror(errno));
    else if (numbers == NULL)
        status = icl_error_set(ICL_ENOMEM, "out of memory for %zu numbers", largest);
    for (size_t i = 0; status == ICL_OK && i < icl_parameters_count(parameters); i++) {
        const weight_buffers buffers = { .stored = numbers, .values = numbers + largest };
        if (icl_is_file_weight(icl_parameters_at(parameters, i)->name))
            status = read_weight(parameters, i, gguf, file, &buffers);
    }
    free(numbers);
    if (file != NULL) fclose(file);
    return status;
}

icl_status icl_model_file_read(icl_transformer *model, const char *path)
{
    icl_parameters *parameters = icl_transformer_parameters(model);
    icl_transformer_config config;
    struct gguf_context *gguf = NULL;
    ICL_TRY(icl_gguf_open(&gguf, path));
    icl_status status = read_config(&config, gguf);
    if (status == ICL_OK) status = icl_model_file_check(icl_transformer_get_config(model));
    if (status == ICL_OK) status = check_same_model(&config, icl_transformer_get_config(model));
    if (status == ICL_OK) status = check_weights(gguf, parameters);
    if (status == ICL_OK) status = read_weights(parameters, gguf, path);
    gguf_free(gguf);
    return about(status, path);
}
