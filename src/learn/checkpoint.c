/* The file: GGUF with one f32 tensor per weight and, for those that train, two more for the moments
 * (`.m` and `.v`). Its last 32 bytes are the tensor "checksum": the XXH3-128 of all bytes before it
 * and 16 zeros, so that damage is found before anything is believed. */
#include "learn/checkpoint.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <ggml-backend.h>
#include <ggml.h>
#include <gguf.h>

#include "base/error.h"
#include "base/file.h"
#include "base/hash.h"

enum { VERSION = 1, CHECKSUM_BYTES = 32, COPY_BYTES = 1 << 20, SHAPE_BYTES = 100 };

static const char checksum_name[] = "checksum";
static const char version_key[] = "icl.checkpoint.version";
static const char recipe_key[] = "icl.checkpoint.recipe";

/* The counters, with their keys. */
static const struct {
    const char *key;
    size_t offset;
} counters[] = {
    { "icl.checkpoint.step", offsetof(icl_checkpoint, step) },
    { "icl.checkpoint.schedule_steps", offsetof(icl_checkpoint, schedule_steps) },
    { "icl.checkpoint.adam_steps", offsetof(icl_checkpoint, adam_steps) },
    { "icl.checkpoint.sequences_drawn", offsetof(icl_checkpoint, sequences_drawn) },
    { "icl.checkpoint.tokens_seen", offsetof(icl_checkpoint, tokens_seen) },
};
enum { COUNTER_COUNT = sizeof counters / sizeof *counters };

/* --- the tensors of a checkpoint, in file order --- */

typedef struct entry {
    char name[GGML_MAX_NAME];
    struct ggml_tensor *tensor;
} entry;

typedef struct entry_list {
    entry *items;
    size_t count;
} entry_list;

static icl_status add_entry(entry_list *list, const icl_parameter *item, const char *suffix,
                            struct ggml_tensor *tensor)
{
    entry *added = &list->items[list->count++];
    added->tensor = tensor;
    const int length = snprintf(added->name, sizeof added->name, "%s%s", item->name, suffix);
    if (length >= GGML_MAX_NAME)
        return icl_error_set(ICL_EINVAL, "weight name \"%s\" is too long for a checkpoint",
                             item->name);
    return ICL_OK;
}

static icl_status list_entries(entry_list *out, const icl_parameters *parameters)
{
    const size_t weights = icl_parameters_count(parameters);
    entry_list list = { .items = malloc(3 * weights * sizeof *list.items) };
    if (list.items == NULL) return icl_error_set(ICL_ENOMEM, "out of memory for a checkpoint");
    icl_status status = ICL_OK;
    for (size_t i = 0; status == ICL_OK && i < weights; i++) {
        const icl_parameter *item = icl_parameters_at(parameters, i);
        status = add_entry(&list, item, "", item->tensor);
        if (status == ICL_OK && !item->frozen)
            status = add_entry(&list, item, ".m", item->moments[0]);
        if (status == ICL_OK && !item->frozen)
            status = add_entry(&list, item, ".v", item->moments[1]);
    }
    if (status == ICL_OK)
        *out = list;
    else
        free(list.items);
    return status;
}

static bool has_entry(const entry_list *list, const char *name)
{
    for (size_t i = 0; i < list->count; i++) {
        if (strcmp(list->items[i].name, name) == 0) return true;
    }
    return false;
}

/* --- saving --- */

/* A draft whose bytes are hashed on their way. */
typedef struct hashed_draft {
    icl_file_draft draft;
    icl_hash_state hash;
} hashed_draft;

static void put(hashed_draft *out, const void *bytes, size_t length)
{
    icl_hash_add(&out->hash, bytes, length);
    icl_file_draft_write(&out->draft, bytes, length);
}

static void set_counters(struct gguf_context *file, const icl_checkpoint *state)
{
    gguf_set_val_u32(file, version_key, VERSION);
    gguf_set_val_str(file, recipe_key, state->recipe);
    for (size_t i = 0; i < COUNTER_COUNT; i++) {
        uint64_t value;
        memcpy(&value, (const char *)state + counters[i].offset, sizeof value);
        gguf_set_val_u64(file, counters[i].key, value);
    }
}

static void add_tensors(struct gguf_context *file, struct ggml_context *scratch,
                        const entry_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        struct ggml_tensor *tensor = ggml_dup_tensor(scratch, list->items[i].tensor);
        gguf_add_tensor(file, ggml_set_name(tensor, list->items[i].name));
    }
    struct ggml_tensor *checksum =
        ggml_new_tensor_1d(scratch, GGML_TYPE_I32, CHECKSUM_BYTES / sizeof(int32_t));
    gguf_add_tensor(file, ggml_set_name(checksum, checksum_name));
}

static icl_status put_header(hashed_draft *out, const entry_list *list, const icl_checkpoint *state)
{
    const struct ggml_init_params settings = {
        .mem_size = (list->count + 1) * ggml_tensor_overhead(),
        .no_alloc = true,
    };
    struct gguf_context *file = gguf_init_empty();
    struct ggml_context *scratch = ggml_init(settings);
    void *bytes = NULL;
    if (file != NULL && scratch != NULL) {
        set_counters(file, state);
        add_tensors(file, scratch, list);
        const size_t length = gguf_get_meta_size(file);
        bytes = malloc(length);
        if (bytes != NULL) {
            gguf_get_meta_data(file, bytes);
            put(out, bytes, length);
        }
    }
    const bool written = bytes != NULL;
    free(bytes);
    ggml_free(scratch);
    if (file != NULL) gguf_free(file);
    return written ? ICL_OK : icl_error_set(ICL_ENOMEM, "out of memory for a checkpoint");
}

static void put_tensor(hashed_draft *out, const struct ggml_tensor *tensor, char *copy)
{
    static const char zeros[GGUF_DEFAULT_ALIGNMENT] = { 0 };
    const size_t length = ggml_nbytes(tensor);
    for (size_t at = 0; at < length; at += COPY_BYTES) {
        const size_t piece = length - at < COPY_BYTES ? length - at : COPY_BYTES;
        ggml_backend_tensor_get(tensor, copy, at, piece);
        put(out, copy, piece);
    }
    const size_t over = length % sizeof zeros;
    if (over > 0) put(out, zeros, sizeof zeros - over);
}

static icl_status put_tensors(hashed_draft *out, const entry_list *list)
{
    char *copy = malloc(COPY_BYTES);
    if (copy == NULL) return icl_error_set(ICL_ENOMEM, "out of memory for a checkpoint");
    for (size_t i = 0; i < list->count; i++) put_tensor(out, list->items[i].tensor, copy);
    free(copy);
    return ICL_OK;
}

static void put_checksum(hashed_draft *out)
{
    char checksum[CHECKSUM_BYTES] = { 0 };
    const icl_hash128 hash = icl_hash_end(&out->hash);
    memcpy(checksum, &hash, sizeof hash);
    icl_file_draft_write(&out->draft, checksum, sizeof checksum);
}

icl_status icl_checkpoint_save(const char *path, const icl_parameters *parameters,
                               const icl_checkpoint *state)
{
    entry_list list = { 0 };
    ICL_TRY(list_entries(&list, parameters));
    hashed_draft out = { .draft = { 0 } };
    icl_hash_begin(&out.hash);
    icl_status status = icl_file_draft_open(&out.draft, path);
    if (status == ICL_OK) status = put_header(&out, &list, state);
    if (status == ICL_OK) status = put_tensors(&out, &list);
    if (status == ICL_OK) {
        put_checksum(&out);
        status = icl_file_commit(&out.draft);
    }
    icl_file_abandon(&out.draft);
    free(list.items);
    return status;
}

/* --- loading --- */

typedef struct mapped_file {
    const char *path;
    const unsigned char *bytes;
    size_t length;
    struct gguf_context *gguf;
    size_t data; /* offset of the tensors' bytes */
} mapped_file;

static void unmap(mapped_file *file)
{
    if (file->gguf != NULL) gguf_free(file->gguf);
    if (file->bytes != NULL) munmap((void *)file->bytes, file->length);
}

static icl_status map(mapped_file *file)
{
    const int descriptor = open(file->path, O_RDONLY);
    struct stat info;
    if (descriptor < 0 || fstat(descriptor, &info) != 0) {
        const icl_status status = icl_error_set(ICL_EIO, "cannot open checkpoint \"%s\": %s",
                                                file->path, strerror(errno));
        if (descriptor >= 0) close(descriptor);
        return status;
    }
    file->length = (size_t)info.st_size;
    void *bytes = MAP_FAILED;
    if (file->length > 0) bytes = mmap(NULL, file->length, PROT_READ, MAP_PRIVATE, descriptor, 0);
    const int failure = errno;
    close(descriptor);
    if (file->length == 0)
        return icl_error_set(ICL_EPARSE, "\"%s\" is empty, not a checkpoint", file->path);
    if (bytes == MAP_FAILED)
        return icl_error_set(ICL_EIO, "cannot read checkpoint \"%s\": %s", file->path,
                             strerror(failure));
    file->bytes = bytes;
    return ICL_OK;
}

static icl_status check_sum(const mapped_file *file)
{
    if (file->length < CHECKSUM_BYTES || memcmp(file->bytes, GGUF_MAGIC, 4) != 0)
        return icl_error_set(ICL_EPARSE, "\"%s\" is not a checkpoint", file->path);
    const size_t end = file->length - CHECKSUM_BYTES;
    const icl_hash128 hash = icl_hash(file->bytes, end);
    if (memcmp(file->bytes + end, &hash, sizeof hash) != 0)
        return icl_error_set(ICL_EPARSE,
                             "\"%s\" is a damaged checkpoint or none: its checksum does not fit",
                             file->path);
    return ICL_OK;
}

static int64_t find_key(const mapped_file *file, const char *key, enum gguf_type type)
{
    const int64_t id = gguf_find_key(file->gguf, key);
    return id >= 0 && gguf_get_kv_type(file->gguf, id) == type ? id : -1;
}

static icl_status read_counters(icl_checkpoint *out, const mapped_file *file)
{
    const int64_t version = find_key(file, version_key, GGUF_TYPE_UINT32);
    const int64_t recipe = find_key(file, recipe_key, GGUF_TYPE_STRING);
    if (version < 0 || recipe < 0)
        return icl_error_set(ICL_EPARSE, "\"%s\" is not a checkpoint", file->path);
    if (gguf_get_val_u32(file->gguf, version) != VERSION)
        return icl_error_set(ICL_EINVAL,
                             "\"%s\" is a checkpoint of version %" PRIu32
                             "; this program reads version %d",
                             file->path, gguf_get_val_u32(file->gguf, version), VERSION);
    const char *fingerprint = gguf_get_val_str(file->gguf, recipe);
    if (strlen(fingerprint) >= sizeof out->recipe)
        return icl_error_set(ICL_EPARSE, "\"%s\" has a fingerprint of %zu bytes, at most %zu",
                             file->path, strlen(fingerprint), sizeof out->recipe - 1);
    strcpy(out->recipe, fingerprint);
    for (size_t i = 0; i < COUNTER_COUNT; i++) {
        const int64_t id = find_key(file, counters[i].key, GGUF_TYPE_UINT64);
        if (id < 0)
            return icl_error_set(ICL_EPARSE, "\"%s\" has no \"%s\"", file->path, counters[i].key);
        const uint64_t value = gguf_get_val_u64(file->gguf, id);
        memcpy((char *)out + counters[i].offset, &value, sizeof value);
    }
    return ICL_OK;
}

/* "[256, 704]"; dimensions of 1 at the end are left out. */
static const char *show_shape(char out[SHAPE_BYTES], const int64_t *shape)
{
    size_t rank = 4;
    while (rank > 1 && shape[rank - 1] == 1) rank--;
    int at = snprintf(out, SHAPE_BYTES, "[%" PRId64, shape[0]);
    for (size_t i = 1; i < rank; i++)
        at += snprintf(out + at, SHAPE_BYTES - (size_t)at, ", %" PRId64, shape[i]);
    snprintf(out + at, SHAPE_BYTES - (size_t)at, "]");
    return out;
}

static icl_status check_tensor(const mapped_file *file, const entry *wanted)
{
    char here[SHAPE_BYTES], there[SHAPE_BYTES];
    const int64_t *shape = wanted->tensor->ne;
    const int64_t id = gguf_find_tensor(file->gguf, wanted->name);
    if (id < 0)
        return icl_error_set(ICL_EINVAL, "checkpoint \"%s\" has no \"%s\", %s in the model",
                             file->path, wanted->name, show_shape(here, shape));
    const int64_t *found = gguf_get_tensor_ne(file->gguf, id);
    if (memcmp(found, shape, 4 * sizeof *shape) != 0)
        return icl_error_set(ICL_EINVAL, "\"%s\" is %s in checkpoint \"%s\" and %s in the model",
                             wanted->name, show_shape(there, found), file->path,
                             show_shape(here, shape));
    const size_t end =
        gguf_get_tensor_offset(file->gguf, id) + gguf_get_tensor_size(file->gguf, id);
    if (gguf_get_tensor_type(file->gguf, id) != GGML_TYPE_F32 || file->data + end > file->length)
        return icl_error_set(ICL_EPARSE, "\"%s\" of checkpoint \"%s\" is not whole", wanted->name,
                             file->path);
    return ICL_OK;
}

static icl_status check_tensors(const mapped_file *file, const entry_list *list)
{
    for (size_t i = 0; i < list->count; i++) ICL_TRY(check_tensor(file, &list->items[i]));
    for (int64_t id = 0; id < gguf_get_n_tensors(file->gguf); id++) {
        const char *name = gguf_get_tensor_name(file->gguf, id);
        char shape[SHAPE_BYTES];
        if (!has_entry(list, name) && strcmp(name, checksum_name) != 0)
            return icl_error_set(ICL_EINVAL, "checkpoint \"%s\" has \"%s\", %s; the model has not",
                                 file->path, name,
                                 show_shape(shape, gguf_get_tensor_ne(file->gguf, id)));
    }
    return ICL_OK;
}

static icl_status open_mapped(mapped_file *file)
{
    ICL_TRY(map(file));
    ICL_TRY(check_sum(file));
    const struct gguf_init_params settings = { .no_alloc = true };
    file->gguf = gguf_init_from_buffer(file->bytes, file->length, settings);
    if (file->gguf == NULL)
        return icl_error_set(ICL_EPARSE, "\"%s\" is not a checkpoint", file->path);
    file->data = gguf_get_data_offset(file->gguf);
    return ICL_OK;
}

static void copy_tensors(const entry_list *list, const mapped_file *file)
{
    for (size_t i = 0; i < list->count; i++) {
        const int64_t id = gguf_find_tensor(file->gguf, list->items[i].name);
        const size_t offset = file->data + gguf_get_tensor_offset(file->gguf, id);
        struct ggml_tensor *tensor = list->items[i].tensor;
        ggml_backend_tensor_set(tensor, file->bytes + offset, 0, ggml_nbytes(tensor));
    }
}

icl_status icl_checkpoint_load(icl_checkpoint *out, icl_parameters *parameters, const char *path)
{
    mapped_file file = { .path = path };
    icl_checkpoint state = { 0 };
    entry_list list = { 0 };
    ICL_TRY(list_entries(&list, parameters));
    icl_status status = open_mapped(&file);
    if (status == ICL_OK) status = read_counters(&state, &file);
    if (status == ICL_OK) status = check_tensors(&file, &list);
    if (status == ICL_OK) {
        copy_tensors(&list, &file);
        icl_parameters_zero_gradients(parameters);
        *out = state;
    }
    unmap(&file);
    free(list.items);
    return status;
}
