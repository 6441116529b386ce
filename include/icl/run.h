/* icl/run.h - one run: task x strategy x model x seed -> predictions, metrics, meter.
 *
 *   icl_run_options options = icl_run_options_default();
 *   options.task = task;
 *   options.strategy = "select=knn(k=8) order=nearest-last score=direct calibrate=batch";
 *   icl_run *run = NULL;
 *   icl_status status = icl_run_new(&run, engine, &options);    // data, prompts, requests
 *   if (status == ICL_OK) status = icl_run_execute(run);         // the model is asked here
 *   if (status == ICL_OK) printf("%.3f\n", icl_run_get_summary(run)->metrics.accuracy);
 *   icl_run_free(run);
 */
#ifndef ICL_RUN_H
#define ICL_RUN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <icl/engine.h>
#include <icl/metrics.h>
#include <icl/status.h>
#include <icl/task.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Version of the library, "major.minor.patch". */
ICL_API const char *icl_version(void);

/** How a prompt and an answer become tokens. */
typedef enum icl_boundary {
    ICL_BOUNDARY_JOINT,    /**< tokenised together; a token across the join belongs to the answer */
    ICL_BOUNDARY_SEPARATE, /**< tokenised apart */
    ICL_BOUNDARY_HEAL,     /**< together, and the prompt's last token is scored with the answer */
} icl_boundary;

/** What happens to a prompt that does not fit the window. */
typedef enum icl_overflow {
    ICL_OVERFLOW_DROP_FAR,  /**< drop demonstrations farthest from the query */
    ICL_OVERFLOW_DROP_NEAR, /**< drop demonstrations nearest to the query */
    ICL_OVERFLOW_ERROR,     /**< refuse */
} icl_overflow;

/** Which run it is; see icl_run_options_default(). */
typedef struct icl_run_options {
    const icl_task *task;      /**< borrowed until icl_run_free */
    const char *strategy;      /**< NULL or "": the task's, else ICL_STRATEGY_DEFAULT */
    uint64_t seed;             /**< key of all randomness */
    size_t limit;              /**< first so many queries; 0: all */
    icl_boundary boundary;     /**< how prompt and answer become tokens */
    icl_overflow overflow;     /**< what happens to a prompt beyond the window */
    bool chat;                 /**< write prompts through the model's own chat template */
    const icl_task_data *data; /**< borrowed until icl_run_free; NULL: icl_task_load's */
    /** Parts to ask besides those that the score method needs, comma-separated, for samples.jsonl:
     *  whole, input, unconditional, answer-each, input-each; NULL or "": none. */
    const char *record;
    bool zero_shot; /**< also ask without demonstrations, for the line beside the result */
    const char *encoder_path; /**< sentence encoder; NULL: icl_encoder_default_path() */
    const char *vectors_path; /**< cache of sentence vectors; NULL: they are made anew */
    int thread_count;         /**< of the encoder; 0: free cores */
} icl_run_options;

/** The strategy of a run that names none, nor its task. */
#define ICL_STRATEGY_DEFAULT "select=knn(k=8) order=nearest-last score=direct calibrate=batch"

/** joint, drop-far, no chat template, zero-shot line on, seed 0. */
ICL_API icl_run_options icl_run_options_default(void);

/**
 * Checks a strategy line and writes its canonical form, every option spelled out.
 * @param[out] out_line  malloc'd, yours: free()
 * @return ICL_OK; ICL_EPARSE, ICL_ENOTFOUND, ICL_EINVAL: the sentence names the part and the value
 */
ICL_API icl_status icl_strategy_canonical(char **out_line, const char *line);
/** The same strategy for people: all stages, and of their options k and those that are not at their
 *  default. Otherwise as icl_strategy_canonical. */
ICL_API icl_status icl_strategy_brief(char **out_line, const char *line);

/** Path of the shipped model: $ICL_MODEL, ../share/icl/models beside the program, the source tree,
 * the installed folder. ICL_ENOTFOUND when there is none. *out_path malloc'd, yours. */
ICL_API icl_status icl_model_default_path(char **out_path);
/** Path of the sentence encoder: $ICL_ENCODER, $ICL_CACHE, ~/.cache/icl, share/icl/models. */
ICL_API icl_status icl_encoder_default_path(char **out_path);
/**
 * Path of the user's cache of sentence vectors, for icl_run_options.vectors_path: vectors.sqlite in
 * $ICL_CACHE, else in ~/.cache/icl. A run makes the file where it is missing. Processes may share
 * it; it holds 1 GiB at most, and then the oldest vectors make room. A file that cannot be used
 * makes a run slower and changes no result.
 *
 * @param[out] out_path  malloc'd, yours
 * @return ICL_OK; ICL_ENOTFOUND: neither ICL_CACHE nor HOME is set; ICL_ENOMEM
 */
ICL_API icl_status icl_vectors_default_path(char **out_path);

/** One run: its data, prompts and requests and, once executed, its predictions. */
typedef struct icl_run icl_run;

/**
 * Loads the data, chooses and orders demonstrations, renders prompts and makes every request of the
 * run. Asks the model nothing unless a chosen method does.
 *
 * @param[out] out  yours: icl_run_free
 * @param engine  borrowed until icl_run_free
 * @return ICL_OK; what the data, the strategy, the template or the window refuse, in one sentence
 */
ICL_API icl_status icl_run_new(icl_run **out, icl_engine *engine, const icl_run_options *options);
/** NULL is fine. */
ICL_API void icl_run_free(icl_run *run);

/** The requests of the run; borrowed. Their ids are icl_run_request_id. */
ICL_API icl_batch *icl_run_batch(icl_run *run);
/** "<query id>/<label>[/<name index>]", with "zero-shot/", "content-free-<i>/", "domain-<i>/" or
 *  "validation/" before it where it serves those; malloc'd, yours. */
ICL_API icl_status icl_run_request_id(char **out_id, const icl_run *run, size_t request);

/** What is asked about a query as text with a bar "|" after every token: its prompt with the answer
 * of each label below it, and where the score asks in another form (the input after a label, one
 * demonstration at a time, without the input) that form for the first label; malloc'd, yours. */
ICL_API icl_status icl_run_show_prompt(char **out_text, icl_run *run, size_t query);

/** Everything a run decided and found; deterministic. Filled by icl_run_execute, apart from the
 *  fields marked "new", which icl_run_new fills. */
typedef struct icl_run_summary {
    /** New; the strategy in canonical form. */
    const char *task, *strategy;
    const char *model;          /**< new; description */
    const char *model_identity; /**< new; hash of the file */
    char spec_hash[33];         /**< new; over all that determines the predictions */
    uint64_t seed;              /**< new */
    /** New; shots are demonstrations per query. */
    size_t query_count, label_count, pool_count, shots;
    size_t pool_repeats;    /**< new; pool items with the text of an earlier one */
    size_t pool_relabelled; /**< new; of them with another label */
    /** New; queries for which all scores were equal, so that the pool's order chose. */
    size_t queries_undecided;
    size_t joins_merged; /**< new; answers whose first token crosses the join */
    /** New; by the window budget. */
    size_t demonstrations_dropped, queries_with_drops;
    bool labelled;              /**< new; queries have gold labels, so there are metrics */
    icl_metrics metrics;        /**< when labelled */
    icl_metrics uncalibrated;   /**< when labelled: the same scores without calibration */
    bool has_zero_shot;         /**< zero_shot is filled */
    icl_metrics zero_shot;      /**< same scoring, no demonstrations, no calibration */
    bool calibration_fell_back; /**< nothing to calibrate with */
} icl_run_summary;

/** One query's outcome; pointers borrowed from the run. */
typedef struct icl_run_sample {
    const char *id;              /**< of the query, unique in its dataset */
    size_t gold;                 /**< ICL_LABEL_NONE when unlabelled */
    size_t predicted;            /**< the label with the largest score */
    const double *logprobs_nats; /**< [label_count] after normalisation, before calibration */
    const double *scores;        /**< [label_count] after calibration */
    const double *probabilities; /**< [label_count] */
    size_t demonstration_count;  /**< in the prompt, after any drop */
    const char *const *demonstration_ids; /**< in order of showing, nearest to the query last */
    char prompt_hash[33];                 /**< of the prompt's bytes */
} icl_run_sample;

/**
 * Asks the engine and fills summary and samples. May be called again after ICL_ECANCELLED: answered
 * requests stay answered.
 */
ICL_API icl_status icl_run_execute(icl_run *run);

/**
 * Executes runs of one engine as one batch: what their prompts have in common is evaluated once. As
 * icl_run_execute on each; when it fails none is executed, and answered requests stay answered.
 */
ICL_API icl_status icl_run_execute_all(icl_run *const *runs, size_t count);

/** Borrowed. */
ICL_API const icl_run_summary *icl_run_get_summary(const icl_run *run);
/** Valid after icl_run_execute; query < query_count. */
ICL_API icl_run_sample icl_run_sample_at(const icl_run *run, size_t query);
/** The label space that gold and predicted index. Borrowed. */
ICL_API const icl_label_space *icl_run_labels(const icl_run *run);

#ifdef __cplusplus
}
#endif
#endif
