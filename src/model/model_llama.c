/* The language model, on llama.cpp. */
#include <assert.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ggml-backend.h>
#include <ggml-cpu.h>

#include <icl/sys/model.h>

#include "base/cpu.h"
#include "base/error.h"
#include "base/text.h"
#include "model/exact_device.h"
#include "model/model_llama.h"

enum { CALL_TOKENS_DEFAULT = 768 };

typedef struct llama_backend_model {
    struct llama_model *weights;
    const struct llama_vocab *vocab;
    struct llama_context *context; /* NULL until prepared */
    struct ggml_threadpool *threads;
    struct llama_batch batch;
    bool batch_ready;
    float *hidden;         /* [limits.call_rows + row_floor][width]; NULL unless limits.hidden */
    int32_t leaf_count;    /* sequences of the wave under way that are not held */
    bool hidden_wanted;    /* by the call under way */
    size_t hidden_written; /* rows of the last call */
    icl_decode_limits limits;
    double buffer_mib; /* cache, rows and intermediate results as allocated with the context */
    int thread_count;
    icl_kv_type kv_type;
    size_t row_floor;
    atomic_bool interrupted;
    char *path, *identity, *description, *build;
} llama_backend_model;

static void release_context(llama_backend_model *self)
{
    if (self->batch_ready) llama_batch_free(self->batch);
    self->batch_ready = false;
    free(self->hidden);
    self->hidden = NULL;
    llama_free(self->context);
    self->context = NULL;
    if (self->threads != NULL) ggml_threadpool_free(self->threads);
    self->threads = NULL;
}

static void llama_close(void *opaque)
{
    llama_backend_model *self = opaque;
    release_context(self);
    if (self->weights != NULL) llama_model_free(self->weights);
    free(self->path);
    free(self->identity);
    free(self->description);
    free(self->build);
    free(self);
}

static icl_status tokenize_with(const struct llama_vocab *vocab, int32_t *out_tokens,
                                size_t capacity, size_t *out_count, const char *text, size_t length,
                                bool parse_special)
{
    if (length > INT32_MAX || capacity > INT32_MAX)
        return icl_error_set(ICL_EINVAL, "a text of %zu bytes is too long to tokenise", length);
    const int32_t count = llama_tokenize(vocab, text, (int32_t)length, out_tokens,
                                         (int32_t)capacity, false, parse_special);
    *out_count = (size_t)(count < 0 ? -count : count);
    if (count < 0)
        return icl_error_set(ICL_EINVAL, "%d tokens do not fit in %zu", -count, capacity);
    return ICL_OK;
}

static icl_status llama_backend_tokenize(void *opaque, int32_t *out_tokens, size_t capacity,
                                         size_t *out_count, const char *text, size_t length,
                                         bool parse_special)
{
    const llama_backend_model *self = opaque;
    return tokenize_with(self->vocab, out_tokens, capacity, out_count, text, length, parse_special);
}

static icl_status llama_backend_piece(void *opaque, char *out, size_t capacity, size_t *out_length,
                                      int32_t token)
{
    const llama_backend_model *self = opaque;
    const int32_t length =
        llama_token_to_piece(self->vocab, token, out, (int32_t)capacity, 0, true);
    *out_length = (size_t)(length < 0 ? -length : length);
    if (length < 0)
        return icl_error_set(ICL_EINVAL, "%d bytes do not fit in %zu", -length, capacity);
    return ICL_OK;
}

static bool is_interrupted(void *opaque)
{
    llama_backend_model *self = opaque;
    return atomic_load(&self->interrupted);
}

/* The last one, beyond those of the calls. */
static int32_t spare_sequence(const llama_backend_model *self)
{
    return (int32_t)self->limits.sequences;
}

/* Most rows of a call. */
static size_t rows_max(const llama_backend_model *self)
{
    return self->limits.call_rows + self->row_floor;
}

/* Keeps what the output table reads, row by row in the order of the call's read tokens. The
 * library's own way would read every token of a call, a row of logits each. */
static bool keep_hidden(struct ggml_tensor *tensor, bool asked, void *opaque)
{
    llama_backend_model *self = opaque;
    const size_t width = (size_t)llama_model_n_embd(self->weights);
    if (asked) return self->hidden_wanted && strcmp(ggml_get_name(tensor), "result_norm") == 0;
    const size_t rows = (size_t)tensor->ne[1];
    if (tensor->type == GGML_TYPE_F32 && (size_t)tensor->ne[0] == width && rows <= rows_max(self)) {
        ggml_backend_tensor_get(tensor, self->hidden, 0, rows * width * sizeof *self->hidden);
        self->hidden_written = rows;
    }
    return true;
}

static struct llama_context_params context_params(const llama_backend_model *self)
{
    struct llama_context_params params = llama_context_default_params();
    const size_t padded = self->limits.call_tokens + self->row_floor;
    params.n_ctx = (uint32_t)(self->limits.cells + self->row_floor);
    params.n_batch = params.n_ubatch = (uint32_t)padded;
    params.n_seq_max = (uint32_t)spare_sequence(self) + 1;
    /* llama.cpp keeps at least a row per sequence. */
    const size_t rows = self->limits.call_rows > self->limits.sequences ? self->limits.call_rows
                                                                        : self->limits.sequences;
    params.n_outputs_max = (uint32_t)(rows + self->row_floor);
    params.n_threads = params.n_threads_batch = self->thread_count;
    params.flash_attn_type = icl_llama_attention_type();
    params.type_k = params.type_v = self->kv_type == ICL_KV_F16 ? GGML_TYPE_F16 : GGML_TYPE_F32;
    params.kv_unified = true;
    params.swa_full = true; /* cut sequences need what a sliding window would have dropped */
    params.no_perf = true;
    params.abort_callback = is_interrupted;
    params.abort_callback_data = (void *)self;
    if (self->limits.hidden) {
        params.cb_eval = keep_hidden;
        params.cb_eval_user_data = (void *)self;
    }
    return params;
}

static icl_status llama_backend_prepare(void *opaque, const icl_decode_limits *limits)
{
    llama_backend_model *self = opaque;
    const icl_decode_limits *have = &self->limits;
    if (self->context != NULL && have->cells >= limits->cells &&
        have->sequences >= limits->sequences && have->call_tokens >= limits->call_tokens &&
        have->call_rows >= limits->call_rows && have->hidden >= limits->hidden) {
        llama_memory_clear(llama_get_memory(self->context), false);
        self->leaf_count = 0;
        if (have->sequence_tokens < limits->sequence_tokens)
            self->limits.sequence_tokens = limits->sequence_tokens;
        return ICL_OK;
    }
    release_context(self);
    self->leaf_count = 0;
    self->limits = *limits;
    if (limits->hidden) {
        self->hidden = malloc(rows_max(self) * (size_t)llama_model_n_embd(self->weights) *
                              sizeof *self->hidden);
        if (self->hidden == NULL)
            return icl_error_set(ICL_ENOMEM, "out of memory for %zu hidden states", rows_max(self));
    }
    icl_exact_device_set_threads(self->thread_count);
    icl_llama_forget_log();
    self->context = llama_init_from_model(self->weights, context_params(self));
    self->buffer_mib = icl_llama_buffer_mib();
    if (self->context == NULL)
        return icl_error_set(ICL_EMODEL, "cannot create a context of %zu cells for \"%s\": %s",
                             limits->cells, self->path, icl_llama_complaint());
    self->threads = icl_llama_start_threads(self->context, self->thread_count);
    if (self->threads == NULL) return icl_error_set(ICL_ENOMEM, "cannot start worker threads");
    self->batch = llama_batch_init((int32_t)(limits->call_tokens + self->row_floor), 0,
                                   (int32_t)limits->sequences + 1);
    self->batch_ready = true;
    return ICL_OK;
}

static void add_token(struct llama_batch *batch, const icl_decode_call *call,
                      const icl_decode_token *token)
{
    const int32_t i = batch->n_tokens++;
    batch->token[i] = token->token;
    batch->pos[i] = token->position;
    batch->logits[i] = token->row;
    int32_t count = 0;
    if (token->trunk) batch->seq_id[i][count++] = 0;
    for (int32_t leaf = token->leaf_first; leaf <= token->leaf_last; leaf++)
        batch->seq_id[i][count++] = icl_decode_sequence(call, leaf);
    batch->n_seq_id[i] = count;
}

/* Tokens before `end` whose rows are read. */
static size_t rows_before(const struct llama_batch *batch, int32_t end)
{
    size_t rows = 0;
    for (int32_t i = 0; i < end; i++) rows += batch->logits[i] != 0;
    return rows;
}

/* Kernels choose their code path by the number of rows. Filling up to the floor keeps all calls on
 * one path: first tokens of a sequence nobody reads, then rows nobody reads. */
static void pad_to_floor(llama_backend_model *self)
{
    struct llama_batch *batch = &self->batch;
    const int32_t spare = spare_sequence(self);
    const icl_decode_call no_wave = { 0 };
    for (int32_t position = 0; (size_t)batch->n_tokens < self->row_floor; position++)
        add_token(
            batch, &no_wave,
            &(icl_decode_token){ .position = position, .leaf_first = spare, .leaf_last = spare });
    size_t rows = rows_before(batch, batch->n_tokens);
    for (int32_t i = 0; i < batch->n_tokens && rows > 0 && rows < self->row_floor; i++) {
        if (batch->logits[i]) continue;
        batch->logits[i] = 1;
        rows++;
    }
}

/* Drops the sequences of the wave before that are not held: their cells are the last ones. */
static void drop_leaves(llama_backend_model *self)
{
    llama_memory_t memory = llama_get_memory(self->context);
    for (int32_t s = 1; s <= self->leaf_count; s++) llama_memory_seq_rm(memory, s, -1, -1);
    self->leaf_count = 0;
}

static icl_status cut_trunk(llama_backend_model *self, size_t keep_tokens)
{
    if (llama_memory_seq_rm(llama_get_memory(self->context), 0, (llama_pos)keep_tokens, -1))
        return ICL_OK;
    return icl_error_set(ICL_EUNSUPPORTED,
                         "\"%s\" keeps a state that cannot be cut back to a shared prefix",
                         self->path);
}

/* What is cut moves to a sequence that nobody reads. Were its cells free, llama.cpp would give them
 * to tokens whose ancestors lie behind. Where calls are padded that sequence holds the padding, and
 * kernels do not keep their bits anyway. */
static void cut_held(llama_backend_model *self, int32_t sequence, size_t tokens)
{
    llama_memory_t memory = llama_get_memory(self->context);
    if (self->row_floor == 1)
        llama_memory_seq_cp(memory, sequence, spare_sequence(self), (llama_pos)tokens, -1);
    llama_memory_seq_rm(memory, sequence, (llama_pos)tokens, -1);
}

static icl_status begin_held_wave(llama_backend_model *self, const icl_decode_call *call)
{
    llama_memory_t memory = llama_get_memory(self->context);
    drop_leaves(self);
    ICL_TRY(cut_trunk(self, 0));
    for (size_t i = 0; i < call->edit_count; i++) {
        const icl_decode_edit *edit = &call->edits[i];
        cut_held(self, edit->to, edit->to == edit->from ? edit->tokens : 0);
        if (edit->to != edit->from && edit->tokens > 0)
            llama_memory_seq_cp(memory, edit->from, edit->to, 0, (llama_pos)edit->tokens);
    }
    return ICL_OK;
}

static icl_status begin_wave(llama_backend_model *self, const icl_decode_call *call)
{
    llama_memory_t memory = llama_get_memory(self->context);
    drop_leaves(self);
    ICL_TRY(cut_trunk(self, call->trunk_from == 0 ? call->keep_tokens : 0));
    if (call->keep_tokens > 0 && call->trunk_from != 0)
        llama_memory_seq_cp(memory, call->trunk_from, 0, 0, (llama_pos)call->keep_tokens);
    if (call->keep_tokens > 0)
        for (int32_t s = 1; s <= (int32_t)call->leaf_count; s++)
            llama_memory_seq_cp(memory, 0, s, -1, -1);
    self->leaf_count = (int32_t)call->leaf_count;
    return ICL_OK;
}

static void fill_batch(llama_backend_model *self, const icl_decode_call *call)
{
    self->batch.n_tokens = 0;
    self->hidden_wanted = false;
    self->hidden_written = 0;
    for (size_t i = 0; i < call->token_count; i++) {
        add_token(&self->batch, call, &call->tokens[i]);
        self->hidden_wanted |= call->tokens[i].hidden;
    }
    pad_to_floor(self);
}

static icl_status llama_backend_decode(void *opaque, const icl_decode_call *call)
{
    llama_backend_model *self = opaque;
    assert(self->context != NULL && call->token_count <= self->limits.call_tokens);
    if (self->row_floor > 1)
        llama_memory_seq_rm(llama_get_memory(self->context), spare_sequence(self), -1, -1);
    if (call->begins_wave)
        ICL_TRY(call->leaf_sequences != NULL ? begin_held_wave(self, call)
                                             : begin_wave(self, call));
    fill_batch(self, call);
    icl_llama_forget_log();
    const int32_t result = llama_decode(self->context, self->batch);
    if (result == 2 || (result != 0 && atomic_load(&self->interrupted)))
        return icl_error_set(ICL_ECANCELLED, "interrupted");
    if (result != 0)
        return icl_error_set(ICL_EMODEL, "evaluation of %zu tokens failed with code %d: %s",
                             call->token_count, result, icl_llama_complaint());
    if (self->hidden_wanted &&
        self->hidden_written != rows_before(&self->batch, self->batch.n_tokens))
        return icl_error_set(ICL_EUNSUPPORTED, "llama.cpp gives no hidden states of \"%s\"",
                             self->path);
    return ICL_OK;
}

static const float *llama_backend_hidden(void *opaque, size_t token_index)
{
    const llama_backend_model *self = opaque;
    const size_t width = (size_t)llama_model_n_embd(self->weights);
    return self->hidden + rows_before(&self->batch, (int32_t)token_index) * width;
}

static const float *llama_backend_logits(void *opaque, size_t token_index)
{
    const llama_backend_model *self = opaque;
    return llama_get_logits_ith(self->context, (int32_t)token_index);
}

/* What a context takes besides its buffers. Measured with bench/memory on models of 12 and 135
 * million parameters: three ordered trees of 48-byte nodes hold every sequence's positions; graphs,
 * threads, the journal and program code that is read on first use come to 4 MiB on both. */
enum { BYTES_PER_SEQUENCE_TOKEN = 3 * 48, BYTES_PER_CONTEXT = 4 << 20 };

static uint64_t llama_backend_working_bytes(const void *opaque)
{
    const llama_backend_model *self = opaque;
    if (self->context == NULL) return 0;
    const icl_decode_limits *limits = &self->limits;
    /* A context starts with a row per sequence and makes room for more when a call asks for them.
     */
    const size_t rows_held = limits->sequences + 1;
    const size_t rows_more = limits->call_rows > rows_held ? limits->call_rows - rows_held : 0;
    return (uint64_t)(self->buffer_mib * 1024 * 1024) +
           (uint64_t)rows_more * (size_t)llama_vocab_n_tokens(self->vocab) * sizeof(float) +
           (limits->hidden ? (uint64_t)rows_max(self) * (size_t)llama_model_n_embd(self->weights) *
                                 sizeof *self->hidden
                           : 0) +
           (uint64_t)limits->sequence_tokens * BYTES_PER_SEQUENCE_TOKEN +
           (uint64_t)limits->call_tokens * (limits->sequences + 1) * sizeof(llama_seq_id) +
           BYTES_PER_CONTEXT;
}

static void llama_backend_interrupt(void *opaque, bool on)
{
    llama_backend_model *self = opaque;
    atomic_store(&self->interrupted, on);
}

static const icl_model_backend llama_backend = { .name = "llama.cpp",
                                                 .close = llama_close,
                                                 .tokenize = llama_backend_tokenize,
                                                 .piece = llama_backend_piece,
                                                 .prepare = llama_backend_prepare,
                                                 .decode = llama_backend_decode,
                                                 .logits = llama_backend_logits,
                                                 .hidden = llama_backend_hidden,
                                                 .interrupt = llama_backend_interrupt,
                                                 .working_bytes = llama_backend_working_bytes };

static size_t bytes_per_cell(const struct llama_model *weights, icl_kv_type kv_type)
{
    const size_t heads = (size_t)llama_model_n_head(weights);
    const size_t head_size = (size_t)llama_model_n_embd(weights) / (heads > 0 ? heads : 1);
    const size_t key = icl_llama_meta_size(weights, "attention.key_length", head_size);
    const size_t value = icl_llama_meta_size(weights, "attention.value_length", head_size);
    return (size_t)llama_model_n_layer(weights) * (size_t)llama_model_n_head_kv(weights) *
           (key + value) * (kv_type == ICL_KV_F16 ? 2 : 4);
}

/* "llama, 11.8 M parameters, Q8_0". */
static void describe_model(char *out, size_t capacity, const struct llama_model *weights)
{
    char architecture[64] = "model", words[128] = "";
    llama_model_meta_val_str(weights, "general.architecture", architecture, sizeof architecture);
    llama_model_desc(weights, words, sizeof words);
    const char *type = strrchr(words, ' '); /* the last word is the weight type */
    const double parameters = (double)llama_model_n_params(weights);
    snprintf(out, capacity, "%s, %.3g %s parameters, %s", architecture,
             parameters / (parameters < 1e9 ? 1e6 : 1e9), parameters < 1e9 ? "M" : "B",
             type == NULL ? "mixed" : type + 1);
}

/* What our kernels leave to stock ones: mixtures of experts, soft-capped and ALiBi attention. */
static bool is_exact(const struct llama_model *weights)
{
    return icl_exact_device_register() && icl_llama_meta_size(weights, "expert_count", 0) == 0 &&
           !icl_llama_meta_exists(weights, "attn_logit_softcapping") &&
           !icl_llama_meta_exists(weights, "attention.max_alibi_bias");
}

static icl_status describe(llama_backend_model *self, icl_model_info *out, const char *path,
                           const icl_llama_facts *facts, const icl_model_options *options)
{
    char description[160];
    icl_text build = { 0 };
    describe_model(description, sizeof description, self->weights);
    icl_text_printf(&build, "ggml %s %s kv=%s attention=%s", ggml_version(), ggml_commit(),
                    options->kv_type == ICL_KV_F16 ? "f16" : "f32", icl_llama_attention_name());
    self->path = icl_string_copy(path, strlen(path));
    self->identity = facts->identity; /* moves in */
    self->description = icl_string_copy(description, strlen(description));
    self->build = icl_text_take(&build, NULL);
    if (self->path == NULL || self->description == NULL || self->build == NULL)
        return icl_error_set(ICL_ENOMEM, "out of memory while opening \"%s\"", path);
    const bool add_bos = llama_vocab_get_add_bos(self->vocab), exact = is_exact(self->weights);
    self->row_floor = exact ? 1 : facts->row_floor;
    *out = (icl_model_info){
        .path = self->path,
        .description = self->description,
        .identity = self->identity,
        .build = self->build,
        .chat_template = llama_model_chat_template(self->weights, NULL),
        .vocab_count = (size_t)llama_vocab_n_tokens(self->vocab),
        .window_tokens = (size_t)llama_model_n_ctx_train(self->weights),
        .layer_count = (size_t)llama_model_n_layer(self->weights),
        .embedding_size = (size_t)llama_model_n_embd(self->weights),
        .parameter_count = llama_model_n_params(self->weights),
        .bos = add_bos ? llama_vocab_bos(self->vocab) : -1,
        .eos = llama_vocab_eos(self->vocab),
        .bytes_per_cell = bytes_per_cell(self->weights, options->kv_type),
        .call_tokens_max =
            options->call_tokens_max > 0 ? options->call_tokens_max : CALL_TOKENS_DEFAULT,
        .row_floor = self->row_floor,
        .hidden_states = true,
        .exact = exact,
        .thread_count = self->thread_count,
    };
    return ICL_OK;
}

icl_status icl_model_open(icl_model **out, const char *path, const icl_model_options *options)
{
    const icl_model_options defaults = icl_model_options_default();
    if (options == NULL) options = &defaults;
    icl_llama_start();
    icl_llama_facts facts = { 0 };
    ICL_TRY(icl_llama_read_facts(&facts, path));
    llama_backend_model *self = calloc(1, sizeof *self);
    if (self == NULL) {
        free(facts.identity);
        return icl_error_set(ICL_ENOMEM, "out of memory while opening \"%s\"", path);
    }
    self->thread_count = options->thread_count > 0 ? options->thread_count : icl_cpu_free_cores();
    self->kv_type = options->kv_type;
    icl_model_info info;
    icl_status status = icl_llama_load(&self->weights, path, options->verify);
    if (status != ICL_OK) {
        free(facts.identity);
        llama_close(self);
        return status;
    }
    self->vocab = llama_model_get_vocab(self->weights);
    status = describe(self, &info, path, &facts, options);
    if (status == ICL_OK &&
        (llama_model_is_recurrent(self->weights) || llama_model_is_hybrid(self->weights) ||
         llama_model_has_encoder(self->weights)))
        status = icl_error_set(ICL_EUNSUPPORTED,
                               "\"%s\" (%s) keeps a recurrent or encoder state that cannot be "
                               "shared by prefix",
                               path, info.description);
    if (status != ICL_OK) {
        llama_close(self);
        return status;
    }
    return icl_model_new(out, &llama_backend, self, &info);
}
