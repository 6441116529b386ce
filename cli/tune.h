/* cli/tune.h - icl doctor --tune: which settings run this model fastest on this machine. */
#ifndef ICL_CLI_TUNE_H
#define ICL_CLI_TUNE_H

#include "args.h"

/* Measures, prints the table and remembers the fastest exact setting. Exit code. `model_path` may
 * be NULL: the shipped one. */
int tune_model(const cli_verb *verb, const char *model_path);

#endif
