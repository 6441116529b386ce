/* learn/model_file.h - trained models as GGUF files that llama.cpp loads, and back. */
#ifndef ICL_LEARN_MODEL_FILE_H
#define ICL_LEARN_MODEL_FILE_H

#include "learn/bpe.h"
#include "learn/transformer.h"

typedef enum icl_weight_type { ICL_WEIGHT_F32, ICL_WEIGHT_F16, ICL_WEIGHT_Q8_0 } icl_weight_type;

typedef struct icl_model_file_options {
    icl_weight_type type; /* of matrices; vectors stay f32 */
    const char *name;     /* general.name */
    const char *license, *description; /* may be NULL */
    const char *chat_template;         /* may be NULL */
} icl_model_file_options;

/* Whether a model of this shape can be written: ICL_EUNSUPPORTED names what the format cannot say. */
icl_status icl_model_file_check(const icl_transformer_config *config);
/* ICL_EUNSUPPORTED: rows of a weight that the type cannot pack. */
icl_status icl_model_file_check_type(const icl_parameters *parameters, icl_weight_type type);
/* Writes a decoder of RMSNorm, SwiGLU, RoPE without biases as architecture "llama", atomically;
 * LoRA models are merged, a read-out is left out. ICL_EUNSUPPORTED: as above, or rows that the type cannot pack;
 * ICL_EINVAL: the tokenizer has another number of tokens; ICL_EMODEL: a weight is not finite. */
icl_status icl_model_file_write(const char *path, const icl_transformer *model, const icl_bpe *bpe,
                                const icl_model_file_options *options);
/* Shape of a llama-family GGUF. ICL_EUNSUPPORTED: another architecture, rope scaling, experts. */
icl_status icl_model_file_config(icl_transformer_config *out, const char *path);
/* Its weights, any stored type, into a model of that shape (full or LoRA); a read-out stays as it is. ICL_EINVAL names what
 * differs; ICL_EUNSUPPORTED: a tensor that the model has no place for. Nothing is changed then. */
icl_status icl_model_file_read(icl_transformer *model, const char *path);
/* The adapters alone, as llama.cpp loads them (adapter.type lora). */
icl_status icl_model_file_write_adapter(const char *path, const icl_transformer *model);

#endif
