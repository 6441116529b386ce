/* pipeline/ask_parts.h - what the files that answer questions share. */
#ifndef ICL_PIPELINE_ASK_PARTS_H
#define ICL_PIPELINE_ASK_PARTS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/rng.h"
#include "pipeline/ask.h"

struct icl_ask_service {
    icl_ask_source source;
    icl_asker asker;
};

/* Prompts of about so many tokens share a batch. A token takes at most about so many bytes, growing
 * arrays included: in the batch, a node and an ask of the trie, a place in the plan, its answer. */
enum { ICL_ASK_BATCH_TOKENS = 1 << 18, ICL_ASK_TOKEN_BYTES = 200 };

/* The questions of a call without repetitions. */
typedef struct icl_ask_distinct {
    size_t count;
    size_t *firsts; /* [count] index of a prompt */
    size_t *same;   /* [prompt count] which of them a prompt equals */
} icl_ask_distinct;

/* tags [count] tell equal prompts apart; NULL: nothing does. ICL_EINVAL: content-free inputs that
 * the template refuses. */
icl_status icl_ask_distinct_find(icl_ask_distinct *out, const icl_ask_source *source,
                                 const icl_ask_prompt *prompts, const size_t *tags, size_t count);
void icl_ask_distinct_deinit(icl_ask_distinct *distinct);

const char *icl_ask_input(const icl_ask_source *source, const icl_ask_prompt *asked);
const char *icl_ask_id(const icl_ask_source *source, const icl_ask_prompt *asked);

/* The tokens of a continuation so far. */
typedef struct icl_ask_tokens {
    const int32_t *tokens;
    size_t count;
} icl_ask_tokens;

/* ask_draw.c: how next tokens are found that are not simply the likeliest. */
typedef struct icl_ask_draw {
    const icl_ask_generation *how;
    size_t vocab_count;
    int32_t *form_tokens; /* [form_count] ascending: of what icl_ask_generation.keeps_form says */
    size_t form_count;
    double *nats; /* of the candidates at hand */
    size_t nats_capacity;
} icl_ask_draw;

enum { ICL_ASK_NO_TOKEN = -1 }; /* all that is possible would repeat a run */

/* *out is yours: icl_ask_draw_deinit, which is fine on zeroes; borrows `how`. */
icl_status icl_ask_draw_init(icl_ask_draw *out, const icl_ask_source *source,
                             const icl_ask_generation *how);
/* Whether `how` asks for more than the likeliest token. */
bool icl_ask_draws(const icl_ask_generation *how);
/* Whether each token takes the model's whole distribution. */
bool icl_ask_draws_from_all(const icl_ask_draw *draw);
/* Adds the request for the token after `text`, then takes the token from its answer and one number
 * from `rng`, none when the likeliest is taken. */
icl_status icl_ask_draw_add(const icl_ask_draw *draw, icl_batch *batch, size_t prefix,
                            icl_ask_tokens text, size_t *out_request);
icl_status icl_ask_draw_read(int32_t *out, icl_ask_draw *draw, icl_rng *rng, const icl_batch *batch,
                             size_t request, icl_ask_tokens text);
void icl_ask_draw_deinit(icl_ask_draw *draw);

/* ask_generate.c: icl_asker.generate. */
icl_status icl_ask_generate(void *user, char **out, const icl_ask_prompt *prompts, size_t count,
                            const icl_ask_generation *how);

#endif
