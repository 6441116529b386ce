#include "select/listwise.h"

#include "base/error.h"
#include "select/draw.h"

void icl_list_draw(size_t *out, size_t length, const icl_feedback *feedback, size_t item,
                   icl_rng *rng)
{
    icl_draw_in_order(out, length, feedback->candidates + item * feedback->width, feedback->width,
                      rng);
}

void icl_list_places(size_t *out, const icl_lesson_step *step, const icl_feedback *feedback,
                     size_t row)
{
    const size_t *list = step->contexts + row * step->list_length;
    const size_t *candidates = feedback->candidates + step->items[row] * feedback->width;
    size_t place = 0;
    for (size_t i = 0; i < step->list_length; i++) {
        while (candidates[place] != list[i]) place++;
        out[i] = place;
    }
}

size_t icl_list_length(const icl_feedback *feedback, const icl_options *options)
{
    const size_t length = (size_t)icl_options_int(options, "list");
    return length < feedback->width ? length : feedback->width;
}

icl_status icl_rounds_prompts(size_t *out, const icl_select_input *input,
                              const icl_options *options)
{
    const size_t width = icl_feedback_width(input, (size_t)icl_options_int(options, "candidates"));
    *out = (size_t)icl_options_int(options, "rounds") * input->pool_count * width;
    return ICL_OK;
}

icl_status icl_rounds_fit(icl_fit *fit, const icl_select_input *input, const icl_options *options,
                          bool normalise, icl_round_train *train)
{
    const icl_retriever_settings settings = icl_retriever_settings_of(input, options);
    icl_feedback_options asked = { .width = (size_t)icl_options_int(options, "candidates"),
                                   .normalise = normalise };
    icl_retriever_trainer *trainer = NULL;
    ICL_TRY(icl_retriever_trainer_new(&trainer, fit, input, &settings));
    icl_status status = ICL_OK;
    for (int64_t round = 0; status == ICL_OK && round < icl_options_int(options, "rounds");
         round++) {
        icl_feedback feedback = { 0 };
        status = icl_feedback_ask(&feedback, fit, input, &asked);
        if (status == ICL_OK) status = train(trainer, fit, input, &feedback, options);
        icl_feedback_deinit(&feedback);
        asked.retriever = icl_retriever_trainer_result(trainer);
    }
    if (status == ICL_OK)
        status = icl_retriever_save(fit->file, icl_retriever_trainer_result(trainer));
    icl_retriever_trainer_free(trainer);
    return status;
}
