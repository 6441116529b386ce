/* icl - in-context learning on the command line: picks the verb. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include <icl/run.h>
#include <icl/sys/program.h>

#include "cli.h"

static const cli_verb *const verbs[] = { &verb_run,      &verb_plan,    &verb_search, &verb_compare,
                                         &verb_annotate, &verb_select,  &verb_fit,    &verb_score,
                                         &verb_train,    &verb_methods, &verb_tasks,  &verb_doctor,
                                         &verb_help };
enum { VERB_COUNT = sizeof verbs / sizeof verbs[0] };

const cli_verb *const *cli_verbs(size_t *out_count)
{
    *out_count = VERB_COUNT;
    return verbs;
}

bool cli_start(const cli_verb *verb, int count, char **words, void *values,
               arg_operands *out_operands, int *out_code)
{
    if (!args_parse(verb, count, words, values, out_operands)) {
        *out_code = CLI_REFUSED;
        return false;
    }
    if (!out_operands->help) return true;
    args_print_help(verb);
    *out_code = cli_finish_output(verb);
    return false;
}

int cli_fail(const cli_verb *verb, icl_status status, bool begun)
{
    cli_complain(verb->name, "%s", icl_error_message());
    if (status == ICL_ECANCELLED) return CLI_CANCELLED;
    const bool world = status == ICL_EIO || status == ICL_EMODEL;
    return status == ICL_ENOMEM || (begun && world) ? CLI_FAILED : CLI_REFUSED;
}

int cli_finish_output(const cli_verb *verb)
{
    if (fflush(stdout) == 0 && !ferror(stdout)) return CLI_OK;
    cli_complain(verb->name, "cannot write to standard output: %s", strerror(errno));
    return CLI_FAILED;
}

static int complain_unknown_verb(const char *word)
{
    const char *names[VERB_COUNT];
    for (size_t i = 0; i < VERB_COUNT; i++) names[i] = verbs[i]->name;
    const size_t nearest = icl_program_nearest(word, names, VERB_COUNT);
    if (nearest < VERB_COUNT)
        cli_complain(NULL, "unknown command \"%s\"; did you mean \"icl %s\"?", word,
                     names[nearest]);
    else
        cli_complain(NULL, "unknown command \"%s\"; \"icl help\" lists them", word);
    return CLI_REFUSED;
}

int main(int argc, char **argv)
{
    /* A file-size limit must end in a sentence like a full disk, not in a signal. */
    signal(SIGXFSZ, SIG_IGN);
    if (argc < 2) {
        cli_complain(NULL, "a command is missing; \"icl help\" lists them");
        return CLI_REFUSED;
    }
    const char *word = argv[1];
    if (strcmp(word, "--version") == 0) {
        printf("icl %s\n", icl_version());
        return cli_finish_output(&verb_help);
    }
    if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0) word = verb_help.name;
    for (size_t i = 0; i < VERB_COUNT; i++)
        if (strcmp(verbs[i]->name, word) == 0) return verbs[i]->run(verbs[i], argc - 2, argv + 2);
    return complain_unknown_verb(word);
}
