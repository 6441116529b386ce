/* Peak memory against the engine's own statement.
 *
 *   memory MODEL.gguf [THREADS]
 *
 * Each case runs in a process of its own: peak resident memory of a run with a journal, minus what
 * was resident right after the model was loaded, against meter.peak_bytes, which is stated before
 * anything is evaluated. Then the same over the number of rows read from one call: memory for
 * logits follows the rows, not the tokens. Linux: reads /proc/self/status. */
#include <math.h>
#include <stdbool.h>
#include <sys/wait.h>
#include <unistd.h>

#include <icl/engine.h>

#include "bench.h"

enum { CALL_TOKENS = 512, LABELS = 6, DEMONSTRATIONS = 200, QUERY = 20 };

typedef struct memory_case {
    const char *name;
    size_t queries;
    bool per_query;
    size_t label_tokens;
    size_t chain_rows; /* when not 0: one call of 512 tokens of which so many rows are read */
} memory_case;

static const memory_case shapes[] = {
    { .name = "one query", .queries = 1, .label_tokens = 1 },
    { .name = "fixed, 64 queries", .queries = 64, .label_tokens = 2 },
    { .name = "per query, 8 queries", .queries = 8, .per_query = true, .label_tokens = 2 },
};

static const size_t row_counts[] = { 1, 64, 128, 256, 512 };

typedef struct memory_result {
    double grown_bytes, stated_bytes;
    size_t rows, tokens, vocab_count;
} memory_result;

static int32_t random_token(uint32_t *state, size_t vocab_count)
{
    *state = *state * 1664525u + 1013904223u;
    return (int32_t)(300 + (*state >> 8) % (vocab_count - 300));
}

static icl_batch *make_batch(const memory_case *which, size_t vocab_count)
{
    int32_t prefix[DEMONSTRATIONS + QUERY], labels[LABELS * 2];
    icl_batch *batch = NULL;
    size_t id, request;
    uint32_t seed = 1;
    bench_check(icl_batch_new(&batch));
    for (size_t i = 0; i < LABELS * 2; i++) labels[i] = random_token(&seed, vocab_count);
    for (size_t q = 0; q < which->queries; q++) {
        const size_t kept = q > 0 && !which->per_query ? DEMONSTRATIONS : 0;
        for (size_t i = kept; i < DEMONSTRATIONS + QUERY; i++)
            prefix[i] = random_token(&seed, vocab_count);
        bench_check(icl_batch_add_prefix(batch, prefix, DEMONSTRATIONS + QUERY, &id));
        for (size_t y = 0; y < LABELS; y++)
            bench_check(
                icl_batch_add_score(batch, id, labels + 2 * y, which->label_tokens, &request));
    }
    return batch;
}

/* One path of 512 tokens; a continuation of n tokens reads its last n rows. */
static icl_batch *make_chain(const memory_case *which, size_t vocab_count)
{
    int32_t tokens[CALL_TOKENS + 1];
    icl_batch *batch = NULL;
    size_t id, request;
    uint32_t seed = 2;
    for (size_t i = 0; i <= CALL_TOKENS; i++) tokens[i] = random_token(&seed, vocab_count);
    const size_t prefix = CALL_TOKENS + 1 - which->chain_rows;
    bench_check(icl_batch_new(&batch));
    bench_check(icl_batch_add_prefix(batch, tokens, prefix, &id));
    bench_check(icl_batch_add_score(batch, id, tokens + prefix, which->chain_rows, &request));
    return batch;
}

/* A line "Name:   123 kB" of /proc/self/status, in bytes; 0 when there is none. */
static double status_bytes(const char *name)
{
    char line[256];
    double kib = 0;
    FILE *file = fopen("/proc/self/status", "r");
    if (file == NULL) return 0;
    while (fgets(line, sizeof line, file) != NULL)
        if (strncmp(line, name, strlen(name)) == 0) kib = strtod(line + strlen(name) + 1, NULL);
    fclose(file);
    return kib * 1024;
}

/* Loading has a peak of its own, which must not hide the run's. */
static bool reset_peak(void)
{
    FILE *file = fopen("/proc/self/clear_refs", "w");
    if (file == NULL) return false;
    const bool written = fputs("5", file) >= 0;
    return fclose(file) == 0 && written;
}

static memory_result run_here(const char *path, int threads, const memory_case *which)
{
    icl_model *model = NULL;
    icl_engine *engine = NULL;
    icl_model_options model_options = icl_model_options_default();
    icl_engine_options options = icl_engine_options_default();
    char journal[64];
    snprintf(journal, sizeof journal, "/tmp/icl-memory-%ld.sqlite", (long)getpid());
    model_options.thread_count = threads;
    options.journal_path = journal;
    bench_check(icl_model_open(&model, path, &model_options));
    const size_t vocab_count = icl_model_get_info(model)->vocab_count;
    if (!reset_peak()) fprintf(stderr, "warning: the peak includes the model's loading\n");
    const double before = status_bytes("VmRSS");
    bench_check(icl_engine_open(&engine, model, &options));
    icl_batch *batch =
        which->chain_rows > 0 ? make_chain(which, vocab_count) : make_batch(which, vocab_count);
    bench_check(icl_engine_run(engine, batch));
    const icl_meter meter = icl_engine_get_meter(engine);
    const memory_result result = { .grown_bytes = status_bytes("VmHWM") - before,
                                   .stated_bytes = (double)meter.peak_bytes,
                                   .rows = (size_t)meter.logits_rows,
                                   .tokens = (size_t)meter.tokens_evaluated,
                                   .vocab_count = vocab_count };
    icl_batch_free(batch);
    icl_engine_close(engine);
    icl_model_close(model);
    unlink(journal);
    return result;
}

static memory_result run_apart(const char *path, int threads, const memory_case *which)
{
    int ends[2], ended;
    memory_result result;
    if (pipe(ends) != 0) exit(1);
    fflush(stdout);
    const pid_t child = fork();
    if (child == 0) {
        result = run_here(path, threads, which);
        _exit(write(ends[1], &result, sizeof result) == sizeof result ? 0 : 1);
    }
    close(ends[1]);
    const bool told = child > 0 && read(ends[0], &result, sizeof result) == sizeof result;
    close(ends[0]);
    if (!told || waitpid(child, &ended, 0) != child || ended != 0) exit(1);
    return result;
}

static void print_row(const char *name, const memory_result *r)
{
    const double mib = 1024 * 1024;
    printf("%-22s %7zu %5zu %10.1f %10.1f %7.3f", name, r->tokens, r->rows, r->grown_bytes / mib,
           r->stated_bytes / mib, r->stated_bytes / r->grown_bytes);
}

/* Measured growth over the first line's, in rows of the vocabulary's size for each row more: one in
 * the caller's buffer, and one more once rows are the largest intermediate result. */
static void print_row_table(const char *path, int threads)
{
    memory_result first = { 0 };
    for (size_t i = 0; i < sizeof row_counts / sizeof *row_counts; i++) {
        char name[64];
        const memory_case chain = { .chain_rows = row_counts[i] };
        const memory_result r = run_apart(path, threads, &chain);
        snprintf(name, sizeof name, "512 tokens, %zu rows", row_counts[i]);
        print_row(name, &r);
        if (i == 0) first = r;
        const double rows_more = (double)(r.rows - first.rows) * (double)r.vocab_count * 4;
        if (i > 0) printf("   %.2f", (r.grown_bytes - first.grown_bytes) / rows_more);
        printf("\n");
    }
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "usage: memory MODEL.gguf [THREADS]\n");
        return 2;
    }
    const int threads = (int)bench_number(argc, argv, 2, "ICL_THREADS", 2);
    printf("%s, %d threads\n%-22s %7s %5s %10s %10s %7s\n", bench_base_name(argv[1]), threads, "",
           "tokens", "rows", "grown MiB", "stated MiB", "ratio");
    double furthest = 1;
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        const memory_result r = run_apart(argv[1], threads, &shapes[i]);
        const double ratio = r.stated_bytes / r.grown_bytes;
        if (fabs(ratio - 1) > fabs(furthest - 1)) furthest = ratio;
        print_row(shapes[i].name, &r);
        printf("\n");
    }
    print_row_table(argv[1], threads);
    printf("{\"bench\": \"memory\", \"model\": \"%s\", \"threads\": %d, "
           "\"furthest_ratio\": %.3f}\n",
           bench_base_name(argv[1]), threads, furthest);
    return 0;
}
