/* select/fit.h - methods that learn: `icl fit` runs icl_fit_run and saves what it made, a later
 * `select=METHOD(file=...)` gets it back from icl_fit_open.
 *
 *   icl_fit_file *file = NULL;
 *   status = icl_fit_run(&file, method, &input, &options, NULL);
 *   if (status == ICL_OK) status = icl_fit_file_save(file, path);
 *   icl_fit_file_free(file);
 *
 * Asking the model is what costs: the engine's journal keeps answered questions, so a fit that was
 * stopped asks only the rest. Training is deterministic and is done again.
 */
#ifndef ICL_SELECT_FIT_H
#define ICL_SELECT_FIT_H

#include "learn/fit_file.h"
#include "select/select.h"

typedef struct icl_fit_progress {
    /* What happens now and how far it is; total 0: nothing to count. */
    void (*say)(void *user, const char *what, uint64_t done, uint64_t total);
    void *user;
} icl_fit_progress;

/* What a method's `fit` is given. */
typedef struct icl_fit {
    icl_fit_file *file;               /* origin is set; the method adds arrays and measures */
    const icl_fit_progress *progress; /* may be NULL: icl_fit_say */
} icl_fit;

/* ICL_EINVAL unless the method has a `fit`. */
icl_status icl_fit_check_learns(const icl_select_method *method);

/* The most prompts that fitting will ask. ICL_EINVAL where it could not begin: a pool without
 * labels or of one label, options that do not go together. */
icl_status icl_fit_prompts(size_t *out, const icl_select_method *method,
                           const icl_select_input *input, const icl_options *options);

void icl_fit_say(const icl_fit *fit, const char *what, uint64_t done, uint64_t total);

/* Fits `method` to the pool; the queries of `input` are not looked at. *out is yours. ICL_EINVAL:
 * the method does not learn, the pool lacks labels, has fewer than two classes, or the input lacks
 * what the card needs. On failure *out is untouched. */
icl_status icl_fit_run(icl_fit_file **out, const icl_select_method *method,
                       const icl_select_input *input, const icl_options *options,
                       const icl_fit_progress *progress);

/* For methods: the file that option "file" names, once it is known to be of this method and
 * encoder and, unless option "transfer" is there and true, of this pool and language model.
 * ICL_EINVAL names both; icl_fit_file_open. */
icl_status icl_fit_open(icl_fit_file **out, const icl_select_input *input,
                        const icl_options *options);

/* 32 hexadecimal digits over texts and labels of the pool. */
void icl_fit_hash_pool(char out[33], const icl_select_input *input);

/* On every learned method's card, after k. */
#define ICL_FIT_OPTION_FILE                                                                        \
    {                                                                                              \
        .name = "file", .type = ICL_OPTION_TEXT, .fallback = "",                                   \
        .help = "what icl fit wrote; the options below that say \"fit:\" matter only there"        \
    }
/* On cards of methods whose file means something for another pool or language model. */
#define ICL_FIT_OPTION_TRANSFER                                                                    \
    {                                                                                              \
        .name = "transfer", .type = ICL_OPTION_BOOL, .fallback = "false",                          \
        .help = "accept a file of another pool or language model"                                  \
    }

#endif
