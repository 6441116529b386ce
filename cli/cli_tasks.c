/* icl tasks: the built-in tasks. */
#include <stdio.h>

#include <icl/task.h>

#include "cli.h"

static int print_task(const cli_verb *verb, const icl_task_list *list, size_t index)
{
    icl_task *task = NULL;
    const icl_status status = icl_task_open(&task, icl_task_list_path(list, index));
    if (status != ICL_OK) return cli_fail(verb, status, false);
    printf("%-12s %s\n%-12s %s\n", icl_task_list_name(list, index),
           icl_task_text(task, ICL_TASK_DESCRIPTION), "", icl_task_list_path(list, index));
    icl_task_free(task);
    return CLI_OK;
}

static int run_tasks(const cli_verb *verb, int count, char **words)
{
    int code = CLI_OK;
    arg_operands operands;
    if (!cli_start(verb, count, words, NULL, &operands, &code)) return code;
    icl_task_list *list = NULL;
    const icl_status status = icl_task_list_new(&list);
    if (status != ICL_OK) return cli_fail(verb, status, false);
    for (size_t i = 0; i < icl_task_list_count(list) && code == CLI_OK; i++)
        code = print_task(verb, list, i);
    if (icl_task_list_count(list) == 0) printf("no built-in tasks were found; see ICL_TASKS\n");
    icl_task_list_free(list);
    return code != CLI_OK ? code : cli_finish_output(verb);
}

const cli_verb verb_tasks = { .name = "tasks",
                              .summary = "list the built-in tasks",
                              .arguments = "",
                              .details = "A task file of your own is given to icl run by its path.",
                              .run = run_tasks };
