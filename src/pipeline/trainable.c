#include "pipeline/trainable.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/error.h"

struct icl_trainable_service {
    icl_trainable trainable;
    const icl_ask_source *source;
    icl_prompter *prompter;
    int32_t *tokens; /* of the last item */
    size_t token_capacity;
};

/* What the answer is conditioned on, then the answer. */
static icl_status join(icl_trainable_service *self, icl_labelled_tokens *out,
                       const icl_prompt *prompt, const icl_answer *answer)
{
    const size_t count = answer->prefix_count + answer->token_count;
    ICL_TRY(icl_array_reserve(&self->tokens, &self->token_capacity, count));
    memcpy(self->tokens, prompt->tokens, answer->prefix_count * sizeof *self->tokens);
    memcpy(self->tokens + answer->prefix_count, answer->tokens,
           answer->token_count * sizeof *self->tokens);
    *out = (icl_labelled_tokens){ .tokens = self->tokens,
                                  .token_count = count,
                                  .lead_count = prompt->bos_count,
                                  .answer_first = answer->prefix_count };
    return ICL_OK;
}

static icl_status tokens_of(void *user, icl_labelled_tokens *out, const size_t *shown,
                            size_t shown_count, size_t item)
{
    icl_trainable_service *self = user;
    const icl_ask_source *source = self->source;
    assert(item < source->pool.count);
    icl_prompt prompt = { 0 };
    icl_answer answer = { 0 };
    const icl_shown asked = { shown, shown_count, source->pool.inputs[item],
                              source->pool.ids[item] };
    ICL_TRY(icl_shown_build(&prompt, self->prompter, source, &asked));
    const char *words = icl_verbalizer_word(source->verbalizer, source->pool_labels[item], 0);
    icl_status status = icl_prompter_answer(&answer, self->prompter, &prompt, words);
    if (status == ICL_OK) status = join(self, out, &prompt, &answer);
    icl_prompt_deinit(&prompt);
    return status;
}

icl_status icl_trainable_service_new(icl_trainable_service **out, const icl_ask_source *source)
{
    icl_model *model = icl_engine_model(source->engine);
    const icl_model_info *info = icl_model_get_info(model);
    icl_trainable_service *self = calloc(1, sizeof *self);
    if (self == NULL) return icl_error_set(ICL_ENOMEM, "out of memory for a model to be trained");
    self->source = source;
    self->trainable = (icl_trainable){ .path = info->path,
                                       .thread_count = (size_t)info->thread_count,
                                       .user = self,
                                       .tokens = tokens_of };
    const icl_status status = icl_prompter_new(&self->prompter, model, &source->prompts);
    if (status == ICL_OK)
        *out = self;
    else
        icl_trainable_service_free(self);
    return status;
}

void icl_trainable_service_free(icl_trainable_service *service)
{
    if (service == NULL) return;
    free(service->tokens);
    icl_prompter_free(service->prompter);
    free(service);
}

const icl_trainable *icl_trainable_service_get(const icl_trainable_service *service)
{
    return &service->trainable;
}
