/* icl methods [STAGE]: the registered methods, as their cards describe them. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include <icl/methods.h>

#include "cli.h"

typedef struct methods_arguments {
    bool json;
} methods_arguments;

static const arg_spec specs[] = {
    { .name = "json",
      .kind = ARG_FLAG,
      .offset = offsetof(methods_arguments, json),
      .help = "one JSON array of cards" },
    { .name = NULL },
};

static void print_method(const icl_method *method)
{
    printf("  %-14s %s\n", method->name, method->summary);
    for (size_t i = 0; i < method->option_count; i++) {
        const icl_method_option *option = &method->options[i];
        printf("  %-14s   %s=%s  %s (%s)\n", "", option->name, option->fallback, option->help,
               option->range);
    }
    printf("  %-14s needs: %s; questions to the model: %s\n", "", method->needs, method->cost);
    printf("  %-14s %s\n", "", method->paper);
}

static void print_stage(size_t stage)
{
    printf("%s - %s\n", icl_stage_name(stage), icl_stage_summary(stage));
    for (size_t m = 0; m < icl_method_count(stage); m++) print_method(icl_method_at(stage, m));
}

static json_t *option_object(const icl_method_option *option)
{
    return json_pack("{s:s, s:s, s:s, s:s, s:s}", "name", option->name, "type", option->type,
                     "default", option->fallback, "range", option->range, "help", option->help);
}

static json_t *method_object(const icl_method *method)
{
    json_t *options = json_array();
    for (size_t i = 0; i < method->option_count; i++)
        json_array_append_new(options, option_object(&method->options[i]));
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:o}", "stage", method->stage, "name",
                     method->name, "summary", method->summary, "paper", method->paper, "cost",
                     method->cost, "needs", method->needs, "options", options);
}

static void print_json(size_t first, size_t end)
{
    json_t *list = json_array();
    for (size_t stage = first; stage < end; stage++)
        for (size_t m = 0; m < icl_method_count(stage); m++)
            json_array_append_new(list, method_object(icl_method_at(stage, m)));
    json_dumpf(list, stdout, JSON_INDENT(2));
    putchar('\n');
    json_decref(list);
}

static int run_methods(const cli_verb *verb, int count, char **words)
{
    methods_arguments arguments = { .json = false };
    int code = CLI_OK;
    arg_operands operands;
    if (!cli_start(verb, count, words, &arguments, &operands, &code)) return code;
    size_t first = 0, end = icl_stage_count();
    if (operands.count > 0) {
        const icl_status status = icl_stage_find(&first, operands.words[0]);
        if (status != ICL_OK) return cli_fail(verb, status, false);
        end = first + 1;
    }
    if (arguments.json) print_json(first, end);
    for (size_t stage = first; stage < end && !arguments.json; stage++) {
        if (stage > first) putchar('\n');
        print_stage(stage);
    }
    return cli_finish_output(verb);
}

const cli_verb verb_methods = {
    .name = "methods",
    .summary = "list the methods of each stage with their options",
    .arguments = "[STAGE] [--json]",
    .details = "A strategy line names one method a stage, with options in parentheses:\n"
               "  select=knn(k=8) order=nearest-last score=direct calibrate=batch",
    .groups = { { specs, 0 } },
    .operands_max = 1,
    .run = run_methods
};
