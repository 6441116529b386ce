#include "learn/fit_file.h"

#include <assert.h>
#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/error.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/text.h"

enum { VERSION = 1, CHECKSUM_BYTES = 16, FLOAT_BYTES = 4 };
static const size_t file_bytes_max = (size_t)1 << 31;
static const char magic_key[] = "icl_fit";

struct icl_fit_file {
    icl_fit_origin origin;
    icl_fit_array *arrays;
    icl_fit_measure *measures;
    size_t array_count, array_capacity, measure_count, measure_capacity;
};

/* The texts of an origin, with their keys. */
static const struct {
    const char *key;
    size_t offset;
} texts[] = {
    { "method", offsetof(icl_fit_origin, method) },
    { "options", offsetof(icl_fit_origin, options) },
    { "task", offsetof(icl_fit_origin, task) },
    { "encoder", offsetof(icl_fit_origin, encoder) },
    { "model", offsetof(icl_fit_origin, model) },
    { "pool", offsetof(icl_fit_origin, pool) },
};
enum { TEXT_COUNT = sizeof texts / sizeof *texts };

static const char **text_of(icl_fit_origin *origin, size_t i)
{
    return (const char **)((char *)origin + texts[i].offset);
}

static const char *text_at(const icl_fit_origin *origin, size_t i)
{
    return *(const char *const *)((const char *)origin + texts[i].offset);
}

static icl_status no_memory(void)
{
    return icl_error_set(ICL_ENOMEM, "out of memory for a fitted file");
}

icl_status icl_fit_file_check(const char *path, const char *what, const char *fitted,
                              const char *here)
{
    if (strcmp(fitted, here) == 0) return ICL_OK;
    return icl_error_set(ICL_EINVAL, "\"%s\" was fitted with %s \"%s\", not \"%s\"", path, what,
                         fitted, here);
}

icl_status icl_fit_file_new(icl_fit_file **out, const icl_fit_origin *origin)
{
    icl_fit_file *file = calloc(1, sizeof *file);
    if (file == NULL) return no_memory();
    file->origin.pool_count = origin->pool_count;
    file->origin.seed = origin->seed;
    for (size_t i = 0; i < TEXT_COUNT; i++) {
        const char *text = text_at(origin, i);
        *text_of(&file->origin, i) = icl_string_copy(text, strlen(text));
        if (text_at(&file->origin, i) == NULL) {
            icl_fit_file_free(file);
            return no_memory();
        }
    }
    *out = file;
    return ICL_OK;
}

void icl_fit_file_free(icl_fit_file *file)
{
    if (file == NULL) return;
    for (size_t i = 0; i < TEXT_COUNT; i++) free((char *)(uintptr_t)text_at(&file->origin, i));
    for (size_t i = 0; i < file->array_count; i++) {
        free((char *)(uintptr_t)file->arrays[i].name);
        free((float *)(uintptr_t)file->arrays[i].values);
    }
    for (size_t i = 0; i < file->measure_count; i++)
        free((char *)(uintptr_t)file->measures[i].name);
    free(file->arrays);
    free(file->measures);
    free(file);
}

/* ---- filling and reading ---- */

/* Appends an array whose values move in, on failure too. */
static icl_status add_taken(icl_fit_file *file, const char *name, size_t rows, size_t columns,
                            float *values_taken)
{
    char *copy = icl_string_copy(name, strlen(name));
    icl_status status =
        copy == NULL || values_taken == NULL
            ? no_memory()
            : icl_array_reserve(&file->arrays, &file->array_capacity, file->array_count + 1);
    for (size_t i = 0; status == ICL_OK && i < rows * columns; i++) {
        if (!isfinite(values_taken[i]))
            status =
                icl_error_set(ICL_EINVAL, "number %zu of the fitted %s is not finite", i, name);
    }
    if (status != ICL_OK) {
        free(copy);
        free(values_taken);
        return status;
    }
    file->arrays[file->array_count++] =
        (icl_fit_array){ .name = copy, .rows = rows, .columns = columns, .values = values_taken };
    return ICL_OK;
}

icl_status icl_fit_file_add(icl_fit_file *file, const icl_fit_array *array)
{
    assert(array->rows > 0 && array->columns > 0);
    assert(icl_fit_file_array(file, array->name) == NULL);
    const size_t bytes = array->rows * array->columns * sizeof(float);
    float *values = malloc(bytes);
    if (values != NULL) memcpy(values, array->values, bytes);
    return add_taken(file, array->name, array->rows, array->columns, values);
}

icl_status icl_fit_file_add_measure(icl_fit_file *file, const char *name, double value)
{
    if (!isfinite(value)) return icl_error_set(ICL_EINVAL, "%s is not finite", name);
    ICL_TRY(icl_array_reserve(&file->measures, &file->measure_capacity, file->measure_count + 1));
    char *copy = icl_string_copy(name, strlen(name));
    if (copy == NULL) return no_memory();
    file->measures[file->measure_count++] = (icl_fit_measure){ .name = copy, .value = value };
    return ICL_OK;
}

const icl_fit_origin *icl_fit_file_origin(const icl_fit_file *file)
{
    return &file->origin;
}

const icl_fit_measure *icl_fit_file_measures(const icl_fit_file *file, size_t *out_count)
{
    *out_count = file->measure_count;
    return file->measures;
}

const icl_fit_array *icl_fit_file_array(const icl_fit_file *file, const char *name)
{
    for (size_t i = 0; i < file->array_count; i++)
        if (strcmp(file->arrays[i].name, name) == 0) return &file->arrays[i];
    return NULL;
}

icl_status icl_fit_file_find(const float **out, const icl_fit_file *file, const char *name,
                             size_t rows, size_t columns)
{
    const icl_fit_array *array = icl_fit_file_array(file, name);
    if (array == NULL)
        return icl_error_set(ICL_EPARSE, "the file of method \"%s\" holds no \"%s\"",
                             file->origin.method, name);
    if (array->rows != rows || array->columns != columns)
        return icl_error_set(ICL_EPARSE,
                             "the file of method \"%s\" holds a \"%s\" of %zu x %zu, not %zu x %zu",
                             file->origin.method, name, array->rows, array->columns, rows, columns);
    *out = array->values;
    return ICL_OK;
}

/* ---- writing ---- */

static json_t *header_of(const icl_fit_file *file)
{
    json_t *header = json_object(), *arrays = json_array(), *measures = json_object();
    json_object_set_new(header, magic_key, json_integer(VERSION));
    for (size_t i = 0; i < TEXT_COUNT; i++)
        json_object_set_new(header, texts[i].key, json_string(text_at(&file->origin, i)));
    json_object_set_new(header, "pool_count", json_integer((json_int_t)file->origin.pool_count));
    json_object_set_new(header, "seed", json_integer((json_int_t)file->origin.seed));
    for (size_t i = 0; i < file->measure_count; i++)
        json_object_set_new(measures, file->measures[i].name, json_real(file->measures[i].value));
    for (size_t i = 0; i < file->array_count; i++) {
        const icl_fit_array *array = &file->arrays[i];
        json_array_append_new(arrays, json_pack("{s:s, s:I, s:I}", "name", array->name, "rows",
                                                (json_int_t)array->rows, "columns",
                                                (json_int_t)array->columns));
    }
    json_object_set_new(header, "measures", measures);
    json_object_set_new(header, "arrays", arrays);
    return header;
}

static void put_float(icl_text *out, float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    for (unsigned shift = 0; shift < 32; shift += 8)
        icl_text_append_char(out, (char)(bits >> shift & 0xff));
}

static void checksum(unsigned char out[CHECKSUM_BYTES], const char *bytes, size_t length)
{
    const icl_hash128 hash = icl_hash(bytes, length);
    for (size_t i = 0; i < 8; i++) {
        out[i] = (unsigned char)(hash.high >> (56 - 8 * i));
        out[8 + i] = (unsigned char)(hash.low >> (56 - 8 * i));
    }
}

icl_status icl_fit_file_save(const icl_fit_file *file, const char *path)
{
    json_t *header = header_of(file);
    char *line = json_dumps(header, JSON_COMPACT | JSON_REAL_PRECISION(17));
    json_decref(header);
    if (line == NULL) return no_memory();
    icl_text bytes = { 0 };
    icl_text_append_string(&bytes, line);
    icl_text_append_char(&bytes, '\n');
    free(line);
    for (size_t a = 0; a < file->array_count; a++) {
        const icl_fit_array *array = &file->arrays[a];
        for (size_t i = 0; i < array->rows * array->columns; i++)
            put_float(&bytes, array->values[i]);
    }
    icl_status status = icl_text_status(&bytes);
    if (status == ICL_OK) {
        unsigned char sum[CHECKSUM_BYTES];
        checksum(sum, bytes.bytes, bytes.length);
        icl_text_append(&bytes, (const char *)sum, sizeof sum);
        status = icl_text_status(&bytes);
    }
    if (status == ICL_OK) status = icl_file_write_atomic(path, bytes.bytes, bytes.length);
    icl_text_deinit(&bytes);
    return status;
}

/* ---- reading ---- */

/* The bytes of arrays that are not read yet. */
typedef struct reader {
    const char *path;
    const unsigned char *at;
    size_t left;
} reader;

static icl_status refuse(const char *path, const char *what)
{
    return icl_error_set(ICL_EPARSE, "\"%s\" %s", path, what);
}

static float get_float(const unsigned char *bytes)
{
    uint32_t bits = 0;
    for (unsigned i = 0; i < 4; i++) bits |= (uint32_t)bytes[i] << 8 * i;
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* A number of at least `least`; false when there is none. */
static bool get_count(uint64_t *out, const json_t *object, const char *key, json_int_t least)
{
    const json_t *value = json_object_get(object, key);
    if (!json_is_integer(value) || json_integer_value(value) < least) return false;
    *out = (uint64_t)json_integer_value(value);
    return true;
}

static icl_status read_array(icl_fit_file *file, reader *from, const json_t *entry)
{
    const char *name = json_string_value(json_object_get(entry, "name"));
    uint64_t rows = 0, columns = 0;
    if (name == NULL || icl_fit_file_array(file, name) != NULL ||
        !get_count(&rows, entry, "rows", 1) || !get_count(&columns, entry, "columns", 1))
        return refuse(from->path, "has a header with an array that makes no sense");
    const size_t available = from->left / FLOAT_BYTES;
    if (columns > available || rows > available / columns)
        return refuse(from->path, "is shorter than the arrays its header promises");
    const size_t count = (size_t)(rows * columns);
    float *values = malloc(count * sizeof *values);
    for (size_t i = 0; values != NULL && i < count; i++)
        values[i] = get_float(from->at + FLOAT_BYTES * i);
    from->at += FLOAT_BYTES * count;
    from->left -= FLOAT_BYTES * count;
    return add_taken(file, name, (size_t)rows, (size_t)columns, values);
}

static icl_status read_measures(icl_fit_file *file, const json_t *measures, const char *path)
{
    const char *name;
    const json_t *value;
    if (!json_is_object(measures)) return refuse(path, "has a header without measures");
    json_object_foreach((json_t *)(uintptr_t)measures, name, value)
        ICL_TRY(icl_fit_file_add_measure(file, name, json_number_value(value)));
    return ICL_OK;
}

static icl_status read_origin(icl_fit_origin *out, const json_t *header, const char *path)
{
    bool complete = get_count(&out->pool_count, header, "pool_count", 0) &&
                    get_count(&out->seed, header, "seed", 0);
    for (size_t i = 0; i < TEXT_COUNT; i++) {
        *text_of(out, i) = json_string_value(json_object_get(header, texts[i].key));
        complete &= text_at(out, i) != NULL;
    }
    return complete ? ICL_OK : refuse(path, "has a header that lacks what it was made from");
}

static icl_status read_body(icl_fit_file *file, reader *from, const json_t *header)
{
    const json_t *arrays = json_object_get(header, "arrays");
    size_t i;
    const json_t *entry;
    ICL_TRY(read_measures(file, json_object_get(header, "measures"), from->path));
    if (!json_is_array(arrays)) return refuse(from->path, "has a header without arrays");
    json_array_foreach(arrays, i, entry) ICL_TRY(read_array(file, from, entry));
    return from->left == 0 ? ICL_OK
                           : refuse(from->path, "is longer than the arrays its header promises");
}

static icl_status read_header(json_t **out, const char *bytes, size_t length, const char *path)
{
    json_t *header = json_loadb(bytes, length, JSON_REJECT_DUPLICATES, NULL);
    const json_t *version = json_object_get(header, magic_key);
    if (!json_is_integer(version)) {
        json_decref(header);
        return refuse(path, "was not written by icl fit");
    }
    if (json_integer_value(version) != VERSION) {
        const icl_status status = icl_error_set(
            ICL_EPARSE, "\"%s\" is a fitted file of version %" JSON_INTEGER_FORMAT ", not %d", path,
            json_integer_value(version), (int)VERSION);
        json_decref(header);
        return status;
    }
    *out = header;
    return ICL_OK;
}

icl_status icl_fit_file_parse(icl_fit_file **out, const char *bytes, size_t length,
                              const char *path)
{
    const char *line_end = length > 0 ? memchr(bytes, '\n', length) : NULL;
    if (line_end == NULL) return refuse(path, "was not written by icl fit");
    json_t *header = NULL;
    icl_fit_file *file = NULL;
    icl_fit_origin origin = { 0 };
    ICL_TRY(read_header(&header, bytes, (size_t)(line_end - bytes), path));
    const size_t line_bytes = (size_t)(line_end - bytes) + 1;
    reader from = { .path = path, .at = (const unsigned char *)line_end + 1 };
    unsigned char sum[CHECKSUM_BYTES] = { 0 };
    icl_status status = ICL_OK;
    if (length - line_bytes >= CHECKSUM_BYTES) {
        from.left = length - line_bytes - CHECKSUM_BYTES;
        checksum(sum, bytes, length - CHECKSUM_BYTES);
        if (memcmp(sum, bytes + length - CHECKSUM_BYTES, CHECKSUM_BYTES) != 0)
            status = refuse(path, "is cut off or damaged: its checksum does not fit");
    } else
        status = refuse(path, "is cut off: it has no checksum");
    if (status == ICL_OK) status = read_origin(&origin, header, path);
    if (status == ICL_OK) status = icl_fit_file_new(&file, &origin);
    if (status == ICL_OK) status = read_body(file, &from, header);
    json_decref(header);
    if (status == ICL_OK)
        *out = file;
    else
        icl_fit_file_free(file);
    return status;
}

icl_status icl_fit_file_open(icl_fit_file **out, const char *path)
{
    icl_text bytes = { 0 };
    icl_status status = icl_file_read_regular(&bytes, path, file_bytes_max);
    if (status == ICL_OK)
        status = icl_fit_file_parse(out, icl_text_string(&bytes), bytes.length, path);
    icl_text_deinit(&bytes);
    return status;
}
