/* cli/cli.h - the verbs, how they end, and what they share. */
#ifndef ICL_CLI_H
#define ICL_CLI_H

#include <stdbool.h>
#include <stddef.h>

#include <icl/status.h>

#include "args.h"

/* How the program ends; the manual page lists these. */
enum {
    CLI_OK = 0,
    CLI_BAD_LINES = 1,   /* icl score: some lines were answered with an error */
    CLI_REFUSED = 2,     /* wrong arguments or input; nothing was computed */
    CLI_FAILED = 3,      /* the work broke: disk full, out of memory, model evaluation failed */
    CLI_CANCELLED = 130, /* Ctrl-C */
};

extern const cli_verb verb_run, verb_plan, verb_search, verb_compare, verb_annotate, verb_select,
    verb_fit, verb_score, verb_train, verb_methods, verb_tasks, verb_doctor, verb_help;

/* All verbs, in the order help shows them. */
const cli_verb *const *cli_verbs(size_t *out_count);

/* Parses the words of a verb. False: the verb is done, by help or by a mistake; *out_code says. */
bool cli_start(const cli_verb *verb, int count, char **words, void *values,
               arg_operands *out_operands, int *out_code);

/* Says the library's sentence; exit code of a failure before (begun = false) or during the work. */
int cli_fail(const cli_verb *verb, icl_status status, bool begun);

/* Flushes standard output. A full disk shows only here. */
int cli_finish_output(const cli_verb *verb);

#endif
