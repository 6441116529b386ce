/* icl/dataset.h - labelled examples read from JSONL, CSV or TSV, and the label space they use.
 *
 *   icl_dataset_options options = icl_dataset_options_default();
 *   icl_dataset *pool = NULL;
 *   icl_status status = icl_dataset_open(&pool, "train.jsonl", &options);
 *   for (size_t i = 0; status == ICL_OK && i < icl_dataset_count(pool); i++)
 *       puts(icl_example_input(icl_dataset_at(pool, i)));
 *   icl_dataset_close(pool);
 */
#ifndef ICL_DATASET_H
#define ICL_DATASET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <icl/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/** The candidate answers, each a distinct non-empty name; indices 0..count-1 never change. */
typedef struct icl_label_space icl_label_space;
/** Examples in file order, with the label space their labels index. Immutable after opening. */
typedef struct icl_dataset icl_dataset;
/** One row of a dataset; belongs to it. */
typedef struct icl_example icl_example;

/** The label of an example that has none, and the answer of a search that found nothing. */
#define ICL_LABEL_NONE SIZE_MAX

/** How a data file is written. */
typedef enum icl_format {
    ICL_FORMAT_AUTO,  /**< by extension: .jsonl .ndjson .json, .csv, .tsv .tab */
    ICL_FORMAT_JSONL, /**< one JSON object a line; blank lines are skipped */
    ICL_FORMAT_CSV,   /**< RFC 4180 with a header line */
    ICL_FORMAT_TSV,   /**< the same with tabs for commas, same quoting */
} icl_format;

/** How rows become examples; see icl_dataset_options_default(). */
typedef struct icl_dataset_options {
    icl_format format; /**< how the file is written */
    /** Fields every row must have as text, number or boolean; joined by "\n" they are the input. */
    const char *const *input_fields;
    size_t input_field_count;      /**< at least 1 */
    const char *label_field;       /**< NULL: labels are not read */
    const char *id_field; /**< NULL: none; a row without it gets "<stem>-<line number>" */
    const char *id_stem;  /**< that stem; NULL: the file's name without folder and extension */
    const icl_label_space *labels; /**< copied; NULL: labels in order of first appearance */
    bool require_label;            /**< a row without a label (absent, null or "") is an error */
} icl_dataset_options;

/** Format by extension, input "text", label "label", id "id", labels inferred and required. */
ICL_API icl_dataset_options icl_dataset_options_default(void);

/**
 * Reads a whole data file. A UTF-8 byte order mark and CRLF line ends are accepted. A label is a
 * string, a number or a boolean; numbers are compared by their shortest decimal form (1.0 is "1").
 *
 * @param[out] out  yours: icl_dataset_close; untouched on failure
 * @param options  NULL: the defaults
 * @return ICL_OK; ICL_EIO: the file cannot be opened or read; ICL_EINVAL: the format cannot be told
 *   from the extension; ICL_EPARSE, with file, line and value: no rows, malformed JSON or CSV, not
 *   an object, a missing field, a label outside the label space, two rows with one id, invalid
 *   UTF-8, a NUL character, a line (in CSV: a record) above 16 MiB; ICL_ENOMEM
 */
ICL_API icl_status icl_dataset_open(icl_dataset **out, const char *path,
                                    const icl_dataset_options *options);

/**
 * The same from an open stream, read from where it stands to its end; memory beside the rows stays
 * bounded.
 *
 * @param stream  borrowed, left open
 * @param name  what messages call it, and the stem of made ids; ICL_FORMAT_AUTO reads its extension
 */
ICL_API icl_status icl_dataset_read(icl_dataset **out, FILE *stream, const char *name,
                                    const icl_dataset_options *options);

/** Rows of a stream, some at a time, so that memory stays bounded by those. */
typedef struct icl_dataset_reader icl_dataset_reader;

/**
 * Begins to read a stream; of CSV and TSV the header line is read.
 *
 * @param[out] out  yours: icl_dataset_reader_close; untouched on failure
 * @param stream  borrowed until icl_dataset_reader_close, left open
 * @param name  as icl_dataset_read
 * @param options  NULL: the defaults; what it points to is borrowed until icl_dataset_reader_close
 */
ICL_API icl_status icl_dataset_reader_open(icl_dataset_reader **out, FILE *stream, const char *name,
                                           const icl_dataset_options *options);
/** NULL is fine. */
ICL_API void icl_dataset_reader_close(icl_dataset_reader *reader);
/**
 * The next rows as a dataset of their own. Ids are compared and labels are inferred within it. A
 * bad row is reported by the call after the one that gave the rows before it, so that what is read
 * does not depend on count_max.
 *
 * @param[out] out  yours: icl_dataset_close; NULL at the end of the stream and on failure
 * @param count_max  at least 1; fewer rows are given only before the end or a bad row
 * @return as icl_dataset_open; no rows are no failure
 */
ICL_API icl_status icl_dataset_reader_next(icl_dataset **out, icl_dataset_reader *reader,
                                           size_t count_max);

/**
 * Some examples of a dataset as one of their own, in the order given, with its label space, name,
 * ids and lines.
 *
 * @param[out] out  yours: icl_dataset_close
 * @param items  [count] indices below the dataset's count, no repeats
 * @param count  at least 1
 * @return ICL_OK; ICL_ENOMEM
 */
ICL_API icl_status icl_dataset_subset(icl_dataset **out, const icl_dataset *dataset,
                                      const size_t *items, size_t count);

/** Frees the dataset with its examples and label space. NULL is fine. */
ICL_API void icl_dataset_close(icl_dataset *dataset);

/** Number of examples, at least 1. */
ICL_API size_t icl_dataset_count(const icl_dataset *dataset);
/** Example by position in the file; index below the count (asserted). Borrowed. */
ICL_API const icl_example *icl_dataset_at(const icl_dataset *dataset, size_t index);
/** Position of the example with this id, or SIZE_MAX. */
ICL_API size_t icl_dataset_find(const icl_dataset *dataset, const char *id);
/** The label space given in the options or inferred; no labels read: count 0. Borrowed. */
ICL_API const icl_label_space *icl_dataset_labels(const icl_dataset *dataset);
/** Path or stream name it was read from. Borrowed. */
ICL_API const char *icl_dataset_name(const icl_dataset *dataset);

/** Unique in its dataset. Borrowed. */
ICL_API const char *icl_example_id(const icl_example *example);
/** The input fields joined by a newline: what retrieval compares. Valid UTF-8. Borrowed. */
ICL_API const char *icl_example_input(const icl_example *example);
/** A field that is text (in CSV every field is), or NULL when absent or of another type. Borrowed.
 */
ICL_API const char *icl_example_text(const icl_example *example, const char *field);
/** Index into the label space, or ICL_LABEL_NONE. */
ICL_API size_t icl_example_label(const icl_example *example);
/** Line of the file the example starts on, from 1. */
ICL_API size_t icl_example_line(const icl_example *example);

/**
 * A label space of the given names, in their order.
 * @param[out] out  yours: icl_label_space_free
 * @param names  [count], copied
 * @return ICL_OK; ICL_EINVAL: a name is empty or stands twice; ICL_ENOMEM
 */
ICL_API icl_status icl_label_space_new(icl_label_space **out, const char *const *names,
                                       size_t count);
/** NULL is fine. */
ICL_API void icl_label_space_free(icl_label_space *labels);
/** Number of labels. */
ICL_API size_t icl_label_space_count(const icl_label_space *labels);
/** Name by index (below the count, asserted). Borrowed. */
ICL_API const char *icl_label_space_name(const icl_label_space *labels, size_t index);
/** Index of a name, exact bytes, or ICL_LABEL_NONE. */
ICL_API size_t icl_label_space_find(const icl_label_space *labels, const char *name);
/** The name nearest to a mistyped one, or NULL when none is near. Borrowed. */
ICL_API const char *icl_label_space_nearest(const icl_label_space *labels, const char *name);

#ifdef __cplusplus
}
#endif
#endif
