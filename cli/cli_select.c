/* icl select: which items of a pool are worth labelling. */
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <icl/pick.h>

#include "cli.h"
#include "interrupt.h"
#include "job.h"
#include "outfile.h"
#include "progress.h"

typedef struct select_arguments {
    job_arguments job;
    const char *by, *labelled, *out, *journal;
    size_t budget;
    bool quiet;
} select_arguments;

static const arg_spec specs[] = {
    { .name = "by",
      .kind = ARG_TEXT,
      .offset = offsetof(select_arguments, by),
      .value = "METHOD",
      .help = "selection method that picks, with options (votek)" },
    { .name = "budget",
      .kind = ARG_SIZE,
      .offset = offsetof(select_arguments, budget),
      .value = "M",
      .minimum = 1,
      .help = "items to pick (100)" },
    { .name = "labelled",
      .kind = ARG_TEXT,
      .offset = offsetof(select_arguments, labelled),
      .value = "FILE",
      .help = "items labelled so far, found in the pool by their ids" },
    { .name = "out",
      .kind = ARG_TEXT,
      .offset = offsetof(select_arguments, out),
      .value = "FILE",
      .help = "where the items go, JSON lines (-: standard output)" },
    { .name = "journal",
      .kind = ARG_TEXT,
      .offset = offsetof(select_arguments, journal),
      .value = "FILE",
      .help = "keeps the model's answers, so that the next round does not ask again" },
    { .name = "quiet",
      .kind = ARG_FLAG,
      .offset = offsetof(select_arguments, quiet),
      .help = "no progress and no table" },
    { .name = NULL },
};

static const char details[] =
    "The training file of TASK is the pool, labelled or not. FILE receives a line per\n"
    "item, best first: its fields, its id, its rank and its label, empty for a person\n"
    "to fill in. A method that asks the model needs labels of its first picks: it\n"
    "writes those, and the same command with --labelled FILE goes on.";

typedef struct select_state {
    const cli_verb *verb;
    const select_arguments *arguments;
    icl_task *task;
    cli_setup setup; /* closed for a method that asks nothing */
    cli_outfile file;
    cli_progress progress;
    icl_pick *pick;
} select_state;

static bool to_standard_output(const select_state *state)
{
    return strcmp(state->arguments->out, "-") == 0;
}

/* ---- output ---- */

static void print_json(const select_state *state, const icl_meter *meter)
{
    const icl_pick_summary *summary = icl_pick_get_summary(state->pick);
    json_t *object = json_pack(
        "{s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:b, s:I, s:I, s:I, s:f}", "task",
        summary->task, "method", summary->method, "out", state->arguments->out, "pool",
        (json_int_t)summary->pool_count, "pool_repeats", (json_int_t)summary->pool_repeats,
        "pool_relabelled", (json_int_t)summary->pool_relabelled, "labelled",
        (json_int_t)summary->labelled_count, "budget", (json_int_t)summary->budget, "picked",
        (json_int_t)summary->count, "unlabelled", (json_int_t)summary->unlabelled_count, "complete",
        summary->complete, "requests", (json_int_t)meter->requests, "requests_cached",
        (json_int_t)meter->requests_cached, "tokens_evaluated", (json_int_t)meter->tokens_evaluated,
        "seconds", meter->seconds);
    json_dumpf(object, stdout, JSON_REAL_PRECISION(9));
    putchar('\n');
    json_decref(object);
}

static void print_table(const select_state *state, const icl_meter *meter)
{
    const icl_pick_summary *summary = icl_pick_get_summary(state->pick);
    const char *out = state->arguments->out;
    printf("task            %s, %zu items in the pool, %zu of them labelled\n", summary->task,
           summary->pool_count, summary->labelled_count);
    printf("method          %s\n", summary->method);
    printf("picked          %zu of a budget of %zu items, %zu of them to label\n", summary->count,
           summary->budget, summary->unlabelled_count);
    if (meter->requests + meter->requests_cached == 0)
        printf("questions       none\n");
    else
        printf("questions       %" PRIu64 " and %" PRIu64 " from the journal, %" PRIu64
               " tokens evaluated in %.1f s\n",
               meter->requests, meter->requests_cached, meter->tokens_evaluated, meter->seconds);
    printf("\nitems  %s\n", out);
    if (!summary->complete)
        printf("next   label them; the same command with --labelled %s picks the rest\n", out);
}

static void print_outcome(const select_state *state)
{
    const icl_pick_summary *summary = icl_pick_get_summary(state->pick);
    icl_meter meter = { 0 };
    if (!state->arguments->quiet && !state->arguments->job.json)
        job_tell_repeats(state->verb, summary->pool_repeats, summary->pool_relabelled,
                         summary->pool_count);
    if (state->setup.engine != NULL) meter = icl_engine_get_meter(state->setup.engine);
    if (state->arguments->job.json)
        print_json(state, &meter);
    else if (!state->arguments->quiet && !to_standard_output(state))
        print_table(state, &meter);
    else if (!summary->complete)
        cli_complain(
            state->verb->name,
            "these %zu items have to be labelled, and the file given to --labelled, before "
            "the rest of %zu can be picked",
            summary->count, summary->budget);
}

/* ---- the work ---- */

static icl_pick_options pick_options(const select_state *state)
{
    const select_arguments *arguments = state->arguments;
    icl_pick_options options = icl_pick_options_default();
    options.task = state->task;
    options.method = arguments->by;
    options.budget = arguments->budget;
    options.seed = arguments->job.seed;
    options.labelled_path = arguments->labelled;
    options.boundary = (icl_boundary)arguments->job.boundary;
    options.overflow = (icl_overflow)arguments->job.overflow;
    options.chat = arguments->job.chat;
    options.encoder_path = arguments->job.encoder;
    options.vectors_path = job_vectors_path();
    options.thread_count = (int)arguments->job.setup.threads;
    return options;
}

static icl_status open_engine(select_state *state)
{
    progress_say(&state->progress, "loading the model");
    const icl_status status = setup_open(&state->setup, &state->arguments->job.setup,
                                         state->arguments->journal, &state->progress);
    interrupt_watch(state->setup.model);
    return status;
}

static int interrupted(const select_state *state)
{
    if (state->arguments->journal != NULL)
        cli_complain(
            state->verb->name,
            "interrupted; finished answers are kept in \"%s\", and the same command goes on "
            "from there",
            state->arguments->journal);
    else
        cli_complain(state->verb->name, "interrupted");
    return CLI_CANCELLED;
}

static int pick_items(select_state *state)
{
    bool asks = false;
    const icl_pick_options options = pick_options(state);
    icl_status status = icl_pick_asks(&asks, options.method);
    if (status == ICL_OK && asks) status = open_engine(state);
    progress_say(&state->progress, "picking");
    if (status == ICL_OK) status = icl_pick_new(&state->pick, state->setup.engine, &options);
    interrupt_watch(NULL);
    progress_clear(&state->progress);
    if (status == ICL_ECANCELLED) return interrupted(state);
    return status == ICL_OK ? CLI_OK : cli_fail(state->verb, status, false);
}

static int write_items(select_state *state)
{
    if (!outfile_open(&state->file, state->verb, state->arguments->out)) return CLI_FAILED;
    const icl_status status = icl_pick_write(state->pick, state->file.stream);
    if (!outfile_close(&state->file, state->verb, status == ICL_OK)) return CLI_FAILED;
    return status == ICL_OK ? CLI_OK : cli_fail(state->verb, status, true);
}

static int select_items(select_state *state, const char *operand)
{
    const select_arguments *arguments = state->arguments;
    if (!outfile_check(state->verb, arguments->out)) return CLI_REFUSED;
    interrupt_install("icl select: interrupted");
    state->progress = progress_begin(!arguments->quiet && !arguments->job.json);
    int code = job_open_task(&state->task, state->verb, &arguments->job, operand);
    if (code == CLI_OK) code = pick_items(state);
    if (code == CLI_OK) code = write_items(state);
    if (code == CLI_OK) print_outcome(state);
    icl_pick_free(state->pick);
    setup_close(&state->setup);
    icl_task_free(state->task);
    return code != CLI_OK ? code : cli_finish_output(state->verb);
}

static int run_select(const cli_verb *verb, int count, char **words)
{
    select_arguments arguments = {
        .job = job_arguments_default(), .by = "votek", .out = "-", .budget = 100
    };
    int code = CLI_OK;
    arg_operands operands;
    if (!cli_start(verb, count, words, &arguments, &operands, &code)) return code;
    select_state state = { .verb = verb, .arguments = &arguments };
    const char *operand = operands.count > 0 ? operands.words[0] : NULL;
    if (operand == NULL && arguments.job.train == NULL) {
        cli_complain(verb->name, "a task is missing: name one of \"icl tasks\", give a task file, "
                                 "or --train FILE");
        return CLI_REFUSED;
    }
    if (arguments.job.json && to_standard_output(&state)) {
        cli_complain(verb->name, "--json needs --out FILE, since the items go to standard output");
        return CLI_REFUSED;
    }
    return select_items(&state, operand);
}

const cli_verb verb_select = { .name = "select",
                               .summary = "pick the items of a pool that are worth labelling",
                               .arguments = "(TASK | --train FILE) [OPTION ...]",
                               .details = details,
                               .groups = { { specs, 0 },
                                           { data_specs, offsetof(select_arguments, job) },
                                           { setup_specs, offsetof(select_arguments, job.setup) } },
                               .operands_max = 1,
                               .run = run_select };
