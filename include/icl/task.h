/* icl/task.h - what a task file says: data, fields, template, label words, metric; and the
 * verbalizer that turns labels into words.
 *
 *   icl_task *task = NULL;
 *   icl_status status = icl_task_find(&task, "snips");     // a built-in name or a path
 *   if (status == ICL_OK) status = icl_task_set_text(task, ICL_TASK_TEMPLATE, "Q: {{ text }}\nA:");
 *   icl_task_data data = { 0 };
 *   if (status == ICL_OK) status = icl_task_load(&data, task);
 *   ...
 *   icl_task_data_deinit(&data);
 *   icl_task_free(task);
 */
#ifndef ICL_TASK_H
#define ICL_TASK_H

#include <stddef.h>
#include <stdint.h>

#include <icl/dataset.h>
#include <icl/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Label to words: each label has one or more names, the first of which demonstrations show. */
typedef struct icl_verbalizer icl_verbalizer;
/** One task: what its file says, after overrides. */
typedef struct icl_task icl_task;
/** The built-in tasks found in the search folders. */
typedef struct icl_task_list icl_task_list;

/* --- verbalizer --- */

/**
 * Each label is worded by its own name.
 * @param[out] out  yours: icl_verbalizer_free
 * @param labels  copied
 * @return ICL_OK; ICL_ENOMEM
 */
ICL_API icl_status icl_verbalizer_identity(icl_verbalizer **out, const icl_label_space *labels);

/**
 * Reads "name=words,name2=words|other": `,` separates labels, `|` several names of one label, a
 * backslash takes the next character as it is. Blanks around names and words are dropped.
 *
 * @param[out] out  yours: icl_verbalizer_free
 * @return ICL_OK; ICL_EPARSE: a part without "=", a label twice, a label without words, empty
 *   words, the same words for two labels, a backslash at the end; ICL_ENOMEM
 */
ICL_API icl_status icl_verbalizer_parse(icl_verbalizer **out, const char *text);

/**
 * The same words in the order of another label space.
 *
 * @param[out] out  yours: icl_verbalizer_free
 * @return ICL_OK; ICL_EINVAL: a label has no words in `verbalizer`; ICL_ENOTFOUND: it words a label
 *   that is not in `labels` (the message offers the nearest); ICL_ENOMEM
 */
ICL_API icl_status icl_verbalizer_align(icl_verbalizer **out, const icl_verbalizer *verbalizer,
                                        const icl_label_space *labels);

/** NULL is fine. */
ICL_API void icl_verbalizer_free(icl_verbalizer *verbalizer);
/** The labels it words, in its order. Borrowed. */
ICL_API const icl_label_space *icl_verbalizer_labels(const icl_verbalizer *verbalizer);
/** Number of names of a label, at least 1; label below the count (asserted). */
ICL_API size_t icl_verbalizer_word_count(const icl_verbalizer *verbalizer, size_t label);
/** A name of a label; 0 is the one shown in demonstrations. Never empty. Borrowed. */
ICL_API const char *icl_verbalizer_word(const icl_verbalizer *verbalizer, size_t label,
                                        size_t index);

/* --- task --- */

/** The text values of a task, with the key of the task file that sets each. */
typedef enum icl_task_key {
    ICL_TASK_NAME,            /**< name; default: the file's stem */
    ICL_TASK_DESCRIPTION,     /**< description; default "" */
    ICL_TASK_TRAIN_PATH,      /**< data.train, resolved against the task file; "" when absent */
    ICL_TASK_TEST_PATH,       /**< data.test, the same */
    ICL_TASK_VALIDATION_PATH, /**< data.validation, the same */
    ICL_TASK_LABEL_FIELD,     /**< fields.label; default "label" */
    ICL_TASK_ID_FIELD,        /**< fields.id; default "id" */
    ICL_TASK_TEMPLATE,        /**< template: Jinja source of an example up to its answer; default
                                 "Text: {{ text }}\nLabel:" */
    ICL_TASK_ANSWER_PREFIX,   /**< answer_prefix: between template and words; default " " */
    ICL_TASK_SEPARATOR,       /**< separator between demonstrations; default a blank line */
    ICL_TASK_INSTRUCTION,     /**< instruction: text before the demonstrations; default "" */
    ICL_TASK_STRATEGY,        /**< strategy: the default strategy line; "" when absent */
    ICL_TASK_LICENCE,         /**< licence of the data; default "" */
    ICL_TASK_SOURCE,          /**< source of the data; default "" */
    ICL_TASK_KEY_COUNT
} icl_task_key;

/** The figure a task is judged by. */
typedef enum icl_metric {
    ICL_METRIC_ACCURACY, /**< metric: accuracy (the default) */
    ICL_METRIC_MACRO_F1, /**< metric: macro_f1 */
} icl_metric;

/** A task that does not say how many demonstrations it wants. */
#define ICL_SHOTS_UNSET SIZE_MAX

/**
 * Reads a task file (YAML). Keys: name, description, data {train, test, validation, format}, fields
 * {input, label, id}, template, answer_prefix, separator, instruction, labels, metric, shots,
 * strategy, licence, source; all may be left out. `labels` maps each label to its words or to a
 * list of them; without it labels come from the training data and are worded by their names.
 *
 * @param[out] out  yours: icl_task_free; untouched on failure
 * @return ICL_OK; ICL_EIO: the file cannot be read; ICL_EPARSE, with file, line, column and value:
 *   malformed YAML, an unknown key (the message offers the nearest), a value of the wrong kind;
 *   ICL_ENOMEM
 */
ICL_API icl_status icl_task_open(icl_task **out, const char *path);

/**
 * The task of a run without a task file: fields "text" and "label", template
 * "Text: {{ text }}\nLabel:", labels from the data.
 * @param[out] out  yours: icl_task_free
 */
ICL_API icl_status icl_task_default(icl_task **out);

/**
 * A task by path or built-in name: text that holds "/" or ends in .yaml or .yml is a path.
 * @return as icl_task_open; ICL_ENOTFOUND: no built-in task of that name (offers the nearest)
 */
ICL_API icl_status icl_task_find(icl_task **out, const char *name_or_path);

/** NULL is fine. */
ICL_API void icl_task_free(icl_task *task);

/** Never NULL; "" when absent. Borrowed until the key is set again. */
ICL_API const char *icl_task_text(const icl_task *task, icl_task_key key);
/**
 * Overrides a text value; paths are taken as given, relative to the working folder.
 * @return ICL_OK; ICL_EINVAL: the value is not UTF-8; ICL_ENOMEM
 */
ICL_API icl_status icl_task_set_text(icl_task *task, icl_task_key key, const char *value);

/** Number of input fields, at least 1. */
ICL_API size_t icl_task_input_field_count(const icl_task *task);
/** Name of an input field; index below the count (asserted). Borrowed. */
ICL_API const char *icl_task_input_field(const icl_task *task, size_t index);
/** Overrides the input fields; count at least 1. ICL_EINVAL: an empty or repeated name. */
ICL_API icl_status icl_task_set_input_fields(icl_task *task, const char *const *names,
                                             size_t count);

/** Label words the task states, or NULL when they come from the data. Borrowed. */
ICL_API const icl_verbalizer *icl_task_verbalizer(const icl_task *task);
/**
 * Overrides label words from a "name=words,..." line. A task that states labels keeps them and
 * their order: the line must word exactly these.
 * @return as icl_verbalizer_parse and icl_verbalizer_align
 */
ICL_API icl_status icl_task_set_labels(icl_task *task, const char *text);

/** Format of the data files; ICL_FORMAT_AUTO unless stated. */
ICL_API icl_format icl_task_format(const icl_task *task);
/** The figure the task is judged by. */
ICL_API icl_metric icl_task_metric(const icl_task *task);
/** Default number of demonstrations, or ICL_SHOTS_UNSET. */
ICL_API size_t icl_task_shots(const icl_task *task);

/** The data of a task, with one label space for all of it. */
typedef struct icl_task_data {
    icl_dataset *train;         /**< the pool; every example labelled */
    icl_dataset *test;          /**< the queries; labels optional */
    icl_verbalizer *verbalizer; /**< in the order of the datasets' label space */
} icl_task_data;

/**
 * Reads train and test and settles the label space: the task's labels, or those of the training
 * data in order of first appearance.
 *
 * @param[out] out  yours: icl_task_data_deinit; untouched on failure
 * @return ICL_OK; ICL_EINVAL: the task names no train or no test file; as icl_dataset_open
 */
ICL_API icl_status icl_task_load(icl_task_data *out, const icl_task *task);
/**
 * The same without the test file: for what chooses its queries among the labelled examples. `test`
 * stays NULL; the task need not name a test file.
 */
ICL_API icl_status icl_task_load_train(icl_task_data *out, const icl_task *task);
/** Frees what icl_task_load gave; fine on zeroed data. */
ICL_API void icl_task_data_deinit(icl_task_data *data);

/* --- built-in tasks --- */

/**
 * The built-in tasks, sorted by name. Folders searched, the first one that holds a name wins:
 * $ICL_TASKS, ../share/icl/tasks beside the running program, the source tree this library was built
 * from, the folder it was installed to.
 * @param[out] out  yours: icl_task_list_free; may be empty
 */
ICL_API icl_status icl_task_list_new(icl_task_list **out);
/** NULL is fine. */
ICL_API void icl_task_list_free(icl_task_list *list);
/** Number of tasks found. */
ICL_API size_t icl_task_list_count(const icl_task_list *list);
/** Name to give icl_task_find; index below the count (asserted). Borrowed. */
ICL_API const char *icl_task_list_name(const icl_task_list *list, size_t index);
/** Path of the task file. Borrowed. */
ICL_API const char *icl_task_list_path(const icl_task_list *list, size_t index);

#ifdef __cplusplus
}
#endif
#endif
