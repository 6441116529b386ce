/* The prefix-sharing contest's other side: schedules written by hand against llama.h.
 *
 *   handwritten MODEL.gguf THREADS
 *
 * One shape: a prefix of 600 tokens, 64 queries of 20, four labels of two tokens for each. The
 * prefix is evaluated once; then `chunk` queries a call, a query's tokens shared by its four label
 * branches, label ends never evaluated, rows only where they are read. Prints a JSON line for every
 * chunk size, with flash attention on and off. prefix_sharing.py makes the same tokens. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <ggml-backend.h>
#include <llama.h>

enum { PREFIX = 600, QUERIES = 64, QUERY = 20, LABELS = 4, ROUNDS = 3, CHUNK_MAX = 32 };
enum { CELLS = PREFIX + CHUNK_MAX * (QUERY + LABELS) };

static const int chunks[] = { 1, 2, 4, 8, 16, CHUNK_MAX };

/* The token at a place of the shape; no two label firsts of a query are equal. */
static llama_token token_at(int part, int query, int place)
{
    return 300 + (part * 7919 + query * 613 + place * 37) % 9000;
}

static double seconds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static void add(struct llama_batch *batch, llama_token token, int position, int seq_first,
                int seq_count, bool row)
{
    const int i = batch->n_tokens++;
    batch->token[i] = token;
    batch->pos[i] = position;
    batch->n_seq_id[i] = seq_count;
    for (int s = 0; s < seq_count; s++) batch->seq_id[i][s] = seq_first + s;
    batch->logits[i] = row;
}

static void decode(struct llama_context *context, struct llama_batch *batch)
{
    if (llama_decode(context, *batch) != 0) {
        fprintf(stderr, "llama_decode failed\n");
        exit(1);
    }
}

static double log_sum(const float *logits, int count)
{
    float top = logits[0];
    for (int i = 1; i < count; i++)
        if (logits[i] > top) top = logits[i];
    float sum = 0;
    for (int i = 0; i < count; i++) sum += expf(logits[i] - top);
    return top + log((double)sum);
}

/* Log-probabilities of the four labels of every query of the last call. */
static double read_labels(struct llama_context *context, int first, int count, int vocab)
{
    double total = 0;
    for (int q = 0; q < count; q++) {
        const int base = q * (QUERY + LABELS);
        const float *end = llama_get_logits_ith(context, base + QUERY - 1);
        const double end_sum = log_sum(end, vocab);
        for (int label = 0; label < LABELS; label++) {
            const float *inner = llama_get_logits_ith(context, base + QUERY + label);
            total += (double)end[token_at(2, first + q, label)] - end_sum;
            total += (double)inner[token_at(3, first + q, label)] - log_sum(inner, vocab);
        }
    }
    return total;
}

static double run(struct llama_context *context, struct llama_batch *batch, int chunk, int vocab)
{
    llama_memory_t memory = llama_get_memory(context);
    llama_memory_clear(memory, false);
    for (int first = 0; first < PREFIX; first += (int)llama_n_batch(context)) {
        batch->n_tokens = 0;
        for (int i = first; i < PREFIX && i < first + (int)llama_n_batch(context); i++)
            add(batch, token_at(0, 0, i), i, 0, 1, false);
        decode(context, batch);
    }
    double total = 0;
    for (int first = 0; first < QUERIES; first += chunk) {
        batch->n_tokens = 0;
        for (int s = 1; s <= chunk * LABELS; s++) {
            llama_memory_seq_rm(memory, s, -1, -1);
            llama_memory_seq_cp(memory, 0, s, -1, -1);
        }
        for (int q = 0; q < chunk; q++) {
            const int seq = 1 + q * LABELS;
            for (int i = 0; i < QUERY; i++)
                add(batch, token_at(1, first + q, i), PREFIX + i, seq, LABELS, i == QUERY - 1);
            for (int label = 0; label < LABELS; label++)
                add(batch, token_at(2, first + q, label), PREFIX + QUERY, seq + label, 1, true);
        }
        decode(context, batch);
        total += read_labels(context, first, chunk, vocab);
    }
    return total;
}

static void measure(struct llama_model *model, int threads, bool flash)
{
    struct llama_context_params params = llama_context_default_params();
    params.n_ctx = CELLS;
    params.n_batch = params.n_ubatch = CHUNK_MAX * (QUERY + LABELS);
    params.n_seq_max = 1 + CHUNK_MAX * LABELS;
    params.n_threads = params.n_threads_batch = threads;
    params.kv_unified = true;
    params.flash_attn_type = flash ? LLAMA_FLASH_ATTN_TYPE_ENABLED : LLAMA_FLASH_ATTN_TYPE_DISABLED;
    struct llama_context *context = llama_init_from_model(model, params);
    if (context == NULL) exit(1);
    struct llama_batch batch = llama_batch_init((int)params.n_batch, 0, LABELS);
    const int vocab = llama_vocab_n_tokens(llama_model_get_vocab(model));
    for (size_t c = 0; c < sizeof chunks / sizeof *chunks; c++) {
        double best = INFINITY, total = 0;
        for (int round = 0; round < ROUNDS; round++) {
            const double start = seconds_now();
            total = run(context, &batch, chunks[c], vocab);
            best = fmin(best, seconds_now() - start);
        }
        printf("{\"chunk\": %d, \"flash\": %s, \"seconds\": %.4f, \"logprob_sum\": %.4f}\n",
               chunks[c], flash ? "true" : "false", best, total);
    }
    llama_batch_free(batch);
    llama_free(context);
}

static void errors_only(enum ggml_log_level level, const char *text, void *user)
{
    (void)user;
    if (level == GGML_LOG_LEVEL_ERROR) fputs(text, stderr);
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: handwritten MODEL.gguf THREADS\n");
        return 2;
    }
    llama_log_set(errors_only, NULL);
    llama_backend_init();
    ggml_backend_reg_t blas = ggml_backend_reg_by_name("BLAS");
    if (blas != NULL) ggml_backend_unload(blas);
    struct llama_model *model = llama_model_load_from_file(argv[1], llama_model_default_params());
    if (model == NULL) return 1;
    measure(model, atoi(argv[2]), true);
    measure(model, atoi(argv[2]), false);
    llama_model_free(model);
    return 0;
}
