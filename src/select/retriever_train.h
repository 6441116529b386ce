/* select/retriever_train.h - trains a retriever with AdamW. What is shown and what it costs comes
 * from a lesson: each step draws for some pool items, taken as queries, a list of contexts; the
 * lesson turns the scores of all queries with all contexts into a loss and its gradient.
 */
#ifndef ICL_SELECT_RETRIEVER_TRAIN_H
#define ICL_SELECT_RETRIEVER_TRAIN_H

#include "base/rng.h"
#include "select/feedback.h"
#include "select/retriever_step.h"

/* What a retriever achieves on items that are held out. */
typedef struct icl_dev_measure {
    double nats; /* mean answer of the model to what the retriever puts first */
    double mrr;  /* mean of 1 / the place of what has the best answer */
} icl_dev_measure;

typedef struct icl_lesson {
    void *user;
    size_t list_length;
    /* Writes out [list_length] contexts for an item, never the item itself. */
    void (*draw)(void *user, size_t *out, size_t item, icl_rng *rng);
    icl_status (*loss)(void *user, double *out_loss, const icl_lesson_step *step);
    /* How well an item is served whose mapped vector is `query`, of unit length as are the mapped
     * pool's `contexts` [pool_count]. NULL: by the feedback's candidates, one at a time. */
    icl_dev_measure (*judge)(void *user, const float *query, const float *contexts, size_t item);
} icl_lesson;

/* Values of the options that ICL_RETRIEVER_OPTIONS lists. */
typedef struct icl_retriever_settings {
    icl_retriever_shape shape;
    double temperature, rate, weight_decay;
    size_t epochs;
} icl_retriever_settings;

icl_retriever_settings icl_retriever_settings_of(const icl_select_input *input,
                                                 const icl_options *options);

/* One pass after another over the items of which the model prefers some candidates, but for a tenth
 * that is held out: what is kept is the state in which what it puts first for those has the best
 * answers on average, the start included. */
typedef struct icl_retriever_trainer icl_retriever_trainer;

/* `fit` and `input` are borrowed. All maps zero. ICL_ENOMEM. */
icl_status icl_retriever_trainer_new(icl_retriever_trainer **out, const icl_fit *fit,
                                     const icl_select_input *input,
                                     const icl_retriever_settings *settings);
void icl_retriever_trainer_free(icl_retriever_trainer *trainer);
/* Goes on from where it is, and leaves measures in the fit's file: "dev_nats" and the like, from
 * the second call on "round_2_dev_nats". ICL_EINVAL: fewer than two items to learn from, or what
 * the lesson says; ICL_ECANCELLED. */
icl_status icl_retriever_train(icl_retriever_trainer *trainer, const icl_feedback *feedback,
                               const icl_lesson *lesson);
/* From now on only the map of queries learns. Not for shared maps. */
void icl_retriever_trainer_freeze_contexts(icl_retriever_trainer *trainer);
/* Borrowed until the next call with the trainer. */
const icl_retriever *icl_retriever_trainer_result(const icl_retriever_trainer *trainer);

/* Options that every trained retriever lists after k, file and transfer. */
#define ICL_RETRIEVER_OPTIONS                                                                      \
    { .name = "candidates",                                                                        \
      .type = ICL_OPTION_INT,                                                                      \
      .fallback = "50",                                                                            \
      .minimum = 2,                                                                                \
      .maximum = 1e6,                                                                              \
      .help = "fit: pool items that the model judges for each item" },                             \
        { .name = "map",                                                                           \
          .type = ICL_OPTION_CHOICE,                                                               \
          .fallback = "full",                                                                      \
          .choices = icl_retriever_maps,                                                           \
          .help = "fit: what is learned, a matrix or its diagonal" },                              \
        { .name = "shared",                                                                        \
          .type = ICL_OPTION_BOOL,                                                                 \
          .fallback = "false",                                                                     \
          .help = "fit: one map for queries and demonstrations" },                                 \
        { .name = "labels",                                                                        \
          .type = ICL_OPTION_BOOL,                                                                 \
          .fallback = "true",                                                                      \
          .help = "fit: a demonstration's vector is moved by a vector of its label" },             \
        { .name = "temperature",                                                                   \
          .type = ICL_OPTION_REAL,                                                                 \
          .fallback = "0.3",                                                                       \
          .minimum = 1e-3,                                                                         \
          .maximum = 1e3,                                                                          \
          .help = "fit: cosines are divided by it" },                                              \
        { .name = "rate",                                                                          \
          .type = ICL_OPTION_REAL,                                                                 \
          .fallback = "0.01",                                                                      \
          .minimum = 0,                                                                            \
          .maximum = 1,                                                                            \
          .help = "fit: learning rate of AdamW" },                                                 \
        { .name = "decay",                                                                         \
          .type = ICL_OPTION_REAL,                                                                 \
          .fallback = "0.1",                                                                       \
          .minimum = 0,                                                                            \
          .maximum = 10,                                                                           \
          .help = "fit: how strongly weights are drawn back to knn" },                             \
    {                                                                                              \
        .name = "epochs", .type = ICL_OPTION_INT, .fallback = "40", .minimum = 0, .maximum = 1e5,  \
        .help = "fit: passes over the pool"                                                        \
    }

extern const char *const icl_retriever_maps[];

#endif
