/* pipeline/ask_parts.h - what the files that answer questions share. */
#ifndef ICL_PIPELINE_ASK_PARTS_H
#define ICL_PIPELINE_ASK_PARTS_H

#include "pipeline/ask.h"

struct icl_ask_service {
    icl_ask_source source;
    icl_asker asker;
};

/* Prompts of about so many tokens share a batch. A token takes at most about 200 bytes, growing
 * arrays included: in the batch, a node and an ask of the trie, a place in the plan, its answer. */
enum { ICL_ASK_BATCH_TOKENS = 1 << 18 };

/* The prompts of a call without repetitions. */
typedef struct icl_ask_distinct {
    size_t count;
    size_t *firsts; /* [count] index of a prompt */
    size_t *same;   /* [prompt count] which of them a prompt equals */
} icl_ask_distinct;

icl_status icl_ask_distinct_find(icl_ask_distinct *out, const icl_ask_source *source,
                                 const icl_ask_prompt *prompts, size_t count);
void icl_ask_distinct_deinit(icl_ask_distinct *distinct);

const char *icl_ask_input(const icl_ask_source *source, const icl_ask_prompt *asked);
const char *icl_ask_id(const icl_ask_source *source, const icl_ask_prompt *asked);

/* ask_generate.c: icl_asker.generate. */
icl_status icl_ask_generate(void *user, char **out, const icl_ask_prompt *prompts, size_t count,
                            const icl_ask_generation *how);

#endif
