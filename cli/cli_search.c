/* icl search: the best strategy for one's own data. */
#include <stdio.h>

#include <icl/report.h>
#include <icl/search.h>

#include "board.h"
#include "cli.h"
#include "folder_job.h"

typedef struct search_arguments {
    job_arguments job;
    folder_arguments folder;
    const char *space;
    size_t budget, validation;
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
      .help = "queries drawn from the training file (all or half of it, 1000 at most)" },
    { .name = "out",
      .kind = ARG_TEXT,
      .offset = offsetof(search_arguments, folder.out),
      .value = "DIR",
      .help = "folder of the results (icl-out/search-TASK, where an earlier one is replaced)" },
    { .name = "resume",
      .kind = ARG_FLAG,
      .offset = offsetof(search_arguments, folder.resume),
      .help = "go on with the search in DIR; answered requests are not asked again" },
    { .name = "quiet",
      .kind = ARG_FLAG,
      .offset = offsetof(search_arguments, folder.quiet),
      .help = "no leaderboard and no table" },
    { .name = NULL },
};

static const char details[] =
    "Queries are drawn from the training file and asked with all its other examples\n"
    "as pool; the test file is never opened. All strategies are asked a few queries,\n"
    "those that are behind are dropped, the others are asked more, until one is left,\n"
    "the queries are used up or the budget is. The last line is the strategy for\n"
    "icl run --strategy.\n"
    "DIR receives report.html, search.json, leaderboard.md, meter.json and\n"
    "journal.sqlite.";

typedef struct search_state {
    const search_arguments *arguments;
    icl_task *task;
    folder_job folder;
    icl_search *search;
    cli_board board;
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

static icl_status prepare(void *of)
{
    search_state *state = of;
    folder_job *folder = &state->folder;
    const icl_search_options options = search_options(state);
    state->board = board_begin(!folder_job_is_silent(folder), &folder->progress);
    return icl_search_new(&state->search, folder->setup.engine, &options);
}

static void say(void *of, const icl_search *search, icl_search_event event)
{
    search_state *state = of;
    if (event != ICL_SEARCH_PREPARES) outdir_begin(&state->folder.outdir);
    board_say(&state->board, search, event);
}

static icl_status execute(void *of)
{
    search_state *state = of;
    const icl_search_progress progress = { .say = say, .user = state };
    const icl_status status = icl_search_execute(state->search, &progress);
    board_end(&state->board);
    state->folder.meter.meter = icl_engine_get_meter(state->folder.setup.engine);
    return status;
}

static icl_status write_report(void *of)
{
    const search_state *state = of;
    return icl_report_search_write(state->search, &state->folder.meter, state->folder.outdir.path);
}

static icl_status json(char **out, const void *of)
{
    const search_state *state = of;
    return icl_report_search_json(out, state->search, &state->folder.meter);
}

static icl_status table(char **out, const void *of)
{
    const search_state *state = of;
    return icl_report_search_table(out, state->search, &state->folder.meter);
}

static void print_files(const char *folder)
{
    printf("results        %s/leaderboard.md\nreport         %s/report.html\n", folder, folder);
}

static void close_search(void *of)
{
    search_state *state = of;
    icl_search_free(state->search);
}

static const folder_steps steps = {
    .interrupted = "icl search: interrupted; the same command with --resume goes on",
    .preparing = "reading strategies and data",
    .prepare = prepare,
    .execute = execute,
    .write = write_report,
    .json = json,
    .table = table,
    .print_files = print_files,
    .close = close_search,
};

static int search_task(search_state *state, const char *operand)
{
    char name[256];
    int code = job_open_task(&state->task, state->folder.verb, &state->arguments->job, operand);
    if (code != CLI_OK) return code;
    snprintf(name, sizeof name, "search-%s", icl_task_text(state->task, ICL_TASK_NAME));
    code = folder_job_run(&state->folder, name, &steps, state);
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
    search_state state = {
        .arguments = &arguments,
        .folder = { .verb = verb, .job = &arguments.job, .arguments = &arguments.folder }
    };
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
