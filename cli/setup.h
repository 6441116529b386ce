/* cli/setup.h - the model and the engine as the shared options of a verb ask for them. */
#ifndef ICL_CLI_SETUP_H
#define ICL_CLI_SETUP_H

#include <icl/engine.h>
#include <icl/model.h>

#include "args.h"
#include "progress.h"

typedef struct setup_arguments {
    const char *model;  /* NULL: the shipped one */
    int kv_type;        /* icl_kv_type */
    size_t threads;     /* 0: remembered by `icl doctor --tune`, else free cores */
    size_t call_tokens; /* 0: remembered, else the model's */
    size_t cache_mib;   /* 0: a quarter of free memory */
} setup_arguments;

setup_arguments setup_arguments_default(void);

extern const arg_spec setup_specs[];       /* of setup_arguments */
extern const char *const setup_kv_names[]; /* by icl_kv_type, NULL-terminated */

typedef struct cli_setup {
    icl_model *model;
    icl_engine *engine;
} cli_setup;

/* The model alone. */
icl_status setup_open_model(cli_setup *self, const setup_arguments *arguments);
/* Model, if not yet open, and engine. `journal_path` and `progress` may be NULL. */
icl_status setup_open(cli_setup *self, const setup_arguments *arguments, const char *journal_path,
                      cli_progress *progress);
/* Fine on what was never or half opened. */
void setup_close(cli_setup *self);

#endif
