/* train/training_parts.h - the inside of a training run, for the files that plan it
 * (training_plan.c), prepare it (training_prepare.c), step (training_steps.c), judge
 * (training_evaluate.c) and keep what it found (training_files.c). */
#ifndef ICL_TRAIN_TRAINING_PARTS_H
#define ICL_TRAIN_TRAINING_PARTS_H

#include <stdatomic.h>
#include <stdio.h>

#include <jansson.h>

#include <icl/train.h>

#include "base/text.h"
#include "learn/checkpoint.h"
#include "train/feeder.h"
#include "train/objective.h"
#include "train/recipe.h"

/* Sums of one kind of loss, or of one source, since the last line of the curve. */
typedef struct icl_loss_sum {
    double nats, weight;
} icl_loss_sum;

/* What has happened since the last line of the curve. */
typedef struct icl_interval_sums {
    icl_loss_sum total, answer, text, meaning;
    icl_loss_sum *sources; /* [source_count] */
    double gradient_norm;  /* of the last step */
    double rate;
    uint64_t tokens, positions, steps;
    double seconds;
} icl_interval_sums;

typedef struct icl_evaluator icl_evaluator;

struct icl_training {
    icl_recipe *recipe;
    icl_train_options options; /* its texts are the copies below */
    char *data_folder, *out_folder, *encoder_path, *device_name;
    char *from_path, *tokenizer_path; /* resolved; NULL: none */
    icl_transformer_config config;    /* vocab_count as planned, then as it is */
    atomic_bool cancelled;
    icl_device *device;
    icl_train_plan plan;
    icl_train_phase_plan *phases; /* [recipe->phase_count] */

    /* while it runs */
    int lock;         /* descriptor of the folder; -1 */
    icl_pool **pools; /* [recipe->pool_count] */
    icl_bpe *bpe;
    icl_encoder *encoder;
    icl_transformer *model;
    icl_optimizer *optimizer;
    icl_source_world world;
    icl_evaluator *evaluator;
    FILE *curve, *evaluation;
    icl_checkpoint state; /* after the last complete step */
    icl_interval_sums sums;
    icl_train_progress progress;
    double *smoothed; /* [sources of the phase] */
    char *model_path; /* NULL before the end */
};

/* --- training_plan.c --- */

icl_status icl_training_make_plan(icl_training *self);

/* --- training_prepare.c --- */

/* "name" below `folder` unless it is absolute; yours. ICL_ENOMEM. */
icl_status icl_training_join(char **out, const char *folder, const char *name);
/* Path of a file of the recipe's: below the data folder, else beside the recipe. ICL_EIO names it
 * when it cannot be read. */
icl_status icl_training_find_file(char **out, const icl_training *self, const char *name);
/* Pools, tokenizer, vectors, weights and optimizer, from a checkpoint where there is one. */
icl_status icl_training_prepare(icl_training *self);
void icl_training_release(icl_training *self);
/* Tells the caller's `report` what is going on. */
void icl_training_say(icl_training *self, const char *stage, size_t done, size_t total);

/* --- training_evaluate.c --- */

icl_status icl_evaluator_new(icl_evaluator **out, icl_training *self);
void icl_evaluator_free(icl_evaluator *evaluator);
/* Judges the model on every set and adds lines to evaluation.jsonl. ICL_ECANCELLED only where it
 * may be stopped. */
icl_status icl_training_evaluate(icl_training *self, bool stoppable);
/* Limits of a batch of evaluation, for the plan. */
icl_batch_limits icl_evaluate_limits(const icl_recipe *recipe, size_t vocab_count);

/* --- training_files.c --- */

/* Creates and locks the folder. ICL_EBUSY: another process trains there; ICL_EINVAL: it holds an
 * earlier run and resuming was not asked for. */
icl_status icl_training_lock_folder(icl_training *self);
icl_status icl_training_load_checkpoint(icl_training *self);
icl_status icl_training_save_checkpoint(const icl_training *self, const icl_checkpoint *state);
/* Opens the two logs, without the lines beyond the checkpoint's step. */
icl_status icl_training_open_logs(icl_training *self);
/* Adds the object as a line. ICL_EIO names the file. */
icl_status icl_training_write_line(FILE *stream, json_t *object_taken, const char *folder,
                                   const char *name);
icl_status icl_training_log_step(icl_training *self, const icl_recipe_phase *phase);
/* The model in the recipe's types. */
icl_status icl_training_write_model(icl_training *self);
/* report.json: what was trained, how, and what came out. */
icl_status icl_training_write_facts(icl_training *self);

/* --- training_steps.c --- */

/* From the checkpoint's step to the last one. */
icl_status icl_training_steps(icl_training *self);

double icl_training_now(void); /* seconds, monotonic */

#endif
