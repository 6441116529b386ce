/* pipeline/trainable.h - gives methods that follow gradients the model's file and pool items in its
 * tokens, as a run would show them (learn/trainable.h).
 *
 *   icl_trainable_service *service = NULL;
 *   status = icl_trainable_service_new(&service, &source);
 *   input.trainable = icl_trainable_service_get(service);
 *   icl_trainable_service_free(service);
 */
#ifndef ICL_PIPELINE_TRAINABLE_H
#define ICL_PIPELINE_TRAINABLE_H

#include "pipeline/ask.h"
#include "learn/trainable.h"

typedef struct icl_trainable_service icl_trainable_service;

/* `source` is borrowed until icl_trainable_service_free. *out is yours. What icl_prompter_new
 * refuses. */
icl_status icl_trainable_service_new(icl_trainable_service **out, const icl_ask_source *source);
void icl_trainable_service_free(icl_trainable_service *service);

/* Borrowed from the service. */
const icl_trainable *icl_trainable_service_get(const icl_trainable_service *service);

#endif
