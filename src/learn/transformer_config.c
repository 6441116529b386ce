/* Shapes of transformers: defaults, what is refused, how many numbers a shape has. */
#include <math.h>

#include "base/error.h"
#include "learn/transformer_parts.h"

/* Keeps every product of sizes far from overflow. */
enum { SIZE_FIELD_MAX = 1 << 24 };

icl_transformer_config icl_transformer_config_default(void)
{
    return (icl_transformer_config){
        .width = 256,
        .layers = 4,
        .heads = 4,
        .feed_width = 704, /* 8/3 of the width, up to a multiple of 64 */
        .window = 1024,
        .view = ICL_VIEW_CAUSAL,
        .norm = ICL_NORM_RMS,
        .feed = ICL_FEED_SWIGLU,
        .positions = ICL_POSITIONS_ROPE,
        .tied = true,
        .rope_base = 10000.0f,
        .norm_epsilon = 1e-5f,
    };
}

icl_transformer_config icl_transformer_config_resolved(const icl_transformer_config *config)
{
    icl_transformer_config resolved = *config;
    if (resolved.kv_heads == 0) resolved.kv_heads = resolved.heads;
    if (resolved.head_width == 0) resolved.head_width = resolved.width / resolved.heads;
    resolved.frozen = NULL; /* the caller's strings may be gone */
    return resolved;
}

static icl_status check_sizes(const icl_transformer_config *config)
{
    const struct {
        const char *name;
        size_t value, min, max;
    } fields[] = {
        { "vocab_count", config->vocab_count, 0, SIZE_FIELD_MAX },
        { "input_width", config->input_width, 0, SIZE_FIELD_MAX },
        { "width", config->width, 1, SIZE_FIELD_MAX },
        { "layers", config->layers, 1, ICL_LAYERS_MAX },
        { "heads", config->heads, 1, SIZE_FIELD_MAX },
        { "kv_heads", config->kv_heads, 0, SIZE_FIELD_MAX },
        { "head_width", config->head_width, 0, SIZE_FIELD_MAX },
        { "feed_width", config->feed_width, config->feed == ICL_FEED_NONE ? 0 : 1, SIZE_FIELD_MAX },
        { "window", config->window, 1, SIZE_FIELD_MAX },
        { "readout_width", config->readout_width, 0, SIZE_FIELD_MAX },
    };
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        if (fields[i].value < fields[i].min || fields[i].value > fields[i].max)
            return icl_error_set(ICL_EINVAL, "%s must be in %zu..%zu, not %zu", fields[i].name,
                                 fields[i].min, fields[i].max, fields[i].value);
    }
    return ICL_OK;
}

static icl_status check_heads(const icl_transformer_config *config)
{
    if (config->head_width == 0 && config->width % config->heads != 0)
        return icl_error_set(ICL_EINVAL, "heads %zu does not divide width %zu", config->heads,
                             config->width);
    const icl_transformer_config resolved = icl_transformer_config_resolved(config);
    if (resolved.heads % resolved.kv_heads != 0)
        return icl_error_set(ICL_EINVAL, "kv_heads %zu does not divide heads %zu",
                             resolved.kv_heads, resolved.heads);
    if (resolved.positions == ICL_POSITIONS_ROPE && resolved.head_width % 2 != 0)
        return icl_error_set(ICL_EINVAL, "rotary positions need an even head_width, not %zu",
                             resolved.head_width);
    return ICL_OK;
}

icl_status icl_transformer_config_check(const icl_transformer_config *config)
{
    ICL_TRY(check_sizes(config));
    ICL_TRY(check_heads(config));
    if (config->norm != ICL_NORM_NONE &&
        !(config->norm_epsilon > 0.0f && config->norm_epsilon < 1.0f))
        return icl_error_set(ICL_EINVAL, "norm_epsilon must be between 0 and 1, not %g",
                             (double)config->norm_epsilon);
    if (config->positions == ICL_POSITIONS_ROPE &&
        !(config->rope_base > 1.0f && isfinite(config->rope_base)))
        return icl_error_set(ICL_EINVAL, "rope_base must be above 1, not %g",
                             (double)config->rope_base);
    if (config->linear_attention && config->view == ICL_VIEW_PREFIX)
        return icl_error_set(ICL_EINVAL, "linear attention has no softmax, so a prefix view, which "
                                         "hides by a bias on the scores, cannot be had with it");
    return ICL_OK;
}

static uint64_t map_numbers(const icl_transformer_config *config, uint64_t in, uint64_t out)
{
    return in * out + (config->biases ? out : 0);
}

static uint64_t norm_numbers(const icl_transformer_config *config)
{
    switch (config->norm) {
    case ICL_NORM_RMS:
        return config->width;
    case ICL_NORM_LAYER:
        return 2 * (uint64_t)config->width;
    case ICL_NORM_NONE:
        break;
    }
    return 0;
}

static uint64_t feed_numbers(const icl_transformer_config *config)
{
    if (config->feed == ICL_FEED_NONE) return 0;
    const uint64_t ups = config->feed == ICL_FEED_SWIGLU ? 2 : 1;
    return norm_numbers(config) + ups * map_numbers(config, config->width, config->feed_width) +
           map_numbers(config, config->feed_width, config->width);
}

static uint64_t attention_numbers(const icl_transformer_config *config)
{
    const uint64_t queries = config->heads * config->head_width;
    const uint64_t keys = config->kv_heads * config->head_width;
    return norm_numbers(config) + map_numbers(config, config->width, queries) +
           2 * map_numbers(config, config->width, keys) +
           map_numbers(config, queries, config->width);
}

uint64_t icl_transformer_config_parameters(const icl_transformer_config *config)
{
    const icl_transformer_config c = icl_transformer_config_resolved(config);
    uint64_t count = (uint64_t)c.vocab_count * c.width * (c.tied ? 1 : 2);
    if (c.input_width > 0) count += map_numbers(&c, c.input_width, c.width);
    if (c.positions == ICL_POSITIONS_LEARNED) count += (uint64_t)c.window * c.width;
    if (c.readout_width > 0) count += map_numbers(&c, c.width, c.readout_width);
    return count + c.layers * (attention_numbers(&c) + feed_numbers(&c)) + norm_numbers(&c);
}
