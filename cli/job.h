/* cli/job.h - what `icl run` and `icl plan` share: the options that say which run it is. */
#ifndef ICL_CLI_JOB_H
#define ICL_CLI_JOB_H

#include <stdbool.h>
#include <stdint.h>

#include <icl/run.h>
#include <icl/task.h>

#include "args.h"
#include "setup.h"

typedef struct job_arguments {
    setup_arguments setup;
    const char *train, *test, *tmpl, *labels, *text_field, *label_field;
    const char *encoder, *strategy;
    uint64_t seed;
    size_t limit;
    int boundary, overflow; /* icl_boundary, icl_overflow */
    bool chat, no_zero_shot, no_eta, json;
} job_arguments;

job_arguments job_arguments_default(void);

extern const char *const job_boundary_names[]; /* by icl_boundary, NULL-terminated */
extern const char *const job_overflow_names[]; /* by icl_overflow, NULL-terminated */

#define JOB_TEXT(type, option, field, word, text)                                                  \
    {                                                                                              \
        .name = option, .kind = ARG_TEXT, .offset = offsetof(type, job.field), .value = word,      \
        .help = text                                                                               \
    }
#define JOB_FLAG(type, option, field, text)                                                        \
    {                                                                                              \
        .name = option, .kind = ARG_FLAG, .offset = offsetof(type, job.field), .help = text        \
    }

/* The option rows of job_arguments, which is the field `job` of `type`. */
#define JOB_SPECS(type)                                                                            \
    JOB_TEXT(type, "train", train, "FILE", "labelled examples: .jsonl, .csv or .tsv"),             \
        JOB_TEXT(type, "test", test, "FILE", "queries; without labels there are no metrics"),      \
        JOB_TEXT(type, "text-field", text_field, "NAMES", "input fields, comma-separated (text)"), \
        JOB_TEXT(type, "label-field", label_field, "NAME", "field of the label (label)"),          \
        JOB_TEXT(type, "template", tmpl, "TEXT",                                                   \
                 "Jinja text of an example up to its answer; \\n is a line break"),                \
        JOB_TEXT(type, "labels", labels, "LIST", "words of labels: 'name=words,name=a|b'"),        \
        JOB_TEXT(type, "strategy", strategy, "LINE",                                               \
                 "methods by stage: 'select=knn(k=8) order=nearest-last'; see icl methods"),       \
        JOB_TEXT(type, "encoder", encoder, "FILE", "sentence encoder (ICL_ENCODER, else cached)"), \
        { .name = "seed",                                                                          \
          .kind = ARG_SEED,                                                                        \
          .offset = offsetof(type, job.seed),                                                      \
          .value = "N",                                                                            \
          .help = "key of all randomness (0)" },                                                   \
        { .name = "limit",                                                                         \
          .kind = ARG_SIZE,                                                                        \
          .offset = offsetof(type, job.limit),                                                     \
          .value = "N",                                                                            \
          .help = "only the first N queries (0: all)" },                                           \
        { .name = "boundary",                                                                      \
          .kind = ARG_CHOICE,                                                                      \
          .offset = offsetof(type, job.boundary),                                                  \
          .value = "POLICY",                                                                       \
          .choices = job_boundary_names,                                                           \
          .help = "prompt and answer become tokens joint (default), separate or heal" },           \
        { .name = "overflow",                                                                      \
          .kind = ARG_CHOICE,                                                                      \
          .offset = offsetof(type, job.overflow),                                                  \
          .value = "POLICY",                                                                       \
          .choices = job_overflow_names,                                                           \
          .help = "a prompt beyond the window: drop-far (default), drop-near or error" },          \
        JOB_FLAG(type, "chat", chat, "write prompts through the model's own chat template"),       \
        JOB_FLAG(type, "no-zero-shot", no_zero_shot, "do not ask without demonstrations"),         \
        JOB_FLAG(type, "no-eta", no_eta, "do not measure the plain prefill rate"),                 \
        JOB_FLAG(type, "json", json, "one JSON object on standard output"),                        \
        SETUP_SPECS(type, job.setup)

/* Whether a task or both data files are named; says what is missing otherwise. */
bool job_names_data(const cli_verb *verb, const job_arguments *arguments, const char *operand);

/* The task with its overrides; *out is yours. `operand` may be NULL when both data files are named.
 */
icl_status job_open_task(icl_task **out, const job_arguments *arguments, const char *operand);

icl_run_options job_run_options(const job_arguments *arguments, const icl_task *task);

/* Plain prefill rate at the shape of a plan, measured for about so many seconds. Without calls
 * there is no shape, and *out_rate stays. */
icl_status job_measure_prefill(double *out_rate, icl_engine *engine, uint64_t tokens,
                               uint64_t visible_cells, uint64_t calls, double seconds);

#endif
