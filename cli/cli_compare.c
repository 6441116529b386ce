/* icl compare: strategies against each other on the same queries and seeds. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <icl/compare.h>
#include <icl/report.h>

#include "cli.h"
#include "folder_job.h"

typedef struct compare_arguments {
    job_arguments job;
    folder_arguments folder;
    const char *strategies;
    size_t seeds, against; /* against 0: all pairs */
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
      .offset = offsetof(compare_arguments, folder.out),
      .value = "DIR",
      .help = "folder of the results (icl-out/compare, where an earlier one is replaced)" },
    { .name = "resume",
      .kind = ARG_FLAG,
      .offset = offsetof(compare_arguments, folder.resume),
      .help = "go on with the comparison in DIR; answered requests are not asked again" },
    { .name = "quiet",
      .kind = ARG_FLAG,
      .offset = offsetof(compare_arguments, folder.quiet),
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
    const compare_arguments *arguments;
    icl_task *tasks[ARG_OPERANDS_MAX];
    size_t task_count;
    folder_job folder;
    icl_compare *compare;
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

static icl_status prepare(void *of)
{
    compare_state *state = of;
    const icl_compare_options options = compare_options(state);
    return icl_compare_new(&state->compare, state->folder.setup.engine, &options);
}

static void say(void *of, const char *what)
{
    compare_state *state = of;
    folder_job_keep_answers(&state->folder);
    progress_say(&state->folder.progress, what);
}

static icl_status execute(void *of)
{
    compare_state *state = of;
    const icl_compare_progress progress = { .say = say, .user = state };
    const icl_status status = icl_compare_execute(state->compare, &progress);
    state->folder.meter.meter = icl_engine_get_meter(state->folder.setup.engine);
    return status;
}

static icl_status write_report(void *of)
{
    const compare_state *state = of;
    return icl_report_compare_write(state->compare, &state->folder.meter,
                                    state->folder.outdir.path);
}

static icl_status json(char **out, const void *of)
{
    const compare_state *state = of;
    return icl_report_compare_json(out, state->compare, &state->folder.meter);
}

static icl_status table(char **out, const void *of)
{
    const compare_state *state = of;
    return icl_report_compare_table(out, state->compare, &state->folder.meter);
}

static void print_files(const char *folder)
{
    printf("results    %s/compare.md\nreport     %s/report.html\n", folder, folder);
}

static void close_compare(void *of)
{
    compare_state *state = of;
    icl_compare_free(state->compare);
}

static const folder_steps steps = {
    .interrupted = "icl compare: interrupted; the same command with --resume goes on",
    .preparing = "reading strategies and data",
    .prepare = prepare,
    .execute = execute,
    .write = write_report,
    .json = json,
    .table = table,
    .print_files = print_files,
    .close = close_compare,
};

/* ---- tasks ---- */

static bool check_arguments(const compare_state *state, const arg_operands *operands)
{
    const job_arguments *job = &state->arguments->job;
    const char *first = operands->count > 0 ? operands->words[0] : NULL;
    if (!job_names_data(state->folder.verb, job, first)) return false;
    if (state->arguments->strategies == NULL) {
        cli_complain(state->folder.verb->name,
                     "--strategies FILE is missing: what is compared, a strategy a line?");
        return false;
    }
    if (operands->count > 1 && (job->train != NULL || job->test != NULL)) {
        cli_complain(state->folder.verb->name,
                     "--%s replaces a file of one task, and %zu tasks are named",
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
            job_open_task(&state->tasks[i], state->folder.verb, &state->arguments->job, operand);
        if (code != CLI_OK) return code;
        state->task_count++;
    }
    return CLI_OK;
}

static int compare_tasks(compare_state *state, const arg_operands *operands)
{
    if (!check_arguments(state, operands)) return CLI_REFUSED;
    const int code = open_tasks(state, operands);
    if (code != CLI_OK) return code;
    return folder_job_run(&state->folder, state->folder.verb->name, &steps, state);
}

static int run_compare(const cli_verb *verb, int count, char **words)
{
    compare_arguments arguments = { .job = job_arguments_default(), .seeds = 3 };
    int code = CLI_OK;
    arg_operands operands;
    if (!cli_start(verb, count, words, &arguments, &operands, &code)) return code;
    compare_state state = {
        .arguments = &arguments,
        .folder = { .verb = verb, .job = &arguments.job, .arguments = &arguments.folder }
    };
    code = compare_tasks(&state, &operands);
    for (size_t i = 0; i < state.task_count; i++) icl_task_free(state.tasks[i]);
    return code;
}

const cli_verb verb_compare = {
    .name = "compare",
    .summary = "compare strategies on the same queries and seeds",
    .arguments = "(TASK ... | --train FILE --test FILE) --strategies FILE ...",
    .details = details,
    .groups = { { specs, 0 },
                { data_specs, offsetof(compare_arguments, job) },
                { query_specs, offsetof(compare_arguments, job) },
                { setup_specs, offsetof(compare_arguments, job.setup) } },
    .operands_max = ARG_OPERANDS_MAX,
    .run = run_compare
};
