/* icl/methods.h - the registered methods of every stage, as their cards describe them.
 *
 *   for (size_t s = 0; s < icl_stage_count(); s++)
 *       for (size_t m = 0; m < icl_method_count(s); m++)
 *           puts(icl_method_at(s, m)->name);
 */
#ifndef ICL_METHODS_H
#define ICL_METHODS_H

#include <stddef.h>

#include <icl/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/** One option of a method, in words. */
typedef struct icl_method_option {
    const char *name;     /**< as typed before "=" */
    const char *type;     /**< "int", "real", "bool", "choice" or "text" */
    const char *fallback; /**< default value, as typed */
    const char *range;    /**< "0..1000000", "cosine|l2", ... */
    const char *help;     /**< one line */
} icl_method_option;

/** What a method says of itself. */
typedef struct icl_method {
    /** Its stage; its name, unique there. */
    const char *stage, *name;
    const char *summary; /**< one line */
    const char *paper;   /**< where it comes from */
    const char *cost;    /**< questions asked of the model */
    const char *needs;   /**< "nothing", or a comma-separated list such as "embeddings, labels" */
    const icl_method_option *options; /**< [option_count] */
    size_t option_count;              /**< may be 0 */
} icl_method;

/** Stages in the order of a run: select, order, score, calibrate; then source and start, of training. */
ICL_API size_t icl_stage_count(void);
/** Name of a stage, as typed. Static. */
ICL_API const char *icl_stage_name(size_t stage);
/** What the stage does, one line. */
ICL_API const char *icl_stage_summary(size_t stage);
/** Stage by name; ICL_ENOTFOUND offers the nearest name. */
ICL_API icl_status icl_stage_find(size_t *out_stage, const char *name);
/** Number of methods of a stage. */
ICL_API size_t icl_method_count(size_t stage);
/** Static; never NULL for indices below the counts (asserted). */
ICL_API const icl_method *icl_method_at(size_t stage, size_t index);

#ifdef __cplusplus
}
#endif
#endif
