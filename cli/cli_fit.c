/* icl fit: fits a selection method that learns, and writes what it learned. */
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <icl/fit.h>

#include "cli.h"
#include "interrupt.h"
#include "job.h"
#include "outfile.h"
#include "progress.h"

typedef struct fit_arguments {
    job_arguments job;
    const char *out;
    bool plan, resume, quiet;
} fit_arguments;

static const arg_spec specs[] = {
    { .name = "test",
      .kind = ARG_TEXT,
      .offset = offsetof(fit_arguments, job.test),
      .value = "FILE",
      .help = "queries of the runs to come; they are not looked at" },
    { .name = "out",
      .kind = ARG_TEXT,
      .offset = offsetof(fit_arguments, out),
      .value = "FILE",
      .help = "where what was learned goes" },
    { .name = "plan",
      .kind = ARG_FLAG,
      .offset = offsetof(fit_arguments, plan),
      .help = "say what it will ask, and ask nothing" },
    { .name = "resume",
      .kind = ARG_FLAG,
      .offset = offsetof(fit_arguments, resume),
      .help = "use the answers of a fit that was stopped, in FILE.journal" },
    { .name = "quiet",
      .kind = ARG_FLAG,
      .offset = offsetof(fit_arguments, quiet),
      .help = "no progress and no table" },
    { .name = NULL },
};

static const char details[] =
    "LINE names the method as a strategy does: 'select=epr(candidates=50)'. FILE\n"
    "works with the sentence encoder it was fitted with, and for the pool and the\n"
    "language model it was fitted to: 'select=epr(k=8,file=FILE)'. Answers are kept\n"
    "in FILE.journal until FILE is written.";

typedef struct fit_state {
    const cli_verb *verb;
    fit_arguments *arguments;
    icl_task *task;
    cli_setup setup;
    char *journal;
    icl_fitting *fitting;
    cli_progress progress;
} fit_state;

/* ---- output ---- */

static void print_plan(const fit_state *state)
{
    const icl_fitting_summary *summary = icl_fitting_get_summary(state->fitting);
    printf("task            %s, %zu items in the pool, %zu labels\n", summary->task,
           summary->pool_count, summary->label_count);
    printf("model           %s\n", summary->model);
    printf("method          %s\n", summary->method);
    printf("cost            %s\n", summary->cost);
    if (summary->prompts > 0)
        printf("prompts         at most %zu, each about %zu labels\n", summary->prompts,
               summary->label_count);
    if (summary->tokens > 0) printf("training        reads %" PRIu64 " tokens\n", summary->tokens);
}

static void print_results(const fit_state *state)
{
    const icl_meter meter = icl_engine_get_meter(state->setup.engine);
    const char *out = state->arguments->out;
    print_plan(state);
    printf("questions       %" PRIu64 " and %" PRIu64 " from the journal, %" PRIu64
           " tokens evaluated in %.1f s\n\n",
           meter.requests, meter.requests_cached, meter.tokens_evaluated, meter.seconds);
    for (size_t i = 0; i < icl_fitting_measure_count(state->fitting); i++) {
        const icl_fitting_measure measure = icl_fitting_measure_at(state->fitting, i);
        printf("%-15s %.6g\n", measure.name, measure.value);
    }
    const char *method = icl_fitting_get_summary(state->fitting)->method;
    printf("\nfile  %s\nuse   --strategy 'select=%.*s(file=%s)'\n", out, (int)strcspn(method, "("),
           method, out);
}

static json_t *measures_object(const fit_state *state)
{
    json_t *object = json_object();
    for (size_t i = 0; i < icl_fitting_measure_count(state->fitting); i++) {
        const icl_fitting_measure measure = icl_fitting_measure_at(state->fitting, i);
        json_object_set_new(object, measure.name, json_real(measure.value));
    }
    return object;
}

static void print_json(const fit_state *state)
{
    const icl_fitting_summary *summary = icl_fitting_get_summary(state->fitting);
    const icl_meter meter = icl_engine_get_meter(state->setup.engine);
    json_t *object = json_pack(
        "{s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:f, s:o}", "task", summary->task,
        "method", summary->method, "model", summary->model, "pool", (json_int_t)summary->pool_count,
        "labels", (json_int_t)summary->label_count, "prompts_max", (json_int_t)summary->prompts,
        "tokens_read", (json_int_t)summary->tokens, "requests", (json_int_t)meter.requests,
        "requests_cached", (json_int_t)meter.requests_cached, "tokens_evaluated",
        (json_int_t)meter.tokens_evaluated, "seconds", meter.seconds, "measures",
        measures_object(state));
    json_dumpf(object, stdout, JSON_REAL_PRECISION(9));
    putchar('\n');
    json_decref(object);
}

static int print_outcome(const fit_state *state, bool planned)
{
    if (state->arguments->job.json)
        print_json(state);
    else if (planned)
        print_plan(state);
    else if (!state->arguments->quiet)
        print_results(state);
    return cli_finish_output(state->verb);
}

/* ---- progress ---- */

static void show_progress(void *user, const char *what, uint64_t done, uint64_t total)
{
    if (total == 0)
        progress_say(user, what);
    else
        progress_count(user, what, done, total);
}

/* ---- the journal ---- */

static bool settle_journal(fit_state *state)
{
    struct stat info;
    const size_t room = strlen(state->arguments->out) + sizeof ".journal";
    state->journal = malloc(room);
    if (state->journal == NULL) {
        cli_complain(state->verb->name, "out of memory for the name of \"%s\"",
                     state->arguments->out);
        return false;
    }
    snprintf(state->journal, room, "%s.journal", state->arguments->out);
    if (state->arguments->resume || stat(state->journal, &info) != 0) return true;
    cli_complain(state->verb->name,
                 "\"%s\" holds the answers of a fit that was stopped; add --resume to use them or "
                 "remove it",
                 state->journal);
    return false;
}

/* What is in the journal is of use only until the file is there. */
static void remove_journal(const fit_state *state)
{
    static const char *const suffixes[] = { "", "-wal", "-shm" };
    char path[4096];
    for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++) {
        const int length = snprintf(path, sizeof path, "%s%s", state->journal, suffixes[i]);
        if (length > 0 && (size_t)length < sizeof path) unlink(path); /* no other file's name */
    }
}

/* ---- the work ---- */

/* A place that cannot be written to is found out before the model is asked; and the file is renamed
 * into its place, which a device or a pipe would not outlive. */
static bool check_out(const fit_state *state)
{
    const char *path = state->arguments->out;
    struct stat info;
    if (stat(path, &info) == 0 && !S_ISREG(info.st_mode) && !S_ISDIR(info.st_mode)) {
        cli_complain(state->verb->name, "--out \"%s\" is not a regular file", path);
        return false;
    }
    return outfile_check(state->verb, path);
}

static icl_status prepare(fit_state *state)
{
    const job_arguments *job = &state->arguments->job;
    const icl_run_options options = job_run_options(job, state->task);
    const bool silent = state->arguments->quiet || job->json;
    const char *journal = state->arguments->plan ? NULL : state->journal;
    state->progress = progress_begin(!silent);
    progress_say(&state->progress, "loading the model");
    icl_status status = setup_open(&state->setup, &job->setup, journal, NULL);
    if (status == ICL_OK) status = icl_fitting_new(&state->fitting, state->setup.engine, &options);
    progress_clear(&state->progress);
    return status;
}

static icl_status execute(fit_state *state)
{
    const bool silent = state->arguments->quiet || state->arguments->job.json;
    const icl_fitting_progress progress = { .say = show_progress, .user = &state->progress };
    interrupt_watch(state->setup.model);
    const icl_status status = icl_fitting_execute(state->fitting, silent ? NULL : &progress);
    interrupt_watch(NULL);
    progress_clear(&state->progress);
    return status;
}

static bool has_asked(const fit_state *state)
{
    return state->setup.engine != NULL && icl_engine_get_meter(state->setup.engine).requests > 0;
}

static int interrupted(const fit_state *state)
{
    if (!has_asked(state)) {
        cli_complain(state->verb->name, "interrupted before the first answer");
        return CLI_CANCELLED;
    }
    cli_complain(state->verb->name,
                 "interrupted; finished answers are kept in \"%s\", and the same command with "
                 "--resume goes on from there",
                 state->journal);
    return CLI_CANCELLED;
}

static int fit(fit_state *state)
{
    icl_status status = prepare(state);
    if (status != ICL_OK) return cli_fail(state->verb, status, false);
    if (state->arguments->plan) return print_outcome(state, true);
    status = execute(state);
    if (status == ICL_ECANCELLED) return interrupted(state);
    if (status == ICL_OK) status = icl_fitting_save(state->fitting, state->arguments->out);
    if (status != ICL_OK) return cli_fail(state->verb, status, true);
    remove_journal(state);
    return print_outcome(state, false);
}

/* A fit that asked nothing leaves no journal of its own behind. */
static void close_engine(fit_state *state)
{
    const bool idle = state->setup.engine != NULL && !has_asked(state);
    icl_fitting_free(state->fitting);
    setup_close(&state->setup);
    if (idle && !state->arguments->resume && !state->arguments->plan) remove_journal(state);
}

static int fit_task(fit_state *state, const char *operand)
{
    const job_arguments *job = &state->arguments->job;
    if (!job_names_data(state->verb, job, operand)) return CLI_REFUSED;
    if (state->arguments->out == NULL && !state->arguments->plan) {
        cli_complain(state->verb->name, "--out FILE is missing: where does what was learned go?");
        return CLI_REFUSED;
    }
    if (!state->arguments->plan && (!check_out(state) || !settle_journal(state)))
        return CLI_REFUSED;
    int code = job_open_task(&state->task, state->verb, job, operand);
    if (code != CLI_OK) return code;
    interrupt_install("icl fit: interrupted; the same command with --resume goes on");
    code = fit(state);
    close_engine(state);
    icl_task_free(state->task);
    return code;
}

static int run_fit(const cli_verb *verb, int count, char **words)
{
    fit_arguments arguments = { .job = job_arguments_default() };
    int code = CLI_OK;
    arg_operands operands;
    if (!cli_start(verb, count, words, &arguments, &operands, &code)) return code;
    if (operands.count == 0) {
        cli_complain(verb->name,
                     "a method is missing, such as 'select=epr'; \"icl methods select\" "
                     "shows which learn");
        return CLI_REFUSED;
    }
    arguments.job.strategy = operands.words[0];
    fit_state state = { .verb = verb, .arguments = &arguments };
    code = fit_task(&state, operands.count > 1 ? operands.words[1] : NULL);
    free(state.journal);
    return code;
}

const cli_verb verb_fit = { .name = "fit",
                            .summary = "fit a selection method that learns to a task's pool",
                            .arguments =
                                "LINE (TASK | --train FILE --test FILE) --out FILE [OPTION ...]",
                            .details = details,
                            .groups = { { data_specs, offsetof(fit_arguments, job) },
                                        { setup_specs, offsetof(fit_arguments, job.setup) },
                                        { specs, 0 } },
                            .operands_max = 2,
                            .run = run_fit };
