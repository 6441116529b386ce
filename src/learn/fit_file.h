/* learn/fit_file.h - what `icl fit` writes and `select=METHOD(file=...)` reads: named arrays of
 * numbers, and what they were made from.
 *
 *   const float *map = NULL;
 *   status = icl_fit_file_open(&file, "snips.fit");
 *   status = icl_fit_file_find(&map, file, "query_map", size, size);
 *   icl_fit_file_free(file);
 *
 * Bytes: one line of JSON ("icl_fit": version, origin, measures, names and sizes of the arrays),
 * the arrays' elements one after another as 32-bit little-endian floats, XXH3-128 of all that,
 * big-endian.
 */
#ifndef ICL_LEARN_FIT_FILE_H
#define ICL_LEARN_FIT_FILE_H

#include <stddef.h>
#include <stdint.h>

#include <icl/status.h>

typedef struct icl_fit_file icl_fit_file;

/* Texts are never NULL in a file; "" where the method does not look at it. */
typedef struct icl_fit_origin {
    const char *method;  /* name on its card */
    const char *options; /* the call in canonical form */
    const char *task;
    const char *encoder; /* identity of the sentence encoder */
    const char *model;   /* identity of the language model */
    const char *pool;    /* icl_fit_hash_pool */
    uint64_t pool_count;
    uint64_t seed; /* below 2^63 */
} icl_fit_origin;

typedef struct icl_fit_array {
    const char *name;
    size_t rows, columns;
    const float *values; /* [rows][columns] */
} icl_fit_array;

/* A number for the reader, such as "dev_mrr". */
typedef struct icl_fit_measure {
    const char *name;
    double value;
} icl_fit_measure;

/* ICL_EINVAL where the file at `path` was fitted with another `what`, such as "language model",
 * than there is here; the sentence names both. */
icl_status icl_fit_file_check(const char *path, const char *what, const char *fitted,
                              const char *here);

/* An empty one. ICL_ENOMEM. */
icl_status icl_fit_file_new(icl_fit_file **out, const icl_fit_origin *origin);
void icl_fit_file_free(icl_fit_file *file);

/* Copies; rows and columns at least 1, names distinct, values finite. ICL_EINVAL: a value is not
 * finite; ICL_ENOMEM. */
icl_status icl_fit_file_add(icl_fit_file *file, const icl_fit_array *array);
icl_status icl_fit_file_add_measure(icl_fit_file *file, const char *name, double value);

/* Borrowed from the file. */
const icl_fit_origin *icl_fit_file_origin(const icl_fit_file *file);
const icl_fit_measure *icl_fit_file_measures(const icl_fit_file *file, size_t *out_count);
/* NULL when there is none of that name. */
const icl_fit_array *icl_fit_file_array(const icl_fit_file *file, const char *name);
/* ICL_EPARSE names the array that is missing or has another size. */
icl_status icl_fit_file_find(const float **out, const icl_fit_file *file, const char *name,
                             size_t rows, size_t columns);

/* Beside its place and renamed. ICL_EIO, ICL_ENOMEM. */
icl_status icl_fit_file_save(const icl_fit_file *file, const char *path);
/* ICL_EIO; ICL_EPARSE: no such file, of another version, cut off or damaged; ICL_ENOMEM. */
icl_status icl_fit_file_open(icl_fit_file **out, const char *path);
/* The same for bytes in memory; `path` is for sentences. */
icl_status icl_fit_file_parse(icl_fit_file **out, const char *bytes, size_t length,
                              const char *path);

#endif
