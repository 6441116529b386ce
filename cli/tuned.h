/* cli/tuned.h - what `icl doctor --tune` found for a model, kept in
 * ${XDG_CONFIG_HOME:-~/.config}/icl/tune.json by the hash of the model file. Only settings that
 * change the speed and never an answer. */
#ifndef ICL_CLI_TUNED_H
#define ICL_CLI_TUNED_H

#include <stddef.h>

#include <icl/status.h>

typedef struct cli_tuned {
    size_t threads;     /* 0: all free cores */
    size_t call_tokens; /* 0: nothing is remembered */
    double tokens_per_second;
} cli_tuned;

/* What is remembered of the model file; zeros when nothing is, or the file cannot be read. */
cli_tuned tuned_load(const char *model_path);
/* *out_path: the file written, malloc'd, yours. */
icl_status tuned_save(const char *identity, const char *model_path, const cli_tuned *found,
                      char **out_path);

#endif
