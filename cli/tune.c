#include "tune.h"

#include <stdio.h>
#include <stdlib.h>

#include <icl/sys/program.h>

#include "cli.h"
#include "setup.h"
#include "tuned.h"

static const size_t call_sizes[] = { 64, 128, 256, 512, 1024 };
enum { CALL_SIZE_COUNT = sizeof call_sizes / sizeof call_sizes[0] };

static const double measure_seconds = 0.3, sgemm_seconds = 0.4;
static const size_t visible_cells = 256; /* of an ordinary prompt with demonstrations */

typedef struct tuner {
    const char *model_path;
    int threads;
    double sgemm_rate; /* operations a second with `threads` */
    cli_tuned best[2]; /* by icl_kv_type */
    char identity[33];
    char path[4096];
} tuner;

/* Operations of the weight matrices on one token; the table of token vectors is only looked up. */
static double flops_per_token(const icl_model_info *info)
{
    const double table = (double)info->vocab_count * (double)info->embedding_size;
    const double weights = (double)info->parameter_count - table;
    return 2 * (weights > 0 ? weights : 0);
}

static void keep_best(cli_tuned *best, size_t threads, size_t call_tokens, double rate)
{
    if (rate > best->tokens_per_second)
        *best = (cli_tuned){ .threads = threads,
                             .call_tokens = call_tokens,
                             .tokens_per_second = rate };
}

static icl_status measure_setting(tuner *self, icl_kv_type kv_type, size_t call_tokens)
{
    setup_arguments arguments = setup_arguments_default();
    arguments.model = self->model_path;
    arguments.threads = (size_t)self->threads;
    arguments.kv_type = (int)kv_type;
    arguments.call_tokens = call_tokens;
    cli_setup setup = { 0 };
    double rate = 0;
    icl_status status = setup_open(&setup, &arguments, NULL, NULL);
    if (status == ICL_OK)
        status = icl_engine_measure_prefill(setup.engine, call_tokens, visible_cells,
                                            measure_seconds, &rate);
    if (status == ICL_OK) {
        const icl_model_info *info = icl_model_get_info(setup.model);
        snprintf(self->identity, sizeof self->identity, "%s", info->identity);
        snprintf(self->path, sizeof self->path, "%s", info->path);
        printf("%7d  %-4s %11zu  %10.0f  %9.0f %%\n", self->threads, setup_kv_names[kv_type],
               call_tokens, rate, 100 * rate * flops_per_token(info) / self->sgemm_rate);
        fflush(stdout);
        keep_best(&self->best[kv_type], (size_t)self->threads, call_tokens, rate);
    }
    setup_close(&setup);
    return status;
}

static icl_status measure_threads(tuner *self)
{
    icl_status status = icl_program_measure_sgemm(&self->sgemm_rate, self->threads, sgemm_seconds);
    for (int kv = ICL_KV_F32; kv <= ICL_KV_F16 && status == ICL_OK; kv++)
        for (size_t c = 0; c < CALL_SIZE_COUNT && status == ICL_OK; c++)
            status = measure_setting(self, (icl_kv_type)kv, call_sizes[c]);
    return status;
}

/* Cache precision changes answers, so only f32 settings are remembered; and a thread for every free
 * core is remembered as just that, for another day may leave more of them free. */
static int remember(const cli_verb *verb, const tuner *self, int cores)
{
    const cli_tuned *best = &self->best[ICL_KV_F32], *half = &self->best[ICL_KV_F16];
    cli_tuned kept = *best;
    if (best->threads == (size_t)cores) kept.threads = 0;
    char *path = NULL;
    const icl_status status = tuned_save(self->identity, self->path, &kept, &path);
    if (status != ICL_OK) return cli_fail(verb, status, true);
    printf("\nfastest: %zu thread%s, calls of %zu tokens, %.0f tokens/s\n", best->threads,
           best->threads == 1 ? "" : "s", best->call_tokens, best->tokens_per_second);
    printf("--kv f16 would be %.2f times as fast; it is never chosen unasked\n",
           half->tokens_per_second / best->tokens_per_second);
    printf("remembered in %s\n", path);
    free(path);
    return cli_finish_output(verb);
}

int tune_model(const cli_verb *verb, const char *model_path)
{
    tuner self = { .model_path = model_path };
    const int cores = icl_program_free_cores();
    icl_status status = ICL_OK;
    printf("threads  kv   call tokens    tokens/s  of sgemm\n");
    for (self.threads = 1; self.threads <= cores && status == ICL_OK; self.threads++)
        status = measure_threads(&self);
    return status == ICL_OK ? remember(verb, &self, cores) : cli_fail(verb, status, false);
}
