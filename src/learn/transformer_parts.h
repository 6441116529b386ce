/* learn/transformer_parts.h - what the files of the transformer share: which weight stands where.
 */
#ifndef ICL_LEARN_TRANSFORMER_PARTS_H
#define ICL_LEARN_TRANSFORMER_PARTS_H

#include "learn/transformer.h"

/* Index of a weight that a model does not have. */
#define ICL_NO_WEIGHT SIZE_MAX

typedef struct icl_linear_map {
    size_t weight, bias, lora_a, lora_b;
} icl_linear_map;

typedef struct icl_norm_weights {
    size_t gain, bias;
} icl_norm_weights;

typedef struct icl_block {
    icl_norm_weights attention_norm, feed_norm;
    icl_linear_map q, k, v, output;
    icl_linear_map gate, up, down;
} icl_block;

struct icl_transformer {
    icl_transformer_config config; /* resolved */
    icl_lora_options lora;         /* rank 0: a full model */
    icl_parameters *parameters;
    size_t tokens, positions; /* tables */
    icl_linear_map input, output, readout;
    icl_norm_weights output_norm;
    icl_block blocks[ICL_LAYERS_MAX];
};

/* With kv_heads and head_width filled in; the sizes must have been checked. */
icl_transformer_config icl_transformer_config_resolved(const icl_transformer_config *config);

/* Whether one of the parts occurs in the name; `parts` ends with NULL and may be NULL. */
bool icl_name_contains(const char *name, const char *const *parts);

/* ICL_EINVAL: rank 0, a rank or alpha out of range. */
icl_status icl_lora_check(const icl_lora_options *lora);
/* Adds the adapters of the linear map of `weight` when it is a target. */
icl_status icl_lora_declare(icl_linear_map *map, icl_parameters *parameters, const char *weight,
                            const icl_lora_options *lora);
/* ICL_EINVAL names the target that no linear map has in its name. */
icl_status icl_lora_check_targets(const icl_parameters *parameters, const icl_lora_options *lora);

#endif
