#include <icl/train.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "train/training_parts.h"

icl_train_options icl_train_options_default(void)
{
    return (icl_train_options){ .thread_count = 0 };
}

static icl_status copy_text(char **out, const char *text)
{
    if (text == NULL) return ICL_OK;
    *out = icl_string_copy(text, strlen(text));
    return *out != NULL ? ICL_OK : icl_error_set(ICL_ENOMEM, "out of memory");
}

/* icl-train/NAME unless the caller says where. */
static icl_status set_out_folder(icl_training *self)
{
    if (self->options.out_folder != NULL)
        return copy_text(&self->out_folder, self->options.out_folder);
    return icl_training_join(&self->out_folder, "icl-train", self->recipe->name);
}

static icl_status copy_options(icl_training *self, const icl_train_options *options)
{
    self->options = *options;
    ICL_TRY(copy_text(&self->data_folder, options->data_folder));
    ICL_TRY(copy_text(&self->encoder_path, options->encoder_path));
    ICL_TRY(copy_text(&self->device_name, options->device));
    return set_out_folder(self);
}

static icl_status open_device(icl_training *self)
{
    const icl_device_options options = { .name = self->device_name,
                                         .thread_count = (size_t)self->options.thread_count };
    return icl_device_open(&self->device, &options);
}

icl_status icl_training_open(icl_training **out, const char *recipe_path,
                             const icl_train_options *options)
{
    icl_training *self = calloc(1, sizeof *self);
    if (self == NULL) return icl_error_set(ICL_ENOMEM, "out of memory");
    self->lock = -1;
    atomic_init(&self->cancelled, false);
    self->progress = (icl_train_progress){ .stage = "reading", .phase = "", .loss_nats = NAN };
    icl_status status = icl_recipe_open(&self->recipe, recipe_path);
    if (status == ICL_OK) status = copy_options(self, options);
    if (status == ICL_OK) status = open_device(self);
    if (status == ICL_OK) status = icl_training_make_plan(self);
    if (status == ICL_OK) {
        self->progress.steps = self->plan.steps;
        *out = self;
    } else {
        icl_training_close(self);
    }
    return status;
}

void icl_training_close(icl_training *training)
{
    if (training == NULL) return;
    if (training->recipe != NULL) icl_training_release(training);
    free(training->model_path);
    free(training->phases);
    icl_device_close(training->device);
    free(training->tokenizer_path);
    free(training->from_path);
    free(training->device_name);
    free(training->out_folder);
    free(training->encoder_path);
    free(training->data_folder);
    icl_recipe_close(training->recipe);
    free(training);
}

const icl_train_plan *icl_training_get_plan(const icl_training *training)
{
    return &training->plan;
}

const icl_train_phase_plan *icl_training_get_phase(const icl_training *training, size_t phase)
{
    return &training->phases[phase];
}

const char *icl_training_folder(const icl_training *training)
{
    return training->out_folder;
}

void icl_training_cancel(icl_training *training)
{
    atomic_store(&training->cancelled, true);
}

const char *icl_training_model_path(const icl_training *training)
{
    return training->model_path;
}

/* The last evaluation shows whether the weights are sound, so the checkpoint comes after it. */
static icl_status finish(icl_training *self)
{
    ICL_TRY(icl_training_evaluate(self, false));
    ICL_TRY(icl_training_save_checkpoint(self, &self->state));
    ICL_TRY(icl_training_write_model(self));
    return icl_training_write_facts(self);
}

icl_status icl_training_run(icl_training *training)
{
    icl_status status = icl_training_lock_folder(training);
    if (status == ICL_OK) status = icl_training_prepare(training);
    if (status == ICL_OK) status = icl_training_steps(training);
    if (status == ICL_OK) status = finish(training);
    icl_training_release(training);
    if (status != ICL_OK) rmdir(training->out_folder); /* goes only when nothing was kept */
    return status;
}
