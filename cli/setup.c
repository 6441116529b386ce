#include "setup.h"

#include <stdlib.h>
#include <string.h>

#include <icl/run.h>

#include "progress.h"
#include "tuned.h"

const char *const setup_kv_names[] = { "f32", "f16", NULL };

setup_arguments setup_arguments_default(void)
{
    return (setup_arguments){ .kv_type = ICL_KV_F32 };
}

static icl_status model_path(char **out, const char *given)
{
    if (given == NULL) return icl_model_default_path(out);
    *out = strdup(given);
    return *out != NULL ? ICL_OK : ICL_ENOMEM;
}

icl_status setup_open_model(cli_setup *self, const setup_arguments *arguments)
{
    char *path = NULL;
    icl_status status = model_path(&path, arguments->model);
    if (status != ICL_OK) return status;
    const cli_tuned found = arguments->threads == 0 || arguments->call_tokens == 0
                                ? tuned_load(path)
                                : (cli_tuned){ .threads = 0 };
    icl_model_options options = icl_model_options_default();
    options.thread_count = (int)(arguments->threads > 0 ? arguments->threads : found.threads);
    options.call_tokens_max =
        arguments->call_tokens > 0 ? arguments->call_tokens : found.call_tokens;
    options.kv_type = (icl_kv_type)arguments->kv_type;
    status = icl_model_open(&self->model, path, &options);
    free(path);
    return status;
}

icl_status setup_open(cli_setup *self, const setup_arguments *arguments, const char *journal_path,
                      cli_progress *progress)
{
    icl_status status = self->model == NULL ? setup_open_model(self, arguments) : ICL_OK;
    if (status != ICL_OK) return status;
    icl_engine_options options = icl_engine_options_default();
    options.cache_bytes_max = arguments->cache_mib << 20;
    options.journal_path = journal_path;
    options.progress = progress != NULL ? progress_update : NULL;
    options.progress_user = progress;
    return icl_engine_open(&self->engine, self->model, &options);
}

void setup_close(cli_setup *self)
{
    icl_engine_close(self->engine);
    icl_model_close(self->model);
    *self = (cli_setup){ .model = NULL };
}
