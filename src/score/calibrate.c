#include "score/calibrate.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/cancel.h"
#include "base/error.h"
#include "base/registry.h"
#include "math/logspace.h"
#include "score/calibrate_parts.h"

#define ICL_CALIBRATE_METHOD(name) extern const icl_calibrate_method icl_calibrate_##name;
#include "score/calibrate.def"
#undef ICL_CALIBRATE_METHOD

static const icl_calibrate_method *const methods[] = {
#define ICL_CALIBRATE_METHOD(name) &icl_calibrate_##name,
#include "score/calibrate.def"
#undef ICL_CALIBRATE_METHOD
};

static const icl_card *const cards[] = {
#define ICL_CALIBRATE_METHOD(name) &icl_calibrate_##name.card,
#include "score/calibrate.def"
#undef ICL_CALIBRATE_METHOD
};

enum { METHOD_COUNT = sizeof methods / sizeof *methods };

const icl_calibrate_method *const *icl_calibrate_methods(size_t *out_count)
{
    *out_count = METHOD_COUNT;
    return methods;
}

const icl_card *const *icl_calibrate_cards(size_t *out_count)
{
    *out_count = METHOD_COUNT;
    return cards;
}

icl_status icl_calibrate_find(const icl_calibrate_method **out, const char *name)
{
    size_t index = 0;
    ICL_TRY(icl_registry_find(&index, cards, METHOD_COUNT, "calibrate", name));
    *out = methods[index];
    return ICL_OK;
}

/* ---- what a call wants ---- */

static bool has_option(const icl_card *card, const char *name)
{
    for (size_t i = 0; i < card->option_count; i++)
        if (strcmp(card->options[i].name, name) == 0) return true;
    return false;
}

/* A call within a call is shorter than the call, so this ends. */
static icl_status add_wants_of_inner(icl_calibrate_wants *wants, const icl_options *options)
{
    icl_calibrate_wants inner = { 0 };
    icl_calibrate_call call = { 0 };
    ICL_TRY(icl_calibrate_call_init(&call, options));
    const icl_status status = icl_calibrate_wanted(&inner, call.method, &call.options);
    icl_calibrate_call_deinit(&call);
    if (status != ICL_OK) return status;
    wants->content_free |= inner.content_free;
    wants->domain_texts = inner.domain_texts;
    wants->domain_words = inner.domain_words;
    wants->validation_groups = wants->validation_items > 0 || inner.validation_groups;
    if (inner.validation_items > wants->validation_items)
        wants->validation_items = inner.validation_items;
    return ICL_OK;
}

icl_status icl_calibrate_wanted(icl_calibrate_wants *out, const icl_calibrate_method *method,
                                const icl_options *options)
{
    const icl_card *card = &method->card;
    icl_calibrate_wants wants = { .content_free = (card->needs & ICL_NEEDS_CONTENT_FREE) != 0 };
    if ((card->needs & ICL_NEEDS_DOMAIN_TEXTS) != 0) {
        wants.domain_texts = (size_t)icl_options_int(options, "texts");
        wants.domain_words = (size_t)icl_options_int(options, "words");
    }
    if (has_option(card, "validation"))
        wants.validation_items = (size_t)icl_options_int(options, "validation");
    if (has_option(card, "of")) ICL_TRY(add_wants_of_inner(&wants, options));
    *out = wants;
    return ICL_OK;
}

/* ---- running ---- */

static icl_status check_groups(const size_t *groups, size_t count, size_t group_count,
                               const char *what)
{
    for (size_t i = 0; i < count; i++) {
        const size_t group = groups != NULL ? groups[i] : 0;
        if (group >= group_count)
            return icl_error_set(ICL_EINVAL, "%s %zu is in group %zu of %zu", what, i, group,
                                 group_count);
    }
    return ICL_OK;
}

static icl_status check_rows(const icl_card *card, const char *what, const double *nats,
                             size_t row_count, size_t label_count)
{
    if (nats == NULL || row_count == 0)
        return icl_error_set(ICL_EINVAL, "calibrate method \"%s\" needs the scores of %s",
                             card->name, what);
    if (!icl_log_all_valid(nats, row_count * label_count))
        return icl_error_set(ICL_EMODEL, "a score of %s is not a log-probability", what);
    return ICL_OK;
}

static icl_status check_validation(const icl_card *card, const icl_calibrate_input *input)
{
    ICL_TRY(check_rows(card, "validation items", input->validation_nats, input->validation_count,
                       input->label_count));
    for (size_t i = 0; i < input->validation_count; i++)
        if (input->validation_labels[i] >= input->label_count)
            return icl_error_set(ICL_EINVAL, "validation item %zu has label %zu of %zu", i,
                                 input->validation_labels[i], input->label_count);
    return ICL_OK;
}

static icl_status check_wanted(const icl_card *card, const icl_calibrate_input *input,
                               const icl_calibrate_wants *wants)
{
    const size_t groups = input->group_count, labels = input->label_count;
    if (wants->content_free)
        ICL_TRY(check_rows(card, "content-free inputs", input->content_free_nats,
                           groups * input->content_free_count, labels));
    if (wants->domain_texts > 0)
        ICL_TRY(check_rows(card, "random texts of the task's words", input->domain_nats,
                           groups * input->domain_count, labels));
    if (wants->content_free || wants->domain_texts > 0) {
        ICL_TRY(check_groups(input->groups, input->query_count, groups, "query"));
        if (wants->validation_groups)
            ICL_TRY(check_groups(input->validation_groups, input->validation_count, groups,
                                 "validation item"));
    }
    return wants->validation_items > 0 ? check_validation(card, input) : ICL_OK;
}

static icl_status check_input(const icl_calibrate_method *method, const icl_calibrate_input *input,
                              const icl_options *options)
{
    icl_calibrate_wants wants = { 0 };
    ICL_TRY(icl_calibrate_wanted(&wants, method, options));
    ICL_TRY(icl_cancel_check(input->cancelled));
    for (size_t q = 0; q < input->query_count; q++) {
        if (!icl_log_all_valid(&input->logprob_nats[q * input->label_count], input->label_count))
            return icl_error_set(ICL_EMODEL, "a score of query %zu is not a log-probability", q);
    }
    return input->query_count > 0 ? check_wanted(&method->card, input, &wants) : ICL_OK;
}

icl_status icl_calibrate_run(icl_calibration *out, const icl_calibrate_method *method,
                             const icl_calibrate_input *input, const icl_options *options)
{
    ICL_TRY(check_input(method, input, options));
    const size_t count = input->query_count * input->label_count;
    icl_calibration fresh = { .query_count = input->query_count,
                              .label_count = input->label_count };
    /* One more than needed: calloc(0) may return NULL. */
    fresh.scores = calloc(count + 1, sizeof *fresh.scores);
    fresh.probabilities = calloc(count + 1, sizeof *fresh.probabilities);
    icl_status status = ICL_OK;
    if (fresh.scores == NULL || fresh.probabilities == NULL)
        status = icl_error_set(ICL_ENOMEM, "out of memory for %zu scores", count);
    else if (count > 0)
        status = method->run(&fresh, input, options);
    if (status != ICL_OK) {
        icl_calibration_deinit(&fresh);
        return status;
    }
    for (size_t at = 0; at < count; at += input->label_count)
        icl_softmax(&fresh.probabilities[at], &fresh.scores[at], input->label_count);
    *out = fresh;
    return ICL_OK;
}

void icl_calibration_deinit(icl_calibration *calibration)
{
    free(calibration->scores);
    free(calibration->probabilities);
    *calibration = (icl_calibration){ 0 };
}
