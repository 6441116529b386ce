/* icl run: predictions for the queries of a task, with metrics, intervals and the meter. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <icl/report.h>
#include <icl/run.h>

#include "cli.h"
#include "folder_job.h"
#include "interrupt.h"

typedef struct run_arguments {
    job_arguments job;
    folder_arguments folder;
    bool show_prompt;
} run_arguments;

static const arg_spec specs[] = {
    { .name = "out",
      .kind = ARG_TEXT,
      .offset = offsetof(run_arguments, folder.out),
      .value = "DIR",
      .help = "folder of the results (icl-out/TASK, where an earlier run is replaced)" },
    { .name = "resume",
      .kind = ARG_FLAG,
      .offset = offsetof(run_arguments, folder.resume),
      .help = "go on with the run in DIR; answered requests are not asked again" },
    { .name = "quiet",
      .kind = ARG_FLAG,
      .offset = offsetof(run_arguments, folder.quiet),
      .help = "no progress and no table" },
    { .name = "show-prompt",
      .kind = ARG_FLAG,
      .offset = offsetof(run_arguments, show_prompt),
      .help = "first print the prompt of the first query, a bar after every token" },
    { .name = NULL },
};

static const char details[] =
    "TASK is one of \"icl tasks\" or a task file; --train and --test do without.\n"
    "DIR receives report.html, results.json, samples.jsonl, meter.json and\n"
    "journal.sqlite.";

typedef struct run_state {
    const run_arguments *arguments;
    icl_task *task;
    folder_job folder;
    icl_run *run;
} run_state;

static icl_status show_prompt(const run_state *state)
{
    char *text = NULL;
    const icl_status status = icl_run_show_prompt(&text, state->run, 0);
    if (status != ICL_OK) return status;
    fprintf(state->arguments->job.json ? stderr : stdout, "%s\n", text);
    free(text);
    return ICL_OK;
}

static icl_status prepare(void *of)
{
    run_state *state = of;
    folder_job *folder = &state->folder;
    const icl_run_options options = job_run_options(&state->arguments->job, state->task);
    interrupt_watch(folder->setup.model);
    const icl_status status = icl_run_new(&state->run, folder->setup.engine, &options);
    interrupt_watch(NULL);
    folder_job_keep_answers(folder); /* of a method that asks the model to choose demonstrations */
    progress_clear(&folder->progress);
    return status == ICL_OK && state->arguments->show_prompt ? show_prompt(state) : status;
}

/* A tenth of the run's time, within these bounds. */
static icl_status measure(run_state *state)
{
    static const double seconds_min = 0.2, seconds_max = 2;
    icl_engine *engine = state->folder.setup.engine;
    icl_report_meter *report = &state->folder.meter;
    const icl_meter *meter = &report->meter;
    report->meter = icl_engine_get_meter(engine);
    if (state->arguments->job.no_eta) return ICL_OK;
    double seconds = meter->seconds * 0.1;
    if (seconds < seconds_min) seconds = seconds_min;
    if (seconds > seconds_max) seconds = seconds_max;
    return job_measure_prefill(&report->prefill_tokens_per_second, engine, meter->tokens_evaluated,
                               meter->visible_cells, meter->calls, seconds);
}

static icl_status execute(void *of)
{
    run_state *state = of;
    outdir_begin(&state->folder.outdir);
    icl_status status = icl_run_execute(state->run);
    const bool complete = status == ICL_OK;
    progress_clear(&state->folder.progress);
    if (complete) status = measure(state);
    /* All answers are there: a measurement cut short only leaves eta_machine unknown. */
    return status == ICL_ECANCELLED && complete ? ICL_OK : status;
}

static icl_status write_report(void *of)
{
    const run_state *state = of;
    return icl_report_write(state->run, &state->folder.meter, state->folder.outdir.path);
}

static icl_status json(char **out, const void *of)
{
    const run_state *state = of;
    return icl_report_json(out, state->run, &state->folder.meter);
}

static icl_status table(char **out, const void *of)
{
    const run_state *state = of;
    job_tell_chance(state->folder.verb, state->run);
    return icl_report_table(out, state->run, &state->folder.meter);
}

static void print_files(const char *folder)
{
    printf("\nresults  %s/results.json\nsamples  %s/samples.jsonl\nreport   %s/report.html\n",
           folder, folder, folder);
}

static void close_run(void *of)
{
    run_state *state = of;
    icl_run_free(state->run);
}

static const folder_steps steps = {
    .interrupted = "icl run: interrupted; the same command with --resume goes on",
    .preparing = "reading the data and choosing demonstrations",
    .prepare = prepare,
    .execute = execute,
    .write = write_report,
    .json = json,
    .table = table,
    .print_files = print_files,
    .close = close_run,
};

static int run_task(run_state *state, const char *operand)
{
    int code = job_open_task(&state->task, state->folder.verb, &state->arguments->job, operand);
    if (code != CLI_OK) return code;
    code = folder_job_run(&state->folder, icl_task_text(state->task, ICL_TASK_NAME), &steps, state);
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
    run_state state = { .arguments = &arguments,
                        .folder = {
                            .verb = verb, .job = &arguments.job, .arguments = &arguments.folder } };
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
