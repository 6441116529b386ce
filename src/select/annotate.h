/* select/annotate.h - picking in rounds: what was picked is labelled, shown to the model, and tells
 * how uncertain the model is of the rest.
 *
 *   icl_annotation annotation = { 0 };
 *   icl_status status = icl_annotation_init(&annotation, out, input, options);
 *   ... icl_annotation_pick(&annotation, item) ...
 *   if (status == ICL_OK) status = icl_annotation_ask(&annotation);
 *   ... annotation.nats[i] is how uncertain the model is of annotation.rest[i] ...
 *   icl_annotation_deinit(&annotation);
 */
#ifndef ICL_SELECT_ANNOTATE_H
#define ICL_SELECT_ANNOTATE_H

#include "math/topk.h"
#include "select/select.h"

/* What a pick was about to show the model when some of it had no label: all that it had picked. */
typedef struct icl_label_wants {
    size_t *items; /* room for the whole pool */
    size_t count;  /* 0: nothing was lacking */
} icl_label_wants;

typedef struct icl_annotation {
    const icl_select_input *input;
    const icl_options *options;
    size_t *picked; /* [picked_count] borrowed: the `out` of a pick */
    size_t picked_count;
    bool *is_picked; /* [pool_count] */
    size_t *rest;    /* [rest_count] what was not picked when the model was asked, ascending */
    double *nats;    /* [rest_count] minus the log-probability of an item's likeliest label, summed
                        over the tokens of its words, not normalised over labels */
    size_t rest_count;
} icl_annotation;

/* Nothing is picked. `picked` has room for the budget. ICL_EINVAL: a vector is not finite;
 * ICL_ENOMEM. */
icl_status icl_annotation_init(icl_annotation *out, size_t *picked, const icl_select_input *input,
                               const icl_options *options);
void icl_annotation_deinit(icl_annotation *annotation);

void icl_annotation_pick(icl_annotation *annotation, size_t item);

/* Picks items by chance until there are `count`, which is at most the pool. */
void icl_annotation_pick_random(icl_annotation *annotation, size_t count);

/* Fills rest and nats: one prompt per item that is not picked, which shows the k (the option)
 * nearest picks, the nearest last, in one batch. ICL_EINVAL: a pick has no label, and input->wants
 * holds the picks. What the model says. */
icl_status icl_annotation_ask(icl_annotation *annotation);

/* ranked [rest_count], as asked: all of the rest, the `count` of which the model is least sure
 * first, equal ones by lower item; scores are their nats. */
void icl_annotation_rank(icl_scored *ranked, size_t count, const icl_annotation *annotation);

#endif
