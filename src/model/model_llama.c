/* The boundary to llama.cpp: models and the sentence encoder. The only file that includes llama.h.
 */
#include <assert.h>
#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ggml-backend.h>
#include <ggml-cpu.h>
#include <gguf.h>
#include <llama.h>

#include <icl/sys/model.h>

#include "base/cpu.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/text.h"
#include "model/exact_device.h"

enum { CALL_TOKENS_DEFAULT = 768 };

/* ---- the library as a whole ---- */

static _Thread_local char complaint[256];
static _Thread_local double logged_buffer_mib;

/* llama.cpp explains failures only in its log; the first complaint tells why, later ones only that.
 * Nor does its interface tell the sizes of the buffers that a context allocates. */
static void read_log(enum ggml_log_level level, const char *text, void *user)
{
    static const char size_follows[] = " buffer size = ";
    (void)user;
    const char *size = strstr(text, size_follows);
    if (size != NULL) logged_buffer_mib += strtod(size + strlen(size_follows), NULL);
    if (level != GGML_LOG_LEVEL_ERROR || complaint[0] != '\0') return;
    snprintf(complaint, sizeof complaint, "%s", text);
    complaint[strcspn(complaint, "\n")] = '\0';
}

static void start_library(void)
{
    llama_log_set(read_log, NULL);
    llama_backend_init();
    /* BLAS spends more on conversions and thread hand-overs than it gains at these sizes. */
    ggml_backend_reg_t blas = ggml_backend_reg_by_name("BLAS");
    if (blas != NULL) ggml_backend_unload(blas);
    icl_exact_device_register();
}

static void start_library_once(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, start_library);
}

/* The exact kernel takes fused attention. Stock fused attention rounds to f16 on the way (1e-2 nats
 * on the shipped model), so without ours the plain operations are better. */
static enum llama_flash_attn_type attention_type(void)
{
    return icl_exact_device_register() ? LLAMA_FLASH_ATTN_TYPE_ENABLED
                                       : LLAMA_FLASH_ATTN_TYPE_DISABLED;
}

/* ---- file checks, so that a wrong file gets a sentence instead of a log ---- */

typedef struct file_facts {
    char *identity;
    size_t row_floor;
} file_facts;

static icl_status check_magic(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        return icl_error_set(ICL_EIO, "cannot open model \"%s\": %s", path, strerror(errno));
    char magic[4] = { 0 };
    const size_t got = fread(magic, 1, sizeof magic, file);
    const bool failed = ferror(file) != 0;
    fclose(file);
    if (failed) return icl_error_set(ICL_EIO, "cannot read model \"%s\"", path);
    if (got < sizeof magic || memcmp(magic, "GGUF", 4) != 0)
        return icl_error_set(ICL_EMODEL, "\"%s\" is not a GGUF model file", path);
    return ICL_OK;
}

/* Without the exact device: K- and i-quants switch to another stock kernel at 8 rows, every other
 * type at 2. */
static size_t row_floor_of(enum ggml_type type)
{
    switch (type) {
    case GGML_TYPE_F32:
    case GGML_TYPE_F16:
    case GGML_TYPE_BF16:
    case GGML_TYPE_Q8_0:
    case GGML_TYPE_Q4_0:
    case GGML_TYPE_Q5_0:
        return 2;
    default:
        return 8;
    }
}

static icl_status read_facts(file_facts *out, const char *path)
{
    icl_hash128 hash;
    ICL_TRY(check_magic(path));
    ICL_TRY(icl_hash_file(&hash, path));
    complaint[0] = '\0';
    struct gguf_context *gguf =
        gguf_init_from_file(path, (struct gguf_init_params){ .no_alloc = true });
    if (gguf == NULL)
        return icl_error_set(ICL_EMODEL, "\"%s\" is a damaged GGUF file (%s)", path, complaint);
    file_facts facts = { .row_floor = 2 };
    for (int64_t i = 0; i < gguf_get_n_tensors(gguf); i++) {
        const size_t rows = row_floor_of(gguf_get_tensor_type(gguf, i));
        if (rows > facts.row_floor) facts.row_floor = rows;
    }
    gguf_free(gguf);
    char hex[33];
    icl_hash_hex(hex, hash);
    facts.identity = icl_string_copy(hex, strlen(hex));
    if (facts.identity == NULL) return icl_error_set(ICL_ENOMEM, "out of memory");
    *out = facts;
    return ICL_OK;
}

static icl_status load_weights(struct llama_model **out, const char *path, bool verify)
{
    struct llama_model_params params = llama_model_default_params();
    params.check_tensors = verify;
    /* Repacked weights use one kernel for groups of rows and another for the rest. */
    params.use_extra_bufts = false;
    complaint[0] = '\0';
    struct llama_model *weights = llama_model_load_from_file(path, params);
    if (weights == NULL)
        return icl_error_set(ICL_EMODEL, "cannot load model \"%s\"%s%s", path,
                             complaint[0] != '\0' ? ": " : "", complaint);
    *out = weights;
    return ICL_OK;
}

/* A metadata value under the architecture's prefix as text; false when there is none. */
static bool meta_text(const struct llama_model *weights, const char *key, char *out,
                      size_t capacity)
{
    char architecture[64], name[128];
    if (llama_model_meta_val_str(weights, "general.architecture", architecture,
                                 sizeof architecture) < 0)
        return false;
    snprintf(name, sizeof name, "%s.%s", architecture, key);
    return llama_model_meta_val_str(weights, name, out, capacity) >= 0;
}

static size_t meta_size(const struct llama_model *weights, const char *key, size_t fallback)
{
    char value[32];
    if (!meta_text(weights, key, value, sizeof value)) return fallback;
    return (size_t)strtoul(value, NULL, 10);
}

static bool meta_exists(const struct llama_model *weights, const char *key)
{
    char value[32];
    return meta_text(weights, key, value, sizeof value);
}

/* ---- the language model ---- */

typedef struct llama_backend_model {
    struct llama_model *weights;
    const struct llama_vocab *vocab;
    struct llama_context *context; /* NULL until prepared */
    struct ggml_threadpool *threads;
    struct llama_batch batch;
    bool batch_ready;
    float *hidden;         /* [limits.call_rows + row_floor][width]; NULL unless limits.hidden */
    bool hidden_wanted;    /* by the call under way */
    size_t hidden_written; /* rows of the last call */
    icl_decode_limits limits;
    double buffer_mib; /* cache, rows and intermediate results as allocated with the context */
    int thread_count;
    icl_kv_type kv_type;
    size_t row_floor;
    size_t call_token_count; /* of the last call, before padding */
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
    params.n_seq_max = (uint32_t)self->limits.sequences + 1; /* the last one holds padding */
    /* llama.cpp keeps at least a row per sequence. */
    const size_t rows = self->limits.call_rows > self->limits.sequences ? self->limits.call_rows
                                                                        : self->limits.sequences;
    params.n_outputs_max = (uint32_t)(rows + self->row_floor);
    params.n_threads = params.n_threads_batch = self->thread_count;
    params.flash_attn_type = attention_type();
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
        if (have->sequence_tokens < limits->sequence_tokens)
            self->limits.sequence_tokens = limits->sequence_tokens;
        return ICL_OK;
    }
    release_context(self);
    self->limits = *limits;
    if (limits->hidden) {
        self->hidden = malloc(rows_max(self) * (size_t)llama_model_n_embd(self->weights) *
                              sizeof *self->hidden);
        if (self->hidden == NULL)
            return icl_error_set(ICL_ENOMEM, "out of memory for %zu hidden states", rows_max(self));
    }
    icl_exact_device_set_threads(self->thread_count);
    complaint[0] = '\0';
    logged_buffer_mib = 0;
    self->context = llama_init_from_model(self->weights, context_params(self));
    self->buffer_mib = logged_buffer_mib;
    if (self->context == NULL)
        return icl_error_set(ICL_EMODEL, "cannot create a context of %zu cells for \"%s\": %s",
                             limits->cells, self->path, complaint);
    struct ggml_threadpool_params pool = ggml_threadpool_params_default(self->thread_count);
    pool.poll = 0; /* idle workers must leave their core to the attention threads */
    self->threads = ggml_threadpool_new(&pool);
    if (self->threads == NULL) return icl_error_set(ICL_ENOMEM, "cannot start worker threads");
    llama_attach_threadpool(self->context, self->threads, self->threads);
    self->batch = llama_batch_init((int32_t)(limits->call_tokens + self->row_floor), 0,
                                   (int32_t)limits->sequences + 1);
    self->batch_ready = true;
    return ICL_OK;
}

static void add_token(struct llama_batch *batch, const icl_decode_token *token)
{
    const int32_t i = batch->n_tokens++;
    batch->token[i] = token->token;
    batch->pos[i] = token->position;
    batch->logits[i] = token->row;
    int32_t count = 0;
    if (token->trunk) batch->seq_id[i][count++] = 0;
    for (int32_t s = token->leaf_first; s <= token->leaf_last; s++) batch->seq_id[i][count++] = s;
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
static void pad_to_floor(struct llama_batch *batch, size_t floor, int32_t spare_sequence)
{
    for (int32_t position = 0; (size_t)batch->n_tokens < floor; position++)
        add_token(batch, &(icl_decode_token){ .token = 0,
                                              .position = position,
                                              .leaf_first = spare_sequence,
                                              .leaf_last = spare_sequence });
    size_t rows = rows_before(batch, batch->n_tokens);
    for (int32_t i = 0; i < batch->n_tokens && rows > 0 && rows < floor; i++) {
        if (batch->logits[i]) continue;
        batch->logits[i] = 1;
        rows++;
    }
}

static icl_status begin_wave(llama_backend_model *self, const icl_decode_call *call)
{
    llama_memory_t memory = llama_get_memory(self->context);
    for (int32_t s = 1; s <= (int32_t)self->limits.sequences; s++)
        llama_memory_seq_rm(memory, s, -1, -1);
    if (!llama_memory_seq_rm(memory, 0, (llama_pos)call->keep_tokens, -1))
        return icl_error_set(ICL_EUNSUPPORTED,
                             "\"%s\" keeps a state that cannot be cut back to a shared prefix",
                             self->path);
    if (call->keep_tokens > 0)
        for (int32_t s = 1; s <= (int32_t)call->leaf_count; s++)
            llama_memory_seq_cp(memory, 0, s, -1, -1);
    return ICL_OK;
}

static icl_status llama_backend_decode(void *opaque, const icl_decode_call *call)
{
    llama_backend_model *self = opaque;
    assert(self->context != NULL && call->token_count <= self->limits.call_tokens);
    if (call->begins_wave)
        ICL_TRY(begin_wave(self, call));
    else
        llama_memory_seq_rm(llama_get_memory(self->context), (int32_t)self->limits.sequences, -1,
                            -1);
    self->batch.n_tokens = 0;
    self->hidden_wanted = false;
    self->hidden_written = 0;
    for (size_t i = 0; i < call->token_count; i++) {
        add_token(&self->batch, &call->tokens[i]);
        self->hidden_wanted |= call->tokens[i].hidden;
    }
    pad_to_floor(&self->batch, self->row_floor, (int32_t)self->limits.sequences);
    complaint[0] = '\0';
    const int32_t result = llama_decode(self->context, self->batch);
    if (result == 2 || (result != 0 && atomic_load(&self->interrupted)))
        return icl_error_set(ICL_ECANCELLED, "interrupted");
    if (result != 0)
        return icl_error_set(ICL_EMODEL, "evaluation of %zu tokens failed with code %d: %s",
                             call->token_count, result, complaint);
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
    const size_t key = meta_size(weights, "attention.key_length", head_size);
    const size_t value = meta_size(weights, "attention.value_length", head_size);
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
    return icl_exact_device_register() && meta_size(weights, "expert_count", 0) == 0 &&
           !meta_exists(weights, "attn_logit_softcapping") &&
           !meta_exists(weights, "attention.max_alibi_bias");
}

static const char *attention_name(void)
{
    return icl_exact_device_register() ? "exact" : "stock";
}

static icl_status describe(llama_backend_model *self, icl_model_info *out, const char *path,
                           const file_facts *facts, const icl_model_options *options)
{
    char description[160];
    icl_text build = { 0 };
    describe_model(description, sizeof description, self->weights);
    icl_text_printf(&build, "ggml %s %s kv=%s attention=%s", ggml_version(), ggml_commit(),
                    options->kv_type == ICL_KV_F16 ? "f16" : "f32", attention_name());
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
    start_library_once();
    file_facts facts = { 0 };
    ICL_TRY(read_facts(&facts, path));
    llama_backend_model *self = calloc(1, sizeof *self);
    if (self == NULL) {
        free(facts.identity);
        return icl_error_set(ICL_ENOMEM, "out of memory while opening \"%s\"", path);
    }
    self->thread_count = options->thread_count > 0 ? options->thread_count : icl_cpu_free_cores();
    self->kv_type = options->kv_type;
    icl_model_info info;
    icl_status status = load_weights(&self->weights, path, options->verify);
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

/* ---- the sentence encoder ---- */

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
    params.flash_attn_type = attention_type();
    params.kv_unified = true;
    params.no_perf = true;
    complaint[0] = '\0';
    encoder->context = llama_init_from_model(encoder->weights, params);
    if (encoder->context == NULL)
        return icl_error_set(ICL_EMODEL, "cannot start encoder \"%s\": %s", path, complaint);
    encoder->batch = llama_batch_init(ENCODER_CALL_TOKENS, 0, 1);
    struct ggml_threadpool_params pool = ggml_threadpool_params_default(thread_count);
    pool.poll = 0;
    encoder->threads = ggml_threadpool_new(&pool);
    if (encoder->threads == NULL) return icl_error_set(ICL_ENOMEM, "cannot start worker threads");
    llama_attach_threadpool(encoder->context, encoder->threads, encoder->threads);
    return ICL_OK;
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
                    attention_name());
    encoder->build = icl_text_take(&build, NULL);
    return encoder->build != NULL
               ? ICL_OK
               : icl_error_set(ICL_ENOMEM, "out of memory while opening an encoder");
}

icl_status icl_encoder_open(icl_encoder **out, const char *path, int thread_count)
{
    start_library_once();
    file_facts facts = { 0 };
    ICL_TRY(read_facts(&facts, path));
    icl_encoder *encoder = calloc(1, sizeof *encoder);
    if (encoder == NULL) {
        free(facts.identity);
        return icl_error_set(ICL_ENOMEM, "out of memory while opening \"%s\"", path);
    }
    encoder->identity = facts.identity;
    icl_status status = load_weights(&encoder->weights, path, false);
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
    for (size_t i = 0; i < count; i++)
        add_token(&encoder->batch, &(icl_decode_token){ .token = tokens[i],
                                                        .position = (int32_t)i,
                                                        .leaf_first = sequence,
                                                        .leaf_last = sequence,
                                                        .row = true });
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
    complaint[0] = '\0';
    if (llama_encode(encoder->context, encoder->batch) != 0)
        return icl_error_set(ICL_EMODEL, "the encoder failed: %s", complaint);
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
