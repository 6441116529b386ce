/* icl search: the best strategy for one's own data. */
#include <stdio.h>
#include <stdlib.h>

#include <icl/report.h>
#include <icl/search.h>

#include "board.h"
#include "cli.h"
#include "interrupt.h"
#include "job.h"
#include "outdir.h"
#include "progress.h"

typedef struct search_arguments {
    job_arguments job;
    const char *space, *out;
    size_t budget, validation;
    bool resume, quiet;
} search_arguments;

static const arg_spec specs[] = {
    { .name = "budget",
      .kind = ARG_SIZE,
      .offset = offsetof(search_arguments, budget),
      .value = "TOKENS",
      .minimum = 1,
      .help = "tokens of the trie that the model may be asked, never exceeded (1000000)" },
    { .name = "space",
      .kind = ARG_TEXT,
      .offset = offsetof(search_arguments, space),
      .value = "FILE",
      .help = "a strategy a line; {a|b} are alternatives, # begins a comment (a built-in one)" },
    { .name = "validation",
      .kind = ARG_SIZE,
      .offset = offsetof(search_arguments, validation),
      .value = "N",
      .minimum = 2,
      .help = "queries drawn from the training file (half of it, 1000 at most)" },
    { .name = "out",
      .kind = ARG_TEXT,
      .offset = offsetof(search_arguments, out),
      .value = "DIR",
      .help = "folder of the results (icl-out/search-TASK, where an earlier one is replaced)" },
    { .name = "resume",
      .kind = ARG_FLAG,
      .offset = offsetof(search_arguments, resume),
      .help = "go on with the search in DIR; answered requests are not asked again" },
    { .name = "quiet",
      .kind = ARG_FLAG,
      .offset = offsetof(search_arguments, quiet),
      .help = "no leaderboard and no table" },
    { .name = NULL },
};

static const char details[] =
    "Queries are drawn from the training file, the rest of it is the pool; the test file\n"
    "is never opened. All strategies are asked a few queries, those that are behind are\n"
    "dropped, the others are asked more, until one is left, the queries are used up or\n"
    "the budget is. The last line is the strategy for icl run --strategy.\n"
    "DIR receives report.html, search.json, leaderboard.md, meter.json and journal.sqlite.";

typedef struct search_state {
    const cli_verb *verb;
    const search_arguments *arguments;
    icl_task *task;
    cli_outdir outdir;
    cli_setup setup;
    icl_search *search;
    cli_progress progress;
    cli_board board;
    icl_report_meter meter;
} search_state;

static icl_search_options search_options(const search_state *state)
{
    const search_arguments *arguments = state->arguments;
    icl_search_options options = icl_search_options_default();
    options.space_path = arguments->space;
    options.budget_tokens = arguments->budget;
    options.validation_max = arguments->validation;
    options.run = job_run_options(&arguments->job, state->task);
    return options;
}

static icl_status prepare(search_state *state)
{
    const icl_search_options options = search_options(state);
    const bool silent = state->arguments->quiet || state->arguments->job.json;
    state->progress = progress_begin(!silent);
    state->board = board_begin(!silent, &state->progress);
    progress_say(&state->progress, "loading the model");
    icl_status status =
        outdir_open_engine(&state->outdir, &state->setup, &state->arguments->job.setup,
                           state->arguments->resume, &state->progress);
    progress_say(&state->progress, "reading strategies and data");
    if (status == ICL_OK) status = icl_search_new(&state->search, state->setup.engine, &options);
    progress_clear(&state->progress);
    return status;
}

/* Answers are worth keeping. */
static void begin_when_asked(search_state *state)
{
    const icl_meter meter = icl_engine_get_meter(state->setup.engine);
    if (meter.requests + meter.requests_cached > 0) outdir_begin(&state->outdir);
}

static void say(void *user, const icl_search *search, icl_search_event event)
{
    search_state *state = user;
    if (event != ICL_SEARCH_PREPARES) outdir_begin(&state->outdir);
    board_say(&state->board, search, event);
}

static icl_status execute(search_state *state)
{
    const icl_search_progress progress = { .say = say, .user = state };
    interrupt_watch(state->setup.model);
    icl_status status = icl_search_execute(state->search, &progress);
    interrupt_watch(NULL);
    board_end(&state->board);
    begin_when_asked(state);
    state->meter.meter = icl_engine_get_meter(state->setup.engine);
    if (status == ICL_OK)
        status = icl_report_search_write(state->search, &state->meter, state->outdir.path);
    return status;
}

static icl_status print_results(const search_state *state)
{
    char *text = NULL;
    const bool json = state->arguments->job.json;
    if (!json && state->arguments->quiet) return ICL_OK;
    const icl_status status = json ? icl_report_search_json(&text, state->search, &state->meter)
                                   : icl_report_search_table(&text, state->search, &state->meter);
    if (status != ICL_OK) return status;
    fputs(text, stdout);
    if (json)
        putchar('\n');
    else
        printf("results        %s/leaderboard.md\nreport         %s/report.html\n",
               state->outdir.path, state->outdir.path);
    free(text);
    return ICL_OK;
}

static int search_in_folder(search_state *state)
{
    icl_status status = prepare(state);
    if (status != ICL_OK) return cli_fail(state->verb, status, false);
    status = execute(state);
    if (status == ICL_ECANCELLED) return outdir_interrupted(&state->outdir, state->verb);
    if (status == ICL_OK) status = print_results(state);
    if (status != ICL_OK) return cli_fail(state->verb, status, true);
    return cli_finish_output(state->verb);
}

static int search_task(search_state *state, const char *operand)
{
    char name[256];
    int code = job_open_task(&state->task, state->verb, &state->arguments->job, operand);
    if (code != CLI_OK) return code;
    code = CLI_REFUSED;
    snprintf(name, sizeof name, "search-%s", icl_task_text(state->task, ICL_TASK_NAME));
    interrupt_install("icl search: interrupted; the same command with --resume goes on");
    if (outdir_open(&state->outdir, state->verb, state->arguments->out, name,
                    state->arguments->resume))
        code = search_in_folder(state);
    icl_search_free(state->search);
    setup_close(&state->setup);
    outdir_close(&state->outdir);
    icl_task_free(state->task);
    return code;
}

static int run_search(const cli_verb *verb, int count, char **words)
{
    const icl_search_options defaults = icl_search_options_default();
    search_arguments arguments = { .job = job_arguments_default(),
                                   .budget = (size_t)defaults.budget_tokens };
    int code = CLI_OK;
    arg_operands operands;
    if (!cli_start(verb, count, words, &arguments, &operands, &code)) return code;
    search_state state = { .verb = verb, .arguments = &arguments };
    const char *operand = operands.count > 0 ? operands.words[0] : NULL;
    if (operand == NULL && arguments.job.train == NULL) {
        cli_complain(verb->name, "a task is missing: name one of \"icl tasks\", give a task file, "
                                 "or --train FILE");
        return CLI_REFUSED;
    }
    return search_task(&state, operand);
}

const cli_verb verb_search = { .name = "search",
                               .summary = "find the best strategy for one's own data",
                               .arguments = "(TASK | --train FILE) [OPTION ...]",
                               .details = details,
                               .groups = { { specs, 0 },
                                           { data_specs, offsetof(search_arguments, job) },
                                           { setup_specs, offsetof(search_arguments, job.setup) } },
                               .operands_max = 1,
                               .run = run_search };
