#include "select/fit.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include <icl/dataset.h>

#include "base/cancel.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/text.h"

void icl_fit_say(const icl_fit *fit, const char *what, uint64_t done, uint64_t total)
{
    if (fit->progress != NULL) fit->progress->say(fit->progress->user, what, done, total);
}

void icl_fit_hash_pool(char out[33], const icl_select_input *input)
{
    icl_hash_state state;
    icl_hash_begin(&state);
    for (size_t i = 0; i < input->pool_count; i++) {
        const uint64_t length = strlen(input->pool_texts[i]);
        const uint64_t label = input->pool_labels != NULL ? input->pool_labels[i] : UINT64_MAX;
        icl_hash_add(&state, &length, sizeof length);
        icl_hash_add(&state, input->pool_texts[i], (size_t)length);
        icl_hash_add(&state, &label, sizeof label);
    }
    icl_hash_hex(out, icl_hash_end(&state));
}

static const char *known(const char *identity)
{
    return identity != NULL ? identity : "";
}

/* ---- fitting ---- */

static icl_status check_labels(const icl_select_input *input, const char *method)
{
    if (input->pool_count == 0) return icl_error_set(ICL_EINVAL, "the pool is empty");
    if (input->pool_labels == NULL)
        return icl_error_set(ICL_EINVAL,
                             "select method \"%s\" learns from a labelled pool, and this one has "
                             "no labels",
                             method);
    bool same = true;
    for (size_t i = 0; i < input->pool_count; i++) {
        if (input->pool_labels[i] == ICL_LABEL_NONE)
            return icl_error_set(ICL_EINVAL,
                                 "select method \"%s\" learns from a labelled pool, and pool item "
                                 "%zu has no label",
                                 method, i);
        same &= input->pool_labels[i] == input->pool_labels[0];
    }
    if (same)
        return icl_error_set(ICL_EINVAL,
                             "all %zu pool items have one and the same label: select method \"%s\" "
                             "has nothing to learn",
                             input->pool_count, method);
    return ICL_OK;
}

icl_status icl_fit_check_learns(const icl_select_method *method)
{
    if (method->fit != NULL) return ICL_OK;
    return icl_error_set(ICL_EINVAL,
                         "select method \"%s\" does not learn; \"icl methods select\" shows which "
                         "need a file made by icl fit",
                         method->card.name);
}

icl_status icl_fit_prompts(size_t *out, const icl_select_method *method,
                           const icl_select_input *input, const icl_options *options)
{
    ICL_TRY(check_labels(input, method->card.name));
    return method->fit_prompts(out, input, options);
}

static icl_status check_fit(const icl_select_method *method, const icl_select_input *input)
{
    const char *name = method->card.name;
    ICL_TRY(icl_fit_check_learns(method));
    ICL_TRY(check_labels(input, name));
    if ((method->card.needs & ICL_NEEDS_EMBEDDINGS) != 0 && input->pool_vectors == NULL)
        return icl_error_set(ICL_EINVAL, "select method \"%s\" needs sentence vectors", name);
    if ((method->card.needs & ICL_NEEDS_GRADIENTS) != 0) {
        if (input->trainable == NULL)
            return icl_error_set(ICL_EINVAL,
                                 "select method \"%s\" follows the gradients of a language model, "
                                 "and there is none",
                                 name);
    } else if (input->asker == NULL) {
        return icl_error_set(ICL_EINVAL,
                             "select method \"%s\" learns from a language model's answers, and "
                             "there is none to ask",
                             name);
    }
    return icl_cancel_check(input->cancelled);
}

static icl_status new_file(icl_fit_file **out, const icl_select_method *method,
                           const icl_select_input *input, const icl_options *options)
{
    char pool[33];
    icl_text call = { 0 };
    icl_fit_hash_pool(pool, input);
    icl_options_format(&call, options);
    icl_status status = icl_text_status(&call);
    const bool embeds = (method->card.needs & ICL_NEEDS_EMBEDDINGS) != 0;
    if (status == ICL_OK)
        status = icl_fit_file_new(
            out, &(icl_fit_origin){ .method = method->card.name,
                                    .options = icl_text_string(&call),
                                    .task = known(input->task),
                                    .encoder = embeds ? known(input->encoder_identity) : "",
                                    .model = known(input->model_identity),
                                    .pool = pool,
                                    .pool_count = input->pool_count,
                                    .seed = input->seed });
    icl_text_deinit(&call);
    return status;
}

icl_status icl_fit_run(icl_fit_file **out, const icl_select_method *method,
                       const icl_select_input *input, const icl_options *options,
                       const icl_fit_progress *progress)
{
    ICL_TRY(check_fit(method, input));
    icl_fit fit = { .progress = progress };
    ICL_TRY(new_file(&fit.file, method, input, options));
    const icl_status status = method->fit(&fit, input, options);
    if (status != ICL_OK) {
        icl_fit_file_free(fit.file);
        return status;
    }
    *out = fit.file;
    return ICL_OK;
}

/* ---- using what was fitted ---- */

static bool may_transfer(const icl_options *options)
{
    for (size_t i = 0; i < options->card->option_count; i++)
        if (strcmp(options->card->options[i].name, "transfer") == 0)
            return icl_options_bool(options, "transfer");
    return false;
}

static icl_status check_origin(const icl_fit_file *file, const char *path,
                               const icl_select_input *input, const icl_options *options)
{
    const icl_fit_origin *origin = icl_fit_file_origin(file);
    char pool[33];
    ICL_TRY(icl_fit_file_check(path, "select method", origin->method, options->card->name));
    if ((options->card->needs & ICL_NEEDS_EMBEDDINGS) != 0)
        ICL_TRY(icl_fit_file_check(path, "sentence encoder", origin->encoder,
                                   known(input->encoder_identity)));
    if (may_transfer(options)) return ICL_OK;
    ICL_TRY(
        icl_fit_file_check(path, "language model", origin->model, known(input->model_identity)));
    icl_fit_hash_pool(pool, input);
    if (strcmp(pool, origin->pool) == 0) return ICL_OK;
    return icl_error_set(ICL_EINVAL,
                         "\"%s\" was fitted to the pool \"%s\" of task \"%s\" (%" PRIu64
                         " items), not to \"%s\" of task \"%s\" (%zu items)",
                         path, origin->pool, origin->task, origin->pool_count, pool,
                         known(input->task), input->pool_count);
}

icl_status icl_fit_open(icl_fit_file **out, const icl_select_input *input,
                        const icl_options *options)
{
    const char *name = options->card->name, *path = icl_options_text(options, "file");
    if (path[0] == '\0')
        return icl_error_set(ICL_EINVAL,
                             "select method \"%s\" has to be fitted first: icl fit \"select=%s\" "
                             "TASK --out FILE, then select=%s(file=FILE)",
                             name, name, name);
    icl_fit_file *file = NULL;
    ICL_TRY(icl_fit_file_open(&file, path));
    const icl_status status = check_origin(file, path, input, options);
    if (status != ICL_OK) {
        icl_fit_file_free(file);
        return status;
    }
    *out = file;
    return ICL_OK;
}
