/* Built-in tasks: where task files are looked for, and by what name. */
#include <icl/task.h>

#include <assert.h>
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/quote.h"
#include "base/text.h"

typedef struct entry {
    char *name, *path;
} entry;

struct icl_task_list {
    entry *entries; /* [count], by name */
    size_t count, capacity;
};

static bool has_task_extension(const char *name)
{
    const char *dot = strrchr(name, '.');
    return dot != NULL && dot != name && (strcmp(dot, ".yaml") == 0 || strcmp(dot, ".yml") == 0);
}

static bool holds(const icl_task_list *list, const char *name)
{
    for (size_t i = 0; i < list->count; i++)
        if (strcmp(list->entries[i].name, name) == 0) return true;
    return false;
}

static icl_status add(icl_task_list *list, const char *folder, const char *file)
{
    if (list->count == list->capacity) {
        const size_t capacity = list->capacity == 0 ? 8 : list->capacity * 2;
        entry *grown = realloc(list->entries, capacity * sizeof *grown);
        if (grown == NULL) return icl_error_set(ICL_ENOMEM, "out of memory for the tasks");
        list->entries = grown;
        list->capacity = capacity;
    }
    icl_text path = { 0 };
    icl_text_printf(&path, "%s/%s", folder, file);
    entry found = { .name = icl_string_copy(file, (size_t)(strrchr(file, '.') - file)),
                    .path = icl_text_take(&path, NULL) };
    const bool complete = found.name != NULL && found.path != NULL;
    if (complete && !holds(list, found.name)) {
        list->entries[list->count++] = found;
        return ICL_OK;
    }
    free(found.name);
    free(found.path);
    return complete ? ICL_OK : icl_error_set(ICL_ENOMEM, "out of memory for the tasks");
}

/* A folder that is not there holds no tasks. */
static icl_status add_folder(icl_task_list *list, const char *folder)
{
    DIR *directory = opendir(folder);
    if (directory == NULL) return ICL_OK;
    icl_status status = ICL_OK;
    const struct dirent *file;
    while (status == ICL_OK && (file = readdir(directory)) != NULL)
        if (has_task_extension(file->d_name)) status = add(list, folder, file->d_name);
    closedir(directory);
    return status;
}

/* <folder of the program>/../share/icl/tasks, so that an installation can be moved. */
static icl_status add_program_folder(icl_task_list *list)
{
    char program[4096];
    const ssize_t length = readlink("/proc/self/exe", program, sizeof program - 1);
    if (length <= 0) return ICL_OK;
    program[length] = '\0';
    char *slash = strrchr(program, '/');
    if (slash == NULL) return ICL_OK;
    *slash = '\0';
    icl_text folder = { 0 };
    icl_text_printf(&folder, "%s/../share/icl/tasks", program);
    icl_status status = icl_text_status(&folder);
    if (status == ICL_OK) status = add_folder(list, icl_text_string(&folder));
    icl_text_deinit(&folder);
    return status;
}

static icl_status add_all(icl_task_list *list)
{
    const char *chosen = getenv("ICL_TASKS");
    if (chosen != NULL && chosen[0] != '\0') ICL_TRY(add_folder(list, chosen));
    ICL_TRY(add_program_folder(list));
#ifdef ICL_SOURCE_DIR
    ICL_TRY(add_folder(list, ICL_SOURCE_DIR "/tasks"));
#endif
#ifdef ICL_DATA_DIR
    ICL_TRY(add_folder(list, ICL_DATA_DIR "/tasks"));
#endif
    return ICL_OK;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(((const entry *)a)->name, ((const entry *)b)->name);
}

icl_status icl_task_list_new(icl_task_list **out)
{
    icl_task_list *list = calloc(1, sizeof *list);
    if (list == NULL) return icl_error_set(ICL_ENOMEM, "out of memory for the tasks");
    const icl_status status = add_all(list);
    if (status != ICL_OK) {
        icl_task_list_free(list);
        return status;
    }
    if (list->count > 0) qsort(list->entries, list->count, sizeof *list->entries, compare_names);
    *out = list;
    return ICL_OK;
}

void icl_task_list_free(icl_task_list *list)
{
    if (list == NULL) return;
    for (size_t i = 0; i < list->count; i++) {
        free(list->entries[i].name);
        free(list->entries[i].path);
    }
    free(list->entries);
    free(list);
}

size_t icl_task_list_count(const icl_task_list *list)
{
    return list->count;
}

const char *icl_task_list_name(const icl_task_list *list, size_t index)
{
    assert(index < list->count);
    return list->entries[index].name;
}

const char *icl_task_list_path(const icl_task_list *list, size_t index)
{
    assert(index < list->count);
    return list->entries[index].path;
}

static icl_status not_found(const icl_task_list *list, const char *name)
{
    char shown[ICL_QUOTE_BYTES];
    icl_quote(shown, name, strlen(name));
    const char **names = calloc(list->count + 1, sizeof *names);
    if (names == NULL) return icl_error_set(ICL_ENOMEM, "out of memory for the tasks");
    for (size_t i = 0; i < list->count; i++) names[i] = list->entries[i].name;
    const size_t nearest = icl_nearest_name(name, names, list->count);
    free(names);
    if (nearest < list->count)
        return icl_error_set(ICL_ENOTFOUND, "no task is called %s; did you mean \"%s\"?", shown,
                             list->entries[nearest].name);
    return icl_error_set(ICL_ENOTFOUND,
                         "no task is called %s; a task file is given as a path with \"/\" or .yaml",
                         shown);
}

icl_status icl_task_find(icl_task **out, const char *name_or_path)
{
    if (strchr(name_or_path, '/') != NULL || has_task_extension(name_or_path))
        return icl_task_open(out, name_or_path);
    icl_task_list *list = NULL;
    ICL_TRY(icl_task_list_new(&list));
    size_t i = 0;
    while (i < list->count && strcmp(list->entries[i].name, name_or_path) != 0) i++;
    const icl_status status =
        i < list->count ? icl_task_open(out, list->entries[i].path) : not_found(list, name_or_path);
    icl_task_list_free(list);
    return status;
}
