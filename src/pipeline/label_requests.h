/* pipeline/label_requests.h - the requests for all names of all labels after one prompt. */
#ifndef ICL_PIPELINE_LABEL_REQUESTS_H
#define ICL_PIPELINE_LABEL_REQUESTS_H

#include <stdbool.h>
#include <stddef.h>

#include <icl/engine.h>
#include <icl/task.h>

#include "template/prompt.h"

/* A name of a label; requests of one prompt are consecutive, label by label, name by name. */
typedef struct icl_label_request {
    size_t label, name;
    const char *words;   /* borrowed from the verbalizer */
    size_t prefix_count; /* tokens of the prompt that it is conditioned on */
    size_t token_count;  /* that are scored */
    size_t request;      /* in the batch */
    bool merged;         /* a token crosses the join of prompt and answer */
} icl_label_request;

/* Names of all labels: the requests that a prompt makes. */
size_t icl_label_request_count(const icl_verbalizer *verbalizer);

/* Leaves room for the longest name in prompts built from now on. */
icl_status icl_label_requests_reserve(icl_prompter *prompter, const icl_verbalizer *verbalizer);

/* Adds the requests to the batch and says in out [icl_label_request_count] what they are. */
icl_status icl_label_requests_add(icl_label_request *out, icl_batch *batch, icl_prompter *prompter,
                                  const icl_verbalizer *verbalizer, const icl_prompt *prompt);

#endif
