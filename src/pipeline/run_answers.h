/* pipeline/run_answers.h - what an executed run showed, asked and was told, for its reports. */
#ifndef ICL_PIPELINE_RUN_ANSWERS_H
#define ICL_PIPELINE_RUN_ANSWERS_H

#include <icl/run.h>

#include "engine/batch_cost.h"
#include "score/score.h"

/* The answers of all rows; the first rows are the queries in their order. Borrowed until the run is
 * executed again or freed. */
const icl_score_input *icl_run_answers(const icl_run *run);

/* What all requests of the run take together: without those of methods that ask to choose and order
 * demonstrations. As icl_batch_cost_of. */
icl_status icl_run_cost(icl_batch_cost *out, const icl_run *run);

/* A query as the task's template writes it; query below query_count. Borrowed. */
const char *icl_run_query_input(const icl_run *run, size_t query);

/* A demonstration in a query's prompt; borrowed. */
typedef struct icl_run_demonstration {
    const char *id, *input; /* the input as the task's template writes it */
    size_t label;
} icl_run_demonstration;

/* index below icl_run_sample.demonstration_count, in order of showing. */
icl_run_demonstration icl_run_demonstration_at(const icl_run *run, size_t query, size_t index);

/* The text that the model was given; malloc'd, yours. */
icl_status icl_run_prompt_text(char **out_text, const icl_run *run, size_t query);

#endif
