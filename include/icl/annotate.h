/* icl/annotate.h - labels for a stream of rows, with calibrated confidence and abstentions.
 *
 *   icl_annotate_options options = icl_annotate_options_default();
 *   options.run.task = task;
 *   options.precision = 0.95;
 *   icl_annotator *annotator = NULL;
 *   icl_status status = icl_annotator_new(&annotator, engine, &options);  // reads, asks nothing
 *   if (status == ICL_OK) status = icl_annotator_plan(annotator, NULL);   // what it will cost
 *   if (status == ICL_OK) status = icl_annotator_validate(annotator);
 *   icl_annotate_stream stream = { .in = { .stream = stdin, .name = "standard input",
 *                                          .format = ICL_FORMAT_JSONL }, .out = stdout };
 *   if (status == ICL_OK) status = icl_annotator_label(annotator, &stream);
 *   icl_annotator_free(annotator);
 *
 * Validation rows are drawn from the training file and held out of the pool, so that what is
 * validated is what labels the stream: the same pool, strategy and seed. On them confidence is
 * calibrated and the threshold for a wanted precision is found. The test file is never opened.
 *
 * A row's label and confidence do not depend on the other rows of the stream, nor on how many are
 * read at a time. A calibration that compares queries with one another (calibrate=batch) is given
 * the row and the validation rows, and nothing else.
 */
#ifndef ICL_ANNOTATE_H
#define ICL_ANNOTATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <icl/dataset.h>
#include <icl/engine.h>
#include <icl/metrics.h>
#include <icl/run.h>
#include <icl/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Validation rows where no number is given: a third of the training file, this many at most. */
#define ICL_ANNOTATE_VALIDATION_MAX 200
/** A third of a training file has to be at least this many. */
#define ICL_ANNOTATE_VALIDATION_MIN 10

/** What is annotated by; see icl_annotate_options_default(). */
typedef struct icl_annotate_options {
    size_t validation; /**< rows held out; 0: as ICL_ANNOTATE_VALIDATION_MAX says */
    double precision;  /**< wanted of the answered rows, 0..1; 0: every row is answered */
    size_t chunk_rows; /**< rows in memory at once, at least 1; changes no answer */
    /** Task, strategy, seed and how prompts are made; limit, data, record and zero_shot are not
     *  looked at. */
    icl_run_options run;
} icl_annotate_options;

/** Every row answered, chunks of 256 rows, a run's defaults. */
ICL_API icl_annotate_options icl_annotate_options_default(void);

/** Labels rows. */
typedef struct icl_annotator icl_annotator;

/**
 * Checks the strategy, reads the training file and draws the validation rows, at random but for the
 * last example of a label, which stays in the pool. Asks the model nothing.
 *
 * @param[out] out  yours: icl_annotator_free; untouched on failure
 * @param engine  borrowed until icl_annotator_free. With a journal, what strategies ask about the
 *   pool is asked once; without, once for every chunk.
 * @return ICL_OK; ICL_EINVAL: the training file is too small, the precision out of range, the label
 *   field is named like a field that is written; what the strategy or the data refuse
 */
ICL_API icl_status icl_annotator_new(icl_annotator **out, icl_engine *engine,
                                     const icl_annotate_options *options);
/** NULL is fine. */
ICL_API void icl_annotator_free(icl_annotator *annotator);

/** Rows to label; everything borrowed. */
typedef struct icl_annotate_source {
    FILE *stream;      /**< read from where it stands to its end, left open */
    const char *name;  /**< what messages call it */
    icl_format format; /**< ICL_FORMAT_AUTO: by the name's extension */
    size_t skip;       /**< icl_annotator_plan: first rows that cost nothing, being labelled */
} icl_annotate_source;

/**
 * Makes the prompts of the validation rows and counts what asking them costs, and that of all rows
 * of a source, chunk by chunk. Asks the model nothing unless the strategy does to choose
 * demonstrations (icl_annotate_summary.choosing_cost); then rows are checked and counted, and their
 * cost is estimated from the validation rows.
 *
 * @param rows  NULL: they are not known yet
 * @return ICL_OK; what icl_annotator_label refuses about a row; what a run refuses
 */
ICL_API icl_status icl_annotator_plan(icl_annotator *annotator, const icl_annotate_source *rows);

/**
 * Asks the validation rows, fits the temperature and finds the threshold. After
 * icl_annotator_plan.
 *
 * The temperature divides the scores that the strategy's calibration gave and minimises their log
 * loss, each row counted as if 1 / (rows + 2) of it belonged to the other labels, so that rows that
 * are all right do not make everything certain (Platt 1999). The threshold is the
 * least confidence from which on the lower end of the precision's 95 % interval is at least the
 * wanted one.
 *
 * @return ICL_OK; ICL_ENOTFOUND: no threshold reaches the precision, the sentence has the best that
 *   one does; ICL_ECANCELLED; what the model refuses
 */
ICL_API icl_status icl_annotator_validate(icl_annotator *annotator);

struct icl_annotate_summary;

/** Where rows come from and labels go; everything borrowed, left open. */
typedef struct icl_annotate_stream {
    icl_annotate_source in;
    /**
     * A JSON object a line, in the order of the rows: the row's fields, its label in the task's
     * label field, "confidence" in 0..1, rounded to six digits, and, where the threshold is not
     * reached, "abstain": true, so that the label is no more than the best guess. Flushed after
     * each chunk.
     */
    FILE *out;
    /** Lines that an interrupted call wrote, for the first rows of `in`; they are compared with
     *  these and not asked again, and do not go to `out`. NULL: none. */
    FILE *done;
    bool review; /**< keep the lines of rows abstained from, for icl_annotator_write_review */
    /** Called after each chunk; may be NULL. */
    void (*say)(void *user, const struct icl_annotate_summary *summary);
    void *user; /**< given to say */
} icl_annotate_stream;

/**
 * Labels all rows of a stream. After icl_annotator_validate. A failure comes after the rows before
 * it are labelled and written, in whole chunks where the model or the disk is its cause. A row that
 * is too long for the model's window is no failure: its label is null, its confidence 0, and it is
 * abstained from.
 *
 * @return ICL_OK; ICL_EPARSE, with name and line: a row that cannot be read, or one that already
 *   has a label, a field "confidence" or "abstain"; no rows; ICL_EINVAL: the rows are not those of
 *   the lines in `done`; ICL_EIO; ICL_EMODEL; ICL_ECANCELLED
 */
ICL_API icl_status icl_annotator_label(icl_annotator *annotator, const icl_annotate_stream *stream);

/**
 * The lines of the rows that the last icl_annotator_label abstained from, least confident first, of
 * equals the earlier. Until then they wait in a temporary file; memory holds 24 bytes for each.
 *
 * @param out  borrowed, left open, flushed
 * @return ICL_OK; ICL_EIO
 */
ICL_API icl_status icl_annotator_write_review(icl_annotator *annotator, FILE *out);

/** What rows cost. */
typedef struct icl_annotate_cost {
    size_t rows;
    uint64_t requests, tokens; /**< of the trie; what a journal knows is not left out */
} icl_annotate_cost;

/** All about the work; pointers borrowed from the annotator. */
typedef struct icl_annotate_summary {
    const char *task, *strategy; /**< the strategy in canonical form */
    const char *model;           /**< description */
    const char *model_identity;  /**< hash of the file */
    uint64_t seed;
    size_t pool_count, validation_count, label_count;
    /** What the strategy's methods say of the questions by which they choose demonstrations, and
     *  which no cost here includes; NULL: they ask none. */
    const char *choosing_cost;

    /* Planned. */
    char spec_hash[33];           /**< over all that determines label and abstention of a row */
    icl_annotate_cost validating; /**< the validation rows */
    icl_annotate_cost labelling;  /**< the source's rows; rows is 0 without a source */
    bool is_estimate;             /**< requests and tokens of `labelling` */
    icl_annotate_cost per_1000;   /**< of 1,000 rows, estimated from the validation rows */

    /* Validated. */
    icl_metrics metrics;     /**< on the validation rows, probabilities by the temperature */
    double uncalibrated_ece; /**< before the temperature */
    double temperature;
    double precision;           /**< the wanted one; 0: none */
    double threshold;           /**< answered from this confidence on; 0: always */
    double coverage;            /**< share of the validation rows that is answered */
    double reached;             /**< precision of the answered validation rows */
    double reached_ci95[2];     /**< its Wilson interval */
    size_t answered_validating; /**< validation rows answered */

    /* Labelled so far. */
    size_t rows;      /**< all, those found done included */
    size_t done_rows; /**< found done */
    size_t abstained; /**< of rows */
    size_t too_long;  /**< of abstained: no prompt of the row fits the model's window */
} icl_annotate_summary;

/** Borrowed. */
ICL_API const icl_annotate_summary *icl_annotator_get_summary(const icl_annotator *annotator);

#ifdef __cplusplus
}
#endif
#endif
