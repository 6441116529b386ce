#include "learn/trainable.h"

#include "base/error.h"
#include "learn/model_file.h"

icl_status icl_frozen_model_open(icl_frozen_model *out, const icl_trainable *trainable)
{
    static const char *const everything[] = { "", NULL };
    const icl_device_options device = { .name = "cpu", .thread_count = trainable->thread_count };
    icl_transformer_config config;
    ICL_TRY(icl_model_file_config(&config, trainable->path));
    config.frozen = everything;
    ICL_TRY(icl_device_open(&out->device, &device));
    ICL_TRY(icl_transformer_new(&out->model, out->device, &config));
    return icl_model_file_read(out->model, trainable->path);
}

void icl_frozen_model_close(icl_frozen_model *frozen)
{
    icl_transformer_free(frozen->model);
    icl_device_close(frozen->device);
    *frozen = (icl_frozen_model){ 0 };
}
