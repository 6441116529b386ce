/* report/training.h - what a training run left in its folder, read back for its reports. */
#ifndef ICL_REPORT_TRAINING_H
#define ICL_REPORT_TRAINING_H

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

#include <icl/status.h>

#include "report/chart.h"

typedef struct icl_training_record {
    json_t *facts;                /* report.json */
    json_t *evaluations;          /* array of the lines of evaluation.jsonl */
    icl_chart losses;             /* a line for each source */
    icl_chart judged, accuracies; /* a line for each evaluation set */
    double seconds;               /* of all steps */
} icl_training_record;

icl_status icl_training_record_open(icl_training_record *out, const char *folder);
void icl_training_record_deinit(icl_training_record *record);

/* First and last line of evaluation set number `index`, in the order of their first coming; false
 * beyond the last set. Borrowed. */
bool icl_training_record_set(const icl_training_record *record, size_t index,
                             const json_t **out_first, const json_t **out_last);

#endif
