#include "learn/gguf_file.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <ggml.h>
#include <gguf.h>

#include "base/error.h"

static _Thread_local char complaint[256];

/* What the reader finds is said only in its log; the first complaint tells why. */
static void keep_complaint(enum ggml_log_level level, const char *text, void *user)
{
    (void)user;
    if (level != GGML_LOG_LEVEL_ERROR || complaint[0] != '\0') return;
    snprintf(complaint, sizeof complaint, "%s", text);
    complaint[strcspn(complaint, "\n")] = '\0';
}

static struct gguf_context *read_head(const char *path)
{
    ggml_log_callback log = NULL;
    void *user = NULL;
    ggml_log_get(&log, &user);
    ggml_log_set(keep_complaint, NULL);
    complaint[0] = '\0';
    struct gguf_context *gguf =
        gguf_init_from_file(path, (struct gguf_init_params){ .no_alloc = true });
    ggml_log_set(log, user);
    return gguf;
}

static icl_status check_magic(uint64_t *out_bytes, const char *path)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        return icl_error_set(ICL_EIO, "cannot open \"%s\": %s", path, strerror(errno));
    struct stat facts;
    char magic[4] = { 0 };
    const size_t got = fread(magic, 1, sizeof magic, file);
    const int failure = ferror(file) || fstat(fileno(file), &facts) != 0 ? errno : 0;
    fclose(file);
    if (failure != 0)
        return icl_error_set(ICL_EIO, "cannot read \"%s\": %s", path, strerror(failure));
    if (got < sizeof magic || memcmp(magic, "GGUF", sizeof magic) != 0)
        return icl_error_set(ICL_EMODEL, "\"%s\" is not a GGUF file", path);
    *out_bytes = (uint64_t)facts.st_size;
    return ICL_OK;
}

static icl_status check_tensors_are_inside(const struct gguf_context *gguf, const char *path,
                                           uint64_t file_bytes)
{
    for (int64_t i = 0; i < gguf_get_n_tensors(gguf); i++) {
        const uint64_t end = gguf_get_data_offset(gguf) + gguf_get_tensor_offset(gguf, i) +
                             gguf_get_tensor_size(gguf, i);
        if (end > file_bytes)
            return icl_error_set(ICL_EMODEL,
                                 "\"%s\" is cut off: %s ends at byte %llu of %llu in the file",
                                 path, gguf_get_tensor_name(gguf, i), (unsigned long long)end,
                                 (unsigned long long)file_bytes);
    }
    return ICL_OK;
}

icl_status icl_gguf_open(struct gguf_context **out, const char *path)
{
    uint64_t file_bytes = 0;
    ICL_TRY(check_magic(&file_bytes, path));
    struct gguf_context *gguf = read_head(path);
    if (gguf == NULL)
        return icl_error_set(ICL_EMODEL, "\"%s\" is a damaged GGUF file (%s)", path, complaint);
    const icl_status status = check_tensors_are_inside(gguf, path, file_bytes);
    if (status == ICL_OK)
        *out = gguf;
    else
        gguf_free(gguf);
    return status;
}

/* The value's index when it is of this type, else -1. */
static int64_t find(const struct gguf_context *gguf, const char *key, enum gguf_type type)
{
    const int64_t index = gguf_find_key(gguf, key);
    return index >= 0 && gguf_get_kv_type(gguf, index) == type ? index : -1;
}

bool icl_gguf_get_u32(uint32_t *out, const struct gguf_context *gguf, const char *key)
{
    const int64_t index = find(gguf, key, GGUF_TYPE_UINT32);
    if (index >= 0) *out = gguf_get_val_u32(gguf, index);
    return index >= 0;
}

bool icl_gguf_get_f32(float *out, const struct gguf_context *gguf, const char *key)
{
    const int64_t index = find(gguf, key, GGUF_TYPE_FLOAT32);
    if (index >= 0) *out = gguf_get_val_f32(gguf, index);
    return index >= 0;
}

bool icl_gguf_get_bool(bool *out, const struct gguf_context *gguf, const char *key)
{
    const int64_t index = find(gguf, key, GGUF_TYPE_BOOL);
    if (index >= 0) *out = gguf_get_val_bool(gguf, index);
    return index >= 0;
}

const char *icl_gguf_get_string(const struct gguf_context *gguf, const char *key)
{
    const int64_t index = find(gguf, key, GGUF_TYPE_STRING);
    return index < 0 ? NULL : gguf_get_val_str(gguf, index);
}
