/* icl help [VERB] */
#include <stdio.h>
#include <string.h>

#include <icl/sys/program.h>

#include "cli.h"

static void print_overview(void)
{
    size_t count;
    const cli_verb *const *verbs = cli_verbs(&count);
    printf("icl - in-context learning: one prompt trie, each distinct token evaluated once\n\n"
           "usage: icl COMMAND [OPTION ...]\n\ncommands:\n");
    for (size_t i = 0; i < count; i++) printf("  %-10s%s\n", verbs[i]->name, verbs[i]->summary);
    printf("\n\"icl help COMMAND\" explains one; \"icl --version\" names this build.\n"
           "Try it: icl run snips\n");
}

static int run_help(const cli_verb *verb, int count, char **words)
{
    int code = CLI_OK;
    arg_operands operands;
    if (!cli_start(verb, count, words, NULL, &operands, &code)) return code;
    if (operands.count == 0) {
        print_overview();
        return cli_finish_output(verb);
    }
    enum { NAMES_MAX = 16 };
    const char *names[NAMES_MAX];
    size_t verb_count;
    const cli_verb *const *verbs = cli_verbs(&verb_count);
    for (size_t i = 0; i < verb_count && i < NAMES_MAX; i++) {
        if (strcmp(verbs[i]->name, operands.words[0]) == 0) {
            args_print_help(verbs[i]);
            return cli_finish_output(verb);
        }
        names[i] = verbs[i]->name;
    }
    const size_t nearest = icl_program_nearest(operands.words[0], names, verb_count);
    cli_complain(verb->name, "no command \"%s\"; did you mean \"%s\"?", operands.words[0],
                 nearest < verb_count ? names[nearest] : verb_run.name);
    return CLI_REFUSED;
}

const cli_verb verb_help = { .name = "help",
                             .summary = "explain a command",
                             .arguments = "[COMMAND]",
                             .operands_max = 1,
                             .run = run_help };
