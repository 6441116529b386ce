/* data/task_parts.h - the fields of a task, shared by its getters (task.c) and its reader
 * (task_yaml.c). */
#ifndef ICL_DATA_TASK_PARTS_H
#define ICL_DATA_TASK_PARTS_H

#include <icl/task.h>

struct icl_task {
    char *texts[ICL_TASK_KEY_COUNT]; /* NULL: "" */
    char **input_fields;             /* [input_field_count] */
    size_t input_field_count;
    icl_verbalizer *verbalizer; /* NULL: labels come from the data */
    icl_format format;
    icl_metric metric;
    size_t shots;
};

/* Reads a task file held in memory; `path` names it in messages and is what its data files are
 * relative to. */
icl_status icl_task_parse(icl_task **out, const char *bytes, size_t length, const char *path);

#endif
