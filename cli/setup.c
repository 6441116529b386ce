#include "setup.h"

#include <stdlib.h>
#include <string.h>

#include <icl/run.h>
#include <icl/sys/program.h>

#include "progress.h"
#include "tuned.h"

const char *const setup_kv_names[] = { "f32", "f16", NULL };

const arg_spec setup_specs[] = {
    { .name = "model",
      .kind = ARG_TEXT,
      .offset = offsetof(setup_arguments, model),
      .value = "FILE",
      .help = "GGUF model (ICL_MODEL, else the shipped one)" },
    { .name = "threads",
      .kind = ARG_SIZE,
      .offset = offsetof(setup_arguments, threads),
      .value = "N",
      .minimum = 1,
      .maximum = 512,
      .help = "worker threads (what icl doctor --tune found, else the free cores)" },
    { .name = "kv",
      .kind = ARG_CHOICE,
      .offset = offsetof(setup_arguments, kv_type),
      .value = "f32|f16",
      .choices = setup_kv_names,
      .help = "precision of cached keys and values (f32); f16 halves the memory and costs up to "
              "4e-4 nats" },
    { .name = "call-tokens",
      .kind = ARG_SIZE,
      .offset = offsetof(setup_arguments, call_tokens),
      .value = "N",
      .minimum = 1,
      .maximum = 1 << 16,
      .help = "tokens of one evaluation (what icl doctor --tune found, else 768)" },
    { .name = "cache-mib",
      .kind = ARG_SIZE,
      .offset = offsetof(setup_arguments, cache_mib),
      .value = "N",
      .minimum = 1,
      .maximum = 1 << 24,
      .help = "budget of the key/value cache (a quarter of free memory)" },
    { .name = NULL },
};

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

/* Never more than the cores that are free now; 0: let the model take those. */
static int found_threads(const cli_tuned *found)
{
    const int cores = found->threads > 0 ? icl_program_free_cores() : 0;
    return (int)found->threads < cores ? (int)found->threads : cores;
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
    options.thread_count = arguments->threads > 0 ? (int)arguments->threads : found_threads(&found);
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
