/* select/listwise.h - lists of candidates that UDR and LLM-R learn from. */
#ifndef ICL_SELECT_LISTWISE_H
#define ICL_SELECT_LISTWISE_H

#include "select/retriever_train.h"

/* Draws `length` of the item's candidates, every set of them as likely as any other, in the order
 * of the model's answers, so that the first is the best of them; length <= feedback->width. */
void icl_list_draw(size_t *out, size_t length, const icl_feedback *feedback, size_t item,
                   icl_rng *rng);

/* out [length]: where the contexts of the row's list stand among its item's candidates. */
void icl_list_places(size_t *out, const icl_lesson_step *step, const icl_feedback *feedback,
                     size_t row);

/* The option "list", at most the candidates that there are. */
size_t icl_list_length(const icl_feedback *feedback, const icl_options *options);

/* The most prompts that rounds of feedback ask, by the options "rounds" and "candidates". */
icl_status icl_rounds_prompts(size_t *out, const icl_select_input *input,
                              const icl_options *options);

/* A round of a method: makes the retriever learn from this feedback. */
typedef icl_status icl_round_train(icl_retriever_trainer *trainer, const icl_fit *fit,
                                   const icl_select_input *input, const icl_feedback *feedback,
                                   const icl_options *options);

/* `fit` of a method that asks about BM25's candidates first and then, "rounds" - 1 times, about
 * those of the retriever that it has by then. */
icl_status icl_rounds_fit(icl_fit *fit, const icl_select_input *input, const icl_options *options,
                          bool normalise, icl_round_train *train);

#define ICL_LIST_OPTIONS(rounds_fallback)                                                          \
    { .name = "list",                                                                              \
      .type = ICL_OPTION_INT,                                                                      \
      .fallback = "8",                                                                             \
      .minimum = 2,                                                                                \
      .maximum = 1e4,                                                                              \
      .help = "fit: candidates that are ranked in a step" },                                       \
    {                                                                                              \
        .name = "rounds", .type = ICL_OPTION_INT, .fallback = rounds_fallback, .minimum = 1,       \
        .maximum = 100, .help = "fit: times to ask, about the candidates of each retriever"        \
    }

#endif
