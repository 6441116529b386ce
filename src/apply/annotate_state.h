/* apply/annotate_state.h - the inside of an annotator, shared by the files that validate, label and
 * list what a person has to look at. */
#ifndef ICL_APPLY_ANNOTATE_STATE_H
#define ICL_APPLY_ANNOTATE_STATE_H

#include <icl/annotate.h>

#include "data/example.h"

/* annotate_review.c: the lines of rows that were abstained from. */
typedef struct icl_review_entry {
    double confidence;
    long at, length; /* of the line in the spool */
} icl_review_entry;

typedef struct icl_review {
    FILE *spool; /* NULL: nobody wants them */
    icl_review_entry *entries;
    size_t count, capacity;
} icl_review;

icl_status icl_review_open(icl_review *out, bool wanted);
icl_status icl_review_add(icl_review *review, double confidence, const char *line);
void icl_review_close(icl_review *review);

struct icl_annotator {
    icl_engine *engine;
    icl_annotate_options options;
    icl_task_data data;          /* the training file */
    icl_task_data split;         /* pool and validation rows of it; borrows the verbalizer */
    icl_task_data chunk;         /* the same pool and rows of a stream, which it borrows */
    const char **fields;         /* input fields of the task */
    icl_dataset_options reading; /* of a stream's rows */
    icl_run *validation;
    icl_review review;
    icl_annotate_summary summary;
};

/* A row's answer. */
typedef struct icl_annotate_answer {
    size_t label;
    double confidence;
} icl_annotate_answer;

/* annotate_stream.c: a stream's rows in chunks, each of which has been checked. */
typedef struct icl_annotate_rows {
    const icl_annotator *annotator;
    icl_dataset_reader *reader;
    const char *name;
    bool any;
    char *bad; /* the sentence about the row behind those that were given */
} icl_annotate_rows;

icl_status icl_annotate_rows_open(icl_annotate_rows *out, const icl_annotator *annotator,
                                  const icl_annotate_source *source);
/* *out is NULL at the end. ICL_EPARSE: no rows at all, or a bad one. */
icl_status icl_annotate_rows_next(icl_dataset **out, icl_annotate_rows *rows, size_t count_max);
void icl_annotate_rows_close(icl_annotate_rows *rows);

typedef icl_status icl_annotate_visit(void *user, icl_dataset *rows);
/* Gives all rows to visit, in order and as many together as it takes; one whose prompt does not fit
 * the model's window (ICL_ECONTEXT) goes alone to too_long. Returns the first other failure. */
icl_status icl_annotate_parts(icl_dataset *rows, icl_annotate_visit *visit,
                              icl_annotate_visit *too_long, void *user);

/* annotate.c: a run of the annotator's strategy over rows, which have to outlive it. */
icl_status icl_annotate_run_new(icl_run **out, icl_annotator *annotator, icl_dataset *rows);

/* annotate_confidence.c: out [query count of the run], once it has its scores. */
icl_status icl_annotate_answers(icl_annotate_answer *out, const icl_annotator *annotator,
                                const icl_run *run);
/* Temperature and threshold, from the validation run's answers. */
icl_status icl_annotate_fit(icl_annotator *annotator);

#endif
