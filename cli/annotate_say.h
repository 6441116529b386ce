/* cli/annotate_say.h - what `icl annotate` tells of its cost, its confidence and its outcome. */
#ifndef ICL_CLI_ANNOTATE_SAY_H
#define ICL_CLI_ANNOTATE_SAY_H

#include <icl/annotate.h>

#include "args.h"

/* On standard error: what will be asked. */
void annotate_say_cost(const cli_verb *verb, const icl_annotate_summary *summary);
/* On standard error: what the validation rows promise. */
void annotate_say_promise(const cli_verb *verb, const icl_annotate_summary *summary);

/* On standard output, as a table. */
void annotate_print_plan(const icl_annotate_summary *summary);
void annotate_print_outcome(const icl_annotate_summary *summary, const icl_meter *meter);

/* One object on standard output; `meter` NULL: a plan. */
void annotate_print_json(const icl_annotate_summary *summary, const icl_meter *meter);

#endif
