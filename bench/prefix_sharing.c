/* The planner against schedules written by hand for the same back end, in one process and run.
 *
 *   prefix_sharing MODEL.gguf [THREADS [ROUNDS]]
 *
 * The shape: a prefix of 600 tokens, 64 queries of 20, four labels of two tokens for each. A
 * hand-written schedule evaluates the prefix once, then `chunk` queries a call, a query's tokens
 * shared by its four label branches, and cuts the cache back to the prefix; the last one packs
 * everything into calls of 512 tokens. They know the shape; the engine has to find it. All take
 * turns, medians count. Every label's score must be the same. What sharing saves is measured
 * against single requests.
 *
 * bench/prefix_sharing.py runs the same shape against llama.h and its stock kernels. */
#include <math.h>
#include <stdbool.h>

#include <icl/engine.h>
#include <icl/sys/model.h>

#include "bench.h"
#include "math/logits.h"

enum {
    PREFIX = 600,
    QUERIES = 64,
    QUERY = 20,
    LABELS = 4,
    QUERY_TOKENS = QUERY + LABELS,
    SCORES = QUERIES * LABELS,
    TRIE_TOKENS = PREFIX + QUERIES * QUERY_TOKENS,
    CHUNK_MAX = 32,
    PACKED_CALL = 512,
    PACKED_MAX = PREFIX + CHUNK_MAX * QUERY_TOKENS,
    ROUNDS_MAX = 100,
    NAIVE_REQUESTS = 4,
};

/* A hand-written schedule: queries of a wave, tokens of a call. */
typedef struct schedule {
    const char *name;
    size_t chunk, call_tokens;
} schedule;

static const schedule schedules[] = {
    { "1 query a call", 1, PREFIX },
    { "2 queries a call", 2, PREFIX },
    { "4 queries a call", 4, PREFIX },
    { "8 queries a call", 8, PREFIX },
    { "16 queries a call", 16, PREFIX },
    { "32 queries a call", 32, CHUNK_MAX *QUERY_TOKENS },
    { "calls of 512 tokens", CHUNK_MAX, PACKED_CALL },
};

enum { SCHEDULES = sizeof schedules / sizeof *schedules };

typedef struct contest {
    icl_model *engine_model, *hand_model;
    icl_engine *engine;
    size_t vocab_count;
    double engine_scores[SCORES], scores[SCORES];
    icl_decode_token tokens[PACKED_MAX];
    size_t query_ends[CHUNK_MAX]; /* index in `tokens` of a query's last token */
} contest;

/* The token at a place of the shape; no two queries begin alike, nor two labels. */
static int32_t token_at(const contest *self, size_t part, size_t query, size_t place)
{
    const size_t span = self->vocab_count > 9301 ? 9000 : self->vocab_count - 301;
    return (int32_t)(300 + (part * 7919 + query * 613 + place * 37) % span);
}

/* ---- by hand ---- */

static size_t put_prefix(contest *self, size_t leaf_count)
{
    for (size_t i = 0; i < PREFIX; i++)
        self->tokens[i] = (icl_decode_token){ .token = token_at(self, 0, 0, i),
                                              .position = (int32_t)i,
                                              .leaf_first = 1,
                                              .leaf_last = (int32_t)leaf_count,
                                              .trunk = true };
    return PREFIX;
}

static size_t put_queries(contest *self, size_t at, size_t first, size_t count)
{
    for (size_t q = 0; q < count; q++) {
        const int32_t leaf = (int32_t)(1 + q * LABELS);
        for (size_t i = 0; i < QUERY; i++)
            self->tokens[at++] = (icl_decode_token){ .token = token_at(self, 1, first + q, i),
                                                     .position = (int32_t)(PREFIX + i),
                                                     .leaf_first = leaf,
                                                     .leaf_last = leaf + LABELS - 1,
                                                     .row = i + 1 == QUERY };
        self->query_ends[q] = at - 1;
        for (int32_t label = 0; label < LABELS; label++)
            self->tokens[at++] =
                (icl_decode_token){ .token = token_at(self, 2, first + q, (size_t)label),
                                    .position = PREFIX + QUERY,
                                    .leaf_first = leaf + label,
                                    .leaf_last = leaf + label,
                                    .row = true };
    }
    return at;
}

static double row_logprob(const contest *self, size_t index, int32_t token)
{
    const float *logits = icl_model_logits(self->hand_model, index);
    return (double)logits[token] - icl_logits_summarise(logits, self->vocab_count).log_sum;
}

/* Scores that the rows of the last call, tokens first..first+count-1, contribute to. */
static void read_rows(contest *self, size_t first, size_t count, size_t query_first,
                      size_t query_count)
{
    for (size_t q = 0; q < query_count; q++) {
        double *scores = self->scores + (query_first + q) * LABELS;
        const size_t end = self->query_ends[q];
        if (end >= first && end < first + count) {
            const float *logits = icl_model_logits(self->hand_model, end - first);
            const double log_sum = icl_logits_summarise(logits, self->vocab_count).log_sum;
            for (size_t label = 0; label < LABELS; label++)
                scores[label] +=
                    (double)logits[token_at(self, 2, query_first + q, label)] - log_sum;
        }
        for (size_t label = 0; label < LABELS; label++) {
            const size_t at = end + 1 + label;
            if (at < first || at >= first + count) continue;
            scores[label] +=
                row_logprob(self, at - first, token_at(self, 3, query_first + q, label));
        }
    }
}

/* Evaluates tokens 0..count-1 as one wave. */
static void play_wave(contest *self, const schedule *by, size_t keep, size_t count,
                      size_t query_first, size_t query_count)
{
    for (size_t first = 0; first < count; first += by->call_tokens) {
        const size_t left = count - first;
        const size_t tokens = left < by->call_tokens ? left : by->call_tokens;
        bench_check(icl_model_decode(self->hand_model,
                                     &(icl_decode_call){ .begins_wave = first == 0,
                                                         .keep_tokens = keep,
                                                         .leaf_count = query_count * LABELS,
                                                         .tokens = self->tokens + first,
                                                         .token_count = tokens }));
        read_rows(self, first, tokens, query_first, query_count);
    }
}

static double run_by_hand(contest *self, const schedule *by)
{
    const bool packed = by->call_tokens == PACKED_CALL;
    const double start = bench_seconds();
    memset(self->scores, 0, sizeof self->scores);
    for (size_t q = 0; q < CHUNK_MAX; q++) self->query_ends[q] = SIZE_MAX - LABELS - 1;
    size_t at = put_prefix(self, packed ? by->chunk * LABELS : 0);
    if (!packed) {
        play_wave(self, by, 0, at, 0, 0);
        at = 0;
    }
    for (size_t first = 0; first < QUERIES; first += by->chunk) {
        at = put_queries(self, at, first, by->chunk);
        play_wave(self, by, first == 0 && packed ? 0 : PREFIX, at, first, by->chunk);
        at = 0;
    }
    return bench_seconds() - start;
}

/* A request alone, from its first token: context, then all of the label but its last token. */
static double run_naively(contest *self, size_t query, size_t label, double *out_score)
{
    const double start = bench_seconds();
    icl_decode_token *tokens = self->tokens;
    size_t count = put_prefix(self, 1);
    for (size_t i = 0; i < QUERY; i++, count++) tokens[count].token = token_at(self, 1, query, i);
    tokens[count++].token = token_at(self, 2, query, label);
    for (size_t i = 0; i < count; i++)
        tokens[i] = (icl_decode_token){ .token = tokens[i].token,
                                        .position = (int32_t)i,
                                        .leaf_first = 1,
                                        .leaf_last = 1,
                                        .row = i + 2 >= count };
    bench_check(icl_model_decode(self->hand_model, &(icl_decode_call){ .begins_wave = true,
                                                                       .leaf_count = 1,
                                                                       .tokens = tokens,
                                                                       .token_count = count }));
    *out_score = row_logprob(self, count - 2, token_at(self, 2, query, label));
    *out_score += row_logprob(self, count - 1, token_at(self, 3, query, label));
    return bench_seconds() - start;
}

/* ---- by the engine ---- */

static icl_batch *make_batch(const contest *self)
{
    icl_batch *batch = NULL;
    int32_t tokens[PREFIX + QUERY];
    size_t prefix, request;
    bench_check(icl_batch_new(&batch));
    for (size_t i = 0; i < PREFIX; i++) tokens[i] = token_at(self, 0, 0, i);
    for (size_t q = 0; q < QUERIES; q++) {
        for (size_t i = 0; i < QUERY; i++) tokens[PREFIX + i] = token_at(self, 1, q, i);
        bench_check(icl_batch_add_prefix(batch, tokens, PREFIX + QUERY, &prefix));
        for (size_t label = 0; label < LABELS; label++) {
            const int32_t words[] = { token_at(self, 2, q, label), token_at(self, 3, q, label) };
            bench_check(icl_batch_add_score(batch, prefix, words, 2, &request));
        }
    }
    return batch;
}

/* Planning included. */
static double run_engine(contest *self)
{
    icl_batch *batch = make_batch(self);
    const double start = bench_seconds();
    bench_check(icl_engine_run(self->engine, batch));
    const double seconds = bench_seconds() - start;
    for (size_t r = 0; r < SCORES; r++) self->engine_scores[r] = icl_batch_logprob_nats(batch, r);
    icl_batch_free(batch);
    return seconds;
}

/* ---- the contest ---- */

static void open_contest(contest *self, const char *path, size_t threads)
{
    icl_model_options options = icl_model_options_default();
    options.thread_count = (int)threads;
    /* One each, so that both have a cache of just the size they want; the weights are shared pages.
     */
    bench_check(icl_model_open(&self->engine_model, path, &options));
    bench_check(icl_model_open(&self->hand_model, path, &options));
    bench_check(icl_engine_open(&self->engine, self->engine_model, NULL));
    self->vocab_count = icl_model_get_info(self->engine_model)->vocab_count;
    bench_check(icl_model_prepare(self->hand_model,
                                  &(icl_decode_limits){ .cells = PACKED_MAX,
                                                        .sequences = 1 + CHUNK_MAX * LABELS,
                                                        .call_tokens = CHUNK_MAX * QUERY_TOKENS,
                                                        .call_rows = CHUNK_MAX * (1 + LABELS) }));
}

/* Largest difference from the engine's scores. */
static double disagreement(const contest *self)
{
    double largest = 0;
    for (size_t r = 0; r < SCORES; r++)
        largest = fmax(largest, fabs(self->scores[r] - self->engine_scores[r]));
    return largest;
}

static void require_agreement(double difference, bool exact, const char *name)
{
    if (difference <= (exact ? 0 : 1e-4)) return;
    fprintf(stderr, "error: scores of \"%s\" differ from the engine's by %g nats\n", name,
            difference);
    exit(1);
}

static double median_naive(contest *self, bool exact)
{
    double seconds[NAIVE_REQUESTS], score;
    for (size_t i = 0; i < NAIVE_REQUESTS; i++) {
        const size_t query = i * 17 % QUERIES, label = i % LABELS;
        seconds[i] = run_naively(self, query, label, &score);
        require_agreement(fabs(score - self->engine_scores[query * LABELS + label]), exact,
                          "a request alone");
    }
    return bench_median(seconds, NAIVE_REQUESTS) * SCORES;
}

static void print_row(const char *name, size_t tokens, double seconds, double best)
{
    printf("%-22s %8zu %9.3f %9.1f %7.3f\n", name, tokens, seconds, (double)tokens / seconds,
           seconds / best);
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "usage: prefix_sharing MODEL.gguf [THREADS [ROUNDS]]\n");
        return 2;
    }
    static contest self;
    static double engine_seconds[ROUNDS_MAX], hand_seconds[SCHEDULES][ROUNDS_MAX];
    const size_t threads = bench_number(argc, argv, 2, "ICL_THREADS", 2);
    size_t rounds = bench_number(argc, argv, 3, NULL, 5);
    if (rounds > ROUNDS_MAX) rounds = ROUNDS_MAX;
    const double load = bench_load();
    open_contest(&self, argv[1], threads);
    const bool exact = icl_model_get_info(self.engine_model)->exact;

    run_engine(&self); /* warm-up; also says how many tokens it takes */
    const icl_meter meter = icl_engine_get_meter(self.engine);
    for (size_t round = 0; round < rounds; round++) {
        engine_seconds[round] = run_engine(&self);
        for (size_t s = 0; s < SCHEDULES; s++) {
            hand_seconds[s][round] = run_by_hand(&self, &schedules[s]);
            require_agreement(disagreement(&self), exact, schedules[s].name);
        }
    }
    const double naive = median_naive(&self, exact), engine = bench_median(engine_seconds, rounds);
    double best = INFINITY, medians[SCHEDULES];
    size_t best_at = 0;
    for (size_t s = 0; s < SCHEDULES; s++) {
        medians[s] = bench_median(hand_seconds[s], rounds);
        if (medians[s] < best) best = medians[best_at = s];
    }

    printf("%-22s %8s %9s %9s %7s\n", "schedule", "tokens", "seconds", "tokens/s", "ratio");
    print_row("engine", (size_t)meter.tokens_evaluated, engine, best);
    for (size_t s = 0; s < SCHEDULES; s++)
        print_row(schedules[s].name, TRIE_TOKENS, medians[s], best);
    print_row("each request alone", (size_t)SCORES * (PREFIX + QUERY + 1), naive, best);
    printf("{\"bench\": \"prefix_sharing\", \"side\": \"same kernels\", \"model\": \"%s\", "
           "\"threads\": %zu, \"rounds\": %zu, \"engine_seconds\": %.4f, \"best_seconds\": %.4f, "
           "\"best\": \"%s\", \"ratio\": %.3f, \"engine_tokens\": %llu, \"hand_tokens\": %d, "
           "\"trie_tokens\": %llu, \"naive_seconds_extrapolated\": %.1f, \"speedup\": %.1f, "
           "\"scores_equal\": \"%s\", \"load_before\": %.2f}\n",
           bench_base_name(argv[1]), threads, rounds, engine, best, schedules[best_at].name,
           engine / best, (unsigned long long)meter.tokens_evaluated, TRIE_TOKENS,
           (unsigned long long)meter.tokens_trie, naive, naive / engine,
           exact ? "to the byte" : "within 1e-4", load);
    icl_engine_close(self.engine);
    icl_model_close(self.engine_model);
    icl_model_close(self.hand_model);
    return 0;
}
