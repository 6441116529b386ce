#include "args.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <icl/sys/program.h>

enum { SENTENCE_BYTES = 2048, OPTIONS_MAX = 48, HELP_COLUMNS = 80, HELP_INDENT = 26 };

void cli_complain(const char *verb, const char *format, ...)
{
    char sentence[SENTENCE_BYTES];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(sentence, sizeof sentence, format, arguments);
    va_end(arguments);
    for (char *at = sentence; *at != '\0'; at++)
        if (*at == '\n' || *at == '\r') *at = ' ';
    fprintf(stderr, "icl%s%s: %s\n", verb != NULL ? " " : "", verb != NULL ? verb : "", sentence);
}

/* ---- values ---- */

static bool all_digits(const char *word)
{
    if (word[0] == '\0') return false;
    for (const char *at = word; *at != '\0'; at++)
        if (!isdigit((unsigned char)*at)) return false;
    return true;
}

static bool read_whole(const char *word, uint64_t *out)
{
    if (!all_digits(word)) return false;
    errno = 0;
    const unsigned long long value = strtoull(word, NULL, 10);
    if (errno != 0) return false;
    *out = value;
    return true;
}

static bool set_size(const cli_verb *verb, const arg_spec *spec, const char *word, size_t *to)
{
    uint64_t value = 0;
    const size_t maximum = spec->maximum > 0 ? spec->maximum : SIZE_MAX;
    if (read_whole(word, &value) && value >= spec->minimum && value <= maximum) {
        *to = (size_t)value;
        return true;
    }
    if (spec->maximum > 0)
        cli_complain(verb->name, "--%s takes a whole number in %zu..%zu, not \"%s\"", spec->name,
                     spec->minimum, spec->maximum, word);
    else
        cli_complain(verb->name, "--%s takes a whole number from %zu, not \"%s\"", spec->name,
                     spec->minimum, word);
    return false;
}

static bool set_choice(const cli_verb *verb, const arg_spec *spec, const char *word, int *to)
{
    char known[256] = "";
    for (int i = 0; spec->choices[i] != NULL; i++) {
        if (strcmp(spec->choices[i], word) == 0) {
            *to = i;
            return true;
        }
        const size_t used = strlen(known);
        snprintf(known + used, sizeof known - used, "%s%s", i > 0 ? ", " : "", spec->choices[i]);
    }
    cli_complain(verb->name, "--%s takes one of %s, not \"%s\"", spec->name, known, word);
    return false;
}

static bool set_value(const cli_verb *verb, const arg_spec *spec, const char *word, void *to)
{
    switch (spec->kind) {
    case ARG_FLAG:
        *(bool *)to = true;
        return true;
    case ARG_TEXT:
        *(const char **)to = word;
        return true;
    case ARG_SIZE:
        return set_size(verb, spec, word, to);
    case ARG_CHOICE:
        return set_choice(verb, spec, word, to);
    case ARG_SEED:
        if (read_whole(word, to) && *(uint64_t *)to <= INT64_MAX) return true;
        cli_complain(verb->name, "--%s takes a whole number below 2^63, not \"%s\"", spec->name,
                     word);
        return false;
    }
    return false;
}

/* ---- words ---- */

/* An option and the place of its value. */
typedef struct found_option {
    const arg_spec *spec; /* NULL: unknown */
    void *to;
} found_option;

static found_option find_option(const cli_verb *verb, const char *name, size_t length, void *values)
{
    for (const arg_group *group = verb->groups; group->specs != NULL; group++)
        for (const arg_spec *spec = group->specs; spec->name != NULL; spec++)
            if (strlen(spec->name) == length && strncmp(spec->name, name, length) == 0)
                return (found_option){ spec, (char *)values + group->base + spec->offset };
    return (found_option){ .spec = NULL };
}

static void complain_unknown(const cli_verb *verb, const char *word)
{
    const char *names[OPTIONS_MAX];
    char name[64];
    size_t count = 0;
    for (const arg_group *group = verb->groups; group->specs != NULL; group++)
        for (const arg_spec *spec = group->specs; spec->name != NULL && count < OPTIONS_MAX; spec++)
            names[count++] = spec->name;
    snprintf(name, sizeof name, "%.*s", (int)strcspn(word, "="), word);
    const char *typed = name + strspn(name, "-");
    const size_t nearest = icl_program_nearest(typed, names, count);
    if (nearest < count)
        cli_complain(verb->name, "unknown option %s; did you mean --%s?", name, names[nearest]);
    else
        cli_complain(verb->name, "unknown option %s; \"icl help %s\" lists them", name, verb->name);
}

/* One option, which may take words[*at + 1] too; moves *at to its last word. */
static bool read_option(const cli_verb *verb, int count, char **words, int *at, void *values)
{
    const char *word = words[*at];
    const size_t length = strcspn(word, "=");
    const found_option found = strncmp(word, "--", 2) == 0 && length > 2
                                   ? find_option(verb, word + 2, length - 2, values)
                                   : (found_option){ .spec = NULL };
    const arg_spec *spec = found.spec;
    if (spec == NULL) {
        complain_unknown(verb, word);
        return false;
    }
    const bool joined = word[length] == '=';
    if (spec->kind == ARG_FLAG) {
        if (!joined) return set_value(verb, spec, NULL, found.to);
        cli_complain(verb->name, "--%s takes no value", spec->name);
        return false;
    }
    if (joined) return set_value(verb, spec, word + length + 1, found.to);
    if (*at + 1 >= count) {
        cli_complain(verb->name, "--%s needs a value: --%s %s", spec->name, spec->name,
                     spec->value);
        return false;
    }
    return set_value(verb, spec, words[++*at], found.to);
}

static bool add_operand(const cli_verb *verb, arg_operands *operands, const char *word)
{
    if (operands->count < verb->operands_max && operands->count < ARG_OPERANDS_MAX) {
        operands->words[operands->count++] = word;
        return true;
    }
    cli_complain(verb->name, "unexpected word \"%s\"; the usage is: icl %s %s", word, verb->name,
                 verb->arguments);
    return false;
}

bool args_parse(const cli_verb *verb, int count, char **words, void *values,
                arg_operands *out_operands)
{
    *out_operands = (arg_operands){ .count = 0 };
    bool only_operands = false;
    for (int i = 0; i < count; i++) {
        const char *word = words[i];
        if (!only_operands && strcmp(word, "--") == 0) {
            only_operands = true;
        } else if (!only_operands && (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0)) {
            out_operands->help = true;
            return true;
        } else if (!only_operands && word[0] == '-' && word[1] != '\0') {
            if (!read_option(verb, count, words, &i, values)) return false;
        } else if (!add_operand(verb, out_operands, word)) {
            return false;
        }
    }
    return true;
}

/* ---- help ---- */

/* Words of `text` from the current column on, broken before HELP_COLUMNS. */
static void print_wrapped(const char *text, int indent)
{
    int column = indent;
    while (*text != '\0') {
        const int length = (int)strcspn(text, " ");
        if (column > indent && column + 1 + length > HELP_COLUMNS) {
            printf("\n%*s", indent, "");
            column = indent;
        } else if (column > indent) {
            putchar(' ');
            column++;
        }
        printf("%.*s", length, text);
        column += length;
        text += length;
        text += strspn(text, " ");
    }
    putchar('\n');
}

static void print_option(const arg_spec *spec)
{
    char head[96], text[512];
    snprintf(head, sizeof head, "  --%s%s%s", spec->name, spec->value != NULL ? " " : "",
             spec->value != NULL ? spec->value : "");
    printf("%-*s", HELP_INDENT, head);
    if ((int)strlen(head) >= HELP_INDENT) printf("\n%*s", HELP_INDENT, "");
    snprintf(text, sizeof text, "%s", spec->help);
    print_wrapped(text, HELP_INDENT);
}

void args_print_help(const cli_verb *verb)
{
    printf("icl %s - %s\n\nusage: icl %s %s\n", verb->name, verb->summary, verb->name,
           verb->arguments);
    if (verb->details != NULL) printf("\n%s\n", verb->details);
    if (verb->groups[0].specs != NULL) printf("\noptions:\n");
    for (const arg_group *group = verb->groups; group->specs != NULL; group++)
        for (const arg_spec *spec = group->specs; spec->name != NULL; spec++) print_option(spec);
}
