/* select/contrast.h - the lesson that EPR teaches and the others build on: a query shall score one
 * of its best candidates above one of its worst and above all other contexts of the batch.
 *
 *   icl_contrast contrast = icl_contrast_of(&feedback, options);
 *   icl_lesson lesson = icl_contrast_lesson(&contrast);
 */
#ifndef ICL_SELECT_CONTRAST_H
#define ICL_SELECT_CONTRAST_H

#include "select/retriever_train.h"

typedef struct icl_contrast {
    const icl_feedback *feedback;
    size_t positives, negatives; /* best and worst candidates to draw one of each from */
} icl_contrast;

/* ICL_EINVAL: the options below ask for more positives and negatives than there are candidates. */
icl_status icl_contrast_check(const icl_select_input *input, const icl_options *options);
icl_contrast icl_contrast_of(const icl_feedback *feedback, const icl_options *options);

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

/* The lesson borrows `contrast`. */
icl_lesson icl_contrast_lesson(icl_contrast *contrast);

/* Adds weight * InfoNCE to the gradient. The positive of row q is its context number `positive` of
 * the list; hidden from a row are the query itself, what stands in the batch already, and what
 * would be called wrong although the model likes it better or finds it among the `hidden` best.
 * ICL_ENOMEM. */
icl_status icl_contrast_loss(double *out_loss, const icl_lesson_step *step,
                             const icl_feedback *feedback, size_t positive, size_t hidden,
                             double weight);

#endif
