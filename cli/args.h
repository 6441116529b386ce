/* cli/args.h - options of a verb as a table: parsing, checking and help text come from it.
 *
 *   struct values { size_t limit; bool json; };
 *   static const arg_spec specs[] = {
 *       { .name = "limit", .kind = ARG_SIZE, .offset = offsetof(struct values, limit),
 *         .value = "N", .help = "only the first N queries" },
 *       { .name = NULL },
 *   };
 */
#ifndef ICL_CLI_ARGS_H
#define ICL_CLI_ARGS_H

#include <stdbool.h>
#include <stddef.h>

/* How the word after an option is read, and what stands at its offset. */
typedef enum arg_kind {
    ARG_FLAG,   /* no word; bool, set to true */
    ARG_TEXT,   /* const char *, borrowed from argv */
    ARG_SIZE,   /* size_t in minimum..maximum */
    ARG_SEED,   /* uint64_t below 2^63, so that it is the same number in JSON */
    ARG_CHOICE, /* int, index into `choices` */
} arg_kind;

typedef struct arg_spec {
    const char *name; /* without the dashes; NULL ends a table */
    arg_kind kind;
    size_t offset;
    const char *value; /* what help calls the word; NULL for flags */
    const char *help;
    size_t minimum, maximum;    /* of ARG_SIZE; maximum 0: no limit */
    const char *const *choices; /* NULL-terminated, of ARG_CHOICE */
} arg_spec;

/* A table and where in the values of a verb the struct stands that its offsets count from. */
typedef struct arg_group {
    const arg_spec *specs; /* NULL ends the groups */
    size_t base;
} arg_group;

enum { ARG_GROUPS_MAX = 6 }; /* one of them the end */

/* One command of the program. */
typedef struct cli_verb {
    const char *name;
    const char *summary;   /* one line */
    const char *arguments; /* after "icl name" in the usage line */
    const char *details;   /* paragraphs of help; may be NULL */
    arg_group groups[ARG_GROUPS_MAX];
    size_t operands_max;
    int (*run)(const struct cli_verb *verb, int count, char **words); /* words after the verb */
} cli_verb;

enum { ARG_OPERANDS_MAX = 32 };

/* Words that are not options, borrowed from argv. */
typedef struct arg_operands {
    const char *words[ARG_OPERANDS_MAX];
    size_t count;
    bool help; /* --help was asked for; nothing else was checked */
} arg_operands;

/* Reads the words of a verb into `values`, which holds the defaults. On failure it has said why on
 * standard error and returns false. An option given twice keeps its last value. */
bool args_parse(const cli_verb *verb, int count, char **words, void *values,
                arg_operands *out_operands);

/* The help of a verb, on standard output. */
void args_print_help(const cli_verb *verb);

/* "icl VERB: sentence" on standard error, line breaks flattened; verb may be NULL. */
__attribute__((format(printf, 2, 3))) void cli_complain(const char *verb, const char *format, ...);

#endif
