/* pipeline/ask.h - serves the questions of methods (template/ask.h) from rendered inputs, label
 * words, the prompt policy and an engine.
 *
 *   icl_ask_service *service = NULL;
 *   status = icl_ask_service_new(&service, &(icl_ask_source){ .engine = engine, ... });
 *   input.asker = icl_ask_service_asker(service);
 *   ... icl_select_run(...), method->pick(...), method->fit(...) ...
 *   icl_ask_service_free(service);
 *
 * Equal prompts of a call are asked once, also when they come from different items, unless their
 * texts are drawn. What a call asks is one batch, cut only where its tokens exceed 2^18, so that
 * planning stays below about 50 MiB: prompts that begin alike should stand next to each other.
 * Finished answers are in the engine's journal, where there is one, before the call returns, so a
 * repeated question is free.
 *
 * Which tokens are scored:
 *   labels    as in a run, by the join policy of the prompter options; scores are not normalised
 *   answers   the same for one name of one label
 *   inputs    prompt and input are tokenised together; scored is every token with a byte of the
 *             rendered input in it, a token across the join included. What a chat template writes
 *             after the input is not scored
 *   texts     every token but BOS; without BOS every token but the first
 *   generate  the cue follows the input directly and belongs to it (in chat: to the user's turn).
 *             A step is one batch for all prompts that go on and gives each a token, greedily one
 *             or more, see ask_generate.c and ask_draw.c; nothing is kept between steps but what
 *             the journal holds, so a token costs its prompt, shared where prompts begin alike. A
 *             text ends before the separator, the end-of-text token, a NUL byte or a character that
 *             is not whole, and where every token would repeat a run. Demonstrations are dropped
 *             until tokens_max fit the window
 */
#ifndef ICL_PIPELINE_ASK_H
#define ICL_PIPELINE_ASK_H

#include <stddef.h>

#include <icl/engine.h>
#include <icl/task.h>

#include "pipeline/prompting.h"
#include "template/ask.h"
#include "template/prompt.h"

typedef struct icl_ask_items {
    size_t count;
    const char *const *inputs; /* [count] rendered by the task's template */
    const char *const *ids;    /* [count] for messages */
} icl_ask_items;

/* Everything is borrowed until icl_ask_service_free. */
typedef struct icl_ask_source {
    icl_engine *engine;
    icl_prompter_options prompts;
    const icl_verbalizer *verbalizer;
    icl_ask_items pool, queries;
    const size_t *pool_labels; /* [pool.count]; read when an item is shown, so it may be filled in
                                  between calls (annotation); ICL_LABEL_NONE is never shown */
    const icl_template_forms *forms; /* of the task's template */
    const char *task;                /* key of randomness */
} icl_ask_source;

/* A prompt to be: demonstrations with the first name of their labels, then the input. */
typedef struct icl_shown {
    const size_t *items; /* [count] pool indices in order of showing */
    size_t count;
    const char *input, *name; /* rendered; what a message calls it */
} icl_shown;

/* *out is yours: icl_prompt_deinit. As icl_prompter_build. */
icl_status icl_shown_build(icl_prompt *out, icl_prompter *prompter, const icl_ask_source *source,
                           const icl_shown *shown);

typedef struct icl_ask_service icl_ask_service;

/* *out is yours: icl_ask_service_free. Asks nothing. ICL_ENOMEM. Calls refuse what icl_prompter_new
 * and icl_prompter_build refuse, and ICL_EINVAL an input without a token that can be predicted. */
icl_status icl_ask_service_new(icl_ask_service **out, const icl_ask_source *source);
void icl_ask_service_free(icl_ask_service *service);

/* Borrowed from the service; label_count is that of the verbalizer. */
const icl_asker *icl_ask_service_asker(const icl_ask_service *service);

#endif
