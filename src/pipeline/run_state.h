/* pipeline/run_state.h - the inside of a run, shared by the files that build, execute and show it.
 */
#ifndef ICL_PIPELINE_RUN_STATE_H
#define ICL_PIPELINE_RUN_STATE_H

#include <icl/run.h>

#include "pipeline/ask.h"
#include "pipeline/label_requests.h"
#include "pipeline/strategy.h"
#include "template/jinja.h"
#include "template/prompt.h"

/* What a request serves. */
typedef enum request_purpose {
    PURPOSE_QUERY,        /* a query with its demonstrations */
    PURPOSE_ZERO_SHOT,    /* a query without any */
    PURPOSE_CONTENT_FREE, /* a content-free input under a group's demonstrations */
} request_purpose;

/* One scored answer: `name` is which of the label's names it is. Parallel to the batch. */
typedef struct run_request {
    request_purpose purpose;
    uint32_t owner; /* query, or group for PURPOSE_CONTENT_FREE */
    uint32_t input; /* which content-free input */
    uint32_t label, name;
    icl_answer_size size;
} run_request;

typedef struct run_query {
    size_t *shown; /* [shown_count] pool indices in order of showing, after any drop */
    size_t shown_count;
    size_t group; /* queries that show the same demonstrations in the same order */
    char prompt_hash[33];
} run_query;

struct icl_run {
    icl_engine *engine;
    icl_run_options options;
    icl_strategy strategy;
    icl_task_data data;
    icl_jinja *template;
    icl_template_forms forms;
    icl_ask_source source; /* of prompts: what follows, as the methods that ask see it */
    icl_prompter *prompter;
    size_t query_count, pool_count, label_count;
    const char **pool_texts, **query_texts; /* raw inputs, what retrieval compares */
    char **pool_inputs, **query_inputs;     /* rendered templates */
    const char **pool_ids, **query_ids;
    size_t *pool_labels;
    run_query *queries;  /* [query_count] */
    size_t *group_query; /* [group_count] a query of each group */
    size_t group_count;
    icl_selection selection;
    icl_ordering ordering;
    icl_batch *batch;
    icl_label_request *label_requests; /* of the prompt at hand */
    run_request *requests;
    size_t request_count, request_capacity;
    char *strategy_line;
    icl_run_summary summary;
    /* filled by icl_run_execute */
    double *raw_nats;          /* [query_count][label_count] */
    double *zero_shot_nats;    /* the same, or NULL */
    double *content_free_nats; /* [group_count][ICL_CONTENT_FREE_COUNT][label_count], or NULL */
    icl_calibration calibration;
    size_t *predicted;      /* [query_count] */
    const char **shown_ids; /* [query_count][shots] */
};

/* run.c: strategy, data, template and prompt policy; icl_run_new without choosing demonstrations.
 */
icl_status icl_run_prepare(icl_run **out, icl_engine *engine, const icl_run_options *options);

/* run_select.c: the demonstrations of every query, in order of showing. May ask the model. */
icl_status icl_run_choose_demonstrations(icl_run *run);

/* run_prompts.c: templates, prompts and requests of a run whose demonstrations are ordered. */
icl_status icl_run_render_inputs(icl_run *run);
icl_status icl_run_make_requests(icl_run *run);
icl_status icl_run_build_prompt(icl_prompt *out, icl_run *run, size_t query, bool with_demos);

/* run_spec.c: the hash over all that determines the predictions. */
icl_status icl_run_hash_spec(icl_run *run);

#endif
