/* pipeline/run_answers.h - what an executed run asked and was told, for its reports. */
#ifndef ICL_PIPELINE_RUN_ANSWERS_H
#define ICL_PIPELINE_RUN_ANSWERS_H

#include <icl/run.h>

#include "score/score.h"

/* The answers of all rows; the first rows are the queries in their order. Borrowed until the run is
 * executed again or freed. */
const icl_score_input *icl_run_answers(const icl_run *run);

#endif
