/* icl annotate: labels for rows that have none, with confidence and abstentions. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <icl/annotate.h>

#include "annotate_say.h"
#include "cli.h"
#include "interrupt.h"
#include "job.h"
#include "outfile.h"
#include "partfile.h"
#include "progress.h"

typedef struct annotate_arguments {
    job_arguments job;
    const char *in, *out, *review, *journal, *precision;
    size_t validation, chunk;
    int format; /* icl_format */
    bool plan, resume, quiet;
} annotate_arguments;

static const char *const format_names[] = { "auto", "jsonl", "csv", "tsv", NULL };

#define TEXT_OPTION(option, field, word, text)                                                     \
    {                                                                                              \
        .name = option, .kind = ARG_TEXT, .offset = offsetof(annotate_arguments, field),           \
        .value = word, .help = text                                                                \
    }
#define FLAG_OPTION(option, field, text)                                                           \
    {                                                                                              \
        .name = option, .kind = ARG_FLAG, .offset = offsetof(annotate_arguments, field),           \
        .help = text                                                                               \
    }

static const arg_spec specs[] = {
    TEXT_OPTION("in", in, "FILE", "rows to label (-: standard input)"),
    TEXT_OPTION("out", out, "FILE", "where they go, JSON lines (-: standard output)"),
    { .name = "format",
      .kind = ARG_CHOICE,
      .offset = offsetof(annotate_arguments, format),
      .value = "auto|jsonl|csv|tsv",
      .choices = format_names,
      .help = "how the rows are written (auto: by extension, standard input is jsonl)" },
    TEXT_OPTION("strategy", job.strategy, "LINE",
                "methods by stage: 'select=knn(k=8) order=nearest-last'; see icl methods"),
    TEXT_OPTION("precision", precision, "P",
                "answer only rows so sure that this share of them is right"),
    TEXT_OPTION("review", review, "FILE",
                "the rows that were abstained from, least confident first"),
    { .name = "validation",
      .kind = ARG_SIZE,
      .offset = offsetof(annotate_arguments, validation),
      .value = "N",
      .minimum = 2,
      .help = "training examples that confidence is fitted on (a third, 200 at most)" },
    { .name = "chunk",
      .kind = ARG_SIZE,
      .offset = offsetof(annotate_arguments, chunk),
      .value = "N",
      .minimum = 1,
      .maximum = 1 << 20,
      .help = "rows read before the model is asked (256); changes no answer" },
    TEXT_OPTION("journal", journal, "FILE", "keeps the model's answers (OUT.journal)"),
    FLAG_OPTION("plan", plan, "say what it will ask, and ask nothing"),
    FLAG_OPTION("resume", resume, "go on with what was stopped, in OUT.part and OUT.journal"),
    FLAG_OPTION("quiet", quiet, "no cost, no progress and no table"),
    { .name = NULL },
};

static const char details[] =
    "Confidence is fitted on examples held out of the training file. A line is its\n"
    "row with the label, \"confidence\" and, below the threshold that --precision\n"
    "asks for, \"abstain\": true. A row that has one of these fields already is\n"
    "refused; an empty label is filled in. A row too long for the model's window has\n"
    "label null, confidence 0 and is abstained from. No answer depends on other rows.\n"
    "Memory is bounded by --chunk. Finished lines are kept in OUT.part until OUT is\n"
    "complete; in a pipe they are written at once.";

typedef struct annotate_state {
    const cli_verb *verb;
    const annotate_arguments *arguments;
    double precision;
    icl_task *task;
    FILE *in;
    const char *in_name;
    bool in_is_file; /* can be read twice */
    bool direct;     /* lines go straight to where they belong */
    char *journal;   /* NULL: none */
    cli_outfile out, review;
    cli_partfile part;
    cli_setup setup;
    cli_progress progress;
    icl_annotator *annotator;
    bool keeps; /* the journal or the part has something to go on with */
    bool complete;
} annotate_state;

static bool is_silent(const annotate_arguments *arguments)
{
    return arguments->quiet || arguments->job.json;
}

static bool refuse(const annotate_state *state, const char *sentence)
{
    cli_complain(state->verb->name, "%s", sentence);
    return false;
}

/* ---- before anything is read ---- */

static bool read_precision(annotate_state *state)
{
    const char *word = state->arguments->precision;
    char *end;
    if (word == NULL) return true;
    state->precision = strtod(word, &end);
    if (*word != '\0' && *end == '\0' && state->precision > 0 && state->precision < 1) return true;
    cli_complain(state->verb->name, "--precision \"%s\" is not a number between 0 and 1", word);
    return false;
}

static bool check_arguments(annotate_state *state, const char *operand)
{
    const annotate_arguments *arguments = state->arguments;
    struct stat info;
    state->direct = strcmp(arguments->out, "-") == 0 ||
                    (stat(arguments->out, &info) == 0 && !S_ISREG(info.st_mode));
    if (operand == NULL && arguments->job.train == NULL)
        return refuse(state, "a task is missing: name one of \"icl tasks\", give a task file, or "
                             "--train FILE");
    if (!read_precision(state)) return false;
    if (arguments->review != NULL && arguments->precision == NULL)
        return refuse(state, "--review needs --precision, since every row is answered without it");
    if (arguments->review != NULL && strcmp(arguments->review, arguments->out) == 0)
        return refuse(state, "--review and --out name the same file");
    if (arguments->resume && state->direct)
        return refuse(state, "--resume needs --out FILE: what was written elsewhere is out of "
                             "reach; --journal keeps the answers");
    if (arguments->job.json && !arguments->plan && strcmp(arguments->out, "-") == 0)
        return refuse(state, "--json needs --out FILE, since the rows go to standard output");
    return arguments->plan ||
           (outfile_check(state->verb, arguments->out) &&
            (arguments->review == NULL || outfile_check(state->verb, arguments->review)));
}

static bool is_output(const annotate_state *state, const struct stat *in)
{
    struct stat out;
    return S_ISREG(in->st_mode) && stat(state->arguments->out, &out) == 0 &&
           out.st_dev == in->st_dev && out.st_ino == in->st_ino;
}

static bool open_input(annotate_state *state)
{
    const char *path = state->arguments->in;
    struct stat info;
    const bool standard = strcmp(path, "-") == 0;
    state->in_name = standard ? "standard input" : path;
    state->in = standard ? stdin : fopen(path, "rb");
    if (state->in == NULL || fstat(fileno(state->in), &info) != 0) {
        cli_complain(state->verb->name, "cannot open \"%s\": %s", path, strerror(errno));
        return false;
    }
    if (is_output(state, &info)) return refuse(state, "--in and --out are the same file");
    state->in_is_file = S_ISREG(info.st_mode);
    if (state->in_is_file || state->arguments->plan) return true;
    /* Nothing is asked for a pipe that nobody writes to. */
    const int byte = getc(state->in);
    if (byte != EOF) return ungetc(byte, state->in) != EOF;
    cli_complain(state->verb->name, "%s: there are no rows to label", state->in_name);
    return false;
}

static bool name_journal(annotate_state *state)
{
    const annotate_arguments *arguments = state->arguments;
    const char *given = arguments->journal, *suffix = given != NULL ? "" : ".journal";
    if (given == NULL && state->direct) return true;
    if (given == NULL) given = arguments->out;
    const size_t room = strlen(given) + sizeof ".journal";
    state->journal = malloc(room);
    if (state->journal == NULL) return refuse(state, "out of memory for the name of the journal");
    snprintf(state->journal, room, "%s%s", given, suffix);
    return true;
}

/* What an earlier command left is gone on with or in the way. */
static bool settle_earlier(annotate_state *state)
{
    struct stat info;
    bool has_part = false;
    if (state->arguments->plan) return true;
    if (!name_journal(state)) return false;
    if (state->direct) return true;
    if (!partfile_name(&state->part, state->verb, state->arguments->out, &has_part)) return false;
    const bool has_journal = state->arguments->journal == NULL && stat(state->journal, &info) == 0;
    state->keeps = has_part || has_journal;
    if (state->arguments->resume || !state->keeps) return true;
    cli_complain(state->verb->name,
                 "\"%s\" is of an annotation that was stopped; add --resume to go on with it or "
                 "remove it",
                 has_part ? state->part.path : state->journal);
    return false;
}

/* ---- the work ---- */

static icl_annotate_source source(const annotate_state *state)
{
    icl_format format = (icl_format)state->arguments->format;
    if (format == ICL_FORMAT_AUTO && state->in == stdin) format = ICL_FORMAT_JSONL;
    return (icl_annotate_source){ .stream = state->in,
                                  .name = state->in_name,
                                  .format = format,
                                  .skip = state->part.done_count };
}

static icl_status prepare(annotate_state *state)
{
    const annotate_arguments *arguments = state->arguments;
    icl_annotate_options options = icl_annotate_options_default();
    options.validation = arguments->validation;
    options.precision = state->precision;
    options.chunk_rows = arguments->chunk;
    options.run = job_run_options(&arguments->job, state->task);
    progress_say(&state->progress, "loading the model");
    icl_status status = setup_open(&state->setup, &arguments->job.setup, state->journal, NULL);
    if (status != ICL_OK) return status;
    interrupt_watch(state->setup.model);
    status = icl_annotator_new(&state->annotator, state->setup.engine, &options);
    if (status != ICL_OK) return status;
    const icl_annotate_summary *summary = icl_annotator_get_summary(state->annotator);
    progress_clear(&state->progress);
    if (summary->choosing_cost != NULL && !arguments->quiet)
        cli_complain(state->verb->name,
                     "besides what follows, the model is asked to choose demonstrations: %s",
                     summary->choosing_cost);
    progress_say(&state->progress, "choosing demonstrations for the validation rows");
    return icl_annotator_plan(state->annotator, NULL);
}

/* False: it has said why. */
static bool open_part(annotate_state *state)
{
    bool anew = false;
    char settings[64];
    if (state->direct || state->arguments->plan) return true;
    snprintf(settings, sizeof settings, "{\"icl annotate\":\"%s\"}",
             icl_annotator_get_summary(state->annotator)->spec_hash);
    if (!partfile_open(&state->part, state->verb, settings, &anew)) return false;
    if (anew && !state->arguments->quiet)
        cli_complain(state->verb->name,
                     "\"%s\" was made by other settings; its rows are labelled again",
                     state->part.path);
    return true;
}

/* A file is read once to count what it costs. */
static icl_status price(annotate_state *state)
{
    progress_say(&state->progress, "counting what the rows cost");
    if (!state->in_is_file) return ICL_OK;
    const icl_annotate_source rows = source(state);
    const off_t begin = ftello(state->in);
    const icl_status status = icl_annotator_plan(state->annotator, &rows);
    if (status == ICL_OK) fseeko(state->in, begin, SEEK_SET);
    return status;
}

static void say_rows(void *user, const icl_annotate_summary *summary)
{
    annotate_state *state = user;
    char line[64];
    state->keeps = true;
    if (is_silent(state->arguments)) return;
    if (summary->labelling.rows > 0) {
        progress_count(&state->progress, "labelled", summary->rows - summary->done_rows,
                       summary->labelling.rows);
        return;
    }
    snprintf(line, sizeof line, "labelled: %zu rows", summary->rows);
    progress_line(&state->progress, line, false);
}

static icl_status validate(annotate_state *state)
{
    const icl_annotate_summary *summary = icl_annotator_get_summary(state->annotator);
    progress_clear(&state->progress);
    if (!state->arguments->quiet) annotate_say_cost(state->verb, summary);
    progress_say(&state->progress, "asking the validation rows");
    const icl_status status = icl_annotator_validate(state->annotator);
    progress_clear(&state->progress);
    if (status == ICL_OK && !state->arguments->quiet) annotate_say_promise(state->verb, summary);
    return status;
}

static icl_status label(annotate_state *state)
{
    const icl_annotate_stream stream = { .in = source(state),
                                         .out = state->direct ? state->out.stream : state->part.out,
                                         .done = state->part.done,
                                         .review = state->arguments->review != NULL,
                                         .say = say_rows,
                                         .user = state };
    const icl_status status = icl_annotator_label(state->annotator, &stream);
    progress_clear(&state->progress);
    return status;
}

/* ---- files ---- */

/* False: it has said why. */
static bool write_review(annotate_state *state)
{
    if (state->arguments->review == NULL) return true;
    if (!outfile_open(&state->review, state->verb, state->arguments->review)) return false;
    const icl_status status = icl_annotator_write_review(state->annotator, state->review.stream);
    if (status != ICL_OK) cli_fail(state->verb, status, true);
    return status == ICL_OK;
}

/* All rows are labelled: the files take their places. */
static bool finish_outputs(annotate_state *state)
{
    bool done = state->direct || (outfile_open(&state->out, state->verb, state->arguments->out) &&
                                  partfile_copy(&state->part, state->verb, state->out.stream));
    done = done && write_review(state);
    done = outfile_close(&state->review, state->verb, done) && done;
    done = outfile_close(&state->out, state->verb, done) && done;
    state->complete = done;
    return done;
}

static void remove_journal(const annotate_state *state)
{
    static const char *const suffixes[] = { "", "-wal", "-shm" };
    char path[4096];
    for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++) {
        const int length = snprintf(path, sizeof path, "%s%s", state->journal, suffixes[i]);
        if (length > 0 && (size_t)length < sizeof path) unlink(path); /* no other file's name */
    }
}

static bool has_answers(const annotate_state *state)
{
    return state->keeps ||
           (state->setup.engine != NULL && icl_engine_get_meter(state->setup.engine).requests > 0);
}

static void close_all(annotate_state *state)
{
    const bool keep = has_answers(state) && !state->complete, opened = state->setup.engine != NULL;
    icl_annotator_free(state->annotator);
    setup_close(&state->setup);
    outfile_close(&state->out, state->verb, false);
    outfile_close(&state->review, state->verb, false);
    partfile_close(&state->part, keep);
    if (opened && !keep && state->journal != NULL && state->arguments->journal == NULL)
        remove_journal(state);
    if (state->in != NULL && state->in != stdin) fclose(state->in);
    icl_task_free(state->task);
    free(state->journal);
}

/* ---- how it ends ---- */

static int interrupted(const annotate_state *state)
{
    const icl_annotate_summary *summary =
        state->annotator != NULL ? icl_annotator_get_summary(state->annotator) : NULL;
    const size_t rows = summary != NULL ? summary->rows : 0;
    if (!has_answers(state))
        cli_complain(state->verb->name, "interrupted before the model was asked");
    else if (state->direct)
        cli_complain(state->verb->name, "interrupted; the first %zu rows are written", rows);
    else
        cli_complain(state->verb->name,
                     "interrupted; %zu rows are kept in \"%s\", finished answers in \"%s\", and "
                     "the same command with --resume goes on from there",
                     rows, state->part.path, state->journal);
    return CLI_CANCELLED;
}

static int fail(annotate_state *state, icl_status status, bool begun)
{
    progress_clear(&state->progress);
    if (status == ICL_ECANCELLED) return interrupted(state);
    return cli_fail(state->verb, status, begun);
}

static int print_outcome(const annotate_state *state)
{
    const annotate_arguments *arguments = state->arguments;
    const icl_annotate_summary *summary = icl_annotator_get_summary(state->annotator);
    const icl_meter meter = icl_engine_get_meter(state->setup.engine);
    if (arguments->job.json) {
        annotate_print_json(summary, &meter);
    } else if (!arguments->quiet && strcmp(arguments->out, "-") != 0) {
        annotate_print_outcome(summary, &meter);
        printf("\nlabels  %s\n", arguments->out);
        if (arguments->review != NULL) printf("review  %s\n", arguments->review);
    }
    return cli_finish_output(state->verb);
}

static int print_plan(annotate_state *state)
{
    const icl_annotate_summary *summary = icl_annotator_get_summary(state->annotator);
    progress_clear(&state->progress);
    if (state->arguments->job.json)
        annotate_print_json(summary, NULL);
    else
        annotate_print_plan(summary);
    return cli_finish_output(state->verb);
}

static int annotate(annotate_state *state)
{
    icl_status status = prepare(state);
    if (status != ICL_OK) return fail(state, status, false);
    if (!open_part(state)) return CLI_FAILED;
    status = price(state);
    if (status != ICL_OK) return fail(state, status, false);
    if (state->arguments->plan) return print_plan(state);
    if (state->direct && !outfile_open(&state->out, state->verb, state->arguments->out))
        return CLI_FAILED;
    status = validate(state);
    if (status == ICL_OK) status = label(state);
    if (status != ICL_OK) return fail(state, status, true);
    interrupt_watch(NULL);
    return finish_outputs(state) ? print_outcome(state) : CLI_FAILED;
}

static int run_annotate(const cli_verb *verb, int count, char **words)
{
    annotate_arguments arguments = { .job = job_arguments_default(),
                                     .in = "-",
                                     .out = "-",
                                     .chunk = icl_annotate_options_default().chunk_rows };
    int code = CLI_OK;
    arg_operands operands;
    if (!cli_start(verb, count, words, &arguments, &operands, &code)) return code;
    annotate_state state = { .verb = verb, .arguments = &arguments };
    const char *operand = operands.count > 0 ? operands.words[0] : NULL;
    code = CLI_REFUSED;
    state.progress = progress_begin(!is_silent(&arguments));
    if (check_arguments(&state, operand) && settle_earlier(&state) && open_input(&state))
        code = job_open_task(&state.task, verb, &arguments.job, operand);
    interrupt_install("icl annotate: interrupted; with --out FILE the same command with --resume "
                      "goes on");
    if (code == CLI_OK) code = annotate(&state);
    interrupt_watch(NULL);
    close_all(&state);
    return code;
}

const cli_verb verb_annotate = { .name = "annotate",
                                 .summary = "label rows, with confidence and abstentions",
                                 .arguments = "(TASK | --train FILE) [OPTION ...] < IN > OUT",
                                 .details = details,
                                 .groups = { { specs, 0 },
                                             { data_specs, offsetof(annotate_arguments, job) },
                                             { setup_specs,
                                               offsetof(annotate_arguments, job.setup) } },
                                 .operands_max = 1,
                                 .run = run_annotate };
