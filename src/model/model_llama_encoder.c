/* The sentence encoder, on llama.cpp. */
#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <ggml-cpu.h>

#include <icl/model.h>

#include "base/cpu.h"
#include "base/error.h"
#include "base/text.h"
#include "model/exact_device.h"
#include "model/model_llama.h"

enum {
    ENCODER_CALL_TOKENS = 1024, /* tokens of one call, of as many texts as fit */
    ENCODER_CALL_TEXTS = 64,
    ENCODER_WINDOW_MAX = 512,
};

struct icl_encoder {
    struct llama_model *weights;
    struct llama_context *context;
    struct ggml_threadpool *threads;
    struct llama_batch batch;
    size_t window_tokens, vector_size;
    size_t frame_head, frame_tail; /* tokens that stand around every text: [CLS] ... [SEP] */
    char *identity, *build;
};

void icl_encoder_close(icl_encoder *encoder)
{
    if (encoder == NULL) return;
    if (encoder->context != NULL) llama_batch_free(encoder->batch);
    llama_free(encoder->context);
    if (encoder->threads != NULL) ggml_threadpool_free(encoder->threads);
    if (encoder->weights != NULL) llama_model_free(encoder->weights);
    free(encoder->identity);
    free(encoder->build);
    free(encoder);
}

static icl_status encoder_start(icl_encoder *encoder, const char *path, int thread_count)
{
    if (thread_count <= 0) thread_count = icl_cpu_free_cores();
    encoder->vector_size = (size_t)llama_model_n_embd(encoder->weights);
    encoder->window_tokens = (size_t)llama_model_n_ctx_train(encoder->weights);
    if (encoder->window_tokens > ENCODER_WINDOW_MAX) encoder->window_tokens = ENCODER_WINDOW_MAX;
    icl_exact_device_set_threads(thread_count);
    struct llama_context_params params = llama_context_default_params();
    params.n_ctx = params.n_batch = params.n_ubatch = ENCODER_CALL_TOKENS;
    params.n_seq_max = ENCODER_CALL_TEXTS;
    params.n_threads = params.n_threads_batch = thread_count;
    params.embeddings = true;
    /* Token vectors: the library's own pooling would sum them in an order set by the neighbours. */
    params.pooling_type = LLAMA_POOLING_TYPE_NONE;
    params.flash_attn_type = icl_llama_attention_type();
    params.kv_unified = true;
    params.no_perf = true;
    icl_llama_forget_log();
    encoder->context = llama_init_from_model(encoder->weights, params);
    if (encoder->context == NULL)
        return icl_error_set(ICL_EMODEL, "cannot start encoder \"%s\": %s", path,
                             icl_llama_complaint());
    encoder->batch = llama_batch_init(ENCODER_CALL_TOKENS, 0, 1);
    encoder->threads = icl_llama_start_threads(encoder->context, thread_count);
    return encoder->threads != NULL ? ICL_OK
                                    : icl_error_set(ICL_ENOMEM, "cannot start worker threads");
}

/* Tokens of a text with the encoder's own frame, cut to its window; malloc'd. */
static icl_status encoder_tokenize(const icl_encoder *encoder, int32_t **out, size_t *out_count,
                                   const char *text)
{
    const struct llama_vocab *vocab = llama_model_get_vocab(encoder->weights);
    const size_t length = strlen(text);
    if (length > INT32_MAX - 8) return icl_error_set(ICL_EINVAL, "a text of %zu bytes", length);
    int32_t *tokens = malloc((length + 8) * sizeof *tokens);
    if (tokens == NULL) return icl_error_set(ICL_ENOMEM, "out of memory while encoding a text");
    const int32_t found =
        llama_tokenize(vocab, text, (int32_t)length, tokens, (int32_t)length + 8, true, false);
    assert(found > 0);
    *out_count = (size_t)found;
    if (*out_count > encoder->window_tokens) {
        tokens[encoder->window_tokens - 1] = tokens[found - 1]; /* keep the closing token */
        *out_count = encoder->window_tokens;
    }
    *out = tokens;
    return ICL_OK;
}

/* The frame is what "" and "a" have in common at their beginning, and what else "" has. */
static icl_status measure_frame(icl_encoder *encoder)
{
    int32_t *empty = NULL, *letter = NULL;
    size_t empty_count = 0, letter_count = 0;
    icl_status status = encoder_tokenize(encoder, &empty, &empty_count, "");
    if (status == ICL_OK) status = encoder_tokenize(encoder, &letter, &letter_count, "a");
    if (status == ICL_OK) {
        size_t head = 0;
        while (head < empty_count && head < letter_count && empty[head] == letter[head]) head++;
        encoder->frame_head = head;
        encoder->frame_tail = empty_count - head;
    }
    free(letter);
    free(empty);
    return status;
}

static icl_status describe_encoder(icl_encoder *encoder)
{
    icl_text build = { 0 };
    icl_text_printf(&build, "ggml %s %s attention=%s", ggml_version(), ggml_commit(),
                    icl_llama_attention_name());
    encoder->build = icl_text_take(&build, NULL);
    return encoder->build != NULL
               ? ICL_OK
               : icl_error_set(ICL_ENOMEM, "out of memory while opening an encoder");
}

icl_status icl_encoder_open(icl_encoder **out, const char *path, int thread_count)
{
    icl_llama_start();
    icl_llama_facts facts = { 0 };
    ICL_TRY(icl_llama_read_facts(&facts, path));
    icl_encoder *encoder = calloc(1, sizeof *encoder);
    if (encoder == NULL) {
        free(facts.identity);
        return icl_error_set(ICL_ENOMEM, "out of memory while opening \"%s\"", path);
    }
    encoder->identity = facts.identity;
    icl_status status = icl_llama_load(&encoder->weights, path, false);
    if (status == ICL_OK) status = encoder_start(encoder, path, thread_count);
    if (status == ICL_OK) status = measure_frame(encoder);
    if (status == ICL_OK) status = describe_encoder(encoder);
    if (status != ICL_OK) {
        icl_encoder_close(encoder);
        return status;
    }
    *out = encoder;
    return ICL_OK;
}

size_t icl_encoder_vector_size(const icl_encoder *encoder)
{
    return encoder->vector_size;
}

const char *icl_encoder_identity(const icl_encoder *encoder)
{
    return encoder->identity;
}

const char *icl_encoder_build(const icl_encoder *encoder)
{
    return encoder->build;
}

/* Appends a text's tokens as sequence `sequence` of the batch. *out_count is 0 when the batch has
 * no room left. */
static icl_status encoder_add(icl_encoder *encoder, const char *text, int32_t sequence,
                              size_t *out_count)
{
    int32_t *tokens = NULL;
    size_t count = 0;
    ICL_TRY(encoder_tokenize(encoder, &tokens, &count, text));
    if ((size_t)encoder->batch.n_tokens + count > ENCODER_CALL_TOKENS) count = 0;
    for (size_t i = 0; i < count; i++) {
        const int32_t at = encoder->batch.n_tokens++;
        encoder->batch.token[at] = tokens[i];
        encoder->batch.pos[at] = (int32_t)i;
        encoder->batch.logits[at] = true;
        encoder->batch.seq_id[at][0] = sequence;
        encoder->batch.n_seq_id[at] = 1;
    }
    free(tokens);
    *out_count = count;
    return ICL_OK;
}

/* Evaluates as many of the texts as fit into a call, at least one: text t < *out_held has
 * out_tokens[t] rows there, one text's after the other's. */
static icl_status encode_some(icl_encoder *encoder, size_t out_tokens[ENCODER_CALL_TEXTS],
                              size_t *out_held, const char *const *texts, size_t count)
{
    size_t held = 0;
    encoder->batch.n_tokens = 0;
    while (held < ENCODER_CALL_TEXTS && held < count) {
        ICL_TRY(encoder_add(encoder, texts[held], (int32_t)held, &out_tokens[held]));
        if (out_tokens[held] == 0) break;
        held++;
    }
    icl_llama_forget_log();
    if (llama_encode(encoder->context, encoder->batch) != 0)
        return icl_error_set(ICL_EMODEL, "the encoder failed: %s", icl_llama_complaint());
    *out_held = held;
    return ICL_OK;
}

static void scale_to_unit(float *vector, size_t size)
{
    double square = 0;
    for (size_t d = 0; d < size; d++) square += (double)vector[d] * vector[d];
    const double scale = square > 0 ? 1 / sqrt(square) : 0;
    for (size_t d = 0; d < size; d++) vector[d] = (float)(vector[d] * scale);
}

/* Mean of a text's token vectors, scaled to length 1. */
static void pool_vectors(float *out, const icl_encoder *encoder, int32_t first, size_t count)
{
    memset(out, 0, encoder->vector_size * sizeof *out);
    for (size_t i = 0; i < count; i++) {
        const float *token = llama_get_embeddings_ith(encoder->context, first + (int32_t)i);
        for (size_t d = 0; d < encoder->vector_size; d++) out[d] += token[d];
    }
    scale_to_unit(out, encoder->vector_size);
}

icl_status icl_encoder_embed(icl_encoder *encoder, float *out, const char *const *texts,
                             size_t count)
{
    for (size_t done = 0; done < count;) {
        size_t tokens[ENCODER_CALL_TEXTS], held = 0;
        ICL_TRY(encode_some(encoder, tokens, &held, texts + done, count - done));
        int32_t first = 0;
        for (size_t t = 0; t < held; t++) {
            pool_vectors(out + (done + t) * encoder->vector_size, encoder, first, tokens[t]);
            first += (int32_t)tokens[t];
        }
        done += held;
    }
    return ICL_OK;
}

icl_status icl_encoder_count_tokens(const icl_encoder *encoder, size_t *out_counts,
                                    const char *const *texts, size_t count)
{
    for (size_t t = 0; t < count; t++) {
        int32_t *tokens = NULL;
        size_t framed = 0;
        ICL_TRY(encoder_tokenize(encoder, &tokens, &framed, texts[t]));
        free(tokens);
        out_counts[t] = framed - encoder->frame_head - encoder->frame_tail;
    }
    return ICL_OK;
}

icl_status icl_encoder_embed_tokens(icl_encoder *encoder, int32_t *out_ids, float *out_vectors,
                                    const char *const *texts, size_t count)
{
    const size_t size = encoder->vector_size;
    for (size_t done = 0, row = 0; done < count;) {
        size_t tokens[ENCODER_CALL_TEXTS], held = 0, first = 0;
        ICL_TRY(encode_some(encoder, tokens, &held, texts + done, count - done));
        for (size_t t = 0; t < held; first += tokens[t++])
            for (size_t i = encoder->frame_head; i + encoder->frame_tail < tokens[t]; i++, row++) {
                const int32_t at = (int32_t)(first + i);
                out_ids[row] = encoder->batch.token[at];
                memcpy(&out_vectors[row * size], llama_get_embeddings_ith(encoder->context, at),
                       size * sizeof *out_vectors);
                scale_to_unit(&out_vectors[row * size], size);
            }
        done += held;
    }
    return ICL_OK;
}
