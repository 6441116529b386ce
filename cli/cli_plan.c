/* icl plan: what a run would ask and cost, without asking. */
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <icl/lines.h>
#include <icl/run.h>

#include "cli.h"
#include "interrupt.h"
#include "job.h"
#include "outfile.h"
#include "progress.h"

typedef struct plan_arguments {
    job_arguments job;
    const char *requests;
} plan_arguments;

static const arg_spec specs[] = {
    { .name = "requests",
      .kind = ARG_TEXT,
      .offset = offsetof(plan_arguments, requests),
      .value = "FILE",
      .help = "write every request as token ids, JSON lines; - is standard output" },
    { .name = NULL },
};

static const char details[] =
    "Shows the first query's prompt with a bar after every token, the tokens asked,\n"
    "in the trie and to evaluate, the memory and an estimate of the time. Nothing is\n"
    "evaluated but a short measurement of the plain prefill rate, which --no-eta\n"
    "leaves out, and what a selection method asks to choose demonstrations: prompts\n"
    "depend on it. icl score answers what --requests writes.";

/* Longest measurement of the prefill rate. */
static const double measure_seconds = 0.5;

typedef struct plan_state {
    const cli_verb *verb;
    const plan_arguments *arguments;
    icl_task *task;
    cli_setup setup;
    icl_run *run;
    icl_plan *plan;
    cli_progress progress;
    icl_meter selection; /* what choosing demonstrations has asked */
    uint64_t peak_bytes; /* of the run, weights excluded */
    double prefill_rate; /* tokens a second; 0: not measured */
} plan_state;

static uint64_t cache_bytes(const plan_state *state)
{
    const icl_plan_stats *stats = icl_plan_get_stats(state->plan);
    return stats->cells_peak * icl_model_get_info(state->setup.model)->bytes_per_cell;
}

/* Weights are mapped from the file. */
static uint64_t weights_bytes(const plan_state *state)
{
    struct stat info;
    const char *path = icl_model_get_info(state->setup.model)->path;
    return stat(path, &info) == 0 ? (uint64_t)info.st_size : 0;
}

static double estimated_seconds(const plan_state *state)
{
    const icl_plan_stats *stats = icl_plan_get_stats(state->plan);
    return state->prefill_rate > 0 ? (double)stats->tokens_evaluated / state->prefill_rate : 0;
}

/* ---- output ---- */

static int write_requests(plan_state *state, const char *path)
{
    cli_outfile file = { .stream = NULL };
    if (!outfile_open(&file, state->verb, path)) return CLI_FAILED;
    const icl_status status = icl_lines_write_requests(state->run, file.stream);
    if (!outfile_close(&file, state->verb, status == ICL_OK)) return CLI_FAILED;
    if (status == ICL_OK) return CLI_OK;
    cli_complain(state->verb->name, "\"%s\": %s", path, icl_error_message());
    return CLI_FAILED;
}

static json_t *plan_object(const plan_state *state)
{
    const icl_plan_stats *stats = icl_plan_get_stats(state->plan);
    const icl_run_summary *summary = icl_run_get_summary(state->run);
    const struct {
        const char *name, *value;
    } texts[] = { { "task", summary->task },
                  { "strategy", summary->strategy },
                  { "model", summary->model },
                  { "spec_hash", summary->spec_hash } };
    const struct {
        const char *name;
        uint64_t value;
    } counts[] = { { "n", summary->query_count },
                   { "pool_repeats", summary->pool_repeats },
                   { "pool_relabelled", summary->pool_relabelled },
                   { "queries_undecided", summary->queries_undecided },
                   { "requests", stats->request_count },
                   { "tokens_asked", stats->tokens_asked },
                   { "tokens_trie", stats->tokens_trie },
                   { "tokens_evaluated", stats->tokens_evaluated },
                   { "logits_rows", stats->logits_rows },
                   { "calls", stats->calls },
                   { "waves", stats->waves },
                   { "depth_max", stats->depth_max },
                   { "weights_bytes", weights_bytes(state) },
                   { "cache_bytes", cache_bytes(state) },
                   { "peak_bytes", state->peak_bytes },
                   { "selection_requests", state->selection.requests },
                   { "selection_tokens_evaluated", state->selection.tokens_evaluated } };
    json_t *object = json_object();
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        json_object_set_new(object, texts[i].name, json_string(texts[i].value));
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++)
        json_object_set_new(object, counts[i].name, json_integer((json_int_t)counts[i].value));
    if (state->prefill_rate > 0) {
        json_object_set_new(object, "prefill_tokens_per_second", json_real(state->prefill_rate));
        json_object_set_new(object, "seconds_estimated", json_real(estimated_seconds(state)));
    }
    return object;
}

static void print_json(const plan_state *state)
{
    json_t *object = plan_object(state);
    json_dumpf(object, stdout,
               JSON_REAL_PRECISION(17)); /* a failure shows when output is flushed */
    putchar('\n');
    json_decref(object);
}

static icl_status print_prompt(const plan_state *state)
{
    char *prompt = NULL;
    const icl_status status = icl_run_show_prompt(&prompt, state->run, 0);
    if (status != ICL_OK) return status;
    printf("%s\n", prompt);
    free(prompt);
    return ICL_OK;
}

static void print_counts(const plan_state *state)
{
    const icl_plan_stats *stats = icl_plan_get_stats(state->plan);
    const icl_run_summary *summary = icl_run_get_summary(state->run);
    const double mib = 1024.0 * 1024.0;
    const double saving =
        stats->tokens_trie > 0 ? (double)stats->tokens_asked / (double)stats->tokens_trie : 1;
    printf("task            %s, %zu queries, %zu labels\n", summary->task, summary->query_count,
           summary->label_count);
    printf("model           %s\n", summary->model);
    printf("strategy        %s\n", summary->strategy);
    if (state->selection.requests > 0)
        printf("selection asked %" PRIu64 " requests, %" PRIu64 " tokens evaluated in %.1f s\n",
               state->selection.requests, state->selection.tokens_evaluated,
               state->selection.seconds);
    printf("requests        %zu\n", stats->request_count);
    printf("tokens asked    %" PRIu64 "\n", stats->tokens_asked);
    printf("  in the trie   %" PRIu64 ", %.1f times fewer\n", stats->tokens_trie, saving);
    printf("  to evaluate   %" PRIu64 " in %zu calls, %zu waves, longest path %zu\n",
           stats->tokens_evaluated, stats->calls, stats->waves, stats->depth_max);
    printf("memory          %.1f MiB weights, %.1f MiB for the run (cache %.1f MiB)\n",
           (double)weights_bytes(state) / mib, (double)state->peak_bytes / mib,
           (double)cache_bytes(state) / mib);
    if (state->prefill_rate > 0)
        printf("time            about %.1f s (estimate, at %.0f tokens/s)\n",
               estimated_seconds(state), state->prefill_rate);
}

/* ---- the work ---- */

static icl_status prepare(plan_state *state)
{
    const job_arguments *job = &state->arguments->job;
    const icl_run_options options = job_run_options(job, state->task);
    state->progress = progress_begin(!job->json);
    icl_status status = setup_open(&state->setup, &job->setup, NULL, &state->progress);
    progress_say(&state->progress, "reading the data and choosing demonstrations");
    if (status == ICL_OK) status = icl_run_new(&state->run, state->setup.engine, &options);
    progress_clear(&state->progress);
    if (status != ICL_OK) return status;
    if (!job->json) job_tell_chance(state->verb, state->run);
    state->selection = icl_engine_get_meter(state->setup.engine);
    const icl_plan_limits limits = icl_engine_limits(state->setup.engine);
    status = icl_plan_new(&state->plan, icl_run_batch(state->run), &limits);
    if (status != ICL_OK) return status;
    return icl_engine_plan_bytes(state->setup.engine, state->plan, &state->peak_bytes);
}

static icl_status estimate(plan_state *state)
{
    const icl_plan_stats *stats = icl_plan_get_stats(state->plan);
    if (state->arguments->job.no_eta) return ICL_OK;
    return job_measure_prefill(&state->prefill_rate, state->setup.engine, stats->tokens_evaluated,
                               stats->visible_cells, stats->calls, measure_seconds);
}

static int print_plan(plan_state *state)
{
    const icl_status status = estimate(state);
    if (status != ICL_OK) return cli_fail(state->verb, status, true);
    if (state->arguments->job.json) {
        print_json(state);
        return CLI_OK;
    }
    const icl_status shown = print_prompt(state);
    if (shown != ICL_OK) return cli_fail(state->verb, shown, true);
    print_counts(state);
    return CLI_OK;
}

static int plan(plan_state *state)
{
    const char *requests = state->arguments->requests;
    int code = CLI_OK;
    const icl_status status = prepare(state);
    if (status != ICL_OK) return cli_fail(state->verb, status, false);
    if (requests != NULL) code = write_requests(state, requests);
    /* Requests on standard output are for another program: nothing else may stand there. */
    const bool silent = requests != NULL && strcmp(requests, "-") == 0;
    if (code == CLI_OK && !silent) code = print_plan(state);
    return code != CLI_OK ? code : cli_finish_output(state->verb);
}

static int run_plan(const cli_verb *verb, int count, char **words)
{
    plan_arguments arguments = { .job = job_arguments_default() };
    int code = CLI_OK;
    arg_operands operands;
    if (!cli_start(verb, count, words, &arguments, &operands, &code)) return code;
    const char *operand = operands.count > 0 ? operands.words[0] : NULL;
    if (!job_names_data(verb, &arguments.job, operand)) return CLI_REFUSED;
    interrupt_install("icl plan: interrupted");
    plan_state state = { .verb = verb, .arguments = &arguments };
    code = job_open_task(&state.task, verb, &arguments.job, operand);
    if (code == CLI_OK) code = plan(&state);
    icl_plan_free(state.plan);
    icl_run_free(state.run);
    setup_close(&state.setup);
    icl_task_free(state.task);
    return code;
}

const cli_verb verb_plan = { .name = "plan",
                             .summary = "show what a run would ask and cost, without asking",
                             .arguments = "(TASK | --train FILE --test FILE) [OPTION ...]",
                             .details = details,
                             .groups = { { data_specs, offsetof(plan_arguments, job) },
                                         { query_specs, offsetof(plan_arguments, job) },
                                         { job_specs, offsetof(plan_arguments, job) },
                                         { setup_specs, offsetof(plan_arguments, job.setup) },
                                         { specs, 0 } },
                             .operands_max = 1,
                             .run = run_plan };
