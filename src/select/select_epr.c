/* EPR: a retriever trained on which single demonstrations make the model give an item its label. */
#include "base/error.h"
#include "select/contrast.h"

static icl_status fit_epr(icl_fit *fit, const icl_select_input *input, const icl_options *options)
{
    const icl_retriever_settings settings = icl_retriever_settings_of(input, options);
    const icl_feedback_options asked = { .width = (size_t)icl_options_int(options, "candidates") };
    icl_feedback feedback = { 0 };
    icl_retriever_trainer *trainer = NULL;
    ICL_TRY(icl_contrast_check(input, options));
    ICL_TRY(icl_feedback_ask(&feedback, fit, input, &asked));
    icl_contrast contrast = icl_contrast_of(&feedback, options);
    const icl_lesson lesson = icl_contrast_lesson(&contrast);
    icl_status status = icl_retriever_trainer_new(&trainer, fit, input, &settings);
    if (status == ICL_OK) status = icl_retriever_train(trainer, &feedback, &lesson);
    if (status == ICL_OK) status = icl_retriever_trainer_save(trainer);
    icl_retriever_trainer_free(trainer);
    icl_feedback_deinit(&feedback);
    return status;
}

static size_t prompts_epr(const icl_select_input *input, const icl_options *options)
{
    return input->pool_count *
           icl_feedback_width(input, (size_t)icl_options_int(options, "candidates"));
}

static const icl_option options[] = {
    ICL_SELECT_OPTION_K,   ICL_FIT_OPTION_FILE,  ICL_FIT_OPTION_TRANSFER,
    ICL_RETRIEVER_OPTIONS, ICL_CONTRAST_OPTIONS,
};

const icl_select_method icl_select_epr = {
    .card = { .name = "epr",
              .summary =
                  "A retriever trained on which single demonstrations make the model give an "
                  "item its label; here linear maps of frozen sentence vectors with cosines "
                  "/ 0.05, where the paper tunes two BERT encoders with inner products, and "
                  "candidates by BM25 on inputs, since a label is no text to search by.",
              .paper =
                  "Rubin et al. 2022, \"Learning To Retrieve Prompts for In-Context Learning\"",
              .cost = "none in a run; icl fit asks pool * candidates prompts",
              .needs = ICL_NEEDS_EMBEDDINGS | ICL_NEEDS_LABELS | ICL_NEEDS_TRAINING,
              .options = options,
              .option_count = sizeof options / sizeof *options },
    .run = icl_retriever_select,
    .fit = fit_epr,
    .fit_prompts = prompts_epr,
};
