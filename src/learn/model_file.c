#include "learn/model_file.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "learn/bpe_model.h"
#include "learn/gguf_draft.h"
#include "learn/model_file_keys.h"

/* ---- what can be said ---- */

icl_status icl_model_file_check(const icl_transformer_config *config)
{
    const struct {
        bool present;
        const char *feature;
    } features[] = {
        { config->vocab_count == 0, "a model without tokens" },
        { config->input_width > 0, "a read-in" },
        { config->view != ICL_VIEW_CAUSAL, "a view that is not causal" },
        { config->norm != ICL_NORM_RMS, "a norm other than RMSNorm" },
        { config->feed != ICL_FEED_SWIGLU, "a feed-forward part other than SwiGLU" },
        { config->positions != ICL_POSITIONS_ROPE, "positions other than RoPE" },
        { config->linear_attention, "linear attention" },
        { config->biases, "biases" },
    };
    for (size_t i = 0; i < sizeof features / sizeof features[0]; i++)
        if (features[i].present)
            return icl_error_set(ICL_EUNSUPPORTED,
                                 "a model file of architecture \"llama\" cannot say %s",
                                 features[i].feature);
    return ICL_OK;
}

bool icl_is_adapter_part(const char *name)
{
    const char *end = strrchr(name, '.');
    return end != NULL && (strcmp(end, ".lora_a") == 0 || strcmp(end, ".lora_b") == 0);
}

bool icl_is_file_weight(const char *name)
{
    return !icl_is_adapter_part(name) && strcmp(name, "readout.weight") != 0;
}

icl_status icl_check_finite(const char *name, const float *values, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!isfinite(values[i]))
            return icl_error_set(ICL_EMODEL, "%s holds %g at %zu", name, (double)values[i], i);
    return ICL_OK;
}

size_t icl_largest_weight(const icl_parameters *parameters)
{
    size_t largest = 0;
    for (size_t i = 0; i < icl_parameters_count(parameters); i++) {
        const size_t count = icl_parameters_at(parameters, i)->count;
        if (count > largest) largest = count;
    }
    return largest;
}

/* ---- the head ---- */

typedef struct type_facts {
    enum ggml_type type;
    uint32_t file_type; /* llama.cpp's number for "mostly this" */
} type_facts;

static type_facts facts_of(icl_weight_type type)
{
    switch (type) {
    case ICL_WEIGHT_F16:
        return (type_facts){ GGML_TYPE_F16, 1 };
    case ICL_WEIGHT_Q8_0:
        return (type_facts){ GGML_TYPE_Q8_0, 7 };
    case ICL_WEIGHT_F32:
        break;
    }
    return (type_facts){ GGML_TYPE_F32, 0 };
}

icl_status icl_model_file_check_type(const icl_parameters *parameters, icl_weight_type wanted)
{
    const enum ggml_type type = facts_of(wanted).type;
    const int64_t block = ggml_blck_size(type);
    for (size_t i = 0; i < icl_parameters_count(parameters); i++) {
        const icl_parameter *weight = icl_parameters_at(parameters, i);
        if (!icl_is_file_weight(weight->name)) continue;
        if (weight->rank > 1 && weight->shape[0] % block != 0)
            return icl_error_set(
                ICL_EUNSUPPORTED, "%s packs %lld numbers together, but rows of %s have %lld",
                ggml_type_name(type), (long long)block, weight->name, (long long)weight->shape[0]);
    }
    return ICL_OK;
}

static void set_string(struct gguf_context *head, const char *key, const char *value)
{
    if (value != NULL) gguf_set_val_str(head, key, value);
}

static void set_general(struct gguf_context *head, const icl_model_file_options *options)
{
    gguf_set_val_str(head, ICL_KEY_ARCHITECTURE, "llama");
    set_string(head, "general.name", options->name);
    set_string(head, "general.license", options->license);
    set_string(head, "general.description", options->description);
    gguf_set_val_u32(head, "general.file_type", facts_of(options->type).file_type);
    if (options->type == ICL_WEIGHT_Q8_0)
        gguf_set_val_u32(head, "general.quantization_version", GGML_QNT_VERSION);
}

static void set_shape(struct gguf_context *head, const icl_transformer_config *config)
{
    gguf_set_val_u32(head, ICL_KEY_WINDOW, (uint32_t)config->window);
    gguf_set_val_u32(head, ICL_KEY_WIDTH, (uint32_t)config->width);
    gguf_set_val_u32(head, ICL_KEY_LAYERS, (uint32_t)config->layers);
    gguf_set_val_u32(head, ICL_KEY_FEED_WIDTH, (uint32_t)config->feed_width);
    gguf_set_val_u32(head, ICL_KEY_HEADS, (uint32_t)config->heads);
    gguf_set_val_u32(head, ICL_KEY_KV_HEADS, (uint32_t)config->kv_heads);
    if (config->head_width * config->heads != config->width) {
        gguf_set_val_u32(head, ICL_KEY_KEY_WIDTH, (uint32_t)config->head_width);
        gguf_set_val_u32(head, ICL_KEY_VALUE_WIDTH, (uint32_t)config->head_width);
    }
    gguf_set_val_f32(head, ICL_KEY_NORM_EPSILON, config->norm_epsilon);
    gguf_set_val_u32(head, ICL_KEY_ROPE_WIDTH, (uint32_t)config->head_width);
    gguf_set_val_f32(head, ICL_KEY_ROPE_BASE, config->rope_base);
    gguf_set_val_u32(head, ICL_KEY_VOCAB, (uint32_t)config->vocab_count);
}

/* ---- the weights ---- */

static enum ggml_type stored_type(const icl_parameter *weight, enum ggml_type type)
{
    return weight->rank > 1 ? type : GGML_TYPE_F32;
}

/* `packed` has room for the numbers as f32. Returns the bytes to write. */
static const void *pack(void *packed, const float *values, const icl_parameter *weight,
                        enum ggml_type type)
{
    const int64_t count = (int64_t)weight->count;
    if (type == GGML_TYPE_F32) return values;
    if (type == GGML_TYPE_F16)
        ggml_fp32_to_fp16_row(values, packed, count);
    else
        ggml_quantize_chunk(type, values, packed, 0, count / weight->shape[0], weight->shape[0],
                            NULL);
    return packed;
}

static bool is_written(const icl_parameter *weight, bool adapters)
{
    return adapters ? icl_is_adapter_part(weight->name) : icl_is_file_weight(weight->name);
}

/* Writes the weights of the model, or the parts of its adapters, that the draft describes. */
static icl_status write_weights(icl_gguf_draft *draft, const icl_transformer *model, bool adapters,
                                enum ggml_type type)
{
    const icl_parameters *parameters = icl_transformer_parameters(model);
    const size_t room = icl_largest_weight(parameters);
    float *values = malloc(2 * room * sizeof *values);
    if (values == NULL) return icl_error_set(ICL_ENOMEM, "out of memory for %zu numbers", room);
    icl_status status = ICL_OK;
    for (size_t i = 0; status == ICL_OK && i < icl_parameters_count(parameters); i++) {
        const icl_parameter *weight = icl_parameters_at(parameters, i);
        if (!is_written(weight, adapters)) continue;
        if (adapters)
            icl_parameters_get(parameters, i, values);
        else
            status = icl_transformer_merged(model, i, values);
        if (status == ICL_OK) status = icl_check_finite(weight->name, values, weight->count);
        if (status != ICL_OK) break;
        const enum ggml_type stored = stored_type(weight, type);
        icl_gguf_draft_write(draft, pack(values + room, values, weight, stored),
                             ggml_row_size(stored, (int64_t)weight->count));
    }
    free(values);
    return status;
}

/* Describes and writes them under a head that is complete but for the tensors. */
static icl_status write_file(icl_gguf_draft *draft, const char *path, const icl_transformer *model,
                             bool adapters, enum ggml_type type)
{
    const icl_parameters *parameters = icl_transformer_parameters(model);
    for (size_t i = 0; i < icl_parameters_count(parameters); i++) {
        const icl_parameter *weight = icl_parameters_at(parameters, i);
        if (is_written(weight, adapters))
            icl_gguf_draft_add(draft, weight->name, weight->shape, weight->rank,
                               stored_type(weight, type));
    }
    ICL_TRY(icl_gguf_draft_begin(draft, path));
    ICL_TRY(write_weights(draft, model, adapters, type));
    return icl_gguf_draft_commit(draft);
}

icl_status icl_model_file_write(const char *path, const icl_transformer *model, const icl_bpe *bpe,
                                const icl_model_file_options *options)
{
    const icl_transformer_config *config = icl_transformer_get_config(model);
    const icl_parameters *parameters = icl_transformer_parameters(model);
    const enum ggml_type type = facts_of(options->type).type;
    ICL_TRY(icl_model_file_check(config));
    ICL_TRY(icl_model_file_check_type(parameters, options->type));
    if (icl_bpe_vocab_count(bpe) != config->vocab_count)
        return icl_error_set(ICL_EINVAL, "the tokenizer has %zu tokens, the model %zu",
                             icl_bpe_vocab_count(bpe), config->vocab_count);
    icl_gguf_draft draft;
    ICL_TRY(icl_gguf_draft_init(&draft, icl_parameters_count(parameters)));
    set_general(draft.head, options);
    set_shape(draft.head, config);
    icl_status status = icl_bpe_to_gguf(draft.head, bpe);
    set_string(draft.head, "tokenizer.chat_template", options->chat_template);
    if (status == ICL_OK) status = write_file(&draft, path, model, false, type);
    icl_gguf_draft_deinit(&draft);
    return status;
}

icl_status icl_model_file_write_adapter(const char *path, const icl_transformer *model)
{
    const icl_lora_options *lora = icl_transformer_lora(model);
    ICL_TRY(icl_model_file_check(icl_transformer_get_config(model)));
    if (lora == NULL) return icl_error_set(ICL_EINVAL, "the model has no adapters to write");
    icl_gguf_draft draft;
    ICL_TRY(icl_gguf_draft_init(&draft, icl_parameters_count(icl_transformer_parameters(model))));
    gguf_set_val_str(draft.head, "general.type", "adapter");
    gguf_set_val_str(draft.head, ICL_KEY_ARCHITECTURE, "llama");
    gguf_set_val_str(draft.head, "adapter.type", "lora");
    gguf_set_val_f32(draft.head, "adapter.lora.alpha", lora->alpha);
    const icl_status status = write_file(&draft, path, model, true, GGML_TYPE_F32);
    icl_gguf_draft_deinit(&draft);
    return status;
}
