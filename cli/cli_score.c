/* icl score: log-probabilities of continuations, JSON lines in, JSON lines out. */
#include <stdio.h>
#include <stdlib.h>

#include <icl/engine.h>
#include <icl/lines.h>
#include <icl/run.h>

#include "cli.h"
#include "interrupt.h"
#include "setup.h"

typedef struct score_arguments {
    setup_arguments setup;
    size_t batch_lines;
} score_arguments;

static const arg_spec specs[] = {
    { .name = "batch-lines",
      .kind = ARG_SIZE,
      .offset = offsetof(score_arguments, batch_lines),
      .value = "N",
      .minimum = 1,
      .maximum = 1 << 20,
      .help = "lines read before the model is asked (4096); 1 answers line by line" },
    { .name = NULL },
};

static const char details[] =
    "Reads a JSON object a line from standard input and writes one a line to standard\n"
    "output, in order:\n"
    "  in   {\"id\": 1, \"prefix\": \"2 + 2 =\", \"continuation\": \" 4\"}\n"
    "  or   {\"id\": 1, \"prefix_tokens\": [5, 6], \"continuation_tokens\": [7]}\n"
    "  out  {\"id\": 1, \"logprob\": -1.5, \"token_logprobs\": [-1.5], \"greedy\": false}\n"
    "  bad  {\"id\": 1, \"error\": \"...\"}, and the exit code is 1 at the end\n\n"
    "Log-probabilities are in nats. Texts are tokenised together, a token across\n"
    "their join belongs to the continuation, and BOS is put first when the model\n"
    "wants one. Token ids are taken as they are: no BOS is added.";

static int score(const cli_verb *verb, cli_setup *setup, const score_arguments *arguments)
{
    icl_lines_options options = icl_lines_options_default();
    icl_lines_counts counts = { 0 };
    options.batch_lines = arguments->batch_lines;
    const icl_status status = icl_lines_score(setup->engine, stdin, stdout, &options, &counts);
    if (status != ICL_OK) return cli_fail(verb, status, true);
    return counts.bad > 0 ? CLI_BAD_LINES : CLI_OK;
}

static int run_score(const cli_verb *verb, int count, char **words)
{
    score_arguments arguments = { .setup = setup_arguments_default(),
                                  .batch_lines = icl_lines_options_default().batch_lines };
    int code = CLI_OK;
    arg_operands operands;
    if (!cli_start(verb, count, words, &arguments, &operands, &code)) return code;
    cli_setup setup = { 0 };
    const icl_status status = setup_open(&setup, &arguments.setup, NULL, NULL);
    if (status != ICL_OK) {
        code = cli_fail(verb, status, false);
    } else {
        interrupt_install("icl score: interrupted");
        interrupt_watch(setup.model);
        code = score(verb, &setup, &arguments);
        interrupt_watch(NULL);
    }
    setup_close(&setup);
    return code;
}

const cli_verb verb_score = {
    .name = "score",
    .summary = "log-probabilities of continuations, as a JSON lines filter",
    .arguments = "[OPTION ...] < IN > OUT",
    .details = details,
    .groups = { { setup_specs, offsetof(score_arguments, setup) }, { specs, 0 } },
    .run = run_score
};
