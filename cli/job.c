#include "job.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

static const char *const boundary_names[] = { "joint", "separate", "heal", NULL };
static const char *const overflow_names[] = { "drop-far", "drop-near", "error", NULL };

#define TEXT_OPTION(option, field, word, text)                                                     \
    {                                                                                              \
        .name = option, .kind = ARG_TEXT, .offset = offsetof(job_arguments, field), .value = word, \
        .help = text                                                                               \
    }
#define FLAG_OPTION(option, field, text)                                                           \
    {                                                                                              \
        .name = option, .kind = ARG_FLAG, .offset = offsetof(job_arguments, field), .help = text   \
    }

const arg_spec data_specs[] = {
    TEXT_OPTION("train", train, "FILE", "labelled examples: .jsonl, .csv or .tsv"),
    TEXT_OPTION("text-field", text_field, "NAMES", "input fields, comma-separated (text)"),
    TEXT_OPTION("label-field", label_field, "NAME", "field of the label (label)"),
    TEXT_OPTION("template", tmpl, "TEXT",
                "Jinja text of an example up to its answer; \\n is a line break"),
    TEXT_OPTION("labels", labels, "LIST", "words of labels: 'name=words,name=a|b'"),
    TEXT_OPTION("encoder", encoder, "FILE", "sentence encoder (ICL_ENCODER, else cached)"),
    { .name = "seed",
      .kind = ARG_SEED,
      .offset = offsetof(job_arguments, seed),
      .value = "N",
      .help = "key of all randomness (0)" },
    { .name = "boundary",
      .kind = ARG_CHOICE,
      .offset = offsetof(job_arguments, boundary),
      .value = "joint|separate|heal",
      .choices = boundary_names,
      .help = "how prompt and answer become tokens (joint)" },
    { .name = "overflow",
      .kind = ARG_CHOICE,
      .offset = offsetof(job_arguments, overflow),
      .value = "drop-far|drop-near|error",
      .choices = overflow_names,
      .help = "what happens to a prompt beyond the window (drop-far)" },
    FLAG_OPTION("chat", chat, "write prompts through the model's own chat template"),
    FLAG_OPTION("json", json, "one JSON object on standard output"),
    { .name = NULL },
};

const arg_spec query_specs[] = {
    TEXT_OPTION("test", test, "FILE", "queries; without labels there are no metrics"),
    { .name = "limit",
      .kind = ARG_SIZE,
      .offset = offsetof(job_arguments, limit),
      .value = "N",
      .help = "only the first N queries (0: all)" },
    { .name = NULL },
};

const arg_spec job_specs[] = {
    TEXT_OPTION("strategy", strategy, "LINE",
                "methods by stage: 'select=knn(k=8) order=nearest-last'; see icl methods"),
    TEXT_OPTION("record", record, "PARTS", "ask these parts too, for samples.jsonl: whole,input"),
    FLAG_OPTION("no-zero-shot", no_zero_shot, "do not ask without demonstrations"),
    FLAG_OPTION("no-eta", no_eta, "do not measure the plain prefill rate"),
    { .name = NULL },
};

job_arguments job_arguments_default(void)
{
    const icl_run_options options = icl_run_options_default();
    return (job_arguments){ .setup = setup_arguments_default(),
                            .seed = options.seed,
                            .boundary = (int)options.boundary,
                            .overflow = (int)options.overflow };
}

/* The file's name without folder and extension: what a run without a task file is called. */
static void file_stem(char *out, size_t capacity, const char *path)
{
    const char *slash = strrchr(path, '/');
    snprintf(out, capacity, "%s", slash != NULL ? slash + 1 : path);
    char *dot = strrchr(out, '.');
    if (dot != NULL && dot != out) *dot = '\0';
}

static icl_status open_named(icl_task **out, const job_arguments *arguments, const char *operand)
{
    char stem[256];
    if (operand != NULL) return icl_task_find(out, operand);
    const icl_status status = icl_task_default(out);
    if (status != ICL_OK) return status;
    file_stem(stem, sizeof stem, arguments->test != NULL ? arguments->test : arguments->train);
    return icl_task_set_text(*out, ICL_TASK_NAME, stem);
}

/* A shell makes it hard to type a line break, so "\n", "\t" and "\\" mean what they do in C. */
static char *unescape(const char *text)
{
    char *out = malloc(strlen(text) + 1);
    if (out == NULL) return NULL;
    char *to = out;
    for (const char *at = text; *at != '\0'; at++) {
        const char next = at[0] == '\\' ? at[1] : '\0';
        if (next == 'n' || next == 't' || next == '\\') {
            *to++ = (char)(next == 'n' ? '\n' : next == 't' ? '\t' : '\\');
            at++;
        } else {
            *to++ = *at;
        }
    }
    *to = '\0';
    return out;
}

static icl_status set_template(icl_task *task, const char *text)
{
    char *source = unescape(text);
    const icl_status status =
        source != NULL ? icl_task_set_text(task, ICL_TASK_TEMPLATE, source) : ICL_ENOMEM;
    free(source);
    return status;
}

static size_t count_commas(const char *text)
{
    size_t count = 0;
    for (; *text != '\0'; text++) count += *text == ',';
    return count;
}

/* "a,b" as two names; an empty one is the library's to refuse. */
static icl_status set_input_fields(icl_task *task, const char *list)
{
    const size_t count = count_commas(list) + 1;
    const char **names = calloc(count, sizeof *names);
    char *copy = strdup(list);
    icl_status status = ICL_ENOMEM;
    if (names != NULL && copy != NULL) {
        char *at = copy;
        for (size_t i = 0; i < count; i++) {
            names[i] = at;
            at += strcspn(at, ",");
            if (*at != '\0') *at++ = '\0';
        }
        status = icl_task_set_input_fields(task, names, count);
    }
    free(copy);
    free(names);
    return status;
}

static icl_status set_train(icl_task *task, const char *path)
{
    return icl_task_set_text(task, ICL_TASK_TRAIN_PATH, path);
}

static icl_status set_test(icl_task *task, const char *path)
{
    return icl_task_set_text(task, ICL_TASK_TEST_PATH, path);
}

static icl_status set_label_field(icl_task *task, const char *name)
{
    return icl_task_set_text(task, ICL_TASK_LABEL_FIELD, name);
}

/* *out_option: the option whose value was refused. */
static icl_status override_task(icl_task *task, const job_arguments *arguments,
                                const char **out_option)
{
    const struct {
        const char *option, *value;
        icl_status (*set)(icl_task *task, const char *value);
    } overrides[] = { { "--train", arguments->train, set_train },
                      { "--test", arguments->test, set_test },
                      { "--label-field", arguments->label_field, set_label_field },
                      { "--template", arguments->tmpl, set_template },
                      { "--text-field", arguments->text_field, set_input_fields },
                      { "--labels", arguments->labels, icl_task_set_labels } };
    icl_status status = ICL_OK;
    for (size_t i = 0; i < sizeof overrides / sizeof overrides[0] && status == ICL_OK; i++) {
        *out_option = overrides[i].option;
        if (overrides[i].value != NULL) status = overrides[i].set(task, overrides[i].value);
    }
    return status;
}

int job_open_task(icl_task **out, const cli_verb *verb, const job_arguments *arguments,
                  const char *operand)
{
    icl_task *task = NULL;
    const char *option = NULL;
    icl_status status = open_named(&task, arguments, operand);
    if (status != ICL_OK) return cli_fail(verb, status, false);
    status = override_task(task, arguments, &option);
    if (status == ICL_OK) {
        *out = task;
        return CLI_OK;
    }
    icl_task_free(task);
    if (status == ICL_ENOMEM) return cli_fail(verb, status, false);
    cli_complain(verb->name, "%s: %s", option, icl_error_message());
    return CLI_REFUSED;
}

bool job_names_data(const cli_verb *verb, const job_arguments *arguments, const char *operand)
{
    if (operand != NULL || (arguments->train != NULL && arguments->test != NULL)) return true;
    if (arguments->train == NULL && arguments->test == NULL)
        cli_complain(verb->name, "a task is missing: name one of \"icl tasks\", give a task file, "
                                 "or --train FILE --test FILE");
    else
        cli_complain(verb->name, "--%s needs --%s beside it when no task is named",
                     arguments->train != NULL ? "train" : "test",
                     arguments->train != NULL ? "test" : "train");
    return false;
}

const char *job_vectors_path(void)
{
    static char *path; /* options borrow it */
    return path != NULL || icl_vectors_default_path(&path) == ICL_OK ? path : NULL;
}

icl_run_options job_run_options(const job_arguments *arguments, const icl_task *task)
{
    icl_run_options options = icl_run_options_default();
    options.task = task;
    options.strategy = arguments->strategy;
    options.seed = arguments->seed;
    options.limit = arguments->limit;
    options.boundary = (icl_boundary)arguments->boundary;
    options.overflow = (icl_overflow)arguments->overflow;
    options.chat = arguments->chat;
    options.record = arguments->record;
    options.zero_shot = !arguments->no_zero_shot;
    options.encoder_path = arguments->encoder;
    options.vectors_path = job_vectors_path();
    options.thread_count = (int)arguments->setup.threads;
    return options;
}

void job_tell_repeats(const cli_verb *verb, size_t repeats, size_t relabelled, size_t pool_count)
{
    if (relabelled > 0)
        cli_complain(verb->name,
                     "%zu of %zu pool items repeat the text of another, %zu of them with another "
                     "label",
                     repeats, pool_count, relabelled);
    else if (repeats > 0)
        cli_complain(verb->name, "%zu of %zu pool items repeat the text of another", repeats,
                     pool_count);
}

void job_tell_chance(const cli_verb *verb, const icl_run *run)
{
    const icl_run_summary *summary = icl_run_get_summary(run);
    job_tell_repeats(verb, summary->pool_repeats, summary->pool_relabelled, summary->pool_count);
    if (summary->queries_undecided > 0)
        cli_complain(verb->name,
                     "for %zu of %zu queries all pool items score the same, so the first of the "
                     "file are shown",
                     summary->queries_undecided, summary->query_count);
}

icl_status job_measure_prefill(double *out_rate, icl_engine *engine, uint64_t tokens,
                               uint64_t visible_cells, uint64_t calls, double seconds)
{
    if (calls == 0 || tokens == 0) return ICL_OK;
    return icl_engine_measure_prefill(engine, (size_t)((tokens + calls - 1) / calls),
                                      (size_t)(visible_cells / tokens), seconds, out_rate);
}
