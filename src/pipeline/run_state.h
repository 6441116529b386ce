/* pipeline/run_state.h - the inside of a run, shared by the files that build, execute and show it.
 */
#ifndef ICL_PIPELINE_RUN_STATE_H
#define ICL_PIPELINE_RUN_STATE_H

#include <icl/run.h>

#include "pipeline/ask.h"
#include "pipeline/scoring.h"
#include "pipeline/strategy.h"
#include "template/jinja.h"
#include "template/prompt.h"

typedef struct run_query {
    size_t *shown; /* [shown_count] pool indices in order of showing, after any drop */
    size_t shown_count;
    size_t group; /* queries that show the same demonstrations in the same order */
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
    /* Rows: the queries in their order, then, where they are asked, each query without
     * demonstrations, then the content-free inputs of each group. */
    icl_scoring *scoring;
    size_t zero_shot_row, content_free_row; /* the first of each */
    char *strategy_line;
    icl_run_summary summary;
    /* filled by icl_run_execute */
    double *scores_nats; /* [rows][label_count] by the score method */
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

/* run_spec.c: the hash over all that determines the predictions. */
icl_status icl_run_hash_spec(icl_run *run);

#endif
