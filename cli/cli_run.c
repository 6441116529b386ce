/* icl run: predictions for the queries of a task, with metrics, intervals and the meter. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <icl/report.h>
#include <icl/run.h>

#include "cli.h"
#include "interrupt.h"
#include "job.h"
#include "outdir.h"
#include "progress.h"

typedef struct run_arguments {
    job_arguments job;
    const char *out;
    bool resume, quiet, show_prompt;
} run_arguments;

static const arg_spec specs[] = {
    { .name = "out",
      .kind = ARG_TEXT,
      .offset = offsetof(run_arguments, out),
      .value = "DIR",
      .help = "folder of the results (icl-out/TASK, where an earlier run is replaced)" },
    { .name = "resume",
      .kind = ARG_FLAG,
      .offset = offsetof(run_arguments, resume),
      .help = "go on with the run in DIR; answered requests are not asked again" },
    { .name = "quiet",
      .kind = ARG_FLAG,
      .offset = offsetof(run_arguments, quiet),
      .help = "no progress and no table" },
    { .name = "show-prompt",
      .kind = ARG_FLAG,
      .offset = offsetof(run_arguments, show_prompt),
      .help = "first print the prompt of the first query, a bar after every token" },
    { .name = NULL },
};

static const char details[] =
    "TASK is one of \"icl tasks\" or a task file; --train and --test do without.\n"
    "DIR receives report.html, results.json, samples.jsonl, meter.json and journal.sqlite.";

typedef struct run_state {
    const cli_verb *verb;
    const run_arguments *arguments;
    icl_task *task;
    cli_outdir outdir;
    cli_setup setup;
    icl_run *run;
    cli_progress progress;
    icl_report_meter meter;
    bool complete; /* the model has answered everything */
} run_state;

static icl_status show_prompt(run_state *state)
{
    char *text = NULL;
    const icl_status status = icl_run_show_prompt(&text, state->run, 0);
    if (status != ICL_OK) return status;
    fprintf(state->arguments->job.json ? stderr : stdout, "%s\n", text);
    free(text);
    return ICL_OK;
}

static icl_status prepare(run_state *state)
{
    const icl_run_options options = job_run_options(&state->arguments->job, state->task);
    const bool silent = state->arguments->quiet || state->arguments->job.json;
    state->progress = progress_begin(!silent);
    progress_say(&state->progress, "loading the model");
    icl_status status =
        outdir_open_engine(&state->outdir, &state->setup, &state->arguments->job.setup,
                           state->arguments->resume, &state->progress);
    progress_say(&state->progress, "reading the data and choosing demonstrations");
    if (status == ICL_OK) {
        interrupt_watch(state->setup.model);
        status = icl_run_new(&state->run, state->setup.engine, &options);
        interrupt_watch(NULL);
        /* A method that asks the model to choose demonstrations has answers to keep. */
        if (icl_engine_get_meter(state->setup.engine).requests > 0) outdir_begin(&state->outdir);
    }
    progress_clear(&state->progress);
    if (status == ICL_OK && state->arguments->show_prompt) status = show_prompt(state);
    return status;
}

/* A tenth of the run's time, within these bounds. */
static icl_status measure(run_state *state)
{
    static const double seconds_min = 0.2, seconds_max = 2;
    const icl_meter *meter = &state->meter.meter;
    state->meter.meter = icl_engine_get_meter(state->setup.engine);
    if (state->arguments->job.no_eta) return ICL_OK;
    double seconds = meter->seconds * 0.1;
    if (seconds < seconds_min) seconds = seconds_min;
    if (seconds > seconds_max) seconds = seconds_max;
    return job_measure_prefill(&state->meter.prefill_tokens_per_second, state->setup.engine,
                               meter->tokens_evaluated, meter->visible_cells, meter->calls,
                               seconds);
}

static icl_status execute(run_state *state)
{
    outdir_begin(&state->outdir);
    interrupt_watch(state->setup.model);
    icl_status status = icl_run_execute(state->run);
    state->complete = status == ICL_OK;
    progress_clear(&state->progress);
    if (status == ICL_OK) status = measure(state);
    /* All answers are there: a measurement cut short only leaves eta_machine unknown. */
    if (status == ICL_ECANCELLED && state->complete) status = ICL_OK;
    interrupt_watch(NULL);
    if (status == ICL_OK) status = icl_report_write(state->run, &state->meter, state->outdir.path);
    return status;
}

static icl_status print_results(const run_state *state)
{
    char *text = NULL;
    const bool json = state->arguments->job.json;
    if (!json && state->arguments->quiet) return ICL_OK;
    if (!json) job_tell_chance(state->verb, state->run);
    const icl_status status = json ? icl_report_json(&text, state->run, &state->meter)
                                   : icl_report_table(&text, state->run, &state->meter);
    if (status != ICL_OK) return status;
    fputs(text, stdout);
    if (json)
        putchar('\n');
    else
        printf("\nresults  %s/results.json\nsamples  %s/samples.jsonl\nreport   %s/report.html\n",
               state->outdir.path, state->outdir.path, state->outdir.path);
    free(text);
    return ICL_OK;
}

static int run_in_folder(run_state *state)
{
    icl_status status = prepare(state);
    if (status == ICL_ECANCELLED) return outdir_interrupted(&state->outdir, state->verb);
    if (status != ICL_OK) return cli_fail(state->verb, status, false);
    status = execute(state);
    if (status == ICL_ECANCELLED) return outdir_interrupted(&state->outdir, state->verb);
    if (status == ICL_OK) status = print_results(state);
    if (status != ICL_OK) return cli_fail(state->verb, status, true);
    return cli_finish_output(state->verb);
}

static int run_task(run_state *state, const char *operand)
{
    int code = job_open_task(&state->task, state->verb, &state->arguments->job, operand);
    if (code != CLI_OK) return code;
    code = CLI_REFUSED;
    interrupt_install("icl run: interrupted; the same command with --resume goes on");
    if (outdir_open(&state->outdir, state->verb, state->arguments->out,
                    icl_task_text(state->task, ICL_TASK_NAME), state->arguments->resume))
        code = run_in_folder(state);
    icl_run_free(state->run);
    setup_close(&state->setup);
    outdir_close(&state->outdir);
    icl_task_free(state->task);
    return code;
}

static int run_run(const cli_verb *verb, int count, char **words)
{
    run_arguments arguments = { .job = job_arguments_default() };
    int code = CLI_OK;
    arg_operands operands;
    if (!cli_start(verb, count, words, &arguments, &operands, &code)) return code;
    const char *operand = operands.count > 0 ? operands.words[0] : NULL;
    if (!job_names_data(verb, &arguments.job, operand)) return CLI_REFUSED;
    run_state state = { .verb = verb, .arguments = &arguments };
    return run_task(&state, operand);
}

const cli_verb verb_run = { .name = "run",
                            .summary = "predict the queries of a task and judge the predictions",
                            .arguments = "(TASK | --train FILE --test FILE) [OPTION ...]",
                            .details = details,
                            .groups = { { data_specs, offsetof(run_arguments, job) },
                                        { query_specs, offsetof(run_arguments, job) },
                                        { job_specs, offsetof(run_arguments, job) },
                                        { setup_specs, offsetof(run_arguments, job.setup) },
                                        { specs, 0 } },
                            .operands_max = 1,
                            .run = run_run };
