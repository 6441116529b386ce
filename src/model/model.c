#include <assert.h>
#include <stdlib.h>

#include <icl/sys/model.h>

#include "base/error.h"
#include "model/interrupt.h"

struct icl_model {
    const icl_model_backend *backend;
    void *self;
    icl_model_info info;
    atomic_bool interrupted;
    uint64_t cache_stamp;
};

icl_model_options icl_model_options_default(void)
{
    return (icl_model_options){ .kv_type = ICL_KV_F32 };
}

icl_status icl_model_new(icl_model **out, const icl_model_backend *backend, void *self_taken,
                         const icl_model_info *info)
{
    icl_model *model = calloc(1, sizeof *model);
    if (model == NULL) {
        backend->close(self_taken);
        return icl_error_set(ICL_ENOMEM, "out of memory while opening a model");
    }
    model->backend = backend;
    model->self = self_taken;
    model->info = *info;
    *out = model;
    return ICL_OK;
}

void icl_model_close(icl_model *model)
{
    if (model == NULL) return;
    model->backend->close(model->self);
    free(model);
}

const icl_model_info *icl_model_get_info(const icl_model *model)
{
    return &model->info;
}

icl_status icl_model_tokenize(icl_model *model, int32_t *out_tokens, size_t capacity,
                              size_t *out_count, const char *text, size_t length,
                              bool parse_special)
{
    return model->backend->tokenize(model->self, out_tokens, capacity, out_count, text, length,
                                    parse_special);
}

icl_status icl_model_piece(icl_model *model, char *out, size_t capacity, size_t *out_length,
                           int32_t token)
{
    if (token < 0 || (size_t)token >= model->info.vocab_count)
        return icl_error_set(ICL_EINVAL, "token %d is outside the vocabulary of %zu tokens", token,
                             model->info.vocab_count);
    return model->backend->piece(model->self, out, capacity, out_length, token);
}

icl_status icl_model_prepare(icl_model *model, const icl_decode_limits *limits)
{
    if (limits->hidden && !model->info.hidden_states)
        return icl_error_set(ICL_EUNSUPPORTED, "the %s back end does not give hidden states",
                             model->backend->name);
    model->cache_stamp++;
    return model->backend->prepare(model->self, limits);
}

icl_status icl_model_decode(icl_model *model, const icl_decode_call *call)
{
    assert(call->token_count > 0);
    const icl_status status = model->backend->decode(model->self, call);
    model->cache_stamp += status != ICL_OK;
    return status;
}

uint64_t icl_model_cache_stamp(const icl_model *model)
{
    return model->cache_stamp;
}

const float *icl_model_logits(icl_model *model, size_t token_index)
{
    return model->backend->logits(model->self, token_index);
}

const float *icl_model_hidden(icl_model *model, size_t token_index)
{
    assert(model->info.hidden_states);
    return model->backend->hidden(model->self, token_index);
}

static void set_interrupted(icl_model *model, bool on)
{
    atomic_store(&model->interrupted, on);
    if (model->backend->interrupt != NULL) model->backend->interrupt(model->self, on);
}

uint64_t icl_model_working_bytes(const icl_model *model)
{
    return model->backend->working_bytes(model->self);
}

void icl_model_interrupt(icl_model *model)
{
    set_interrupted(model, true);
}

void icl_model_clear_interrupt(icl_model *model)
{
    set_interrupted(model, false);
}

const atomic_bool *icl_model_interrupt_flag(const icl_model *model)
{
    return &model->interrupted;
}
