/* cli/job.h - what the verbs that work on a task share: its data and prompts, and for `icl run` and
 * `icl plan` the options that say which run it is. */
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
    const char *encoder, *strategy, *record;
    uint64_t seed;
    size_t limit;
    int boundary, overflow; /* icl_boundary, icl_overflow */
    bool chat, no_zero_shot, no_eta, json;
} job_arguments;

job_arguments job_arguments_default(void);

extern const arg_spec data_specs[];  /* of job_arguments: the task, its data and its prompts */
extern const arg_spec query_specs[]; /* of job_arguments: which queries */
extern const arg_spec job_specs[];   /* of job_arguments: what else says which run it is */

/* Whether a task or both data files are named; says what is missing otherwise. */
bool job_names_data(const cli_verb *verb, const job_arguments *arguments, const char *operand);

/* The task with its overrides; *out is yours. `operand` may be NULL when a data file is named.
 * Exit code; when not CLI_OK it has said why. */
int job_open_task(icl_task **out, const cli_verb *verb, const job_arguments *arguments,
                  const char *operand);

/* The user's cache of sentence vectors; NULL: there is no place for one. Borrowed. */
const char *job_vectors_path(void);

icl_run_options job_run_options(const job_arguments *arguments, const icl_task *task);

/* Says on standard error what of the data leaves a choice of demonstrations to chance: texts that
 * stand twice in the pool, queries for which all scores are equal. */
void job_tell_chance(const cli_verb *verb, const icl_run *run);
void job_tell_repeats(const cli_verb *verb, size_t repeats, size_t relabelled, size_t pool_count);

/* Plain prefill rate at the shape of a plan, measured for about so many seconds. Without calls
 * there is no shape, and *out_rate stays. */
icl_status job_measure_prefill(double *out_rate, icl_engine *engine, uint64_t tokens,
                               uint64_t visible_cells, uint64_t calls, double seconds);

#endif
