#include "select/contrast.h"

#include <stdlib.h>

#include "base/error.h"
#include "select/ranking_loss.h"

/* Place of a context among the item's candidates, best first; the width where it is none. */
static size_t rank_of(const icl_feedback *feedback, size_t item, size_t context)
{
    const size_t *candidates = feedback->candidates + item * feedback->width;
    size_t rank = 0;
    while (rank < feedback->width && candidates[rank] != context) rank++;
    return rank;
}

/* Marks the columns that repeat an earlier one, so that equal contexts count once. */
static void mark_repeats(bool *repeats, const icl_lesson_step *step)
{
    for (size_t j = 0; j < step->columns; j++) {
        repeats[j] = false;
        for (size_t i = 0; i < j && !repeats[j]; i++)
            repeats[j] = step->contexts[i] == step->contexts[j];
    }
}

static void mask_row(bool *masked, const bool *repeats, const icl_lesson_step *step, size_t row,
                     const icl_feedback *feedback, size_t positive, size_t hidden)
{
    const size_t item = step->items[row], wanted = step->contexts[positive];
    const size_t own = rank_of(feedback, item, wanted), better = own > hidden ? own : hidden;
    for (size_t j = 0; j < step->columns; j++) {
        const size_t context = step->contexts[j];
        masked[j] = j != positive && (repeats[j] || context == wanted || context == item ||
                                      rank_of(feedback, item, context) < better);
    }
}

icl_status icl_contrast_loss(double *out_loss, const icl_lesson_step *step,
                             const icl_feedback *feedback, size_t positive, size_t hidden,
                             double weight)
{
    const size_t rows = step->query_count, columns = step->columns;
    size_t *positives = malloc(rows * sizeof *positives);
    bool *masked = malloc((rows + 1) * columns * sizeof *masked);
    icl_status status = ICL_OK;
    if (positives == NULL || masked == NULL) {
        status = icl_error_set(ICL_ENOMEM, "out of memory for a training step");
        goto cleanup;
    }
    bool *repeats = masked + rows * columns;
    mark_repeats(repeats, step);
    for (size_t q = 0; q < rows; q++) {
        positives[q] = q * step->list_length + positive;
        mask_row(masked + q * columns, repeats, step, q, feedback, positives[q], hidden);
    }
    *out_loss = icl_loss_infonce(step->gradient,
                                 &(icl_infonce){ .rows = rows,
                                                 .columns = columns,
                                                 .scores = step->scores,
                                                 .positives = positives,
                                                 .masked = masked },
                                 weight);

cleanup:
    free(positives);
    free(masked);
    return status;
}

/* ---- one of the best against one of the worst ---- */

typedef struct contrast {
    const icl_feedback *feedback;
    size_t positives, negatives; /* best and worst candidates to draw one of each from */
} contrast;

static void draw_contrast(void *user, size_t *out, size_t item, icl_rng *rng)
{
    const contrast *self = user;
    const size_t width = self->feedback->width;
    const size_t *candidates = self->feedback->candidates + item * width;
    out[0] = candidates[icl_rng_below(rng, self->positives)];
    out[1] = candidates[width - 1 - icl_rng_below(rng, self->negatives)];
}

static icl_status loss_contrast(void *user, double *out_loss, const icl_lesson_step *step)
{
    const contrast *self = user;
    return icl_contrast_loss(out_loss, step, self->feedback, 0, self->positives, 1);
}

static size_t width_of(const icl_select_input *input, const icl_options *options)
{
    return icl_feedback_width(input, (size_t)icl_options_int(options, "candidates"));
}

static icl_status check_width(const icl_select_input *input, const icl_options *options)
{
    const size_t width = width_of(input, options);
    const size_t positives = (size_t)icl_options_int(options, "positives");
    const size_t negatives = (size_t)icl_options_int(options, "negatives");
    if (positives + negatives <= width) return ICL_OK;
    return icl_error_set(ICL_EINVAL,
                         "select=%s: positives=%zu and negatives=%zu need %zu candidates, and each "
                         "of the %zu pool items has %zu",
                         options->card->name, positives, negatives, positives + negatives,
                         input->pool_count, width);
}

icl_status icl_contrast_fit(icl_feedback *out_feedback, icl_retriever_trainer *trainer,
                            const icl_fit *fit, const icl_select_input *input,
                            const icl_options *options)
{
    const size_t width = width_of(input, options);
    icl_feedback feedback = { 0 };
    contrast self = { .feedback = &feedback,
                      .positives = (size_t)icl_options_int(options, "positives"),
                      .negatives = (size_t)icl_options_int(options, "negatives") };
    ICL_TRY(check_width(input, options));
    ICL_TRY(icl_feedback_ask(&feedback, fit, input, &(icl_feedback_options){ .width = width }));
    const icl_status status = icl_retriever_train(
        trainer, &feedback,
        &(icl_lesson){
            .user = &self, .list_length = 2, .draw = draw_contrast, .loss = loss_contrast });
    if (status == ICL_OK)
        *out_feedback = feedback;
    else
        icl_feedback_deinit(&feedback);
    return status;
}

icl_status icl_contrast_prompts(size_t *out, const icl_select_input *input,
                                const icl_options *options)
{
    ICL_TRY(check_width(input, options));
    *out = input->pool_count * width_of(input, options);
    return ICL_OK;
}
