/* icl compare: strategies against each other on the same queries and seeds. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <icl/compare.h>
#include <icl/report.h>

#include "cli.h"
#include "interrupt.h"
#include "job.h"
#include "outdir.h"
#include "progress.h"

typedef struct compare_arguments {
    job_arguments job;
    const char *strategies, *out;
    size_t seeds, against; /* against 0: all pairs */
    bool resume, quiet;
} compare_arguments;

static const arg_spec specs[] = {
    { .name = "strategies",
      .kind = ARG_TEXT,
      .offset = offsetof(compare_arguments, strategies),
      .value = "FILE",
      .help = "a strategy a line; {a|b} are alternatives, # begins a comment" },
    { .name = "seeds",
      .kind = ARG_SIZE,
      .offset = offsetof(compare_arguments, seeds),
      .value = "N",
      .minimum = 1,
      .maximum = 1000,
      .help = "so many seeds, beginning with --seed (3)" },
    { .name = "against",
      .kind = ARG_SIZE,
      .offset = offsetof(compare_arguments, against),
      .value = "N",
      .minimum = 1,
      .help = "compare all others with the N-th strategy (every pair)" },
    { .name = "out",
      .kind = ARG_TEXT,
      .offset = offsetof(compare_arguments, out),
      .value = "DIR",
      .help = "folder of the results (icl-out/compare, where an earlier one is replaced)" },
    { .name = "resume",
      .kind = ARG_FLAG,
      .offset = offsetof(compare_arguments, resume),
      .help = "go on with the comparison in DIR; answered requests are not asked again" },
    { .name = "quiet",
      .kind = ARG_FLAG,
      .offset = offsetof(compare_arguments, quiet),
      .help = "no progress and no table" },
    { .name = NULL },
};

static const char details[] =
    "All strategies see the same queries and share what their prompts have in common.\n"
    "Intervals are bootstrapped over queries and seeds, differences are paired; p is\n"
    "McNemar's exact test, with Holm's correction for all pairs of a task.\n"
    "DIR receives report.html, compare.json, compare.md, compare.svg, meter.json and\n"
    "journal.sqlite.";

typedef struct compare_state {
    const cli_verb *verb;
    const compare_arguments *arguments;
    icl_task *tasks[ARG_OPERANDS_MAX];
    size_t task_count;
    cli_outdir outdir;
    cli_setup setup;
    icl_compare *compare;
    cli_progress progress;
    icl_report_meter meter;
} compare_state;

static icl_compare_options compare_options(const compare_state *state)
{
    const compare_arguments *arguments = state->arguments;
    icl_compare_options options = icl_compare_options_default();
    options.tasks = (const icl_task *const *)state->tasks;
    options.task_count = state->task_count;
    options.strategies_path = arguments->strategies;
    options.seed_count = arguments->seeds;
    if (arguments->against > 0) options.against = arguments->against - 1;
    options.run = job_run_options(&arguments->job, NULL);
    return options;
}

static icl_status prepare(compare_state *state)
{
    const icl_compare_options options = compare_options(state);
    const bool silent = state->arguments->quiet || state->arguments->job.json;
    state->progress = progress_begin(!silent);
    progress_say(&state->progress, "loading the model");
    icl_status status =
        outdir_open_engine(&state->outdir, &state->setup, &state->arguments->job.setup,
                           state->arguments->resume, &state->progress);
    progress_say(&state->progress, "reading strategies and data");
    if (status == ICL_OK) status = icl_compare_new(&state->compare, state->setup.engine, &options);
    progress_clear(&state->progress);
    return status;
}

/* Answers are worth keeping. */
static void begin_when_asked(compare_state *state)
{
    const icl_meter meter = icl_engine_get_meter(state->setup.engine);
    if (meter.requests + meter.requests_cached > 0) outdir_begin(&state->outdir);
}

static void say(void *user, const char *what)
{
    compare_state *state = user;
    begin_when_asked(state);
    progress_say(&state->progress, what);
}

static icl_status execute(compare_state *state)
{
    const icl_compare_progress progress = { .say = say, .user = state };
    interrupt_watch(state->setup.model);
    icl_status status = icl_compare_execute(state->compare, &progress);
    interrupt_watch(NULL);
    progress_clear(&state->progress);
    begin_when_asked(state);
    state->meter.meter = icl_engine_get_meter(state->setup.engine);
    if (status == ICL_OK)
        status = icl_report_compare_write(state->compare, &state->meter, state->outdir.path);
    return status;
}

static icl_status print_results(const compare_state *state)
{
    char *text = NULL;
    const bool json = state->arguments->job.json;
    if (!json && state->arguments->quiet) return ICL_OK;
    const icl_status status = json ? icl_report_compare_json(&text, state->compare, &state->meter)
                                   : icl_report_compare_table(&text, state->compare, &state->meter);
    if (status != ICL_OK) return status;
    fputs(text, stdout);
    if (json)
        putchar('\n');
    else
        printf("results    %s/compare.md\nreport     %s/report.html\n", state->outdir.path,
               state->outdir.path);
    free(text);
    return ICL_OK;
}

static int compare_in_folder(compare_state *state)
{
    icl_status status = prepare(state);
    if (status != ICL_OK) return cli_fail(state->verb, status, false);
    status = execute(state);
    if (status == ICL_ECANCELLED) return outdir_interrupted(&state->outdir, state->verb);
    if (status == ICL_OK) status = print_results(state);
    if (status != ICL_OK) return cli_fail(state->verb, status, true);
    return cli_finish_output(state->verb);
}

/* ---- tasks ---- */

static bool check_arguments(const compare_state *state, const arg_operands *operands)
{
    const job_arguments *job = &state->arguments->job;
    const char *first = operands->count > 0 ? operands->words[0] : NULL;
    if (!job_names_data(state->verb, job, first)) return false;
    if (state->arguments->strategies == NULL) {
        cli_complain(state->verb->name,
                     "--strategies FILE is missing: what is compared, a strategy a line?");
        return false;
    }
    if (operands->count > 1 && (job->train != NULL || job->test != NULL)) {
        cli_complain(state->verb->name, "--%s replaces a file of one task, and %zu tasks are named",
                     job->train != NULL ? "train" : "test", operands->count);
        return false;
    }
    return true;
}

static int open_tasks(compare_state *state, const arg_operands *operands)
{
    const size_t count = operands->count > 0 ? operands->count : 1;
    for (size_t i = 0; i < count; i++) {
        const char *operand = operands->count > 0 ? operands->words[i] : NULL;
        const int code =
            job_open_task(&state->tasks[i], state->verb, &state->arguments->job, operand);
        if (code != CLI_OK) return code;
        state->task_count++;
    }
    return CLI_OK;
}

static int compare_tasks(compare_state *state, const arg_operands *operands)
{
    if (!check_arguments(state, operands)) return CLI_REFUSED;
    int code = open_tasks(state, operands);
    if (code != CLI_OK) return code;
    code = CLI_REFUSED;
    interrupt_install("icl compare: interrupted; the same command with --resume goes on");
    if (outdir_open(&state->outdir, state->verb, state->arguments->out, state->verb->name,
                    state->arguments->resume))
        code = compare_in_folder(state);
    icl_compare_free(state->compare);
    setup_close(&state->setup);
    outdir_close(&state->outdir);
    return code;
}

static int run_compare(const cli_verb *verb, int count, char **words)
{
    compare_arguments arguments = { .job = job_arguments_default(), .seeds = 3 };
    int code = CLI_OK;
    arg_operands operands;
    if (!cli_start(verb, count, words, &arguments, &operands, &code)) return code;
    compare_state state = { .verb = verb, .arguments = &arguments };
    code = compare_tasks(&state, &operands);
    for (size_t i = 0; i < state.task_count; i++) icl_task_free(state.tasks[i]);
    return code;
}

const cli_verb verb_compare = {
    .name = "compare",
    .summary = "compare strategies on the same queries and seeds",
    .arguments = "(TASK ... | --train FILE --test FILE) --strategies FILE [OPTION ...]",
    .details = details,
    .groups = { { specs, 0 },
                { data_specs, offsetof(compare_arguments, job) },
                { query_specs, offsetof(compare_arguments, job) },
                { setup_specs, offsetof(compare_arguments, job.setup) } },
    .operands_max = ARG_OPERANDS_MAX,
    .run = run_compare
};
