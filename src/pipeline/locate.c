/* Where the shipped model, the sentence encoder and the vectors it has made lie. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <icl/run.h>

#include "base/error.h"
#include "base/text.h"

static const char model_name[] = "icl-base.gguf";
static const char encoder_name[] = "all-MiniLM-L6-v2.gguf";
static const char vectors_name[] = "vectors.sqlite";

/* Takes "<folder><middle>/<name>" when it can be read. `folder` may be NULL. */
static bool try_path(char **out, const char *folder, const char *middle, const char *name)
{
    if (*out != NULL || folder == NULL || folder[0] == '\0') return false;
    icl_text path = { 0 };
    icl_text_printf(&path, "%s%s/%s", folder, middle, name);
    if (!path.failed && access(path.bytes, R_OK) == 0) {
        *out = icl_text_take(&path, NULL);
        return true;
    }
    icl_text_deinit(&path);
    return false;
}

/* The folder of the running program, so that an installation can be moved; "" when unknown. */
static void program_folder(char *out, size_t capacity)
{
    const ssize_t length = readlink("/proc/self/exe", out, capacity - 1);
    out[length > 0 ? length : 0] = '\0';
    char *slash = strrchr(out, '/');
    if (slash != NULL) *slash = '\0';
}

static void try_shared_folders(char **out, const char *name)
{
    char program[4096];
    program_folder(program, sizeof program);
    try_path(out, program, "/../share/icl/models", name);
#ifdef ICL_SOURCE_DIR
    try_path(out, ICL_SOURCE_DIR, "/models", name);
#endif
#ifdef ICL_DATA_DIR
    try_path(out, ICL_DATA_DIR, "/models", name);
#endif
}

/* A path from the environment is taken as it is: a wrong one must be reported, not passed over. */
static bool from_environment(char **out, const char *variable)
{
    const char *value = getenv(variable);
    if (value == NULL || value[0] == '\0') return false;
    *out = icl_string_copy(value, strlen(value));
    return *out != NULL;
}

icl_status icl_model_default_path(char **out_path)
{
    char *path = NULL;
    if (!from_environment(&path, "ICL_MODEL")) try_shared_folders(&path, model_name);
    if (path == NULL)
        return icl_error_set(ICL_ENOTFOUND,
                             "the default model \"%s\" was not found; name a model file or set "
                             "ICL_MODEL",
                             model_name);
    *out_path = path;
    return ICL_OK;
}

icl_status icl_encoder_default_path(char **out_path)
{
    char *path = NULL;
    if (!from_environment(&path, "ICL_ENCODER")) {
        try_path(&path, getenv("ICL_CACHE"), "", encoder_name);
        try_path(&path, getenv("HOME"), "/.cache/icl", encoder_name);
        try_shared_folders(&path, encoder_name);
    }
    if (path == NULL)
        return icl_error_set(ICL_ENOTFOUND,
                             "the sentence encoder \"%s\" was not found; run the set-up or set "
                             "ICL_ENCODER, or choose select=bm25",
                             encoder_name);
    *out_path = path;
    return ICL_OK;
}

icl_status icl_vectors_default_path(char **out_path)
{
    const char *cache = getenv("ICL_CACHE"), *home = getenv("HOME");
    icl_text path = { 0 };
    if (cache != NULL && cache[0] != '\0')
        icl_text_printf(&path, "%s/%s", cache, vectors_name);
    else if (home != NULL && home[0] != '\0')
        icl_text_printf(&path, "%s/.cache/icl/%s", home, vectors_name);
    else
        return icl_error_set(ICL_ENOTFOUND, "sentence vectors cannot be kept: neither ICL_CACHE "
                                            "nor HOME is set");
    ICL_TRY(icl_text_status(&path));
    *out_path = icl_text_take(&path, NULL);
    return ICL_OK;
}

const char *icl_version(void)
{
    return ICL_VERSION;
}
