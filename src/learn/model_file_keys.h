/* learn/model_file_keys.h - what the writer and the reader of model files share. */
#ifndef ICL_LEARN_MODEL_FILE_KEYS_H
#define ICL_LEARN_MODEL_FILE_KEYS_H

#include "learn/model_file.h"

/* Values of GGUF's architecture "llama". */
#define ICL_KEY_ARCHITECTURE "general.architecture"
#define ICL_KEY_WINDOW       "llama.context_length"
#define ICL_KEY_WIDTH        "llama.embedding_length"
#define ICL_KEY_LAYERS       "llama.block_count"
#define ICL_KEY_FEED_WIDTH   "llama.feed_forward_length"
#define ICL_KEY_HEADS        "llama.attention.head_count"
#define ICL_KEY_KV_HEADS     "llama.attention.head_count_kv"
#define ICL_KEY_KEY_WIDTH    "llama.attention.key_length"
#define ICL_KEY_VALUE_WIDTH  "llama.attention.value_length"
#define ICL_KEY_NORM_EPSILON "llama.attention.layer_norm_rms_epsilon"
#define ICL_KEY_ROPE_WIDTH   "llama.rope.dimension_count"
#define ICL_KEY_ROPE_BASE    "llama.rope.freq_base"
#define ICL_KEY_VOCAB        "llama.vocab_size"

/* Whether this is a part of an adapter and not a weight of the model. */
bool icl_is_adapter_part(const char *name);
/* Whether a model file holds it: no part of an adapter, nor a read-out, which serves training. */
bool icl_is_file_weight(const char *name);
/* Numbers of the largest weight. */
size_t icl_largest_weight(const icl_parameters *parameters);
/* ICL_EMODEL: `name` holds a number that is not finite. */
icl_status icl_check_finite(const char *name, const float *values, size_t count);

#endif
