#include "score/calibrate.h"

#include <stdint.h>
#include <stdlib.h>

#include "base/cancel.h"
#include "base/error.h"
#include "base/registry.h"
#include "math/logspace.h"

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

static icl_status check_groups(const icl_calibrate_input *input)
{
    for (size_t q = 0; q < input->query_count; q++) {
        const size_t group = input->groups != NULL ? input->groups[q] : 0;
        if (group >= input->group_count)
            return icl_error_set(ICL_EINVAL, "query %zu is in group %zu of %zu", q, group,
                                 input->group_count);
    }
    return ICL_OK;
}

static icl_status check_content_free(const icl_card *card, const icl_calibrate_input *input)
{
    if (input->content_free_nats == NULL || input->content_free_count == 0)
        return icl_error_set(ICL_EINVAL,
                             "calibrate method \"%s\" needs the scores of content-free inputs",
                             card->name);
    ICL_TRY(check_groups(input));
    const size_t count = input->group_count * input->content_free_count * input->label_count;
    if (!icl_log_all_valid(input->content_free_nats, count))
        return icl_error_set(ICL_EMODEL, "a content-free score is not a log-probability");
    return ICL_OK;
}

static icl_status check_input(const icl_card *card, const icl_calibrate_input *input)
{
    ICL_TRY(icl_cancel_check(input->cancelled));
    for (size_t q = 0; q < input->query_count; q++) {
        if (!icl_log_all_valid(&input->logprob_nats[q * input->label_count], input->label_count))
            return icl_error_set(ICL_EMODEL, "a score of query %zu is not a log-probability", q);
    }
    if ((card->needs & ICL_NEEDS_CONTENT_FREE) != 0 && input->query_count > 0)
        return check_content_free(card, input);
    return ICL_OK;
}

icl_status icl_calibrate_run(icl_calibration *out, const icl_calibrate_method *method,
                             const icl_calibrate_input *input, const icl_options *options)
{
    ICL_TRY(check_input(&method->card, input));
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
