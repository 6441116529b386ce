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
} run_query;

/* What the calibration needs beside the queries' scores. */
typedef struct run_calibrating {
    icl_calibrate_wants wants;
    size_t item_count;  /* validation items */
    size_t *items;      /* [item_count] pool indices */
    size_t *labels;     /* [item_count] */
    size_t group_count; /* of rows that show the same demonstrations in the same order */
    size_t *groups;     /* [asked_count]; NULL: all are in one */
    size_t *group_rows; /* [group_count] a row of each */
    size_t content_free_row, domain_row; /* the first of each */
    size_t *label_counts;                /* [label_count] in the pool */
    const char **label_names;            /* [label_count] */
} run_calibrating;

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
    /* Validation items are asked like queries and stand behind them in all lists of queries. */
    size_t asked_count;
    const char **pool_texts, **query_texts; /* raw inputs, what retrieval compares */
    char **pool_inputs, **query_inputs;     /* rendered templates; those of items are the pool's */
    const char **pool_ids, **query_ids;
    size_t *pool_labels;
    run_query *queries; /* [asked_count] */
    run_calibrating calibrating;
    icl_selection selection;
    icl_ordering ordering;
    /* Rows: the queries in their order and the validation items, then, where they are asked, each
     * query without demonstrations, then for each group the content-free inputs and for each the
     * random texts. */
    icl_scoring *scoring;
    size_t zero_shot_row; /* the first one */
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

/* run.c: asks the engine and fills scores_nats, without calibration and all that follows it. */
icl_status icl_run_score(icl_run *run);

/* run_select.c: the demonstrations of every query, in order of showing. May ask the model. */
icl_status icl_run_choose_demonstrations(icl_run *run);

/* run_prompts.c: templates, prompts and requests of a run whose demonstrations are ordered. */
icl_status icl_run_render_inputs(icl_run *run);
icl_status icl_run_make_requests(icl_run *run);

/* run_calibrate.c: validation items join the queries; the rows that the calibration needs beside
 * those; what a run with scores_nats has for the calibration, borrowed from it; and the calibrated
 * scores of such a run, or scores of [query_count] rows as they are. */
icl_status icl_run_draw_validation(icl_run *run);
icl_status icl_run_add_calibration_rows(icl_run *run);
icl_calibrate_input icl_run_calibrate_input(const icl_run *run);
icl_status icl_run_calibrate(icl_calibration *out, const icl_run *run);
icl_status icl_run_leave_uncalibrated(icl_calibration *out, const icl_run *run,
                                      const double *scores);
void icl_run_calibrating_deinit(run_calibrating *calibrating);

/* run_spec.c: the hash over all that determines the predictions. */
icl_status icl_run_hash_spec(icl_run *run);

#endif
