/* EPR: a retriever trained on which single demonstrations make the model give an item its label. */
#include "base/error.h"
#include "select/contrast.h"

static icl_status fit_epr(icl_fit *fit, const icl_select_input *input, const icl_options *options)
{
    const icl_retriever_settings settings = icl_retriever_settings_of(input, options);
    icl_feedback feedback = { 0 };
    icl_retriever_trainer *trainer = NULL;
    ICL_TRY(icl_retriever_trainer_new(&trainer, fit, input, &settings));
    icl_status status = icl_contrast_fit(&feedback, trainer, fit, input, options);
    if (status == ICL_OK)
        status = icl_retriever_save(fit->file, icl_retriever_trainer_result(trainer));
    icl_feedback_deinit(&feedback);
    icl_retriever_trainer_free(trainer);
    return status;
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
                  "/ 0.3, where the paper tunes two BERT encoders with inner products (their "
                  "pooling, unchecked, is the encoder's here), and candidates by BM25 on inputs, "
                  "where it takes outputs: a label is no text to search by.",
              .paper =
                  "Rubin et al. 2022, \"Learning To Retrieve Prompts for In-Context Learning\"",
              .cost = "none in a run; icl fit asks pool * candidates prompts",
              .needs = ICL_NEEDS_EMBEDDINGS | ICL_NEEDS_LABELS | ICL_NEEDS_TRAINING,
              .options = options,
              .option_count = sizeof options / sizeof *options },
    .run = icl_retriever_select,
    .fit = fit_epr,
    .fit_prompts = icl_contrast_prompts,
};
