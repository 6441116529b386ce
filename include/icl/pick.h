/* icl/pick.h - which items of an unlabelled pool are worth labelling.
 *
 *   icl_pick_options options = icl_pick_options_default();
 *   options.task = task;
 *   options.method = "votek";
 *   options.budget = 100;
 *   icl_pick *pick = NULL;
 *   icl_status status = icl_pick_new(&pick, NULL, &options);
 *   if (status == ICL_OK) status = icl_pick_write(pick, stdout);
 *   icl_pick_free(pick);
 *
 * Methods that ask the model show it what they picked first, and so need labels of that. While some
 * are missing only these first items are picked; a file of them with labels, given as
 * `labelled_path`, lets the same call go on.
 */
#ifndef ICL_PICK_H
#define ICL_PICK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <icl/engine.h>
#include <icl/run.h>
#include <icl/status.h>
#include <icl/task.h>

#ifdef __cplusplus
extern "C" {
#endif

/** What is picked; see icl_pick_options_default(). */
typedef struct icl_pick_options {
    const icl_task *task;      /**< its training file is the pool, labelled or not; borrowed */
    const char *method;        /**< a selection method that picks, with options: "votek(rho=10)" */
    size_t budget;             /**< items to pick, at least 1 and at most the pool */
    uint64_t seed;             /**< key of all randomness */
    const char *labelled_path; /**< data file with labels of pool items, by id; NULL: none */
    icl_boundary boundary;     /**< how prompt and answer become tokens */
    icl_overflow overflow;     /**< what happens to a prompt beyond the window */
    bool chat;                 /**< write prompts through the model's own chat template */
    const char *encoder_path;  /**< sentence encoder; NULL: icl_encoder_default_path() */
    const char *vectors_path;  /**< cache of sentence vectors; NULL: they are made anew */
    int thread_count;          /**< of the encoder; 0: free cores */
} icl_pick_options;

/** votek, 100 items, seed 0, joint, drop-far, no chat template. */
ICL_API icl_pick_options icl_pick_options_default(void);

/**
 * Whether a method asks the language model.
 * @return ICL_OK; ICL_EPARSE, ICL_ENOTFOUND, ICL_EINVAL: the sentence names the part and the value;
 *   ICL_EINVAL: the method does not pick
 */
ICL_API icl_status icl_pick_asks(bool *out, const char *method);

/** The items picked, with the pool they come from. */
typedef struct icl_pick icl_pick;

/**
 * Reads the pool and the labels, and picks.
 *
 * @param[out] out  yours: icl_pick_free; untouched on failure
 * @param engine  borrowed during the call; may be NULL when icl_pick_asks says false
 * @return ICL_OK; ICL_EINVAL: the budget is 0 or larger than the pool, or the method asks the model
 *   while neither the task states labels nor all of the pool has some; what the method, the data,
 *   the template or the model refuse
 */
ICL_API icl_status icl_pick_new(icl_pick **out, icl_engine *engine,
                                const icl_pick_options *options);
/** NULL is fine. */
ICL_API void icl_pick_free(icl_pick *pick);

/** What was picked; pointers borrowed from the pick. */
typedef struct icl_pick_summary {
    const char *task;
    const char *method;      /**< in canonical form */
    size_t pool_count;       /**< items to choose from */
    size_t labelled_count;   /**< of them with a label */
    size_t pool_repeats;     /**< of them with the text of an earlier one */
    size_t pool_relabelled;  /**< of those with another label */
    size_t budget;           /**< as asked */
    size_t count;            /**< items that icl_pick_write writes */
    size_t unlabelled_count; /**< of those without a label */
    /** Whether these are the whole budget; else they need labels before the rest can be picked. */
    bool complete;
} icl_pick_summary;

/** Borrowed. */
ICL_API const icl_pick_summary *icl_pick_get_summary(const icl_pick *pick);

/**
 * Writes a JSON line per item, best first: the fields of its row, its id, its label ("" where it
 * has none) and its rank from 1. A field called "rank" is replaced.
 * @return ICL_OK; ICL_EIO; ICL_ENOMEM
 */
ICL_API icl_status icl_pick_write(const icl_pick *pick, FILE *out);

#ifdef __cplusplus
}
#endif
#endif
