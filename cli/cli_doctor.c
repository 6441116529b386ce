/* icl doctor: what this installation runs on, and whether its promises hold here. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <icl/run.h>
#include <icl/sys/program.h>

#include "cli.h"
#include "interrupt.h"
#include "setup.h"
#include "tune.h"

typedef struct doctor_arguments {
    setup_arguments setup;
    bool tune;
} doctor_arguments;

static const arg_spec specs[] = {
    { .name = "model",
      .kind = ARG_TEXT,
      .offset = offsetof(doctor_arguments, setup.model),
      .value = "FILE",
      .help = "GGUF model (ICL_MODEL, else the shipped one)" },
    { .name = "tune",
      .kind = ARG_FLAG,
      .offset = offsetof(doctor_arguments, tune),
      .help = "measure call sizes, threads and cache precision, and remember the fastest" },
    { .name = NULL },
};

static const char details[] =
    "--tune remembers thread count and call size per model file; icl run, plan and\n"
    "score use them unless --threads or --call-tokens say otherwise. Neither changes\n"
    "an answer.";

static void print_machine(void)
{
    printf("icl        %s\n", icl_version());
    for (size_t i = 0; i < icl_program_library_count(); i++) {
        const icl_program_library library = icl_program_library_at(i);
        printf("%-10s %s\n", library.name, library.version);
    }
    const char *features = icl_program_cpu_features();
    printf("processor  %s\n", features[0] != '\0' ? features : "no vector instructions known");
    printf("cores      %d free\n", icl_program_free_cores());
    printf("memory     %.1f GiB free\n",
           (double)icl_program_free_memory_bytes() / (1024.0 * 1024.0 * 1024.0));
}

static void print_model(const icl_model_info *info)
{
    printf("\nmodel      %s\n", info->path);
    printf("           %s, %zu layers, width %zu\n", info->description, info->layer_count,
           info->embedding_size);
    printf("           window %zu tokens, vocabulary %zu, %zu bytes a cache cell\n",
           info->window_tokens, info->vocab_count, info->bytes_per_cell);
    printf("           identity %s\n", info->identity);
    printf("           engine %s\n", info->build);
    printf("           BOS %s, chat template %s\n", info->bos >= 0 ? "added" : "not wanted",
           info->chat_template != NULL ? "yes" : "no");
}

/* ---- exactness, tried ---- */

enum { PROBE_COUNT = 24, PROBE_TOKENS = 20 };

/* Prompts of different lengths with shared beginnings, whatever the vocabulary is. */
static icl_status add_probe(icl_batch *batch, size_t vocab_count, size_t index)
{
    int32_t tokens[PROBE_TOKENS];
    const size_t count = 4 + index % (PROBE_TOKENS - 6);
    for (size_t i = 0; i < PROBE_TOKENS; i++)
        tokens[i] = (int32_t)((i < 3 ? 11 + i : 131 * index + 17 * i + 5) % vocab_count);
    size_t prefix = 0, request = 0;
    const icl_status status = icl_batch_add_prefix(batch, tokens, count, &prefix);
    return status != ICL_OK ? status
                            : icl_batch_add_score(batch, prefix, tokens + count, 2, &request);
}

/* Log-probabilities of probes first..first+count-1, asked in one batch. */
static icl_status ask_probes(double *out, icl_engine *engine, size_t first, size_t count)
{
    icl_batch *batch = NULL;
    const size_t vocab_count = icl_model_get_info(icl_engine_model(engine))->vocab_count;
    icl_status status = icl_batch_new(&batch);
    for (size_t i = 0; i < count && status == ICL_OK; i++)
        status = add_probe(batch, vocab_count, first + i);
    if (status == ICL_OK) status = icl_engine_run(engine, batch);
    for (size_t i = 0; i < count && status == ICL_OK; i++)
        out[i] = icl_batch_logprob_nats(batch, i);
    icl_batch_free(batch);
    return status;
}

static icl_status check_exactness(icl_engine *engine, bool *out_equal)
{
    double together[PROBE_COUNT], alone[PROBE_COUNT];
    icl_status status = ask_probes(together, engine, 0, PROBE_COUNT);
    for (size_t i = 0; i < PROBE_COUNT && status == ICL_OK; i++)
        status = ask_probes(&alone[i], engine, i, 1);
    if (status == ICL_OK) *out_equal = memcmp(together, alone, sizeof alone) == 0;
    return status;
}

static void print_encoder(void)
{
    char *path = NULL;
    if (icl_encoder_default_path(&path) == ICL_OK)
        printf("\nencoder    %s\n", path);
    else
        printf("\nencoder    not found: %s\n", icl_error_message());
    free(path);
}

static int examine_model(const cli_verb *verb, const doctor_arguments *arguments)
{
    cli_setup setup = { 0 };
    bool equal = false;
    icl_status status = setup_open(&setup, &arguments->setup, NULL, NULL);
    if (status == ICL_OK) {
        print_model(icl_model_get_info(setup.model));
        status = check_exactness(setup.engine, &equal);
    }
    if (status == ICL_OK)
        printf("exact      %s\n",
               equal ? "yes: 24 requests alone and in one batch gave the same bytes"
                     : "no: an answer may differ in its last digits with what shares its batch");
    setup_close(&setup);
    return status == ICL_OK ? CLI_OK : cli_fail(verb, status, false);
}

static int run_doctor(const cli_verb *verb, int count, char **words)
{
    doctor_arguments arguments = { .setup = setup_arguments_default() };
    int code = CLI_OK;
    arg_operands operands;
    if (!cli_start(verb, count, words, &arguments, &operands, &code)) return code;
    interrupt_install("icl doctor: interrupted");
    if (arguments.tune) return tune_model(verb, arguments.setup.model);
    print_machine();
    code = examine_model(verb, &arguments);
    if (code != CLI_OK) return code;
    print_encoder();
    return cli_finish_output(verb);
}

const cli_verb verb_doctor = { .name = "doctor",
                               .summary = "check libraries, processor, model and encoder",
                               .arguments = "[OPTION ...]",
                               .details = details,
                               .groups = { { specs, 0 } },
                               .run = run_doctor };
