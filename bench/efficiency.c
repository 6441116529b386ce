/* How much of what the machine can do becomes answers.
 *
 *   efficiency MODEL.gguf [THREADS [ROUNDS [QUERIES]]]
 *
 * eta_trie = distinct tokens / evaluated tokens. eta_machine = the engine's tokens per second over
 * those of a plain prefill of the same build with the same tokens per call and the same mean number
 * of visible cells. Eight demonstrations of 25 tokens and a query of 20, six labels of one or two
 * tokens; demonstrations fixed or drawn for each query. Engine, prefill, the engine with a journal,
 * and the plan's calls replayed with and without rows take turns; medians count. The replays say
 * where the time goes; the share of the sgemm peak is taken against a 2048-square product of the
 * same run. */
#include <math.h>
#include <stdbool.h>
#include <unistd.h>

#include <cblas.h>

#include <icl/engine.h>
#include <icl/sys/model.h>

#include "base/hash.h"
#include "base/rng.h"
#include "bench.h"
#include "engine/plan.h"
#include "math/logits.h"

enum {
    SHOTS = 8,
    DEMO = 25,
    QUERY = 20,
    LABELS = 6,
    PREFIX = SHOTS * DEMO + QUERY,
    POOL = 64,
    QUERIES = 64,
    QUERIES_FIXED_LARGE = 32, /* of a model whose 64 queries would take minutes */
    QUERIES_DRAWN_LARGE = 8,
    ROUNDS_MAX = 50,
    SGEMM_SIDE = 2048,
    SGEMM_ROUNDS = 8,
};

static const uint64_t large_parameters = 50000000;
static const double prefill_seconds_max = 1.5;

typedef struct bench_case {
    const char *name;
    bool per_query;
    size_t label_tokens;
} bench_case;

static const bench_case cases[] = {
    { "fixed, one-token labels", false, 1 },
    { "fixed, two-token labels", false, 2 },
    { "per query, one-token labels", true, 1 },
    { "per query, two-token labels", true, 2 },
};

typedef struct figures {
    double engine[ROUNDS_MAX], prefill[ROUNDS_MAX]; /* prefill: tokens/s */
    double plan[ROUNDS_MAX], rows[ROUNDS_MAX], no_rows[ROUNDS_MAX], reading[ROUNDS_MAX];
    double journal; /* one run: it adds too little to be worth more */
} figures;

typedef struct bench_state {
    icl_model *model;
    icl_engine *engine;
    char journal[64];
    const icl_model_info *info;
    size_t threads, rounds;
    double sgemm_peak; /* operations per second */
} bench_state;

/* ---- the requests ---- */

static void fill(int32_t *tokens, size_t count, icl_rng *rng, size_t vocab_count)
{
    for (size_t i = 0; i < count; i++)
        tokens[i] = (int32_t)(300 + icl_rng_below(rng, vocab_count - 300));
}

/* Demonstrations of a query: the first eight of the pool, or eight in a random order. */
static void put_demonstrations(int32_t *tokens, const int32_t *pool, const bench_case *which,
                               size_t query)
{
    size_t order[POOL];
    for (size_t i = 0; i < POOL; i++) order[i] = i;
    icl_rng rng = icl_rng_new(query, "efficiency", NULL, "draw");
    if (which->per_query) icl_rng_shuffle(&rng, order, POOL);
    for (size_t s = 0; s < SHOTS; s++)
        memcpy(tokens + s * DEMO, pool + order[s] * DEMO, DEMO * sizeof *tokens);
}

static icl_batch *make_batch(const bench_state *self, const bench_case *which, size_t queries)
{
    static int32_t pool[POOL * DEMO];
    int32_t prefix[PREFIX], labels[LABELS * 2];
    icl_rng rng = icl_rng_new(1, "efficiency", NULL, "tokens");
    icl_batch *batch = NULL;
    size_t id, request;
    fill(pool, POOL * DEMO, &rng, self->info->vocab_count);
    fill(labels, LABELS * 2, &rng, self->info->vocab_count);
    bench_check(icl_batch_new(&batch));
    for (size_t q = 0; q < queries; q++) {
        put_demonstrations(prefix, pool, which, q);
        fill(prefix + SHOTS * DEMO, QUERY, &rng, self->info->vocab_count);
        bench_check(icl_batch_add_prefix(batch, prefix, PREFIX, &id));
        for (size_t y = 0; y < LABELS; y++)
            bench_check(
                icl_batch_add_score(batch, id, labels + 2 * y, which->label_tokens, &request));
    }
    return batch;
}

static int compare_hashes(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(icl_hash128));
}

/* Distinct contexts, counted from the requests alone: the tokens that nobody can do without. */
static size_t count_distinct(const icl_batch *batch)
{
    size_t capacity = 0, used = 0, count, prefix_count;
    for (size_t r = 0; r < icl_batch_count(batch); r++) {
        icl_batch_continuation(batch, r, &count);
        capacity += PREFIX + count;
    }
    icl_hash128 *seen = bench_alloc(capacity, sizeof *seen);
    for (size_t r = 0; r < icl_batch_count(batch); r++) {
        int32_t path[PREFIX + 2];
        const int32_t *words = icl_batch_continuation(batch, r, &count);
        memcpy(path, icl_batch_prefix(batch, icl_batch_request_prefix(batch, r), &prefix_count),
               PREFIX * sizeof *path);
        memcpy(path + PREFIX, words, (count - 1) * sizeof *path);
        for (size_t n = 1; n < PREFIX + count; n++) seen[used++] = icl_hash(path, n * sizeof *path);
    }
    qsort(seen, used, sizeof *seen, compare_hashes);
    size_t distinct = used > 0;
    for (size_t i = 1; i < used; i++) distinct += compare_hashes(&seen[i - 1], &seen[i]) != 0;
    free(seen);
    return distinct;
}

/* ---- the contestants ---- */

static double run_engine(icl_engine *engine, const bench_state *self, const bench_case *which,
                         size_t queries)
{
    icl_batch *batch = make_batch(self, which, queries);
    const double start = bench_seconds();
    bench_check(icl_engine_run(engine, batch));
    const double seconds = bench_seconds() - start;
    icl_batch_free(batch);
    return seconds;
}

/* A fresh journal each time: an old one would answer. */
static double run_with_journal(bench_state *self, const bench_case *which, size_t queries)
{
    icl_engine *engine = NULL;
    icl_engine_options options = icl_engine_options_default();
    options.journal_path = self->journal;
    bench_check(icl_engine_open(&engine, self->model, &options));
    const double seconds = run_engine(engine, self, which, queries);
    icl_engine_close(engine);
    unlink(self->journal);
    return seconds;
}

static icl_decode_limits needs_of(const icl_plan_stats *stats)
{
    return (icl_decode_limits){ .cells = stats->cells_peak,
                                .sequences = stats->sequences_peak,
                                .call_tokens = stats->call_tokens_peak,
                                .call_rows = stats->call_rows_peak };
}

/* The plan's calls, straight to the model. *out_reading is what summing up the rows takes. */
static double replay(bench_state *self, const icl_plan *plan, bool rows, double *out_reading)
{
    icl_decode_token *tokens = bench_alloc(plan->token_count, sizeof *tokens);
    memcpy(tokens, plan->tokens, plan->token_count * sizeof *tokens);
    for (size_t i = 0; i < plan->token_count && !rows; i++) tokens[i].row = false;
    const icl_decode_limits limits = needs_of(&plan->stats);
    bench_check(icl_model_prepare(self->model, &limits));
    double decoding = 0, sum = 0;
    *out_reading = 0;
    for (size_t c = 0; c < plan->call_count; c++) {
        const plan_call *call = &plan->calls[c];
        const double start = bench_seconds();
        bench_check(
            icl_model_decode(self->model, &(icl_decode_call){ .begins_wave = call->begins_wave,
                                                              .keep_tokens = call->keep_tokens,
                                                              .leaf_count = call->leaf_count,
                                                              .tokens = tokens + call->token_first,
                                                              .token_count = call->token_count }));
        const double decoded = bench_seconds();
        decoding += decoded - start;
        for (size_t i = 0; i < call->token_count; i++)
            if (tokens[call->token_first + i].row)
                sum +=
                    icl_logits_summarise(icl_model_logits(self->model, i), self->info->vocab_count)
                        .log_sum;
        *out_reading += bench_seconds() - decoded;
    }
    free(tokens);
    if (!isfinite(sum)) fprintf(stderr, "warning: logits are not finite\n");
    return decoding;
}

static void run_round(bench_state *self, const bench_case *which, size_t queries, figures *out,
                      size_t round)
{
    double ignored;
    icl_batch *batch = make_batch(self, which, queries);
    icl_plan *plan = NULL;
    const icl_plan_limits limits = icl_engine_limits(self->engine);
    const double start = bench_seconds();
    bench_check(icl_plan_new(&plan, batch, &limits));
    out->plan[round] = bench_seconds() - start;
    out->engine[round] = run_engine(self->engine, self, which, queries);
    const double seconds = fmin(out->engine[round], prefill_seconds_max);
    bench_check(
        icl_engine_measure_prefill(self->engine, plan->token_count / plan->call_count,
                                   (size_t)(plan->stats.visible_cells / plan->stats.tokens_trie),
                                   seconds, &out->prefill[round]));
    out->rows[round] = replay(self, plan, true, &out->reading[round]);
    out->no_rows[round] = replay(self, plan, false, &ignored);
    if (round == 0) out->journal = run_with_journal(self, which, queries);
    icl_plan_free(plan);
    icl_batch_free(batch);
}

/* ---- the report ---- */

/* Multiplications and additions of the model's matrices, attention and read rows. Output matrix and
 * token vectors are taken to be one, as in the models of the recipe. */
static double operations(const bench_state *self, const icl_plan_stats *stats)
{
    const icl_model_info *info = self->info;
    const double embedding = (double)(info->vocab_count * info->embedding_size);
    const double layers = (double)info->parameter_count - embedding;
    const double attention = 4.0 * (double)(info->embedding_size * info->layer_count);
    return (double)stats->tokens_evaluated * 2 * layers + (double)stats->visible_cells * attention +
           (double)stats->logits_rows * 2 * embedding;
}

static double report_case(bench_state *self, const bench_case *which, size_t queries,
                          figures *found)
{
    icl_batch *batch = make_batch(self, which, queries);
    icl_plan *plan = NULL;
    const icl_plan_limits limits = icl_engine_limits(self->engine);
    bench_check(icl_plan_new(&plan, batch, &limits));
    const icl_plan_stats *stats = &plan->stats;
    const double engine = bench_median(found->engine, self->rounds);
    const double prefill = bench_median(found->prefill, self->rounds);
    const double rows = bench_median(found->rows, self->rounds);
    const double no_rows = bench_median(found->no_rows, self->rounds);
    const double reading = bench_median(found->reading, self->rounds);
    const double planning = bench_median(found->plan, self->rounds);
    const size_t distinct = count_distinct(batch);
    const double eta_trie = (double)distinct / (double)stats->tokens_evaluated;
    const double rate = (double)distinct / engine, eta_machine = rate / prefill;
    /* Rows that are asked for are work as well, which a plain prefill does not have. */
    const double with_rows = ((double)distinct / prefill + rows - no_rows + reading) / engine;
    const double peak = operations(self, stats) / engine / self->sgemm_peak;
    printf("%-28s %6zu tokens, %4zu rows, %3zu calls of %3zu, %3llu cells visible\n", which->name,
           plan->token_count, (size_t)stats->logits_rows, stats->calls,
           plan->token_count / stats->calls,
           (unsigned long long)(stats->visible_cells / stats->tokens_trie));
    printf("    eta_trie %.3f   eta_machine %.3f   %.0f tokens/s of %.0f   sgemm share %.2f\n",
           eta_trie, eta_machine, rate, prefill, peak);
    printf("    of the time: layers %.1f %%, logits rows %.1f %%, reading rows %.1f %%, planning "
           "%.1f %%; padding %llu tokens, %llu rows; a journal adds %.1f %%\n",
           100 * no_rows / engine, 100 * (rows - no_rows) / engine, 100 * reading / engine,
           100 * planning / engine, (unsigned long long)(stats->tokens_evaluated - distinct),
           (unsigned long long)stats->rows_padding, 100 * (found->journal - engine) / engine);
    printf("    layers against plain prefill %.3f; eta_machine counting the rows as work %.3f\n",
           (double)distinct / prefill / no_rows, with_rows);
    printf("{\"bench\": \"efficiency\", \"case\": \"%s\", \"queries\": %zu, \"tokens\": %zu, "
           "\"eta_trie\": %.4f, \"eta_machine\": %.4f, \"eta_machine_with_rows\": %.4f, "
           "\"tokens_per_second\": %.1f, "
           "\"prefill_tokens_per_second\": %.1f, \"share_layers\": %.4f, \"share_rows\": %.4f, "
           "\"share_reading\": %.4f, \"share_planning\": %.4f, \"share_journal\": %.4f, "
           "\"share_of_sgemm\": %.3f}\n",
           which->name, queries, distinct, eta_trie, eta_machine, with_rows, rate, prefill,
           no_rows / engine, (rows - no_rows) / engine, reading / engine, planning / engine,
           (found->journal - engine) / engine, peak);
    icl_plan_free(plan);
    icl_batch_free(batch);
    return eta_machine;
}

static double measure_sgemm(size_t threads)
{
    const size_t count = (size_t)SGEMM_SIDE * SGEMM_SIDE;
    float *a = bench_alloc(3 * count, sizeof *a), *b = a + count, *c = b + count;
    double best = INFINITY;
    openblas_set_num_threads((int)threads);
    for (size_t i = 0; i < 2 * count; i++) a[i] = (float)(i % 7) - 3;
    for (size_t round = 0; round < SGEMM_ROUNDS; round++) {
        const double start = bench_seconds();
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, SGEMM_SIDE, SGEMM_SIDE, SGEMM_SIDE,
                    1, a, SGEMM_SIDE, b, SGEMM_SIDE, 0, c, SGEMM_SIDE);
        best = fmin(best, bench_seconds() - start);
    }
    free(a);
    return 2.0 * SGEMM_SIDE * SGEMM_SIDE * SGEMM_SIDE / best;
}

static void open_all(bench_state *self, const char *path)
{
    icl_model_options options = icl_model_options_default();
    options.thread_count = (int)self->threads;
    bench_check(icl_model_open(&self->model, path, &options));
    self->info = icl_model_get_info(self->model);
    bench_check(icl_engine_open(&self->engine, self->model, NULL));
    snprintf(self->journal, sizeof self->journal, "/tmp/icl-efficiency-%ld.sqlite", (long)getpid());
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "usage: efficiency MODEL.gguf [THREADS [ROUNDS [QUERIES]]]\n");
        return 2;
    }
    static bench_state self;
    static figures found;
    self.threads = bench_number(argc, argv, 2, "ICL_THREADS", 2);
    self.rounds = bench_number(argc, argv, 3, NULL, 3);
    if (self.rounds > ROUNDS_MAX) self.rounds = ROUNDS_MAX;
    const double load = bench_load();
    open_all(&self, argv[1]);
    const bool large = self.info->parameter_count > large_parameters;
    const size_t asked = bench_number(argc, argv, 4, NULL, 0);
    self.sgemm_peak = measure_sgemm(self.threads);
    printf("%s, %zu threads, %zu rounds, sgemm peak %.0f GFLOP/s, load before %.2f\n",
           bench_base_name(argv[1]), self.threads, self.rounds, self.sgemm_peak / 1e9, load);
    double lowest = INFINITY;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t queries = large ? QUERIES_FIXED_LARGE : QUERIES;
        if (large && cases[i].per_query) queries = QUERIES_DRAWN_LARGE;
        if (asked > 0) queries = asked;
        run_engine(self.engine, &self, &cases[i], queries); /* warm-up */
        for (size_t round = 0; round < self.rounds; round++)
            run_round(&self, &cases[i], queries, &found, round);
        lowest = fmin(lowest, report_case(&self, &cases[i], queries, &found));
    }
    printf("lowest eta_machine %.3f\n", lowest);
    icl_engine_close(self.engine);
    icl_model_close(self.model);
    return 0;
}
