#include "tuned.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <icl/sys/program.h>

enum { PATH_BYTES = 4096, IDENTITY_BYTES = 33 };

/* The folder of the settings file; "" when there is no home. */
static void settings_folder(char out[PATH_BYTES])
{
    const char *config = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
    int length = -1;
    if (config != NULL && config[0] == '/')
        length = snprintf(out, PATH_BYTES, "%s/icl", config);
    else if (home != NULL && home[0] == '/')
        length = snprintf(out, PATH_BYTES, "%s/.config/icl", home);
    if (length < 0 || length >= PATH_BYTES) out[0] = '\0';
}

static void settings_path(char out[PATH_BYTES])
{
    char folder[PATH_BYTES];
    settings_folder(folder);
    const int length = folder[0] != '\0' ? snprintf(out, PATH_BYTES, "%s/tune.json", folder) : -1;
    if (length < 0 || length >= PATH_BYTES) out[0] = '\0';
}

/* The whole file, or an empty object. */
static json_t *load_settings(void)
{
    char path[PATH_BYTES];
    settings_path(path);
    json_t *settings = path[0] != '\0' ? json_load_file(path, 0, NULL) : NULL;
    if (json_is_object(settings)) return settings;
    json_decref(settings);
    return json_object();
}

static json_int_t file_bytes(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 ? (json_int_t)info.st_size : -1;
}

/* Hashing a large model takes seconds, so it is done only when a remembered one has its size. */
static bool size_is_known(json_t *settings, json_int_t bytes)
{
    const char *identity;
    json_t *entry;
    json_object_foreach(settings, identity, entry) if (json_integer_value(json_object_get(
                                                           entry, "bytes")) == bytes) return true;
    return false;
}

cli_tuned tuned_load(const char *model_path)
{
    cli_tuned found = { 0 };
    char identity[IDENTITY_BYTES];
    json_t *settings = load_settings();
    if (size_is_known(settings, file_bytes(model_path)) &&
        icl_program_file_identity(identity, model_path) == ICL_OK) {
        const json_t *entry = json_object_get(settings, identity);
        const json_int_t threads = json_integer_value(json_object_get(entry, "threads"));
        const json_int_t call_tokens = json_integer_value(json_object_get(entry, "call_tokens"));
        if (threads >= 0 && threads <= 512 && call_tokens > 0 && call_tokens <= 1 << 16)
            found = (cli_tuned){ .threads = (size_t)threads, .call_tokens = (size_t)call_tokens };
    }
    json_decref(settings);
    return found;
}

icl_status tuned_save(const char *identity, const char *model_path, const cli_tuned *found,
                      char **out_path)
{
    char folder[PATH_BYTES], path[PATH_BYTES];
    settings_folder(folder);
    settings_path(path);
    icl_status status = icl_program_create_folder(folder);
    if (status != ICL_OK) return status;
    json_t *settings = load_settings();
    json_object_set_new(settings, identity,
                        json_pack("{s:I, s:I, s:I, s:f, s:s}", "bytes", file_bytes(model_path),
                                  "threads", (json_int_t)found->threads, "call_tokens",
                                  (json_int_t)found->call_tokens, "tokens_per_second",
                                  found->tokens_per_second, "path", model_path));
    char *text = json_dumps(settings, JSON_INDENT(2));
    json_decref(settings);
    if (text == NULL) return ICL_ENOMEM;
    status = icl_program_write_file(path, text, strlen(text));
    free(text);
    if (status == ICL_OK) *out_path = strdup(path);
    return status;
}
