/* icl train: trains a model from a recipe. */
#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <icl/report.h>
#include <icl/train.h>

#include "cli.h"
#include "interrupt.h"
#include "progress.h"

typedef struct train_arguments {
    const char *data, *out, *encoder;
    size_t threads;
    int device;
    bool plan, resume, quiet, json;
} train_arguments;

/* The first one is the best of this build. */
static const char *const devices[] = { "best", "cpu", "cuda", NULL };

static const arg_spec specs[] = {
    { .name = "plan",
      .kind = ARG_FLAG,
      .offset = offsetof(train_arguments, plan),
      .help = "say what the run will take, and train nothing" },
    { .name = "data",
      .kind = ARG_TEXT,
      .offset = offsetof(train_arguments, data),
      .value = "DIR",
      .help = "where the recipe's files are (beside the recipe)" },
    { .name = "out",
      .kind = ARG_TEXT,
      .offset = offsetof(train_arguments, out),
      .value = "DIR",
      .help = "folder of checkpoints, curves and the model (icl-train/NAME)" },
    { .name = "resume",
      .kind = ARG_FLAG,
      .offset = offsetof(train_arguments, resume),
      .help = "go on from the checkpoint in DIR" },
    { .name = "encoder",
      .kind = ARG_TEXT,
      .offset = offsetof(train_arguments, encoder),
      .value = "FILE",
      .help = "sentence encoder, for recipes that need one" },
    { .name = "device",
      .kind = ARG_CHOICE,
      .offset = offsetof(train_arguments, device),
      .value = "best|cpu|cuda",
      .help = "where to train",
      .choices = devices },
    { .name = "threads",
      .kind = ARG_SIZE,
      .offset = offsetof(train_arguments, threads),
      .value = "N",
      .help = "workers on the CPU (free physical cores); never changes a weight",
      .minimum = 1,
      .maximum = 512 },
    { .name = "quiet",
      .kind = ARG_FLAG,
      .offset = offsetof(train_arguments, quiet),
      .help = "no progress and no table" },
    { .name = "json",
      .kind = ARG_FLAG,
      .offset = offsetof(train_arguments, json),
      .help = "one JSON object on standard output" },
    { .name = NULL },
};

static const char details[] =
    "RECIPE is a YAML file that names model, tokenizer, data, phases and evaluation\n"
    "sets; docs/train.md explains it, recipes/ has some. DIR receives\n"
    "checkpoint.gguf, curve.jsonl, evaluation.jsonl, report.json, report.md,\n"
    "pictures of the curves and NAME.gguf. Ctrl-C writes a checkpoint first.";

static const double mib = 1024.0 * 1024.0;

typedef struct train_state {
    const cli_verb *verb;
    const train_arguments *arguments;
    icl_training *training;
    cli_progress progress;
} train_state;

/* ---- plan ---- */

static json_t *phase_object(const icl_train_phase_plan *phase)
{
    return json_pack("{s:s, s:I, s:I, s:I, s:I, s:f, s:I}", "name", phase->name, "steps",
                     (json_int_t)phase->steps, "context", (json_int_t)phase->context, "rows",
                     (json_int_t)phase->rows, "tokens_per_step", (json_int_t)phase->tokens_per_step,
                     "flops_per_step", phase->flops_per_step, "activation_bytes",
                     (json_int_t)phase->activation_bytes);
}

static void print_plan_json(const train_state *state)
{
    const icl_train_plan *plan = icl_training_get_plan(state->training);
    json_t *phases = json_array();
    for (size_t i = 0; i < plan->phase_count; i++)
        json_array_append_new(phases, phase_object(icl_training_get_phase(state->training, i)));
    json_t *object =
        json_pack("{s:s, s:s, s:I, s:I, s:I, s:I, s:f, s:I, s:I, s:I, s:I, s:f, s:f, s:o}", "name",
                  plan->name, "device", plan->device, "parameters", (json_int_t)plan->parameters,
                  "trained_parameters", (json_int_t)plan->trained_parameters, "steps",
                  (json_int_t)plan->steps, "tokens", (json_int_t)plan->tokens, "flops", plan->flops,
                  "weight_bytes", (json_int_t)plan->weight_bytes, "activation_bytes",
                  (json_int_t)plan->activation_bytes, "data_bytes", (json_int_t)plan->data_bytes,
                  "total_bytes", (json_int_t)plan->total_bytes, "flops_per_second",
                  plan->flops_per_second, "seconds_estimated", plan->seconds, "phases", phases);
    json_dumpf(object, stdout, JSON_REAL_PRECISION(9));
    putchar('\n');
    json_decref(object);
}

static void print_phase(const icl_train_phase_plan *phase)
{
    printf("  %-14s %" PRIu64 " steps of %" PRIu64 " tokens (%zu rows of %zu), %.3g GFLOP a step, "
           "%.1f MiB\n",
           phase->name, phase->steps, phase->tokens_per_step, phase->rows, phase->context,
           phase->flops_per_step * 1e-9, (double)phase->activation_bytes / mib);
}

static void print_plan(const train_state *state)
{
    const icl_train_plan *plan = icl_training_get_plan(state->training);
    char seconds[64];
    progress_format_time(seconds, sizeof seconds, plan->seconds);
    printf("recipe          %s\n", plan->name);
    printf("device          %s\n", plan->device);
    printf("parameters      %" PRIu64 ", %" PRIu64 " of them trained\n", plan->parameters,
           plan->trained_parameters);
    printf("phases\n");
    for (size_t i = 0; i < plan->phase_count; i++)
        print_phase(icl_training_get_phase(state->training, i));
    printf("work            %" PRIu64 " tokens in %" PRIu64 " steps, %.3g GFLOP\n", plan->tokens,
           plan->steps, plan->flops * 1e-9);
    printf("memory          %.1f MiB: weights and optimizer %.1f, activations %.1f, data %.1f\n",
           (double)plan->total_bytes / mib, (double)plan->weight_bytes / mib,
           (double)plan->activation_bytes / mib, (double)plan->data_bytes / mib);
    printf("time            about %s by one micro-batch of each phase, evaluation excluded; %.0f "
           "%% of "
           "the\n                %.1f GFLOP/s of a bare product of the model's width\n",
           seconds, 100 * plan->flops / plan->seconds / plan->flops_per_second,
           plan->flops_per_second * 1e-9);
}

static int show_plan(const train_state *state)
{
    if (state->arguments->json)
        print_plan_json(state);
    else
        print_plan(state);
    return cli_finish_output(state->verb);
}

/* ---- progress ---- */

static size_t append(char *line, size_t used, size_t capacity, const char *text)
{
    if (used >= capacity) return used;
    const int length = snprintf(line + used, capacity - used, "%s", text);
    return used + (size_t)(length > 0 ? length : 0);
}

/* The name of a source without its options: "labelled". */
static size_t append_losses(char *line, size_t used, size_t capacity,
                            const icl_train_progress *progress)
{
    char part[64];
    for (size_t i = 0; i < progress->source_count; i++) {
        if (isnan(progress->source_losses[i])) continue;
        const char *name = progress->source_names[i];
        snprintf(part, sizeof part, "  %.*s %.3f", (int)strcspn(name, "("), name,
                 progress->source_losses[i]);
        used = append(line, used, capacity, part);
    }
    return used;
}

static void show_step(cli_progress *shown, const icl_train_progress *progress)
{
    char line[256], part[96], left[32];
    size_t used = 0;
    snprintf(part, sizeof part, "%.24s  step %" PRIu64 "/%" PRIu64, progress->phase, progress->step,
             progress->steps);
    used = append(line, used, sizeof line, part);
    used = append_losses(line, used, sizeof line, progress);
    if (progress->tokens_per_second > 0) {
        progress_format_time(left, sizeof left, progress->seconds_left);
        snprintf(part, sizeof part, "  %.0f tokens/s  left: %s", progress->tokens_per_second, left);
        append(line, used, sizeof line, part);
    }
    progress_line(shown, line, true);
}

static void show_progress(void *user, const icl_train_progress *progress)
{
    cli_progress *shown = user;
    char line[96];
    if (strcmp(progress->stage, "training") == 0) {
        show_step(shown, progress);
        return;
    }
    if (progress->total > 0)
        snprintf(line, sizeof line, "%s %zu of %zu", progress->stage, progress->done,
                 progress->total);
    else
        snprintf(line, sizeof line, "%s ...", progress->stage);
    progress_line(shown, line, true);
}

/* ---- the verb ---- */

static int interrupted(const train_state *state)
{
    if (icl_training_has_checkpoint(state->training))
        cli_complain(state->verb->name,
                     "interrupted; a checkpoint is kept in \"%s\", and the same command with "
                     "--resume goes on from there",
                     icl_training_folder(state->training));
    else
        cli_complain(state->verb->name, "interrupted before the first step");
    return CLI_CANCELLED;
}

static icl_status print_results(const train_state *state)
{
    char *text = NULL;
    const char *folder = icl_training_folder(state->training);
    if (!state->arguments->json && state->arguments->quiet) return ICL_OK;
    const icl_status status = state->arguments->json ? icl_report_training_json(&text, folder)
                                                     : icl_report_training_table(&text, folder);
    if (status != ICL_OK) return status;
    fputs(text, stdout);
    free(text);
    if (state->arguments->json) {
        putchar('\n');
        return ICL_OK;
    }
    printf("\nreport  %s/report.md\n", folder);
    if (icl_training_model_path(state->training) != NULL)
        printf("model   %s\n", icl_training_model_path(state->training));
    return ICL_OK;
}

static int train(train_state *state)
{
    interrupt_watch_training(state->training);
    icl_status status = icl_training_run(state->training);
    interrupt_watch_training(NULL);
    progress_clear(&state->progress);
    if (status == ICL_ECANCELLED) return interrupted(state);
    if (status == ICL_OK) status = icl_report_training(icl_training_folder(state->training));
    if (status == ICL_OK) status = print_results(state);
    if (status != ICL_OK) return cli_fail(state->verb, status, true);
    return cli_finish_output(state->verb);
}

/* What does not fit into memory was refused, with its sentence; nothing was computed. */
static int refuse(const cli_verb *verb, icl_status status)
{
    if (status != ICL_ENOMEM) return cli_fail(verb, status, false);
    cli_complain(verb->name, "%s", icl_error_message());
    return CLI_REFUSED;
}

static int run_train(const cli_verb *verb, int count, char **words)
{
    train_arguments arguments = { .device = 0 };
    int code = CLI_OK;
    arg_operands operands;
    if (!cli_start(verb, count, words, &arguments, &operands, &code)) return code;
    if (operands.count == 0) {
        cli_complain(verb->name, "a recipe is missing; \"icl help train\" says what it is");
        return CLI_REFUSED;
    }
    train_state state = { .verb = verb, .arguments = &arguments };
    const bool silent = arguments.quiet || arguments.json;
    state.progress = progress_begin(!silent);
    interrupt_install(
        "icl train: interrupted; the same command with --resume goes on from the last "
        "checkpoint");
    icl_train_options options = icl_train_options_default();
    options.data_folder = arguments.data;
    options.encoder_path = arguments.encoder;
    options.out_folder = arguments.out;
    options.device = arguments.device > 0 ? devices[arguments.device] : NULL;
    options.thread_count = (int)arguments.threads;
    options.resume = arguments.resume;
    options.report = silent ? NULL : show_progress;
    options.user = &state.progress;
    const icl_status status = icl_training_open(&state.training, operands.words[0], &options);
    if (status != ICL_OK) return refuse(verb, status);
    code = arguments.plan ? show_plan(&state) : train(&state);
    icl_training_close(state.training);
    return code;
}

const cli_verb verb_train = { .name = "train",
                              .summary = "train a model from a recipe",
                              .arguments = "RECIPE.yaml [OPTION ...]",
                              .details = details,
                              .groups = { { specs, 0 } },
                              .operands_max = 1,
                              .run = run_train };
