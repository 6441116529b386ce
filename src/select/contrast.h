/* select/contrast.h - the lesson that EPR teaches and the others build on: a query shall score one
 * of its best candidates above one of its worst and above all other contexts of the batch.
 */
#ifndef ICL_SELECT_CONTRAST_H
#define ICL_SELECT_CONTRAST_H

#include "select/retriever_train.h"

/* What EPR does: asks about BM25's candidates by the options below and "candidates", and trains on
 * the answers. *out_feedback is yours: icl_feedback_deinit. ICL_EINVAL: more positives and
 * negatives than candidates, said before anything is asked; icl_feedback_ask; icl_retriever_train.
 */
icl_status icl_contrast_fit(icl_feedback *out_feedback, icl_retriever_trainer *trainer,
                            const icl_fit *fit, const icl_select_input *input,
                            const icl_options *options);

/* The most prompts that it asks. ICL_EINVAL: positives and negatives need more candidates. */
icl_status icl_contrast_prompts(size_t *out, const icl_select_input *input,
                                const icl_options *options);

#define ICL_CONTRAST_OPTIONS                                                                       \
    { .name = "positives",                                                                         \
      .type = ICL_OPTION_INT,                                                                      \
      .fallback = "5",                                                                             \
      .minimum = 1,                                                                                \
      .maximum = 1e6,                                                                              \
      .help = "fit: so many of the best candidates are positives" },                               \
    {                                                                                              \
        .name = "negatives", .type = ICL_OPTION_INT, .fallback = "5", .minimum = 1,                \
        .maximum = 1e6, .help = "fit: so many of the worst candidates are negatives"               \
    }

/* Adds weight * InfoNCE to the gradient. The positive of row q is its context number `positive` of
 * the list; hidden from a row are the query itself, what stands in the batch already, and what
 * would be called wrong although the model likes it better or finds it among the `hidden` best.
 * ICL_ENOMEM. */
icl_status icl_contrast_loss(double *out_loss, const icl_lesson_step *step,
                             const icl_feedback *feedback, size_t positive, size_t hidden,
                             double weight);

#endif
