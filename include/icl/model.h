/* icl/model.h - a language model as the engine sees it, and the sentence encoder.
 *
 *   icl_model_options options = icl_model_options_default();
 *   options.thread_count = 2;
 *   icl_model *model = NULL;
 *   icl_status status = icl_model_open(&model, "models/icl-base.gguf", &options);
 *   ...
 *   icl_model_close(model);
 */
#ifndef ICL_MODEL_H
#define ICL_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <icl/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/** An open language model. */
typedef struct icl_model icl_model;

/** Precision of cached keys and values. f32 agrees with a full forward pass to about 1e-5 nats. */
typedef enum icl_kv_type { ICL_KV_F32 = 0, ICL_KV_F16 = 1 } icl_kv_type;

/** See icl_model_options_default(). */
typedef struct icl_model_options {
    int thread_count;       /**< 0: free physical cores */
    icl_kv_type kv_type;    /**< default ICL_KV_F32 */
    size_t call_tokens_max; /**< tokens of one evaluation call; 0: the model's tuned value */
    bool verify;            /**< check tensor data while loading */
} icl_model_options;

/** Free cores, f32 cache, the model's own call size, no verification. */
ICL_API icl_model_options icl_model_options_default(void);

/** Facts about an open model; strings borrowed from it. */
typedef struct icl_model_info {
    const char *path;          /**< as it was opened */
    const char *description;   /**< architecture and size, in words */
    const char *identity;      /**< hexadecimal hash of the file's bytes */
    const char *build;         /**< engine build and numeric settings that may change the bits */
    const char *chat_template; /**< Jinja source carried by the model, or NULL */
    size_t vocab_count;        /**< token ids are 0..vocab_count-1 */
    size_t window_tokens;      /**< longest sequence the model was made for */
    /** Blocks, and the width between them. */
    size_t layer_count, embedding_size;
    uint64_t parameter_count; /**< weights of the file */
    int32_t bos;              /**< token put before every prompt, or -1 when the model wants none */
    int32_t eos;              /**< -1 when unknown */
    size_t bytes_per_cell;    /**< cache bytes of one token */
    size_t call_tokens_max;   /**< tokens of one evaluation call */
    size_t row_floor;         /**< fewest rows of a call for which its kernels keep their bits */
    bool hidden_states;       /**< last hidden states can be read: icl_batch_add_hidden */
    bool exact;               /**< answers do not depend on what shares a call; see docs/adr/0002 */
    int thread_count;         /**< workers of an evaluation */
} icl_model_info;

/**
 * Opens a GGUF file.
 * @param[out] out  yours: icl_model_close
 * @return ICL_OK; ICL_EIO: cannot read; ICL_EMODEL: not a GGUF model, truncated, or an architecture
 *         the engine does not know; ICL_EUNSUPPORTED: a model whose state cannot be shared by
 * prefix
 */
ICL_API icl_status icl_model_open(icl_model **out, const char *path,
                                  const icl_model_options *options);
/** NULL is fine. */
ICL_API void icl_model_close(icl_model *model);
/** Facts about the model. Borrowed. */
ICL_API const icl_model_info *icl_model_get_info(const icl_model *model);

/**
 * Text to token ids. Adds no BOS: the engine's caller adds it in one place.
 * @param[out] out_tokens  [capacity]; may be NULL when capacity is 0
 * @param[out] out_count   tokens of the whole text, also when it exceeds capacity (then ICL_EINVAL)
 * @param parse_special    whether "<|...|>" spellings become control tokens
 */
ICL_API icl_status icl_model_tokenize(icl_model *model, int32_t *out_tokens, size_t capacity,
                                      size_t *out_count, const char *text, size_t length,
                                      bool parse_special);

/** Bytes of one token, not NUL-terminated; control tokens give their spelling.
 *  @param[out] out_length  needed bytes, also when they exceed capacity (then ICL_EINVAL) */
ICL_API icl_status icl_model_piece(icl_model *model, char *out, size_t capacity, size_t *out_length,
                                   int32_t token);

/** Stops a running evaluation soon, from any thread or a signal handler; it returns ICL_ECANCELLED.
 *  Sticky until icl_model_clear_interrupt. */
ICL_API void icl_model_interrupt(icl_model *model);
/** Lets evaluations run again. */
ICL_API void icl_model_clear_interrupt(icl_model *model);

/** A sentence encoder: text to a unit vector. */
typedef struct icl_encoder icl_encoder;

/**
 * Opens a sentence encoder (GGUF).
 * @param[out] out  yours: icl_encoder_close
 * @param thread_count  0: free physical cores
 * @return ICL_OK; ICL_EIO; ICL_EMODEL: not a GGUF model, or damaged; ICL_ENOMEM
 */
ICL_API icl_status icl_encoder_open(icl_encoder **out, const char *path, int thread_count);
/** NULL is fine. */
ICL_API void icl_encoder_close(icl_encoder *encoder);
/** Numbers of a vector. */
ICL_API size_t icl_encoder_vector_size(const icl_encoder *encoder);
/** Hexadecimal hash of the file's bytes. Borrowed. */
ICL_API const char *icl_encoder_identity(const icl_encoder *encoder);
/** Engine build and numeric settings that may change the bits of its vectors. Borrowed. */
ICL_API const char *icl_encoder_build(const icl_encoder *encoder);

/**
 * Mean-pooled, L2-normalised sentence vectors, many texts a call. A vector's bits do not depend on
 * its neighbours; texts beyond the encoder's window are cut.
 * @param[out] out  [count][vector_size]
 */
ICL_API icl_status icl_encoder_embed(icl_encoder *encoder, float *out, const char *const *texts,
                                     size_t count);

/**
 * How many token vectors each text has: its tokens within the window, without those that the
 * encoder sets around every text.
 * @param[out] out_counts  [count]; 0 for a text without tokens
 */
ICL_API icl_status icl_encoder_count_tokens(const icl_encoder *encoder, size_t *out_counts,
                                            const char *const *texts, size_t count);

/**
 * A vector of length 1 for every token of each text, as the encoder sees it in its sentence. A
 * vector's bits do not depend on the other texts.
 * @param[out] out_ids      [sum of the texts' counts] token ids, one text's after the other's
 * @param[out] out_vectors  [the same][vector_size]
 */
ICL_API icl_status icl_encoder_embed_tokens(icl_encoder *encoder, int32_t *out_ids,
                                            float *out_vectors, const char *const *texts,
                                            size_t count);

#ifdef __cplusplus
}
#endif
#endif
